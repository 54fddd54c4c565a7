import { useEffect, useRef } from "react";
import { NavLink, useLocation } from "react-router";

import { classes } from "./classes";

export interface Tab {
  to: string;
  label: string;
  end: boolean;
  /** Something there waits for the reader: what it is. */
  waits?: string;
}

/** The parts of a page, each with its own address. */
export function Tabs({ label, tabs }: { label: string; tabs: readonly Tab[] }) {
  const nav = useRef<HTMLElement>(null);
  const { pathname } = useLocation();

  // On a phone the current tab may lie beyond the edge, and some are there only later.
  useEffect(() => {
    nav.current?.querySelector('[aria-current="page"]')?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }, [pathname, tabs.length]);

  return (
    <nav ref={nav} aria-label={label} className="-mx-4 [scrollbar-width:none] overflow-x-auto overflow-y-hidden border-b border-line px-4 sm:mx-0 sm:px-0">
      <ul className="flex gap-1">
        {tabs.map(({ to, label, end, waits }) => (
          <li key={to}>
            <NavLink
              to={to}
              end={end}
              title={waits}
              className={({ isActive }) =>
                classes(
                  "-mb-px flex items-center gap-1.5 border-b-2 px-2.5 py-2 font-medium whitespace-nowrap focus-visible:-outline-offset-2",
                  isActive ? "border-accent text-ink" : "border-transparent text-faint hover:text-ink",
                )
              }
            >
              {label}
              {waits && <span aria-hidden data-testid="tab-waits" className="size-1.5 rounded-full bg-accent" />}
            </NavLink>
          </li>
        ))}
      </ul>
    </nav>
  );
}
