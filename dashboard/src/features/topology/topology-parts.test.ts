import { expect, it } from "vitest";

import type { Enrolment, MeshModel } from "@/api/types";

import { byOwner, heldAt, lineToMachine, lineToOther, machinesOf, mostOf, ofEngine } from "./topology-parts";

const model = (name: string, busy = 0, slots = 2): MeshModel => ({ name, busy, slots, loaded: true, context: 4096, input_price: 1, output_price: 2 });

function machine(node_id: string, rest: Partial<Pick<Enrolment, "owner" | "state" | "online" | "models">> = {}) {
  const owner = rest.owner ?? "ada";
  return { node_id, owner, owner_id: `id of ${owner}`, state: "active" as Enrolment["state"], online: true, models: [model("m")], ...rest };
}

const names = (machines: { node_id: string }[]) => machines.map(({ node_id }) => node_id);

it("draws a line by what goes over it", () => {
  expect(lineToMachine(machine("desk"))).toEqual({ to: "desk", flow: "idle", load: 0 });
  expect(lineToMachine(machine("desk", { models: [model("a", 1), model("b")] }))).toEqual({ to: "desk", flow: "busy", load: 0.25 });
  expect(lineToMachine(machine("desk", { models: [model("a", 5)] })).load).toBe(1);
  expect(lineToMachine(machine("desk", { models: [] })).load).toBe(0);
  expect(lineToMachine(machine("desk", { online: false })).flow).toBe("away");
  expect(lineToMachine(machine("desk", { state: "suspended" })).flow).toBe("away");
  expect(lineToOther("coordinator.openai", true, 0).flow).toBe("idle");
  expect(lineToOther("coordinator.openai", true, 2).flow).toBe("busy");
  expect(lineToOther("coordinator.openai", false, 2).flow).toBe("away");
});

it("groups machines by owner, each by name, without those that were rejected", () => {
  const machines = machinesOf([machine("b"), machine("z", { owner: "Bob" }), machine("no", { state: "rejected" }), machine("a", { state: "pending" })]);
  expect(byOwner(machines).map((owner) => [owner.name, ...names(owner.machines)])).toEqual([
    ["ada", "a", "b"],
    ["Bob", "z"],
  ]);
});

it("keeps those that matter most, in their order", () => {
  const machines = [machine("a", { online: false }), machine("b"), machine("c", { models: [model("m", 1)] }), machine("d")];
  expect(names(mostOf(machines, 2))).toEqual(["b", "c"]);
  expect(names(mostOf(machines, 1))).toEqual(["c"]);
  expect(mostOf(machines, 9)).toEqual(machines);
});

it("knows the coordinator's own engine by what no machine has", () => {
  const models = [{ name: "m" }, { name: "own" }, { name: "gpt-5", hostedBy: "openai" }];
  expect(ofEngine(models, [machine("desk")])).toEqual(["own"]);
  expect(ofEngine(models, [machine("desk", { models: [model("m"), model("own")] })])).toEqual([]);
});

it("counts what is under way where", () => {
  const held = heldAt([
    { node_id: "coordinator.openai", state: "held" },
    { node_id: "coordinator.openai", state: "held" },
    { node_id: "coordinator.openai", state: "done" },
    { state: "held" },
  ]);
  expect([...held]).toEqual([["coordinator.openai", 2]]);
});
