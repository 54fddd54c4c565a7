import { CircleCheck, CirclePause, type LucideIcon } from "lucide-react";
import type { ReactNode } from "react";

import type { Enrolment, HostedProvider, MeshModel } from "@/api/types";
import { formatSpeed, lookOf, meaningOf } from "@/features/enrolments/enrolment-state";
import { Slots } from "@/features/enrolments/ServedModels";
import { Chip, toneText, type Tone } from "@/ui/Badge";
import { classes } from "@/ui/classes";
import { Prose } from "@/ui/Prose";
import { RelativeTime } from "@/ui/RelativeTime";

import { rowId, showRow } from "./rows";
import { ENGINE, lineToMachine, lineToOther, type Line } from "./topology-parts";

/** Models of one place that are named; its row names all. */
const FEW = 4;

interface Look {
  word: string;
  tone: Tone;
  icon: LucideIcon;
}

interface EndProps {
  line: Line;
  name: string;
  chip?: string;
  look: Look;
  /** Whether there is a row that tells more. */
  row?: boolean;
  children?: ReactNode;
}

/** Opens with a click anywhere in its box; a screen reader hears its name only. */
function RowLink({ nodeId, name }: { nodeId: string; name: string }) {
  return (
    <a
      href={`#${rowId(nodeId)}`}
      onClick={(event) => {
        event.preventDefault();
        showRow(nodeId);
      }}
      className="outline-none after:absolute after:inset-0 after:rounded-lg after:outline-offset-2 after:outline-accent-strong hover:underline focus-visible:after:outline-2"
    >
      {name}
    </a>
  );
}

/** What a line leads to. */
function End({ line: { to, flow }, name, chip, look: { word, tone, icon: Icon }, row = false, children }: EndProps) {
  return (
    <li
      data-end={to}
      data-testid={`topology-${to}`}
      data-flow={flow}
      className={classes(
        "relative flex min-w-0 flex-col gap-1 rounded-lg border bg-surface px-3 py-2",
        flow === "busy" ? "border-accent/45" : flow === "idle" ? "border-line" : "border-dashed border-line-strong",
        row && "hover:bg-hover/60",
      )}
    >
      <div className="flex flex-wrap items-center justify-between gap-x-3">
        <p className="flex min-w-0 items-center gap-2">
          <span className={classes("min-w-0 font-medium wrap-anywhere", flow === "away" && "text-soft")}>{row ? <RowLink nodeId={to} name={name} /> : name}</span>
          {chip && <Chip>{chip}</Chip>}
        </p>
        <p className={classes("inline-flex items-center gap-1 text-xs font-medium whitespace-nowrap", toneText[tone])}>
          <Icon aria-hidden className="size-3.5" />
          {word}
        </p>
      </div>
      {children}
    </li>
  );
}

function More({ of }: { of: readonly unknown[] }) {
  return of.length > FEW && <p className="text-xs text-faint">and {of.length - FEW} more</p>;
}

function Serves({ models }: { models: MeshModel[] }) {
  return (
    <>
      <ul aria-label="Models" className="flex flex-col gap-1">
        {models.slice(0, FEW).map((model) => (
          <li key={model.name} className="flex flex-wrap items-baseline justify-between gap-x-3 text-[13px]">
            <span className="min-w-0 wrap-anywhere">{model.name}</span>
            <span className="ml-auto flex flex-wrap justify-end gap-x-3 text-xs text-faint tabular-nums">
              <Slots busy={model.busy} slots={model.slots} />
              {model.tokens_per_second != null && <span>{formatSpeed(model.tokens_per_second)}</span>}
            </span>
          </li>
        ))}
      </ul>
      <More of={models} />
    </>
  );
}

function Standing({ enrolment }: { enrolment: Enrolment }) {
  const { state, online, last_seen_at, paused, models } = enrolment;
  if (state !== "active") return null;
  if (!online && last_seen_at) {
    return (
      <p className="text-xs text-faint">
        last seen <RelativeTime at={last_seen_at} />
      </p>
    );
  }
  if (!online || (!paused && models.length > 0)) return null;
  return (
    <p className="text-xs text-faint">
      <Prose>{meaningOf(enrolment) ?? ""}</Prose>
    </p>
  );
}

export function MachineEnd({ enrolment }: { enrolment: Enrolment }) {
  const { node_id, kind, models } = enrolment;
  return (
    <End line={lineToMachine(enrolment)} name={node_id} chip={kind === "coordinator" ? kind : undefined} look={lookOf(enrolment)} row>
      <Standing enrolment={enrolment} />
      {models.length > 0 && <Serves models={models} />}
    </End>
  );
}

/** Of what is no machine; only the reader's own requests are known. */
function Offers({ models, requests }: { models: string[]; requests: number }) {
  return (
    <>
      {requests > 0 && <p className="text-xs font-medium text-accent-ink tabular-nums">{requests} of yours under way</p>}
      <ul aria-label="Models" className="text-[13px]">
        {models.slice(0, FEW).map((name) => (
          <li key={name} className="wrap-anywhere">
            {name}
          </li>
        ))}
      </ul>
      <More of={models} />
    </>
  );
}

export function ProviderEnd({ provider: { node_id, name, enabled, models }, requests }: { provider: HostedProvider; requests: number }) {
  const look: Look = enabled ? { word: "On", tone: "good", icon: CircleCheck } : { word: "Switched off", tone: "calm", icon: CirclePause };
  return (
    <End line={lineToOther(node_id, enabled, requests)} name={name} look={look} row>
      <Offers models={models.map((model) => model.name)} requests={requests} />
    </End>
  );
}

export function EngineEnd({ models, requests }: { models: string[]; requests: number }) {
  return (
    <End line={lineToOther(ENGINE, true, requests)} name="Inference service" look={{ word: "On", tone: "good", icon: CircleCheck }}>
      <Offers models={models} requests={requests} />
    </End>
  );
}
