import { expect, it } from "vitest";

import type { JoinToken, Node } from "@/api/types";

import { arrivalOf, formatRemaining, openTokens, remainingOf } from "./join-token";

const now = Date.parse("2026-03-01T12:00:00Z");
const token: JoinToken = { id: "jtk_1", state: "open", created_at: "2026-03-01T11:55:00Z", expires_at: "2026-03-01T12:05:00Z" };

it("counts down to nothing", () => {
  expect([600_000, 65_001, 999, 0, -5].map(formatRemaining)).toEqual(["10:00", "1:06", "0:01", "0:00", "0:00"]);
  expect(formatRemaining(86_400_000)).toBe("24:00:00");
});

it("gives no token more time than it was made with", () => {
  expect(remainingOf(token, now)).toBe(300_000);
  expect(remainingOf(token, Date.parse(token.created_at) - 1000)).toBe(600_000);
});

it("lists the tokens that still open something", () => {
  const others = ["used", "revoked", "expired"].map((state) => ({ ...token, state }));
  expect(openTokens([token, ...others], now)).toEqual([token]);
  expect(openTokens([token], now + 301_000)).toEqual([]);
});

it("follows the machine that has the token", () => {
  const node = { id: "nod_1" } as Node;
  expect(arrivalOf(undefined, [], 1)).toEqual({ step: "waiting" });
  expect(arrivalOf(token, [], 1)).toEqual({ step: "waiting" });
  expect(arrivalOf(token, [], 0)).toEqual({ step: "expired" });
  expect(arrivalOf({ ...token, state: "revoked" }, [], 1)).toEqual({ step: "revoked" });
  const used = { ...token, state: "used", node_id: "nod_1" };
  expect(arrivalOf(used, [], 1)).toEqual({ step: "joined", nodeId: "nod_1", node: undefined });
  // It came in time, whatever the clock says now.
  expect(arrivalOf(used, [node], -1)).toEqual({ step: "joined", nodeId: "nod_1", node });
});
