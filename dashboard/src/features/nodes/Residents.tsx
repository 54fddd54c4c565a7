import { Link } from "react-router";

import type { Node } from "@/api/types";
import { ProjectStatusIcon } from "@/features/projects/ProjectStatusBadge";
import { useProjects } from "@/features/projects/queries";
import { plural } from "@/format/quantity";

import { residentsOf } from "./placement";

const SHOWN = 6;

/** The projects of a server, in a line. */
export function Residents({ node }: { node: Node }) {
  const { data: all } = useProjects();
  if (!all) return null;
  const { projects, others } = residentsOf(node, all);
  const more = Math.max(0, projects.length - SHOWN) + others;
  if (projects.length + more === 0) return <p className="text-[13px] text-faint">No project runs here.</p>;
  return (
    <ul aria-label="Projects" className="flex min-w-0 flex-wrap items-center gap-1.5 text-[13px]">
      {projects.slice(0, SHOWN).map(({ id, name, status }) => (
        <li key={id} className="min-w-0">
          {/* Above the link of the whole card. */}
          <Link to={`/projects/${id}`} className="relative inline-flex max-w-full items-center gap-1.5 rounded-md border border-line px-2 py-0.5 text-soft hover:border-line-strong hover:text-ink">
            <ProjectStatusIcon status={status} />
            <span className="truncate">{name}</span>
          </Link>
        </li>
      ))}
      {more > 0 && <li className="text-faint">{projects.length > 0 ? `and ${more} more` : plural(more, "project")}</li>}
    </ul>
  );
}
