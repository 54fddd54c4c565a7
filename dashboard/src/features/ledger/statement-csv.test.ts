import { expect, it } from "vitest";

import type { LedgerEntry } from "@/api/types";

import { statementCsv } from "./statement-csv";

const entry: LedgerEntry = { transaction_id: "t1", kind: "grant", amount: 5_000_000, balance: 1_234_567_890_000, created_at: "2026-03-01T12:00:00Z", reason: "for the tests" };

const HEAD = "time,transaction,kind,credits,balance,completion,reason\r\n";

it("has a head also of nothing", () => {
  expect(statementCsv([])).toBe(HEAD);
});

it("keeps the order and all digits", () => {
  const hold: LedgerEntry = { transaction_id: "t2", kind: "hold", amount: -420, balance: 0, completion_id: "c1", created_at: "2026-03-01T12:00:01Z" };
  expect(statementCsv([hold, entry])).toBe(
    `${HEAD}2026-03-01T12:00:01Z,t2,hold,-0.000420,0.000000,c1,\r\n2026-03-01T12:00:00Z,t1,grant,5.000000,1234567.890000,,for the tests\r\n`,
  );
});

it("quotes what would break a row", () => {
  expect(statementCsv([{ ...entry, reason: 'a "gift", truly\nyours' }])).toContain(',"a ""gift"", truly\nyours"\r\n');
});

it("lets no reason be a formula", () => {
  for (const reason of ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1"]) expect(statementCsv([{ ...entry, reason }]), reason).toContain(`,'${reason}\r\n`);
  expect(statementCsv([{ ...entry, reason: "=A,B" }])).toContain(`,"'=A,B"\r\n`);
});
