import { expect, it } from "vitest";

import type { Enrolment, MeshPull } from "@/api/types";

import { isFetching, nameProblem, progressText, takesPulls, withPull } from "./pull-state";

const pull: MeshPull = { model: "qwen3:4b", state: "running", completed: 0, total: 0, message: "" };
const machine: Enrolment = {
  id: "enr_1",
  node_id: "ada-workstation",
  kind: "agent",
  owner: "ada",
  owner_id: "usr_1",
  state: "active",
  online: true,
  created_at: "2026-01-01T00:00:00Z",
  models: [],
  allows_pulls: true,
  pulls: [],
};

it("asks only machines that are there and whose owners allow it", () => {
  expect(takesPulls(machine)).toBe(true);
  expect(takesPulls({ ...machine, allows_pulls: false })).toBe(false);
  expect(takesPulls({ ...machine, online: false })).toBe(false);
  expect(takesPulls({ ...machine, state: "suspended" })).toBe(false);
});

it("knows whether one is under way", () => {
  expect(isFetching(machine)).toBe(false);
  expect(isFetching({ pulls: [{ ...pull, state: "done" }, { ...pull, state: "failed" }] })).toBe(false);
  expect(isFetching({ pulls: [{ ...pull, state: "done" }, pull] })).toBe(true);
});

it("takes names as Ollama has them", () => {
  expect(nameProblem(" qwen3:4b ")).toBeUndefined();
  expect(nameProblem("hf.co/bartowski/Llama-3.2-1B-Instruct-GGUF:Q4_K_M")).toBeUndefined();
  expect(nameProblem("  ")).toBe("Give the model's name.");
  expect(nameProblem("ollama pull qwen3:4b")).toBe("The name of a model has no spaces.");
  expect(nameProblem("a".repeat(256))).toBeUndefined();
  expect(nameProblem("a".repeat(257))).toBe("At most 256 characters.");
});

it("tells how far one has come", () => {
  const total = 2.5 * 1024 ** 3;
  expect(progressText(pull)).toBe("starting");
  expect(progressText({ ...pull, message: "pulling manifest" })).toBe("pulling manifest");
  expect(progressText({ completed: 1024 ** 3, total, message: "pulling 3e4cb1417446" })).toBe("1.00 GB of 2.50 GB");
  expect(progressText({ completed: total + 1, total, message: "verifying sha256 digest" })).toBe("2.50 GB of 2.50 GB, verifying sha256 digest");
});

it("shows an order at once, and each model once", () => {
  const other = { ...machine, id: "enr_2" };
  const once = withPull({ enrolments: [machine, other], may_decide: true }, machine.id, { ...pull, state: "failed" });
  expect(once.enrolments.map(({ pulls }) => pulls.length)).toEqual([1, 0]);
  const again = withPull(once, machine.id, pull);
  expect(again.enrolments[0]?.pulls).toEqual([pull]);
  expect(withPull(again, machine.id, { ...pull, model: "gemma3:1b" }).enrolments[0]?.pulls.map(({ model }) => model)).toEqual(["qwen3:4b", "gemma3:1b"]);
});
