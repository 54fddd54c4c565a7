import { onReturn } from "@/live/return";
import { toast } from "@/ui/toast-store";

import type { Emulator, Look, SearchResults } from "./emulator";
import { latin1, modify, shortcutOf, utf8, type Modifiers } from "./keys";
import { socketUrl, TerminalLink, type Attached, type Exit, type LinkListener, type LinkState, type Size } from "./link";

/** What a terminal's frame shows. */
export interface SessionView {
  link: LinkState;
  /** Nothing was drawn yet. */
  blank: boolean;
  /** Milliseconds there and back. */
  latency?: number;
  /** The size that another viewer decided on. */
  following?: Size;
  exit?: Exit;
  /** Why it is not connected. */
  problem?: string;
  /** Output that was put out before what can be scrolled to. */
  earlier?: { start: number; until: number };
  /** There is nothing above what is shown. */
  atTop: boolean;
  results?: SearchResults;
  modifiers: Modifiers;
}

interface SessionOptions {
  workspaceId: string;
  terminalId: string;
  watch: boolean;
  look: Look;
  onRenamed: (name: string) => void;
  onExit: () => void;
  /** Enter, after the end. */
  onAgain: () => void;
}

const FIT_MS = 60;
const SETTLE_MS = 400;

const noModifiers: Modifiers = { control: false, alt: false };
const start: SessionView = { link: "connecting", blank: true, atTop: true, modifiers: noModifiers };

/** An emulator and its connection: everything of a terminal that is not React's. */
export class Session {
  private view = start;
  private listeners = new Set<() => void>();
  private emulator: Emulator | undefined;
  private link: TerminalLink | undefined;
  private options: SessionOptions;
  /** As large as the frame allows. */
  private own: Size = { rows: 24, columns: 80 };
  /** The terminal's, where it has been drawn up to. */
  private size = this.own;
  private settleTimer: number | undefined;
  private fitTimer: number | undefined;
  /** What is drawn now was put out before this page looked. */
  private replaying = false;
  /** It decides the size and answers queries, where it has been drawn up to. */
  private hasKeyboard = true;
  private shown = false;

  constructor(options: SessionOptions) {
    this.options = options;
  }

  subscribe = (listener: () => void) => {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  };

  read = () => this.view;

  configure(options: SessionOptions): void {
    const { watch } = this.options;
    this.options = options;
    this.emulator?.setLook(options.look);
    if (options.watch !== watch) this.reconnect();
  }

  /** Returns how to end it. The emulator is fetched when the first terminal is opened; `fit` is to tell again how much room there is. */
  open(host: HTMLElement, fit: () => void): () => void {
    let ended = false;
    void import("./emulator").then(
      ({ Emulator }) => {
        if (ended) return;
        this.emulator = new Emulator(host, this.options.look, {
          onText: (text) => this.type(text),
          onBytes: (text) => this.send(latin1(text)),
          onKey: (event) => this.onKey(event),
          onTop: (atTop) => this.change({ atTop }),
          onResults: (results) => this.change({ results }),
          onCell: fit,
          // Several viewers would answer; the one that has the keyboard does.
          mute: () => this.replaying || !this.hasKeyboard || this.options.watch,
        });
        this.emulator.setShown(this.shown);
        fit();
        this.reconnect();
      },
      () => this.change({ link: "lost", problem: "The terminal could not be fetched. Reload the page." }),
    );
    const leave = onReturn(() => this.link?.wake());
    return () => {
      ended = true;
      leave();
      this.link?.close();
      this.emulator?.dispose();
      window.clearTimeout(this.fitTimer);
      window.clearTimeout(this.settleTimer);
      this.link = this.emulator = undefined;
      this.view = start;
    };
  }

  setShown(shown: boolean): void {
    this.shown = shown;
    this.emulator?.setShown(shown);
  }

  /** Tells how much room there is. */
  fit(width: number, height: number): void {
    const size = this.emulator?.sizeIn(width, height);
    if (!size || (size.rows === this.own.rows && size.columns === this.own.columns)) return;
    this.own = size;
    this.settleSoon();
    window.clearTimeout(this.fitTimer);
    // While a window is being drawn larger, not with every step.
    this.fitTimer = window.setTimeout(() => this.link?.resize(this.own), FIT_MS);
  }

  focus(): void {
    this.emulator?.terminal.focus();
  }

  /** Types, as a person does. */
  type(text: string): void {
    const { modifiers } = this.view;
    if (modifiers.control || modifiers.alt) {
      this.change({ modifiers: noModifiers });
      this.send(utf8(modify(text, modifiers)));
    } else this.send(utf8(text));
  }

  setModifiers(modifiers: Modifiers): void {
    this.change({ modifiers });
  }

  get applicationCursor(): boolean {
    return this.emulator?.terminal.modes.applicationCursorKeysMode ?? false;
  }

  paste(text: string): void {
    this.emulator?.terminal.paste(text);
  }

  selection(): string {
    return this.emulator?.terminal.getSelection() ?? "";
  }

  text(): string {
    return this.emulator?.text() ?? "";
  }

  find(...parameters: Parameters<Emulator["find"]>): void {
    this.emulator?.find(...parameters);
  }

  endFind(): void {
    this.emulator?.endFind();
  }

  ping(): void {
    this.link?.ping();
  }

  retry(): void {
    this.link?.wake();
  }

  extent(): { width: number; height: number } | undefined {
    return this.emulator?.extent();
  }

  private change(change: Partial<SessionView>) {
    this.view = { ...this.view, ...change };
    for (const listener of this.listeners) listener();
  }

  private send(bytes: Uint8Array) {
    if (this.options.watch) return;
    // Who types decides the size.
    if (this.view.following) this.link?.resize(this.own);
    this.link?.type(bytes);
  }

  private onKey(event: KeyboardEvent): boolean {
    // Shortcuts are for what is around the terminals.
    if (shortcutOf(event)) return true;
    if (!this.view.exit || event.key !== "Enter") return false;
    // Held down, it would open one after the other.
    if (event.type === "keydown" && !event.repeat) this.options.onAgain();
    return true;
  }

  private reconnect() {
    this.link?.close();
    const { workspaceId, terminalId } = this.options;
    const path = `/workspaces/${encodeURIComponent(workspaceId)}/terminals/${encodeURIComponent(terminalId)}/attach`;
    this.link = new TerminalLink({
      url: (from) => {
        const { rows, columns } = this.own;
        return socketUrl(path, { from, rows, columns, watch: this.options.watch });
      },
      listener: this.linkListener(),
    });
    this.link.connect();
  }

  private linkListener(): LinkListener {
    // Also where no snapshot comes, a new connection without an offset begins at the beginning.
    let first = true;
    return {
      onState: (link) => {
        this.change({ link, ...(link === "open" && { problem: undefined }) });
        // The room may have changed since it was said with the address.
        if (link === "open") this.link?.resize(this.own);
      },
      onAttached: (attached) => {
        if (first && !attached.snapshot) this.emulator?.beginAnew();
        first = false;
        this.onAttached(attached);
      },
      onSnapshot: (bytes) => {
        this.emulator?.beginAnew();
        this.draw(bytes, true, () => undefined);
      },
      onOutput: (bytes, old, parsed) => this.draw(bytes, old, parsed),
      onSize: (size) => this.onSize(size),
      onKeyboard: (yours) => this.onKeyboard(yours),
      onRenamed: (name) => this.options.onRenamed(name),
      onExit: (exit) => {
        this.change({ exit });
        this.settleSoon();
        this.options.onExit();
      },
      onProblem: (problem) => this.change({ problem }),
      onDropped: () => toast.bad("That is too much to be kept while there is no connection. It is not sent, nor is what you type until the connection is back."),
      onLatency: (latency) => this.change({ latency }),
    };
  }

  private draw(bytes: Uint8Array, old: boolean, parsed: () => void) {
    if (this.view.blank) this.change({ blank: false });
    // Pieces are drawn in order, each after the callback of the one before: so it is true for what is drawn next.
    if (old) this.emulator?.write(new Uint8Array(), () => (this.replaying = true));
    this.emulator?.write(bytes, () => {
      if (old) this.replaying = false;
      parsed();
    });
  }

  private onAttached({ from, start, snapshot, rows, columns }: Attached) {
    this.onKeyboard(true);
    this.onSize({ rows, columns });
    if (snapshot) this.change({ earlier: start < from ? { start, until: from } : undefined });
    // Nothing may come, of a terminal that has put out nothing.
    this.change({ blank: false, exit: undefined });
  }

  /** In the order of what is drawn: what was put out for another size looks right at that one only. */
  private onSize(size: Size) {
    this.emulator?.write(new Uint8Array(), () => {
      this.size = size;
      this.emulator?.resize(size);
      this.settleSoon();
    });
  }

  /** In the order of what is drawn: queries are answered by who had the keyboard when they were asked. */
  private onKeyboard(yours: boolean) {
    this.emulator?.write(new Uint8Array(), () => (this.hasKeyboard = yours));
  }

  /** Sees who decided on the size, once that has been settled: the server says it again when it takes ours. */
  private settleSoon() {
    window.clearTimeout(this.settleTimer);
    this.settleTimer = window.setTimeout(() => {
      if (this.view.exit) this.size = this.own;
      this.emulator?.resize(this.size);
      const mine = this.size.rows === this.own.rows && this.size.columns === this.own.columns;
      this.change({ following: mine ? undefined : this.size });
    }, SETTLE_MS);
  }
}
