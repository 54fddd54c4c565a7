import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { TerminalLink, type LinkListener } from "./link";

class Line {
  binaryType = "";
  sent: (string | Uint8Array)[] = [];
  closed = false;
  onmessage: ((event: { data: string | ArrayBuffer }) => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;
  constructor(readonly url: string) {}
  send(data: string | Uint8Array) {
    this.sent.push(data);
  }
  close() {
    this.closed = true;
  }
  tell(notice: object) {
    this.onmessage?.({ data: JSON.stringify(notice) });
  }
  output(text: string | Uint8Array) {
    const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text;
    this.onmessage?.({ data: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer });
  }
  requests(type: string) {
    return this.sent.filter((each) => typeof each === "string").map((each) => JSON.parse(each) as Record<string, unknown>).filter((each) => each.type === type);
  }
}

const attached = { type: "attached", from: 0, end: 0, start: 0, snapshot: false, rows: 24, columns: 80 };

function setUp({ parse = true } = {}) {
  const lines: Line[] = [];
  const told: string[] = [];
  const waiting: (() => void)[] = [];
  const done = (parsed: () => void) => (parse ? parsed() : waiting.push(parsed));
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  const listener: LinkListener = {
    onState: (state) => told.push(state),
    onAttached: () => undefined,
    onSnapshot: (bytes) => told.push(`snapshot ${text(bytes)}`),
    onOutput: (bytes, old, parsed) => {
      told.push(`${old ? "old" : "new"} ${text(bytes).slice(0, 20)}`);
      done(parsed);
    },
    onKeyboard: (yours) => told.push(`keyboard ${yours}`),
    onSize: ({ rows, columns }) => told.push(`size ${columns}x${rows}`),
    onRenamed: (name) => told.push(`renamed ${name}`),
    onExit: ({ code }) => told.push(`exit ${code}`),
    onProblem: (message) => told.push(`problem ${message}`),
    onDropped: () => told.push("dropped"),
    onLatency: () => undefined,
  };
  const link = new TerminalLink({
    url: (from) => `from=${from}`,
    listener,
    open: (url) => {
      const line = new Line(url);
      lines.push(line);
      return line as unknown as WebSocket;
    },
  });
  link.connect();
  const last = () => lines[lines.length - 1] as Line;
  return { link, lines, last, told, waiting };
}

describe("a terminal's connection", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("counts output, but no snapshot, and goes on where it was", () => {
    const { last, told, lines } = setUp();
    expect(last().url).toBe("from=undefined");
    last().tell({ ...attached, from: 100, end: 105, start: 0, snapshot: true });
    last().output("the screen");
    last().output("12345678");
    expect(told).toEqual(["open", "snapshot the screen", "old 12345", "new 678"]);
    last().onclose?.({ code: 1006 });
    vi.advanceTimersByTime(299);
    expect(lines).toHaveLength(1);
    vi.advanceTimersByTime(1);
    expect(last().url).toBe("from=108");
    // A second cut right away waits longer.
    last().onclose?.({ code: 1006 });
    vi.advanceTimersByTime(599);
    expect(lines).toHaveLength(2);
    vi.advanceTimersByTime(1);
    expect(lines).toHaveLength(3);
  });

  it("says how far it came: after 64 KiB at once, else after a moment", () => {
    const { last, waiting } = setUp({ parse: false });
    last().tell(attached);
    last().output(new Uint8Array(40_000));
    last().output(new Uint8Array(40_000));
    expect(last().requests("ack")).toEqual([]);
    waiting.shift()?.();
    expect(last().requests("ack")).toEqual([]);
    waiting.shift()?.();
    expect(last().requests("ack")).toEqual([{ type: "ack", offset: 80_000 }]);
    last().output("more");
    waiting.shift()?.();
    expect(last().requests("ack")).toHaveLength(1);
    vi.advanceTimersByTime(200);
    expect(last().requests("ack")[1]).toEqual({ type: "ack", offset: 80_004 });
    vi.advanceTimersByTime(1000);
    expect(last().requests("ack")).toHaveLength(2);
  });

  it("does not say on a new connection what the one before had drawn", () => {
    const { link, last, waiting, lines } = setUp({ parse: false });
    last().tell(attached);
    last().output("late");
    last().onclose?.({ code: 1006 });
    link.wake();
    last().tell({ ...attached, from: 1000, end: 1000, snapshot: true });
    waiting.shift()?.();
    vi.advanceTimersByTime(1000);
    expect(lines).toHaveLength(2);
    expect(last().requests("ack")).toEqual([]);
  });

  it("keeps what is typed while it is away", () => {
    const { link, last } = setUp();
    last().tell(attached);
    last().onclose?.({ code: 1006 });
    link.type(new Uint8Array([108, 115]));
    link.wake();
    expect(last().sent).toEqual([]);
    last().tell(attached);
    expect(last().sent[0]).toEqual(new Uint8Array([108, 115]));
  });

  it("keeps a paste while it is away, and of one that is too large nothing, nor what comes after it", () => {
    const { link, last, told } = setUp();
    link.type(new Uint8Array(60 * 1024));
    link.type(new Uint8Array(10 * 1024));
    link.type(new Uint8Array([13]));
    link.type(new Uint8Array(100 * 1024));
    expect(told).toEqual(["dropped"]);
    last().tell(attached);
    expect(last().sent).toEqual([new Uint8Array(60 * 1024)]);
    link.type(new Uint8Array([13]));
    expect(last().sent[1]).toEqual(new Uint8Array([13]));
    // The next time, it is kept and said again.
    last().onclose?.({ code: 1006 });
    link.type(new Uint8Array(65 * 1024));
    expect(told).toEqual(["dropped", "open", "lost", "dropped"]);
  });

  it("sends a large paste in pieces, in order", () => {
    const { link, last } = setUp();
    last().tell(attached);
    const paste = Uint8Array.from({ length: 150 * 1024 }, (_, index) => index % 251);
    link.type(paste);
    expect(last().sent.map((piece) => piece.length)).toEqual([64 * 1024, 64 * 1024, 22 * 1024]);
    expect(last().sent[2]).toEqual(paste.subarray(128 * 1024));
  });

  it("tells who has the keyboard", () => {
    const { last, told } = setUp();
    last().tell(attached);
    last().tell({ type: "keyboard", yours: false });
    last().tell({ type: "keyboard", yours: true });
    expect(told).toEqual(["open", "keyboard false", "keyboard true"]);
  });

  it("gives up a way on which nothing answers", () => {
    const { last, told } = setUp();
    last().tell(attached);
    vi.advanceTimersByTime(1000);
    last().tell({ type: "pong", id: 1 });
    vi.advanceTimersByTime(9000);
    expect(last().requests("ping")).toHaveLength(2);
    vi.advanceTimersByTime(8000);
    expect(told.at(-1)).toBe("lost");
  });

  it("does not ask again after a refusal, until somebody wants it to", () => {
    const { link, last, lines, told } = setUp();
    last().tell({ type: "error", error: "NOT_FOUND", message: "gone" });
    last().onclose?.({ code: 1008 });
    vi.advanceTimersByTime(60_000);
    expect(lines).toHaveLength(1);
    expect(told).toEqual(["problem gone", "lost"]);
    link.wake();
    expect(lines).toHaveLength(2);
  });

  it("does not come back after the end", () => {
    const { last, told, lines, link } = setUp();
    last().tell(attached);
    last().tell({ type: "exit", code: 3 });
    last().onclose?.({ code: 1006 });
    link.wake();
    vi.advanceTimersByTime(60_000);
    expect(lines).toHaveLength(1);
    expect(told).toEqual(["open", "ended", "exit 3"]);
  });
});
