import { Boxes, Plus, Search } from "lucide-react";
import { useState } from "react";

import type { Project } from "@/api/types";
import { plural } from "@/format/quantity";
import { ButtonLink } from "@/ui/Button";
import { classes } from "@/ui/classes";
import { CommandLine } from "@/ui/Copy";
import { inputClass } from "@/ui/Field";
import { PageHeader, PageTitle } from "@/ui/PageTitle";
import { EmptyState, ErrorState, Loading, Skeleton } from "@/ui/states";

import { cli } from "./cli-commands";
import { ProjectCard } from "./ProjectCard";
import { useProjects } from "./queries";

const gridClass = "grid gap-3 sm:grid-cols-2 xl:grid-cols-3";
/** With fewer, the eye is quicker than a search. */
const SEARCH_FROM = 7;

function lastActivity(project: Project): string {
  return project.latest_deployment?.created_at ?? project.created_at;
}

function summary(projects: readonly Project[]): string {
  const count = (status: Project["status"]) => projects.filter((project) => project.status === status).length;
  const words = [plural(projects.length, "project")];
  if (count("live")) words.push(`${count("live")} live`);
  if (count("deploying")) words.push(`${count("deploying")} deploying`);
  if (count("down")) words.push(`${count("down")} down`);
  if (count("failed")) words.push(`${count("failed")} failed`);
  return words.join(" · ");
}

function NoProjects() {
  return (
    <EmptyState
      icon={Boxes}
      title="Deploy your first app"
      actions={
        <ButtonLink to="/projects/new" variant="primary" icon={Plus}>
          Deploy from a Git URL
        </ButtonLink>
      }
    >
      <p>Paste the address of a Git repository, and NanoScale finds out how to build and run it. Or send a directory from your machine:</p>
      <CommandLine command={cli.deployDirectory} className="mx-auto mt-3 max-w-sm" />
    </EmptyState>
  );
}

export default function ProjectsPage() {
  const { data, error, refetch } = useProjects();
  const [search, setSearch] = useState("");
  const projects = data
    ?.filter((project) => `${project.name} ${project.domain}`.toLowerCase().includes(search.trim().toLowerCase()))
    .sort((a, b) => lastActivity(b).localeCompare(lastActivity(a)));

  return (
    <div className="flex flex-col gap-5">
      <PageTitle>Projects</PageTitle>
      <PageHeader
        title="Projects"
        subtitle={data && data.length > 0 ? summary(data) : undefined}
        actions={
          <>
            {data && data.length >= SEARCH_FROM && (
              <div className="relative">
                <Search aria-hidden className="pointer-events-none absolute top-2.5 left-2.5 size-4 text-faint" />
                <input
                  type="search"
                  aria-label="Filter projects"
                  placeholder="Filter"
                  value={search}
                  onChange={(event) => setSearch(event.target.value)}
                  className={classes(inputClass, "w-44 pl-8")}
                />
              </div>
            )}
            <ButtonLink to="/projects/new" variant="primary" icon={Plus} data-testid="new-project">
              New project
            </ButtonLink>
          </>
        }
      />
      {!data && error && <ErrorState error={error} onRetry={() => void refetch()} />}
      {!data && !error && (
        <Loading label="Loading projects" className={gridClass}>
          {[1, 2, 3].map((card) => (
            <Skeleton key={card} className="h-36 rounded-xl" />
          ))}
        </Loading>
      )}
      {data?.length === 0 && <NoProjects />}
      {projects && projects.length > 0 && (
        <div className={gridClass}>
          {projects.map((project) => (
            <ProjectCard key={project.id} project={project} />
          ))}
        </div>
      )}
      {data && data.length > 0 && projects?.length === 0 && <p className="py-8 text-center text-faint">No project is called that.</p>}
    </div>
  );
}
