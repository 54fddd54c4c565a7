import { Cpu } from "lucide-react";

import type { Enrolment } from "@/api/types";
import { Chip } from "@/ui/Badge";
import { Prose } from "@/ui/Prose";
import { RelativeTime } from "@/ui/RelativeTime";

import { RekeyButton, WithdrawButton } from "./actions";
import { EnrolmentBadge } from "./EnrolmentBadge";
import { meaningOf } from "./enrolment-state";
import { Pulls } from "./Pulls";
import { ServedModels } from "./ServedModels";

/** What else a machine is known by. */
export function Facts({ enrolment }: { enrolment: Enrolment }) {
  const { device_id, fingerprint, online, last_seen_at, created_at } = enrolment;
  return (
    <ul className="flex flex-wrap text-[13px] text-faint [&>li:not(:last-child)]:after:mx-1.5 [&>li:not(:last-child)]:after:text-faint [&>li:not(:last-child)]:after:content-['·']">
      {device_id && <li className="wrap-anywhere">{device_id}</li>}
      {fingerprint && (
        <li>
          key <span className="font-mono text-xs">{fingerprint}</span>
        </li>
      )}
      {online ? (
        <li>connected</li>
      ) : last_seen_at ? (
        <li>
          last seen <RelativeTime at={last_seen_at} />
        </li>
      ) : (
        <li>
          added <RelativeTime at={created_at} />
        </li>
      )}
    </ul>
  );
}

export function MachineCard({ enrolment }: { enrolment: Enrolment }) {
  const meaning = meaningOf(enrolment);
  return (
    <article data-testid="machine" data-name={enrolment.node_id} className="flex min-w-0 flex-col gap-3 rounded-xl border border-line bg-surface p-4 shadow-card sm:p-5">
      <div className="flex flex-col gap-1">
        <div className="flex flex-wrap items-start justify-between gap-x-3 gap-y-1">
          <h3 className="flex min-w-0 items-center gap-2 text-[15px] font-semibold">
            <Cpu aria-hidden className="size-4 shrink-0 text-faint" />
            <span className="min-w-0 wrap-anywhere">{enrolment.node_id}</span>
            {enrolment.kind === "coordinator" && <Chip>coordinator</Chip>}
          </h3>
          <EnrolmentBadge enrolment={enrolment} />
        </div>
        <Facts enrolment={enrolment} />
      </div>
      {meaning && (
        <p className="text-[13px] text-soft">
          <Prose>{meaning}</Prose>
        </p>
      )}
      {enrolment.models.length > 0 && <ServedModels models={enrolment.models} />}
      {enrolment.pulls.length > 0 && <Pulls pulls={enrolment.pulls} />}
      <div className="mt-auto flex flex-wrap gap-2 border-t border-line pt-3">
        <RekeyButton enrolment={enrolment} />
        <WithdrawButton enrolment={enrolment} />
      </div>
    </article>
  );
}
