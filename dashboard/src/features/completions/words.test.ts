import { expect, it } from "vitest";

import type { CompletionCandidate } from "@/api/types";

import { expectedOf, formatSeconds, placeOf, refusalOf, sortCandidates } from "./words";

const candidate = (node_id: string, answer_seconds: number, refused?: string): CompletionCandidate => ({
  node_id,
  refused,
  queue_seconds: 0.5,
  load_seconds: 0,
  prompt_seconds: 0.25,
  answer_seconds,
  cached_tokens: 0,
});

it("puts the chosen machine first and the refused ones last", () => {
  const candidates = [candidate("lena", 0, "paused"), candidate("bob", 3), candidate("cy", 2), candidate("ada", 4)];
  expect(sortCandidates({ chosen: "ada", prompt_tokens: 10, candidates }).map(({ node_id }) => node_id)).toEqual(["ada", "cy", "bob", "lena"]);
  expect(expectedOf(candidate("ada", 4))).toBe(4.75);
});

it.each([
  ["ada-desk", "ada-desk", "ada-desk", " on ada-desk"],
  ["coordinator", "coordinator", "coordinator", " on coordinator"],
  ["coordinator.openai", "hosted: openai", "openai", ", hosted: openai"],
  ["coordinator.my.own-1", "hosted: my.own-1", "my.own-1", ", hosted: my.own-1"],
  ["coordinator.inference", "inference service", "the inference service", " on the inference service"],
])("names the place %s", (nodeId, label, name, behind) => expect(placeOf(nodeId)).toEqual({ label, name, behind }));

it("has words for each refusal, and for one that is new", () => {
  expect(refusalOf("paused")).toBe("Its owner has paused it.");
  expect(refusalOf("too_far_away")).toBe("Refused: too far away.");
});

it("shows seconds", () => {
  expect(formatSeconds(0)).toBe("0.00 s");
  expect(formatSeconds(0.416)).toBe("0.42 s");
  expect(formatSeconds(12.34)).toBe("12.3 s");
});
