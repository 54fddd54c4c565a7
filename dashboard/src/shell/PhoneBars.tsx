import { Search } from "lucide-react";
import { Link, NavLink } from "react-router";

import { IconButton } from "@/ui/Button";
import { classes } from "@/ui/classes";

import { Logo } from "./Logo";
import { usePages } from "./Sidebar";
import { UserMenu } from "./UserMenu";

export function PhoneTopBar({ onSearch }: { onSearch: () => void }) {
  return (
    <header className="sticky top-0 z-30 flex h-13 items-center justify-between border-b border-line bg-page/95 px-4 backdrop-blur md:hidden">
      <Link to="/" className="rounded-lg">
        <Logo />
      </Link>
      <div className="flex items-center gap-2">
        <IconButton label="Search" icon={Search} onClick={onSearch} />
        <UserMenu compact />
      </div>
    </header>
  );
}

export function PhoneBottomBar() {
  const pages = usePages();
  return (
    <nav aria-label="Main" className="fixed inset-x-0 bottom-0 z-30 border-t border-line bg-surface pb-[env(safe-area-inset-bottom)] md:hidden [[data-keyboard]_&]:hidden">
      <ul className="grid auto-cols-fr grid-flow-col">
        {pages.map(({ to, label, icon: Icon, end }) => (
          <li key={to}>
            <NavLink
              to={to}
              end={end}
              className={({ isActive }) => classes("flex flex-col items-center gap-0.5 py-2 text-[10px] font-medium tracking-tight max-[359px]:text-[9px] focus-visible:-outline-offset-2", isActive ? "text-accent-ink" : "text-faint")}
            >
              <Icon aria-hidden className="size-5" />
              {label}
            </NavLink>
          </li>
        ))}
      </ul>
    </nav>
  );
}
