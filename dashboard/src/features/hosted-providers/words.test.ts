import { expect, it } from "vitest";

import { checkWords } from "./words";

it("says what came of a check", () => {
  expect(checkWords({ ok: true, models: ["a", "b"] })).toBe("The key works; it has 2 models.");
  expect(checkWords({ ok: true, models: ["a"] })).toBe("The key works; it has 1 model.");
  expect(checkWords({ ok: false, message: "it refuses the key (401 Unauthorized)", models: [] })).toBe("It refuses the key (401 Unauthorized).");
  expect(checkWords({ ok: false, models: [] })).toBe("It does not say why it lists no models.");
});
