import { expect, it } from "vitest";

import type { Schedule } from "@/api/types";

import { emptyForm, fromSchedule, problemsOf, toPut } from "./schedule-form";

const nightly: Schedule = { name: "nightly", schedule: "0 3 * * *", command: "true", enabled: true, timeout_seconds: 600, from_procfile: false };

it("writes back what it read", () => {
  expect({ ...toPut(fromSchedule(nightly), true), from_procfile: false }).toEqual(nightly);
  expect(toPut(fromSchedule({ ...nightly, timeout_seconds: 3600 }), false)).toEqual({ name: "nightly", schedule: "0 3 * * *", command: "true", enabled: false });
});

it("sees what is wrong before the server does", () => {
  expect(Object.values(problemsOf(fromSchedule(nightly))).filter(Boolean)).toEqual([]);
  expect(Object.values(problemsOf(emptyForm)).filter(Boolean)).toHaveLength(3);
  const wrong = problemsOf({ name: "Nightly!", schedule: "0 25 * * *", command: "x", timeout: "25h" });
  expect(wrong).toMatchObject({ name: expect.any(String), schedule: expect.any(String), timeout_seconds: expect.any(String), command: undefined });
});
