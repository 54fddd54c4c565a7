import { Link } from "react-router";

import { asSentence } from "@/api/error";
import type { Run } from "@/api/types";
import { Chip } from "@/ui/Badge";
import { Prose } from "@/ui/Prose";
import { RelativeTime } from "@/ui/RelativeTime";

import { StopButton } from "./actions";
import { RunDuration } from "./RunDuration";
import { RunStateBadge } from "./RunStateBadge";
import { causeOf, pathOf, titleOf } from "./words";

function Row({ run }: { run: Run }) {
  const failed = run.state !== "succeeded" && run.state !== "running" && run.reason;
  return (
    <li data-testid="run" className="relative flex flex-wrap items-start justify-between gap-x-4 gap-y-2 px-4 py-3 hover:bg-hover/50 sm:px-5">
      <div className="min-w-0 flex-1 basis-64">
        <p className="flex flex-wrap items-center gap-x-2.5 gap-y-1">
          <RunStateBadge state={run.state} />
          <Link to={pathOf(run)} className="font-medium before:absolute before:inset-0 hover:underline">
            {titleOf(run)}
          </Link>
          {run.exit_code != null && run.exit_code !== 0 && <Chip>exit code {run.exit_code}</Chip>}
        </p>
        <code className="mt-1 block truncate font-mono text-[13px] text-soft" title={run.command}>
          {run.command}
        </code>
        {failed && run.exit_code == null && (
          <p className="mt-0.5 text-[13px] wrap-anywhere text-faint">
            <Prose>{asSentence(run.reason ?? "")}</Prose>
          </p>
        )}
      </div>
      <div className="flex items-center gap-3 text-[13px] text-faint">
        <span className="sm:text-right">
          <span className="block">
            <RelativeTime at={run.created_at} />
            <span className="sm:hidden"> · </span>
            <span className="sm:block">{causeOf(run)}</span>
          </span>
        </span>
        <span className="sm:min-w-14 sm:text-right">
          <RunDuration run={run} />
        </span>
        {run.state === "running" && (
          <span className="relative">
            <StopButton run={run} size="sm" />
          </span>
        )}
      </div>
    </li>
  );
}

export function RunList({ runs }: { runs: Run[] }) {
  return (
    <ul className="divide-y divide-line">
      {runs.map((run) => (
        <Row key={run.id} run={run} />
      ))}
    </ul>
  );
}
