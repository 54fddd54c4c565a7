import { ShieldCheck } from "lucide-react";

import type { Enrolment } from "@/api/types";
import { HostedProviders } from "@/features/hosted-providers/HostedProviders";
import { GrantForm } from "@/features/ledger/GrantForm";
import { LedgerCheck } from "@/features/ledger/LedgerCheck";
import { rowId } from "@/features/topology/rows";
import { Topology } from "@/features/topology/Topology";
import { Chip } from "@/ui/Badge";
import { Panel } from "@/ui/Card";
import { PageTitle } from "@/ui/PageTitle";
import { RelativeTime } from "@/ui/RelativeTime";
import { EmptyState, ErrorState, Loading, Skeleton } from "@/ui/states";

import { ApproveButton, RejectButton, SuspendButton } from "./actions";
import { EnrolmentBadge } from "./EnrolmentBadge";
import { sortEnrolments } from "./enrolment-state";
import { Fingerprint } from "./Fingerprint";
import { Facts } from "./MachineCard";
import { PullButton } from "./PullDialog";
import { Pulls } from "./Pulls";
import { useEnrolments } from "./queries";

function Name({ enrolment: { node_id, kind, owner } }: { enrolment: Enrolment }) {
  return (
    <>
      <span className="font-medium wrap-anywhere">{node_id}</span>
      <span className="text-[13px] text-soft">of {owner}</span>
      <Chip>{kind}</Chip>
    </>
  );
}

/** One that nobody has decided about. */
function Pending({ enrolment }: { enrolment: Enrolment }) {
  const { node_id, device_id, fingerprint, created_at } = enrolment;
  return (
    <li id={rowId(node_id)} tabIndex={-1} data-testid="pending" data-name={node_id} className="flex flex-col gap-3 py-4">
      <div className="flex flex-wrap items-start justify-between gap-x-4 gap-y-2">
        <div className="min-w-0">
          <p className="flex flex-wrap items-center gap-x-2 gap-y-1">
            <Name enrolment={enrolment} />
          </p>
          <p className="mt-0.5 text-[13px] text-faint">
            {device_id ? <span className="wrap-anywhere">device {device_id}</span> : "no device named"} · asked <RelativeTime at={created_at} />
          </p>
        </div>
        <div className="flex gap-2">
          <ApproveButton enrolment={enrolment} />
          <RejectButton enrolment={enrolment} />
        </div>
      </div>
      {fingerprint ? (
        <Fingerprint text={fingerprint} note="Approve it only when the machine shows the same." />
      ) : (
        <p className="text-[13px] text-warn">It has not registered yet, so there is no key to compare.</p>
      )}
    </li>
  );
}

/** One that was decided about. */
function Decided({ enrolment }: { enrolment: Enrolment }) {
  const { node_id, state, decided_by, decided_at } = enrolment;
  return (
    <li id={rowId(node_id)} tabIndex={-1} data-testid="decided" data-name={node_id} className="flex flex-wrap items-start justify-between gap-x-4 gap-y-2 py-3">
      <div className="min-w-0 flex-1 basis-64">
        <p className="flex flex-wrap items-center gap-x-2 gap-y-1">
          <Name enrolment={enrolment} />
          <EnrolmentBadge enrolment={enrolment} />
        </p>
        <div className="mt-1">
          <Facts enrolment={enrolment} />
        </div>
        {state === "active" && enrolment.models.length > 0 && <p className="mt-0.5 text-[13px] wrap-anywhere text-soft">serves {enrolment.models.map(({ name }) => name).join(", ")}</p>}
        {decided_at && (
          <p className="mt-0.5 text-[13px] text-faint">
            decided{decided_by && ` by ${decided_by}`} <RelativeTime at={decided_at} />
          </p>
        )}
      </div>
      <div className="flex flex-wrap gap-2 empty:hidden">
        <PullButton enrolment={enrolment} />
        {state === "active" && <SuspendButton enrolment={enrolment} />}
        {state === "suspended" && <ApproveButton enrolment={enrolment} />}
      </div>
      {enrolment.pulls.length > 0 && (
        <div className="basis-full">
          <Pulls pulls={enrolment.pulls} />
        </div>
      )}
    </li>
  );
}

function Machines({ enrolments }: { enrolments: Enrolment[] }) {
  const inState = (state: Enrolment["state"]) => sortEnrolments(enrolments.filter((each) => each.state === state));
  const pending = inState("pending");
  const decided = [
    { title: "Taking part", list: inState("active") },
    { title: "Suspended", list: inState("suspended") },
    { title: "Rejected", list: inState("rejected") },
  ];
  return (
    <>
      <Panel title="Waiting for approval" description="Compare each key's fingerprint with the one that the machine itself shows.">
        {pending.length === 0 ? (
          <p className="text-soft">No machine waits.</p>
        ) : (
          <ul className="-my-4 divide-y divide-line">
            {pending.map((enrolment) => (
              <Pending key={enrolment.id} enrolment={enrolment} />
            ))}
          </ul>
        )}
      </Panel>
      <Topology enrolments={enrolments} />
      {decided.map(
        ({ title, list }) =>
          list.length > 0 && (
            <Panel key={title} title={title}>
              <ul className="-my-3 divide-y divide-line">
                {list.map((enrolment) => (
                  <Decided key={enrolment.id} enrolment={enrolment} />
                ))}
              </ul>
            </Panel>
          ),
      )}
    </>
  );
}

export default function OperationsTab() {
  const { data, error, refetch } = useEnrolments();
  return (
    <div className="flex flex-col gap-5">
      <PageTitle>Operations · Models</PageTitle>
      {!data && error && <ErrorState error={error} onRetry={() => void refetch()} />}
      {!data && !error && (
        <Loading label="Loading the machines">
          <Skeleton className="h-44 rounded-xl" />
        </Loading>
      )}
      {data && !data.may_decide && (
        <EmptyState icon={ShieldCheck} title="Not yours to decide">
          Here machines are approved and suspended. Only people who may do that see them.
        </EmptyState>
      )}
      {data?.may_decide && (
        <>
          <Machines enrolments={data.enrolments} />
          <HostedProviders />
          <GrantForm />
          <LedgerCheck />
        </>
      )}
    </div>
  );
}
