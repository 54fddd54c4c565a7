import { Outlet } from "react-router";

import { Explanation } from "@/features/completions/Explanation";
import { useEnrolments } from "@/features/enrolments/queries";
import { formatCredits } from "@/format/credits";
import { plural } from "@/format/quantity";
import { PageHeader } from "@/ui/PageTitle";
import { ErrorState, Loading, Skeleton } from "@/ui/states";
import { Tabs, type Tab } from "@/ui/Tabs";

import { MeshOff } from "./MeshOff";
import { isMeshOff, useMesh } from "./queries";

function MeshTabs() {
  const { data } = useEnrolments();
  const pending = data?.enrolments.filter(({ state }) => state === "pending").length ?? 0;
  const waits = pending > 0 ? `${plural(pending, "machine")} ${pending === 1 ? "waits" : "wait"} for approval` : undefined;
  const operations: Tab[] = data?.may_decide ? [{ to: "/models/operations", label: "Operations", end: false, waits }] : [];
  const tabs: Tab[] = [
    { to: "/models", label: "Playground", end: true },
    { to: "/models/connect", label: "Connect", end: false },
    { to: "/models/machines", label: "Machines", end: false },
    { to: "/models/usage", label: "Usage", end: false },
    ...operations,
  ];
  return <Tabs label="Models" tabs={tabs} />;
}

/** What all pages of the mesh have in common. */
export default function MeshLayout() {
  const { data: mesh, error, refetch } = useMesh();
  if (isMeshOff(error)) return <MeshOff />;
  if (!mesh) {
    if (error) return <ErrorState error={error} onRetry={() => void refetch()} />;
    return (
      <Loading label="Loading the models" className="flex flex-col gap-5">
        <Skeleton className="h-10 w-60" />
        <Skeleton className="h-9" />
        <Skeleton className="h-56" />
      </Loading>
    );
  }
  return (
    <div className="flex flex-col gap-5">
      <PageHeader
        title="Models"
        subtitle="Language models on machines that people share, paid for in credits."
        actions={
          <p className="text-soft" data-testid="balance">
            Balance <span className="font-semibold text-ink tabular-nums">{formatCredits(mesh.balance)}</span> credits
          </p>
        }
      />
      <MeshTabs />
      <Outlet />
      <Explanation />
    </div>
  );
}
