import { Cpu, Network } from "lucide-react";
import { useId, useState, type ReactNode } from "react";

import type { Enrolment, HostedProvider } from "@/api/types";
import type { AskableModel } from "@/features/completions/models";
import { useCompletions, useModels } from "@/features/completions/queries";
import { useHostedProviders } from "@/features/hosted-providers/queries";
import { LIVE_MS, useMesh } from "@/features/mesh/queries";
import { plural } from "@/format/quantity";
import { Button, ButtonLink } from "@/ui/Button";
import { Panel } from "@/ui/Card";
import { classes } from "@/ui/classes";
import { Loading, Skeleton } from "@/ui/states";

import { EngineEnd, MachineEnd, ProviderEnd } from "./Ends";
import { Lines } from "./Lines";
import { byOwner, ENGINE, heldAt, isLinked, lineToMachine, lineToOther, machinesOf, mostOf, ofEngine, underWay } from "./topology-parts";
import { useLasting } from "./use-lasting";

/** Machines that are shown at first. */
const MANY = 12;

function Hub({ url, machines }: { url: string; machines: Enrolment[] }) {
  const requests = machines.reduce((all, machine) => all + underWay(machine), 0);
  return (
    <div data-hub className="rounded-xl border border-accent/45 bg-accent-wash px-4 py-3 @4xl:col-start-2 @4xl:row-start-1 @4xl:text-center">
      <p className="flex items-center gap-2 font-semibold @4xl:justify-center">
        <Network aria-hidden className="size-4 shrink-0 text-accent-ink" />
        Coordinator
      </p>
      <p className="mt-0.5 font-mono text-xs wrap-anywhere text-soft">{url}</p>
      {machines.length > 0 && (
        <p className="mt-1.5 text-xs text-soft tabular-nums">
          {machines.filter(isLinked).length} of {plural(machines.length, "machine")} linked
          <br />
          {requests === 0 ? "no request" : plural(requests, "request")} under way there
        </p>
      )}
    </div>
  );
}

function Group({ title, children }: { title: string; children: ReactNode }) {
  const heading = useId();
  return (
    <div className="min-w-0">
      <h3 id={heading} className="mb-1 text-xs text-faint">
        {title}
      </h3>
      <ul aria-labelledby={heading} className="flex flex-col gap-2">
        {children}
      </ul>
    </div>
  );
}

function NoMachines() {
  return (
    <div className="flex flex-col items-start gap-2 rounded-lg border border-dashed border-line-strong px-4 py-3">
      <p className="text-soft">No machine takes part yet. Add one that has models; it is linked here once it is approved and its agent runs.</p>
      <ButtonLink to="/models/machines" size="sm" icon={Cpu}>
        Go to Machines
      </ButtonLink>
    </div>
  );
}

/** A column of the wide picture; on a phone it leaves room for the line down the side. */
const COLUMN = "relative ml-7 flex min-w-0 flex-col gap-3 @4xl:row-start-1 @4xl:ml-0";

function Machines({ shown, of, onAll }: { shown: Enrolment[]; of: number; onAll: () => void }) {
  return (
    <div className={classes(COLUMN, "@4xl:col-start-1")}>
      {of === 0 && <NoMachines />}
      {byOwner(shown).map(({ id, name, machines }) => (
        <Group key={id} title={`Machines of ${name}`}>
          {machines.map((enrolment) => (
            <MachineEnd key={enrolment.id} enrolment={enrolment} />
          ))}
        </Group>
      ))}
      {shown.length < of && (
        <Button size="sm" variant="ghost" onClick={onAll} className="self-start">
          All {of} machines
        </Button>
      )}
    </div>
  );
}

interface OthersProps {
  /** Models of the coordinator's own engine. */
  engine: string[];
  providers: HostedProvider[];
  /** Own requests under way there. */
  requestsAt: (node: string) => number;
}

/** What is no machine of the mesh. */
function Others({ engine, providers, requestsAt }: OthersProps) {
  return (
    <div className={classes(COLUMN, "@4xl:col-start-3")}>
      {engine.length > 0 && (
        <Group title="The coordinator's own engine">
          <EngineEnd models={engine} requests={requestsAt(ENGINE)} />
        </Group>
      )}
      {providers.length > 0 && (
        <Group title="Hosted providers">
          {providers.map((provider) => (
            <ProviderEnd key={provider.id} provider={provider} requests={requestsAt(provider.node_id)} />
          ))}
        </Group>
      )}
    </div>
  );
}

/** A machine's models are in two lists, read at moments of their own: for one of them they may look like the engine's. */
function useEngine(models: AskableModel[], machines: Enrolment[]): string[] {
  return JSON.parse(useLasting(JSON.stringify(ofEngine(models, machines)), 2 * LIVE_MS)) as string[];
}

interface PictureProps {
  url: string;
  enrolments: Enrolment[];
  models: AskableModel[];
  providers: HostedProvider[];
  requestsAt: OthersProps["requestsAt"];
}

function Picture({ url, enrolments, models, providers, requestsAt }: PictureProps) {
  const [all, setAll] = useState(false);
  const machines = machinesOf(enrolments);
  const shown = all ? machines : mostOf(machines, MANY);
  const engine = useEngine(models, machines);
  const others = [
    ...(engine.length > 0 ? [lineToOther(ENGINE, true, requestsAt(ENGINE))] : []),
    ...providers.map(({ node_id, enabled }) => lineToOther(node_id, enabled, requestsAt(node_id))),
  ];
  const columns = others.length > 0 ? "@4xl:grid-cols-[minmax(0,1fr)_16rem_minmax(0,1fr)]" : "@4xl:grid-cols-[minmax(0,1fr)_18rem]";
  return (
    <div className="@container">
      <div className={classes("relative flex flex-col gap-4 @4xl:grid @4xl:items-center @4xl:gap-x-16", columns)}>
        <Lines lines={[...shown.map(lineToMachine), ...others]} />
        <Hub url={url} machines={machines} />
        <Machines shown={shown} of={machines.length} onAll={() => setAll(true)} />
        {others.length > 0 && <Others engine={engine} providers={providers} requestsAt={requestsAt} />}
      </div>
    </div>
  );
}

/** The mesh as it is at this moment. */
export function Topology({ enrolments }: { enrolments: Enrolment[] }) {
  const { data: mesh } = useMesh();
  const models = useModels();
  const providers = useHostedProviders();
  const { data: completions = [] } = useCompletions();
  const ready = !models.isPending && !providers.isPending;
  const held = heldAt(completions);
  return (
    <div data-testid="topology">
      <Panel title="Topology" description="Who is linked to the coordinator at this moment. A thick line has requests under way, a dashed one leads to what is not linked.">
        {mesh && ready ? (
          <Picture
            url={mesh.coordinator_url}
            enrolments={enrolments}
            models={models.data ?? []}
            providers={providers.data ?? []}
            requestsAt={(node) => held.get(node) ?? 0}
          />
        ) : (
          <Loading label="Loading the topology">
            <Skeleton className="h-44" />
          </Loading>
        )}
      </Panel>
    </div>
  );
}
