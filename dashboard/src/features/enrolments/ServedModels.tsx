import type { MeshModel } from "@/api/types";
import { classes } from "@/ui/classes";

import { formatPrice, formatSpeed } from "./enrolment-state";

export function Slots({ busy, slots }: { busy: number; slots: number }) {
  const waiting = Math.max(0, busy - slots);
  return (
    <span className="inline-flex items-center gap-1.5">
      <span aria-hidden className="inline-flex gap-0.5">
        {Array.from({ length: Math.min(slots, 8) }, (_, slot) => (
          <span key={slot} className={classes("h-2.5 w-1.5 rounded-[2px]", slot < busy ? "bg-accent" : "bg-line-strong")} />
        ))}
      </span>
      {Math.min(busy, slots)} of {slots} busy{waiting > 0 && `, ${waiting} waiting`}
    </span>
  );
}

/** What a machine serves at this moment. */
export function ServedModels({ models }: { models: MeshModel[] }) {
  return (
    <ul aria-label="Models" className="flex flex-col divide-y divide-line border-t border-line">
      {models.map((model) => (
        <li key={model.name} data-testid="served-model" data-name={model.name} className="py-2.5">
          <p className="flex flex-wrap items-baseline justify-between gap-x-4">
            <span className="min-w-0 font-medium wrap-anywhere">{model.name}</span>
            <span className="text-[13px] text-soft tabular-nums">{model.tokens_per_second != null ? formatSpeed(model.tokens_per_second) : "not measured yet"}</span>
          </p>
          <p className="mt-0.5 flex flex-wrap gap-x-4 gap-y-0.5 text-[13px] text-faint tabular-nums">
            <Slots busy={model.busy} slots={model.slots} />
            <span>{model.loaded ? "loaded" : "loads at the first request"}</span>
            <span title="Tokens that fit into a request with its answer">context {model.context.toLocaleString("en-US")}</span>
            <span title="Credits for a million tokens">{formatPrice(model)}</span>
          </p>
        </li>
      ))}
    </ul>
  );
}
