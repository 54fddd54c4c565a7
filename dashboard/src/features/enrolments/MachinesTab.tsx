import { Cpu, Plus } from "lucide-react";
import { useSearchParams } from "react-router";

import { CoordinatorPanel } from "@/features/mesh/CoordinatorPanel";
import { useMesh } from "@/features/mesh/queries";
import { formatCredits } from "@/format/credits";
import { Button } from "@/ui/Button";
import { PageTitle } from "@/ui/PageTitle";
import { EmptyState, ErrorState, Loading, Skeleton } from "@/ui/states";

import { AddMachineDialog } from "./AddMachineDialog";
import { sortEnrolments } from "./enrolment-state";
import { MachineCard } from "./MachineCard";
import { useOwnEnrolments } from "./queries";

export default function MachinesTab() {
  const { enrolments, error, refetch } = useOwnEnrolments();
  const { data: mesh } = useMesh();
  const [search, setSearch] = useSearchParams();
  const add = () => setSearch({ new: "" });
  return (
    <div className="flex flex-col gap-5">
      <PageTitle>Machines · Models</PageTitle>
      <div className="flex flex-wrap items-center justify-between gap-x-4 gap-y-3">
        <div>
          <h2 className="text-[15px] font-semibold">Your machines</h2>
          {mesh && enrolments && enrolments.length > 0 && (
            <p className="text-[13px] text-faint" data-testid="earned">
              They have earned <span className="font-medium text-ink tabular-nums">{formatCredits(mesh.earned)}</span> credits.
            </p>
          )}
        </div>
        <Button variant="primary" icon={Plus} onClick={add} data-testid="add-machine">
          Add a machine
        </Button>
      </div>
      {!enrolments && error && <ErrorState error={error} onRetry={() => void refetch()} />}
      {!enrolments && !error && (
        <Loading label="Loading the machines" className="grid gap-3 xl:grid-cols-2">
          <Skeleton className="h-44 rounded-xl" />
        </Loading>
      )}
      {enrolments?.length === 0 && (
        <EmptyState icon={Cpu} title="None of your machines takes part yet">
          A machine with models serves them to others, and you get credits for what they ask of it. Add it, run one command on it, and it takes part once somebody has approved it.
        </EmptyState>
      )}
      {enrolments && enrolments.length > 0 && (
        <div className="grid items-start gap-3 xl:grid-cols-2">
          {sortEnrolments(enrolments).map((enrolment) => (
            <MachineCard key={enrolment.id} enrolment={enrolment} />
          ))}
        </div>
      )}
      <CoordinatorPanel />
      <AddMachineDialog open={search.has("new")} onClose={() => setSearch({}, { replace: true })} />
    </div>
  );
}
