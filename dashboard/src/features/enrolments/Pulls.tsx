import { CircleCheck, CircleX } from "lucide-react";

import type { MeshPull } from "@/api/types";
import { percentOf } from "@/format/quantity";
import { Progress } from "@/ui/Progress";
import { Prose } from "@/ui/Prose";

import { progressText } from "./pull-state";

function Ended({ pull: { state, message } }: { pull: MeshPull }) {
  if (state === "done") {
    return (
      <span className="inline-flex items-center gap-1.5 text-good">
        <CircleCheck aria-hidden className="size-3.5 shrink-0" /> done
      </span>
    );
  }
  return (
    <span className="inline-flex min-w-0 items-start gap-1.5 text-bad">
      <CircleX aria-hidden className="mt-0.75 size-3.5 shrink-0" />
      <span className="min-w-0 wrap-anywhere">
        <Prose>{message ? `failed: ${message}` : "failed"}</Prose>
      </span>
    </span>
  );
}

function Pull({ pull }: { pull: MeshPull }) {
  const { model, state, completed, total } = pull;
  const running = state === "running";
  const detail = progressText(pull);
  return (
    <li data-testid="pull" data-model={model} data-state={state} className="py-2 text-[13px]">
      <p className="flex flex-wrap items-baseline justify-between gap-x-4">
        <span className="min-w-0 font-medium wrap-anywhere">{model}</span>
        {!running && <Ended pull={pull} />}
        {running && total > 0 && <span className="font-medium tabular-nums">{Math.floor(percentOf(completed, total))}%</span>}
      </p>
      {running && (
        <>
          <div className="mt-1.5">
            <Progress label={`Fetching ${model}`} completed={completed} total={total} detail={detail} />
          </div>
          <p className="mt-1 text-xs wrap-anywhere text-faint tabular-nums">{detail}</p>
        </>
      )}
    </li>
  );
}

/** Models that a machine was told to fetch, and how far each has come. The newest is on top. */
export function Pulls({ pulls }: { pulls: readonly MeshPull[] }) {
  return (
    <div className="min-w-0 border-t border-line pt-2">
      <p aria-hidden className="text-[13px] text-faint">
        Models it was told to fetch
      </p>
      <ul aria-label="Models it was told to fetch" className="flex flex-col divide-y divide-line">
        {pulls.toReversed().map((pull) => (
          <Pull key={pull.model} pull={pull} />
        ))}
      </ul>
    </div>
  );
}
