import { CalendarClock, Plus, SquareTerminal } from "lucide-react";
import { useState } from "react";
import { useSearchParams } from "react-router";

import type { Project } from "@/api/types";
import { processNames } from "@/features/projects/process-names";
import { useProjectContext } from "@/features/projects/project-context";
import { Button } from "@/ui/Button";
import { Card } from "@/ui/Card";
import { CopyButton } from "@/ui/Copy";
import { PageTitle } from "@/ui/PageTitle";
import { EmptyState, ErrorState, Loading, Skeleton } from "@/ui/states";

import { useRuns, useSchedules } from "./queries";
import { RunDialog } from "./RunDialog";
import { RunList } from "./RunList";
import { ScheduleDialog } from "./ScheduleDialog";
import { Schedules } from "./Schedules";

const example = `web: node server.js
worker: node worker.js
release: node migrate.js
cron-cleanup: */15 * * * * node cleanup.js`;

function RunCommand({ project, variant }: { project: Project; variant?: "primary" }) {
  const [open, setOpen] = useState(false);
  const live = project.live_deployment;
  return (
    <>
      <Button icon={SquareTerminal} size={variant ? "md" : "sm"} variant={variant} disabled={!live} title={live ? undefined : "Deploy the project first"} onClick={() => setOpen(true)} data-testid="run-command">
        Run a command
      </Button>
      <RunDialog projectId={project.id} processes={processNames(live?.plan)} open={open} onOpenChange={setOpen} />
    </>
  );
}

function Nothing({ project }: { project: Project }) {
  const [adding, setAdding] = useState(false);
  return (
    <EmptyState
      icon={CalendarClock}
      title="Nothing was run or scheduled yet"
      actions={
        <>
          <RunCommand project={project} variant="primary" />
          <Button icon={Plus} onClick={() => setAdding(true)} data-testid="add-schedule">
            Add schedule
          </Button>
          <ScheduleDialog projectId={project.id} names={[]} open={adding} onOpenChange={setAdding} />
        </>
      }
    >
      <p>
        A file named <code className="font-mono">Procfile</code> at the top of your code adds processes beside the one that answers, a command before each release goes live, and jobs that run on schedule:
      </p>
      <div className="relative mx-auto mt-3 max-w-lg rounded-lg border border-line bg-sunken text-left">
        <pre className="overflow-x-auto py-2.5 pr-12 pl-3 font-mono text-[13px] text-ink">{example}</pre>
        <div className="absolute top-1 right-1">
          <CopyButton text={example} label="Copy the Procfile" />
        </div>
      </div>
      <p className="mt-3">{project.live_deployment ? "Or run something once with the live release." : "Once something is live, you can also run commands with it."}</p>
    </EmptyState>
  );
}

function History({ project, schedule, onAll }: { project: Project; schedule: string; onAll: () => void }) {
  const { data: runs, error, refetch, hasNextPage, fetchNextPage, isFetchingNextPage } = useRuns(project.id, schedule);
  return (
    <section aria-label="Runs" className="flex flex-col gap-3">
      <div className="flex flex-wrap items-center justify-between gap-3">
        <h2 className="text-[15px] font-semibold">{schedule ? `Runs of ${schedule}` : "All runs"}</h2>
        <div className="flex gap-2">
          {schedule && (
            <Button size="sm" variant="ghost" onClick={onAll}>
              Show all runs
            </Button>
          )}
          <RunCommand project={project} />
        </div>
      </div>
      {!runs && error && <ErrorState error={error} onRetry={() => void refetch()} />}
      {!runs && !error && (
        <Loading label="Loading the runs">
          <Skeleton className="h-40 rounded-xl" />
        </Loading>
      )}
      {runs && (
        <Card className="overflow-hidden">{runs.length > 0 ? <RunList runs={runs} /> : <p className="px-4 py-4 text-faint sm:px-5">{schedule ? "It did not run yet." : "Nothing was run yet."}</p>}</Card>
      )}
      {hasNextPage && (
        <Button className="mx-auto flex" busy={isFetchingNextPage} onClick={() => void fetchNextPage()}>
          Older runs
        </Button>
      )}
    </section>
  );
}

export default function RunsTab() {
  const { project } = useProjectContext();
  const [search, setSearch] = useSearchParams();
  const schedule = search.get("schedule") ?? "";
  const { data: schedules, error, refetch } = useSchedules(project.id);
  const { data: runs } = useRuns(project.id, schedule);
  const nothing = !schedule && schedules?.length === 0 && runs?.length === 0;
  return (
    <div className="flex flex-col gap-5">
      <PageTitle>{`Runs · ${project.name}`}</PageTitle>
      {!schedules && error && <ErrorState error={error} onRetry={() => void refetch()} />}
      {!schedules && !error && (
        <Loading label="Loading the schedules">
          <Skeleton className="h-40 rounded-xl" />
        </Loading>
      )}
      {nothing && <Nothing project={project} />}
      {schedules && !nothing && (
        <>
          <Schedules projectId={project.id} schedules={schedules} />
          <History project={project} schedule={schedule} onAll={() => setSearch({}, { preventScrollReset: true })} />
        </>
      )}
    </div>
  );
}
