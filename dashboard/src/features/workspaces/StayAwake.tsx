import { AlarmClock, Moon, MoonStar } from "lucide-react";
import { Link, useLocation } from "react-router";

import { asSentence } from "@/api/error";
import { useTerminals } from "@/features/terminals/queries";
import { useNow } from "@/live/now";
import { Button } from "@/ui/Button";
import { Menu, MenuItem } from "@/ui/Menu";
import { Prose } from "@/ui/Prose";
import { toast } from "@/ui/toast-store";

import { formatLeft, formatTime, isAboutToSleep, isKeptAwake, why } from "./idle";
import { useKeepAwake, useLetSleep, useWorkspaces } from "./queries";
import type { Workspace, WorkspaceIdle } from "@/api/types";
import { pathOf } from "./words";

const HOUR = 3600;

interface IdleProps {
  workspace: Workspace;
  idle: WorkspaceIdle;
}

/** What can be asked for against its sleep: for a time, or until what a terminal does is done. */
function useStayAwake(workspace: Workspace) {
  const keep = useKeepAwake(workspace.id);
  const { data: terminals = [] } = useTerminals(workspace.id);
  return {
    busy: keep.isPending,
    running: terminals.filter((terminal) => terminal.is_running),
    forSeconds: (seconds: number) => keep.mutate({ seconds }, { onSuccess: () => toast.good(`${workspace.name} stays awake.`), onError: toast.error }),
    untilDone: (terminal_id: string, name: string) =>
      keep.mutate({ terminal_id }, { onSuccess: () => toast.good(`${workspace.name} stays awake until ${name} is done.`), onError: toast.error }),
  };
}

/** In the head of its page: when it sleeps, and what can be done against that. */
export function SleepMenu({ workspace, idle }: IdleProps) {
  const now = useNow();
  const { running, forSeconds, untilDone } = useStayAwake(workspace);
  const sleep = useLetSleep(workspace.id);
  const kept = isKeptAwake(idle);
  const text = idle.sleeps_at ? formatLeft(idle.sleeps_at, now) : "Kept awake";
  return (
    <Menu
      trigger={
        <Button
          size="sm"
          variant={isAboutToSleep(idle, now) ? "secondary" : "ghost"}
          icon={kept ? AlarmClock : Moon}
          aria-label={idle.sleeps_at ? `Sleeps ${text}` : text}
          title={asSentence(why(idle, now))}
          data-testid="sleep-menu"
        >
          <span className="tabular-nums">{idle.sleeps_at ? <><span className="max-sm:hidden">Sleeps </span>{text}</> : text}</span>
        </Button>
      }
    >
      <p className="max-w-72 px-2 py-1.5 text-[13px] text-soft" data-testid="sleep-reason">
        {idle.sleeps_at && <>Sleeps at {formatTime(idle.sleeps_at, now)}: </>}
        <Prose>{idle.sleeps_at ? `${why(idle, now)}.` : asSentence(why(idle, now))}</Prose>
      </p>
      {workspace.idle_timeout_seconds > 0 && (
        <>
          <MenuItem onSelect={() => forSeconds(HOUR)}>Stay awake 1 hour</MenuItem>
          <MenuItem onSelect={() => forSeconds(4 * HOUR)}>Stay awake 4 hours</MenuItem>
          {running.slice(0, 8).map(({ id, name }) => (
            <MenuItem key={id} onSelect={() => untilDone(id, name)}>
              Until the job in {name} ends
            </MenuItem>
          ))}
          {kept && (
            <MenuItem onSelect={() => sleep.mutate(undefined, { onError: toast.error })} testId="let-sleep">
              Let it sleep when idle
            </MenuItem>
          )}
        </>
      )}
    </Menu>
  );
}

function Warning({ workspace, idle }: IdleProps) {
  const now = useNow();
  const { pathname } = useLocation();
  const { busy, running, forSeconds, untilDone } = useStayAwake(workspace);
  // The terminal that was used last, or the only one.
  const job = running.find((terminal) => terminal.id === idle.last_use?.terminal_id) ?? running[0];
  const mayStay = idle.cause === "idle";
  const place = pathOf(workspace);
  return (
    <section aria-label={`${workspace.name} goes to sleep`} data-testid="sleep-banner" className="shrink-0 border-b border-warn/30 bg-warn-wash px-3 py-2 sm:px-4">
      <div className="flex flex-wrap items-center gap-x-4 gap-y-2">
        <p className="flex min-w-0 flex-1 basis-64 items-start gap-2 text-[13px]">
          <MoonStar aria-hidden className="mt-0.5 size-4 shrink-0 text-warn" />
          <span className="min-w-0 wrap-anywhere">
            {pathname === place ? (
              <strong className="font-medium">{workspace.name}</strong>
            ) : (
              <Link to={place} className="rounded font-medium underline">
                {workspace.name}
              </Link>
            )}{" "}
            sleeps <span className="font-medium tabular-nums">{idle.sleeps_at ? formatLeft(idle.sleeps_at, now) : "soon"}</span>
            {idle.sleeps_at && <> (at {formatTime(idle.sleeps_at, now)})</>}: <Prose>{`${why(idle, now)}.`}</Prose>
            {!mayStay && " Its deadline can be moved on its page."}
          </span>
        </p>
        {mayStay && (
          <div className="flex flex-wrap items-center gap-1.5">
            <Button size="sm" variant="primary" busy={busy} onClick={() => forSeconds(HOUR)} data-testid="stay-awake">
              Stay awake 1 h
            </Button>
            {job && (
              <Button size="sm" busy={busy} onClick={() => untilDone(job.id, job.name)} data-testid="stay-until-done">
                Until the job in {job.name} ends
              </Button>
            )}
          </div>
        )}
      </div>
    </section>
  );
}

/** Above every page, while a workspace is about to be stopped by itself. */
export function SleepBanner() {
  const { data: workspaces = [] } = useWorkspaces();
  // To the second where one may sleep: a short warning has to be seen.
  const now = useNow(workspaces.some((workspace) => workspace.idle?.warns_at) ? "second" : "slow");
  return workspaces.map((workspace) => workspace.idle && isAboutToSleep(workspace.idle, now) && <Warning key={workspace.id} workspace={workspace} idle={workspace.idle} />);
}
