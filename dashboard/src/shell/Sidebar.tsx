import { Bell, Boxes, BrainCircuit, MonitorDot, Plus, Search, Server, Settings, type LucideIcon } from "lucide-react";
import { Link, NavLink } from "react-router";

import { useMeshOnly } from "@/features/auth/queries";
import { ProjectStatusIcon } from "@/features/projects/ProjectStatusBadge";
import { useProjects } from "@/features/projects/queries";
import { classes } from "@/ui/classes";

import { Logo } from "./Logo";
import { UserMenu } from "./UserMenu";

interface Page {
  to: string;
  label: string;
  icon: LucideIcon;
  end: boolean;
  /** The portal of a mesh does not have it. */
  cloudOnly?: true;
}

const pages: Page[] = [
  { to: "/", label: "Projects", icon: Boxes, end: true, cloudOnly: true },
  { to: "/workspaces", label: "Workspaces", icon: MonitorDot, end: false, cloudOnly: true },
  { to: "/servers", label: "Servers", icon: Server, end: false, cloudOnly: true },
  { to: "/models", label: "Models", icon: BrainCircuit, end: false },
  { to: "/notifications", label: "Notifications", icon: Bell, end: false, cloudOnly: true },
  { to: "/settings", label: "Settings", icon: Settings, end: false },
];

/** The pages that this server has. */
export function usePages(): Page[] {
  const meshOnly = useMeshOnly();
  return pages.filter(({ cloudOnly }) => !(meshOnly && cloudOnly));
}

/** The key as this machine's keyboard has it. */
export const paletteKey = /mac|iphone|ipad/i.test(navigator.platform) ? "⌘K" : "Ctrl K";

const MAX_PROJECTS = 12;

const linkClass = ({ isActive }: { isActive: boolean }) =>
  classes("flex items-center gap-2.5 rounded-lg px-2 py-1.5", isActive ? "bg-hover font-medium text-ink" : "text-soft hover:bg-hover/70 hover:text-ink");

function ProjectLinks() {
  const { data: projects = [] } = useProjects();
  const shown = [...projects].sort((a, b) => a.name.localeCompare(b.name)).slice(0, MAX_PROJECTS);
  if (shown.length === 0) return null;
  return (
    <nav aria-labelledby="sidebar-projects" className="mt-6 min-h-0 flex-1 overflow-y-auto px-3 pb-2">
      <div className="mb-1 flex items-center justify-between pl-2">
        <h2 id="sidebar-projects" className="text-xs font-medium text-faint">
          Your projects
        </h2>
        <Link to="/projects/new" aria-label="New project" title="New project" className="rounded-md p-1 text-faint hover:bg-hover hover:text-ink">
          <Plus aria-hidden className="size-3.5" />
        </Link>
      </div>
      <ul>
        {shown.map((project) => (
          <li key={project.id}>
            <NavLink to={`/projects/${project.id}`} className={linkClass}>
              <ProjectStatusIcon status={project.status} />
              <span className="truncate">{project.name}</span>
            </NavLink>
          </li>
        ))}
      </ul>
    </nav>
  );
}

export function Sidebar({ onSearch }: { onSearch: () => void }) {
  const pages = usePages();
  return (
    <aside className="sticky top-0 hidden h-dvh w-58 shrink-0 flex-col border-r border-line bg-sunken md:flex">
      <div className="px-5 pt-5 pb-4">
        <Link to="/" className="inline-block rounded-lg">
          <Logo />
        </Link>
      </div>
      <div className="px-3">
        <button
          type="button"
          onClick={onSearch}
          aria-keyshortcuts="Control+K Meta+K"
          className="flex h-8 w-full items-center gap-2 rounded-lg border border-line bg-surface px-2.5 text-[13px] text-faint shadow-card hover:border-line-strong hover:text-ink"
        >
          <Search aria-hidden className="size-3.5" />
          <span className="flex-1 text-left">Search</span>
          <kbd className="font-sans text-xs">{paletteKey}</kbd>
        </button>
      </div>
      <nav aria-label="Main" className="mt-4 px-3">
        <ul className="flex flex-col gap-0.5">
          {pages.map(({ to, label, icon: Icon, end }) => (
            <li key={to}>
              <NavLink to={to} end={end} className={linkClass}>
                <Icon aria-hidden className="size-4" /> {label}
              </NavLink>
            </li>
          ))}
        </ul>
      </nav>
      <ProjectLinks />
      <div className="mt-auto border-t border-line p-3">
        <UserMenu />
      </div>
    </aside>
  );
}
