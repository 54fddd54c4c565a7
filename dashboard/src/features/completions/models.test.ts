import { expect, it } from "vitest";

import { modelsOf, namesOf } from "./models";

it("tells which models are a company's", () => {
  const models = modelsOf({
    object: "list",
    data: [
      { id: "smollm2", object: "model", owned_by: "mesh" },
      { id: "gpt-5", object: "model", owned_by: "openai" },
      { id: "older", object: "model" },
    ],
  });
  expect(models).toEqual([{ name: "smollm2" }, { name: "gpt-5", hostedBy: "openai" }, { name: "older" }]);
  expect(namesOf(models)).toEqual(["smollm2", "gpt-5", "older"]);
});

it("passes over what it does not understand", () => {
  for (const answer of [undefined, null, [], {}, { data: {} }, { data: [null, "x", { id: 1 }] }]) expect(modelsOf(answer)).toEqual([]);
});
