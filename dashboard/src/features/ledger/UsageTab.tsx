import { Coins, HandCoins, Lock } from "lucide-react";
import { useState } from "react";

import type { Completion } from "@/api/types";
import { CompletionTable } from "@/features/completions/CompletionTable";
import { useCompletions } from "@/features/completions/queries";
import { useMesh } from "@/features/mesh/queries";
import { formatCredits } from "@/format/credits";
import { Button, ButtonLink } from "@/ui/Button";
import { Panel } from "@/ui/Card";
import { PageTitle } from "@/ui/PageTitle";
import { Stat } from "@/ui/Stat";
import { ErrorState, Loading, Skeleton } from "@/ui/states";

import { SpentPlot } from "./SpentPlot";
import { Statement } from "./Statement";

/** Those that are shown at first. */
const FEW = 10;

function Newest({ completions }: { completions: Completion[] }) {
  const [all, setAll] = useState(false);
  if (completions.length === 0) {
    return (
      <div className="flex flex-wrap items-center justify-between gap-3">
        <p className="text-soft">You have asked no model yet.</p>
        <ButtonLink to="/models" size="sm">
          To the playground
        </ButtonLink>
      </div>
    );
  }
  return (
    <>
      <CompletionTable completions={all ? completions : completions.slice(0, FEW)} />
      {!all && completions.length > FEW && (
        <Button className="mx-auto mt-4 flex" onClick={() => setAll(true)}>
          Older completions
        </Button>
      )}
    </>
  );
}

function Completions() {
  const { data: completions, error, refetch } = useCompletions();
  if (!completions) {
    if (error) return <ErrorState error={error} onRetry={() => void refetch()} />;
    return (
      <Loading label="Loading the completions">
        <Skeleton className="h-56 rounded-xl" />
      </Loading>
    );
  }
  return (
    <>
      {completions.length > 0 && <SpentPlot completions={completions} />}
      <Panel title="Completions" description="Your newest requests for models, up to a hundred.">
        <Newest completions={completions} />
      </Panel>
    </>
  );
}

/** What models cost the reader, and what their machines bring in. */
export default function UsageTab() {
  const { data: mesh } = useMesh();
  return (
    <div className="flex flex-col gap-5">
      <PageTitle>Usage · Models</PageTitle>
      {mesh && (
        <div className="grid gap-3 sm:grid-cols-3">
          <Stat icon={Coins} label="Balance" value={formatCredits(mesh.balance)} detail="credits that you can spend" testId="stat-balance" />
          <Stat icon={Lock} label="Held" value={formatCredits(mesh.held)} detail="set aside for what is under way" testId="stat-held" />
          <Stat icon={HandCoins} label="Earned" value={formatCredits(mesh.earned)} detail="by your machines, over all time" testId="stat-earned" />
        </div>
      )}
      <Completions />
      <Statement />
    </div>
  );
}
