import { describe, expect, it } from "vitest";

import type { LogLine } from "@/api/types";

import { LogBuffer } from "./log-buffer";

function line(id: number): LogLine {
  return { id: String(id), deployment_id: "dep", time: "2026-03-01T12:00:00Z", stream: "out", text: `line ${id}` };
}

function lines(from: number, to: number): LogLine[] {
  return Array.from({ length: to - from + 1 }, (_, index) => line(from + index));
}

const idsOf = (buffer: LogBuffer) => buffer.snapshot().chunks.flatMap((chunk) => chunk.lines.map((each) => Number(each.id)));

describe("LogBuffer", () => {
  it("cuts into chunks and fills the last one first", () => {
    const buffer = new LogBuffer(100, 3);
    buffer.append(lines(1, 4));
    buffer.append(lines(5, 7));
    expect(buffer.snapshot().chunks.map((chunk) => chunk.lines.length)).toEqual([3, 3, 1]);
    expect(idsOf(buffer)).toEqual([1, 2, 3, 4, 5, 6, 7]);
  });

  it("keeps a line that is sent twice once", () => {
    const buffer = new LogBuffer();
    buffer.append(lines(1, 3));
    buffer.append(lines(2, 5));
    expect(idsOf(buffer)).toEqual([1, 2, 3, 4, 5]);
    expect(buffer.lastId).toBe("5");
  });

  it("does not change what it handed out", () => {
    const buffer = new LogBuffer(100, 5);
    const before = buffer.append(lines(1, 2));
    const after = buffer.append(lines(3, 3));
    expect(before.chunks[0]?.lines).toHaveLength(2);
    expect(after.chunks[0]?.lines).toHaveLength(3);
    expect(after.chunks[0]?.id).toBe(before.chunks[0]?.id);
  });

  it("lets full chunks alone when more comes", () => {
    const buffer = new LogBuffer(100, 2);
    const before = buffer.append(lines(1, 2));
    const after = buffer.append(lines(3, 3));
    expect(after.chunks[0]).toBe(before.chunks[0]);
  });

  it("drops the oldest chunks beyond its size and counts them", () => {
    const buffer = new LogBuffer(6, 2);
    const snapshot = buffer.append(lines(1, 9));
    expect(snapshot.dropped).toBe(4);
    expect(snapshot.count).toBe(5);
    expect(idsOf(buffer)).toEqual([5, 6, 7, 8, 9]);
  });

  it("puts older lines first, in their order, and keeps them", () => {
    const buffer = new LogBuffer(4, 2);
    const before = buffer.append(lines(8, 10));
    const after = buffer.prepend(lines(1, 7));
    expect(idsOf(buffer)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(after.chunks.slice(-before.chunks.length)).toEqual(before.chunks);
    expect(new Set(after.chunks.map((chunk) => chunk.id)).size).toBe(after.chunks.length);
    expect(buffer.lastId).toBe("10");
    buffer.append(lines(11, 11));
    expect(idsOf(buffer)).toHaveLength(11);
    expect(buffer.snapshot().dropped).toBe(0);
  });
});
