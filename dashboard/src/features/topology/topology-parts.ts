import type { Completion, Enrolment } from "@/api/types";
import type { AskableModel } from "@/features/completions/models";

/** What goes over a line: there is none, nothing at this moment, or requests. */
export type Flow = "away" | "idle" | "busy";

/** A line, by what it leads to. */
export interface Line {
  to: string;
  flow: Flow;
  /** How much of what is there works, from 0 to 1. */
  load: number;
}

/** What completions call the engine that the coordinator has itself. */
export const ENGINE = "coordinator.inference";

export type Machine = Pick<Enrolment, "node_id" | "owner" | "owner_id" | "state" | "online" | "models">;

export function isLinked({ state, online }: Pick<Machine, "state" | "online">): boolean {
  return state === "active" && online;
}

function sum(numbers: number[]): number {
  return numbers.reduce((all, each) => all + each, 0);
}

/** Requests that it works at, or that wait for it. */
export function underWay({ models }: Pick<Machine, "models">): number {
  return sum(models.map(({ busy }) => busy));
}

export function lineToMachine(machine: Machine): Line {
  const [busy, slots] = [underWay(machine), sum(machine.models.map((model) => model.slots))];
  const flow = !isLinked(machine) ? "away" : busy > 0 ? "busy" : "idle";
  return { to: machine.node_id, flow, load: slots > 0 ? Math.min(1, busy / slots) : 0 };
}

/** What is no machine does not say how many requests it takes, so one is drawn as strong as many. */
export function lineToOther(to: string, on: boolean, requests: number): Line {
  return { to, flow: !on ? "away" : requests > 0 ? "busy" : "idle", load: requests > 0 ? 0.5 : 0 };
}

/** Those in the picture, by name: who was rejected takes no part. */
export function machinesOf<M extends Machine>(enrolments: readonly M[]): M[] {
  return enrolments.filter(({ state }) => state !== "rejected").sort((a, b) => a.node_id.localeCompare(b.node_id));
}

/** Those that matter most, where all would be too many: first what works, then what is linked. Their order stays. */
export function mostOf<M extends Machine>(machines: M[], most: number): M[] {
  const flows: Flow[] = ["busy", "idle", "away"];
  const rank = (machine: M) => flows.indexOf(lineToMachine(machine).flow);
  const kept = new Set([...machines].sort((a, b) => rank(a) - rank(b)).slice(0, most));
  return machines.filter((machine) => kept.has(machine));
}

interface Owner<M> {
  id: string;
  name: string;
  machines: M[];
}

export function byOwner<M extends Machine>(machines: readonly M[]): Owner<M>[] {
  const owners = new Map<string, Owner<M>>();
  for (const machine of machines) {
    const owner = owners.get(machine.owner_id) ?? { id: machine.owner_id, name: machine.owner, machines: [] };
    owner.machines.push(machine);
    owners.set(owner.id, owner);
  }
  return [...owners.values()].sort((a, b) => a.name.localeCompare(b.name));
}

/** What can be asked within the mesh though no machine has it: the coordinator's own engine does. */
export function ofEngine(models: readonly AskableModel[], machines: readonly Machine[]): string[] {
  const served = new Set(machines.flatMap((machine) => machine.models.map(({ name }) => name)));
  return models.filter(({ name, hostedBy }) => !hostedBy && !served.has(name)).map(({ name }) => name);
}

/** Completions under way, by where. */
export function heldAt(completions: readonly Pick<Completion, "node_id" | "state">[]): Map<string, number> {
  const held = new Map<string, number>();
  for (const { node_id, state } of completions) {
    if (node_id && state === "held") held.set(node_id, (held.get(node_id) ?? 0) + 1);
  }
  return held;
}
