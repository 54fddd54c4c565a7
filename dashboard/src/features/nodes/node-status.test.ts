import { expect, it } from "vitest";

import type { NodeStatus } from "@/api/types";

import { isConnected, lookOf, meaningOf, sortNodes, takesProjects } from "./node-status";

const state = (status: NodeStatus, health_status: "healthy" | "stale" | "unhealthy" = "healthy") => ({ status, health_status });

it("has a word and a colour for each state", () => {
  const told = (["joining", "online", "unreachable", "offline", "draining"] as const).map((status) => lookOf(state(status)));
  expect(told.map(({ word, tone }) => `${word}:${tone}`)).toEqual(["Joining:busy", "Online:good", "Unreachable:warn", "Offline:bad", "Draining:calm"]);
});

it("does not call a server online that was not heard of lately", () => {
  expect(lookOf(state("online", "stale"))).toMatchObject({ word: "Not heard from lately", tone: "warn" });
  // What is away is told as such, however fresh its last word.
  expect(lookOf(state("unreachable", "stale")).word).toBe("Unreachable");
});

it("explains every state but the good one", () => {
  expect(meaningOf(state("online"))).toBeUndefined();
  for (const status of ["joining", "unreachable", "offline", "draining"] as const) expect(meaningOf(state(status))).toMatch(/\.$/);
});

it("offers for projects what is online and not being emptied", () => {
  expect(takesProjects(state("online"))).toBe(true);
  for (const status of ["joining", "unreachable", "offline", "draining", "removed"] as const) expect(takesProjects(state(status))).toBe(false);
  expect(isConnected(state("draining"))).toBe(true);
  expect(isConnected(state("unreachable"))).toBe(false);
});

it("puts this machine first", () => {
  const nodes = [
    { name: "b", embedded: false },
    { name: "z", embedded: true },
    { name: "a", embedded: false },
  ];
  expect(sortNodes(nodes).map(({ name }) => name)).toEqual(["z", "a", "b"]);
});
