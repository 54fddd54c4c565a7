import { apiUrl } from "@/api/call";
import { isRecord } from "@/api/error";
import type { TerminalNotice, TerminalRequest } from "@/api/types";

export interface Size {
  rows: number;
  columns: number;
}

export type LinkState = "connecting" | "open" | "lost" | "ended";

export type Attached = Extract<TerminalNotice, { type: "attached" }>;
export type Exit = Pick<Extract<TerminalNotice, { type: "exit" }>, "code" | "signal">;

/** What draws what comes, and is told the rest. */
export interface LinkListener {
  onState: (state: LinkState) => void;
  onAttached: (attached: Attached) => void;
  /** The screen as it was: whatever was drawn before is void. */
  onSnapshot: (bytes: Uint8Array) => void;
  /** Output. Of `old` one, queries were answered when it was new. */
  onOutput: (bytes: Uint8Array, old: boolean, parsed: () => void) => void;
  /** Of what comes after it, and before the next one. */
  onSize: (size: Size) => void;
  /** Whether this viewer decides the size and answers queries, from what comes after it on; it does until told. */
  onKeyboard: (yours: boolean) => void;
  onRenamed: (name: string) => void;
  onExit: (exit: Exit) => void;
  onProblem: (message: string) => void;
  /** What was typed is too much to be kept: it is dropped, with all that is typed until the connection is back. */
  onDropped: () => void;
  /** How long a message takes there and back, in milliseconds. */
  onLatency: (ms: number) => void;
}

interface LinkOptions {
  /** `from` is absent when nothing was received yet. */
  url: (from: number | undefined) => string;
  listener: LinkListener;
  /** Asked for with each connection (RFC 6455 section 1.9). */
  protocols?: string[];
  open?: (url: string, protocols: string[]) => WebSocket;
}

const FIRST_RETRY_MS = 300;
const LAST_RETRY_MS = 10_000;
const ACK_BYTES = 64 * 1024;
const ACK_MS = 80;
const PING_MS = 10_000;
const FIRST_PING_MS = 1000;
/** A way that is this long without a word is dead, whatever the browser thinks of it. */
const DEAD_MS = 8000;
/** How the server closes what is not worth another try (RFC 6455 section 7.4): the terminal is gone, or the session. */
const REFUSED = 1008;
const WAITING_INPUT_BYTES = 64 * 1024;
/** The server closes the connection on a message above 1 MiB. */
const INPUT_BYTES = 64 * 1024;

function openSocket(url: string, protocols: string[]): WebSocket {
  return new WebSocket(url, protocols);
}

/** Where a WebSocket of this server is, by a path of its API. */
export function socketUrl(path: string, query: Record<string, string | number | boolean | undefined>): string {
  const url = new URL(apiUrl(path, query), window.location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}

export function parseNotice(text: string): TerminalNotice | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) && typeof value.type === "string" ? (value as TerminalNotice) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * One terminal's connection. It comes back by itself and goes on where it was: the offset counts the output received,
 * and the server sends what comes after it.
 */
export class TerminalLink {
  private readonly options: LinkOptions;
  private socket: WebSocket | undefined;
  private state: LinkState = "connecting";
  private closed = false;
  /** The next binary frame is a snapshot, and no output. */
  private snapshotNext = false;
  private received: number | undefined;
  private end = 0;
  private parsed = 0;
  private acked = 0;
  private retry = FIRST_RETRY_MS;
  private retryTimer: ReturnType<typeof setTimeout> | undefined;
  private ackTimer: ReturnType<typeof setTimeout> | undefined;
  private pingTimer: ReturnType<typeof setInterval> | undefined;
  private firstPing: ReturnType<typeof setTimeout> | undefined;
  private deadTimer: ReturnType<typeof setTimeout> | undefined;
  private pings = new Map<number, number>();
  private pingId = 0;
  private waiting: Uint8Array[] = [];
  private isDropping = false;

  constructor(options: LinkOptions) {
    this.options = options;
  }

  connect(): void {
    if (this.closed) return;
    this.disconnect();
    this.become("connecting");
    const socket = (this.options.open ?? openSocket)(this.options.url(this.received), this.options.protocols ?? []);
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    socket.onmessage = ({ data }: MessageEvent<string | ArrayBuffer>) => {
      if (this.socket !== socket) return;
      this.hear();
      if (typeof data === "string") this.onText(data);
      else this.onBinary(new Uint8Array(data));
    };
    socket.onclose = ({ code }) => {
      if (this.socket === socket) this.lose(code !== REFUSED);
    };
    this.expectWord();
  }

  /** For a page that is shown again, or a network that is back. */
  wake(): void {
    if (this.closed || this.state === "ended") return;
    if (this.state === "open") this.ping();
    else if (this.state === "lost") {
      this.retry = FIRST_RETRY_MS;
      this.connect();
    }
  }

  close(): void {
    this.closed = true;
    this.disconnect();
  }

  type(bytes: Uint8Array): void {
    if (this.state !== "open") return this.keep(bytes);
    for (let from = 0; from < bytes.length; from += INPUT_BYTES) this.socket?.send(bytes.subarray(from, from + INPUT_BYTES) as Uint8Array<ArrayBuffer>);
  }

  resize({ rows, columns }: Size): void {
    this.say({ type: "resize", rows, columns });
  }

  ping(): void {
    if (this.state !== "open") return;
    this.pingId += 1;
    this.pings.set(this.pingId, performance.now());
    this.say({ type: "ping", id: this.pingId });
    this.expectWord();
  }

  private keep(bytes: Uint8Array) {
    // An Enter without the line before it would be another command.
    if (this.state === "ended" || this.isDropping) return;
    this.isDropping = this.waiting.reduce((sum, each) => sum + each.length, bytes.length) > WAITING_INPUT_BYTES;
    if (this.isDropping) this.options.listener.onDropped();
    else this.waiting.push(bytes);
  }

  private become(state: LinkState) {
    if (this.state === state) return;
    this.state = state;
    this.options.listener.onState(state);
  }

  private say(request: TerminalRequest) {
    if (this.state === "open") this.socket?.send(JSON.stringify(request));
  }

  private hear() {
    clearTimeout(this.deadTimer);
    this.deadTimer = undefined;
  }

  private expectWord() {
    this.deadTimer ??= setTimeout(() => this.lose(), DEAD_MS);
  }

  private disconnect() {
    clearTimeout(this.retryTimer);
    clearTimeout(this.ackTimer);
    clearTimeout(this.firstPing);
    clearInterval(this.pingTimer);
    this.hear();
    this.ackTimer = undefined;
    this.pings.clear();
    const socket = this.socket;
    this.socket = undefined;
    socket?.close();
  }

  private lose(again = true) {
    this.disconnect();
    if (this.closed || this.state === "ended") return;
    this.become("lost");
    if (!again) return;
    this.retryTimer = setTimeout(() => this.connect(), this.retry);
    this.retry = Math.min(this.retry * 2, LAST_RETRY_MS);
  }

  private onText(text: string) {
    const notice = parseNotice(text);
    const { listener } = this.options;
    switch (notice?.type) {
      case "attached":
        return this.onAttached(notice);
      case "size":
        return listener.onSize({ rows: notice.rows, columns: notice.columns });
      case "keyboard":
        return listener.onKeyboard(notice.yours);
      case "renamed":
        return listener.onRenamed(notice.name);
      case "pong":
        return this.onPong(notice.id);
      case "exit":
        this.become("ended");
        return listener.onExit({ code: notice.code, signal: notice.signal });
      case "error":
        return listener.onProblem(notice.message);
      case undefined:
        return;
    }
  }

  private onAttached(attached: Attached) {
    this.received = this.parsed = this.acked = attached.from;
    this.end = attached.end;
    this.snapshotNext = attached.snapshot;
    this.retry = FIRST_RETRY_MS;
    this.options.listener.onAttached(attached);
    this.become("open");
    const waiting = this.waiting;
    this.waiting = [];
    this.isDropping = false;
    for (const bytes of waiting) this.type(bytes);
    this.pingTimer = setInterval(() => this.ping(), PING_MS);
    // At the very beginning the page is too busy to measure.
    this.firstPing = setTimeout(() => this.ping(), FIRST_PING_MS);
  }

  private onBinary(bytes: Uint8Array) {
    const { listener } = this.options;
    if (this.snapshotNext) {
      this.snapshotNext = false;
      listener.onSnapshot(bytes);
      return;
    }
    const from = this.received ?? 0;
    const boundary = Math.min(Math.max(this.end - from, 0), bytes.length);
    this.received = from + bytes.length;
    for (const [piece, old] of [
      [bytes.subarray(0, boundary), true],
      [bytes.subarray(boundary), false],
    ] as const) {
      if (piece.length === 0) continue;
      const socket = this.socket;
      const until = old ? from + boundary : from + bytes.length;
      listener.onOutput(piece, old, () => {
        if (this.socket === socket) this.onParsed(until);
      });
    }
  }

  private onParsed(until: number) {
    this.parsed = Math.max(this.parsed, until);
    if (this.parsed - this.acked >= ACK_BYTES) this.ack();
    else this.ackTimer ??= setTimeout(() => this.ack(), ACK_MS);
  }

  private ack() {
    clearTimeout(this.ackTimer);
    this.ackTimer = undefined;
    if (this.parsed === this.acked) return;
    this.acked = this.parsed;
    this.say({ type: "ack", offset: this.parsed });
  }

  private onPong(id: number) {
    const sent = this.pings.get(id);
    this.pings.delete(id);
    if (sent !== undefined) this.options.listener.onLatency(performance.now() - sent);
  }
}
