import { BrainCircuit } from "lucide-react";

import { PageHeader, PageTitle } from "@/ui/PageTitle";
import { EmptyState } from "@/ui/states";

/** What to do where there is no mesh. */
export function MeshOff() {
  return (
    <div className="flex flex-col gap-5" data-testid="mesh-off">
      <PageTitle>Models</PageTitle>
      <PageHeader title="Models" subtitle="Language models on machines that people share, paid for in credits." />
      <EmptyState icon={BrainCircuit} title="The mesh is switched off">
        Set <code className="font-mono">mesh.enabled</code> to <code className="font-mono">true</code> in the server's configuration, or{" "}
        <code className="font-mono">NANOSCALE_MESH_ENABLED=true</code> in its environment, and restart NanoScale.
      </EmptyState>
    </div>
  );
}
