import { expect, it } from "vitest";

import { formatPrice, formatSpeed, lookOf, meaningOf, sortEnrolments, type Standing } from "./enrolment-state";

const model = { name: "m", loaded: true, context: 4096, slots: 1, busy: 0, input_price: 1, output_price: 2 };
const active: Standing = { state: "active", online: true, public_key: "k", models: [model] };

it("tells how a machine stands", () => {
  expect(lookOf(active).word).toBe("Online");
  expect(lookOf({ ...active, online: false }).word).toBe("Offline");
  expect(lookOf({ ...active, paused: "somebody works at it" }).word).toBe("Paused");
  expect(lookOf({ ...active, state: "pending" }).word).toBe("Waits for approval");
  expect(lookOf({ ...active, state: "suspended" }).word).toBe("Suspended");
  expect(lookOf({ ...active, state: "rejected" }).word).toBe("Rejected");
});

it("says what to do, and nothing while all is well", () => {
  expect(meaningOf(active)).toBeUndefined();
  expect(meaningOf({ ...active, models: [] })).toBe("It serves no model at this moment.");
  expect(meaningOf({ ...active, paused: "somebody works at it" })).toBe("Somebody works at it.");
  expect(meaningOf({ ...active, state: "pending" })).toContain("has registered");
  expect(meaningOf({ ...active, state: "pending", public_key: null })).toContain("has not registered yet");
});

it("puts what waits first", () => {
  const list = [
    { node_id: "b", state: "active" },
    { node_id: "a", state: "rejected" },
    { node_id: "z", state: "pending" },
    { node_id: "a", state: "active" },
  ] as const;
  expect(sortEnrolments(list).map(({ node_id, state }) => `${node_id} ${state}`)).toEqual(["z pending", "a active", "b active", "a rejected"]);
});

it("shows prices and speeds", () => {
  expect(formatPrice({ input_price: 2, output_price: 6 })).toBe("2 in, 6 out per million tokens");
  expect(formatPrice({ input_price: 0, output_price: 0 })).toBe("free");
  expect(formatSpeed(3.14)).toBe("3.1 tokens/s");
  expect(formatSpeed(34.4)).toBe("34 tokens/s");
});
