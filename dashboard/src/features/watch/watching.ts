import type { Emulator, Look } from "@/features/terminals/emulator";
import { socketUrl, TerminalLink, type Exit, type LinkState, type Size } from "@/features/terminals/link";
import { onReturn } from "@/live/return";

import { READABLE_PX, Scaling, SMALL_PX, type Extent } from "./font";
import { scrollOf } from "./keys";

/** What the page shows of it. */
export interface WatchView {
  link: LinkState;
  /** Nothing was drawn yet. */
  blank: boolean;
  /** Its name, once it was given another one. */
  name?: string;
  exit?: Exit;
  problem?: string;
  /** Where it is larger than its room, all that it takes. */
  extent?: Extent;
  /** Its characters are small, or were until they were made readable. */
  isSmall: boolean;
  isReadable: boolean;
}

const PATH = "/shared-terminal/attach";
const start: WatchView = { link: "connecting", blank: true, isSmall: false, isReadable: false };

/** A terminal of somebody else: it has their size, and nothing is typed into it. */
export class Watching {
  private view = start;
  private listeners = new Set<() => void>();
  private emulator: Emulator | undefined;
  private link: TerminalLink | undefined;
  private room: Extent = { width: 0, height: 0 };
  private scaling = new Scaling();
  private frame = 0;
  /** What is on the page may still have the size before: nothing is drawn while it is out of view. */
  private isResized = true;

  constructor(private readonly secret: string, private look: Look) {}

  subscribe = (listener: () => void) => {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  };

  read = () => this.view;

  setTheme(theme: Look["theme"]): void {
    if (theme === this.look.theme) return;
    this.look = { ...this.look, theme };
    this.emulator?.setLook(this.look);
  }

  /** Returns how to end it. */
  open(host: HTMLElement): () => void {
    let ended = false;
    void import("@/features/terminals/emulator").then(
      (module) => {
        if (!ended) this.begin(host, module.Emulator);
      },
      () => this.change({ link: "lost", problem: "The terminal could not be fetched. Reload the page." }),
    );
    const leave = onReturn(() => this.link?.wake());
    return () => {
      ended = true;
      leave();
      this.link?.close();
      cancelAnimationFrame(this.frame);
      this.emulator?.dispose();
      this.link = this.emulator = undefined;
      this.view = start;
    };
  }

  retry(): void {
    this.link?.wake();
  }

  /** Tells how much room there is: the characters are as large as fit into it. */
  fit(room: Extent): void {
    this.room = room;
    this.scaling = new Scaling();
    this.scaleSoon();
  }

  /** Rather large enough to be read than all of it at once. */
  setReadable(isReadable: boolean): void {
    this.change({ isReadable });
    this.fit(this.room);
  }

  /** What was changed is measured once it is drawn. */
  private scaleSoon() {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => {
      this.frame = requestAnimationFrame(() => this.scale());
    });
  }

  /** One step towards the right size. */
  private scale() {
    const { emulator, room } = this;
    const cell = emulator?.cell();
    if (!emulator || !cell) return;
    const { rows, cols: columns } = emulator.terminal;
    const fontSize = this.view.isReadable ? READABLE_PX : this.scaling.next({ rows, columns }, room, cell, this.look.fontSize);
    if (fontSize !== this.look.fontSize) {
      this.look = { ...this.look, fontSize };
      emulator.setLook(this.look);
      this.scaleSoon();
      return;
    }
    const extent = emulator.extent();
    const isLarger = extent.width > room.width || extent.height > room.height;
    this.change({ extent: isLarger ? extent : undefined, isSmall: this.view.isReadable || fontSize < SMALL_PX });
  }

  private begin(host: HTMLElement, Fetched: typeof Emulator) {
    const emulator = new Fetched(host, this.look, {
      onText: () => undefined,
      onBytes: () => undefined,
      onKey: (event) => this.onKey(event),
      onTop: () => undefined,
      onResults: () => undefined,
      onCell: () => this.fit(this.room),
      mute: () => true,
    });
    // Phones would show their keyboard.
    emulator.terminal.options.disableStdin = true;
    emulator.setShown(true);
    this.emulator = emulator;
    emulator.terminal.onRender(() => {
      if (!this.isResized) return;
      this.isResized = false;
      this.fit(this.room);
    });
    this.link = new TerminalLink({
      url: (from) => socketUrl(PATH, { from }),
      protocols: ["nanoscale.terminal", `bearer.${this.secret}`],
      listener: {
        onState: (link) => this.change({ link, ...(link === "open" && { problem: undefined }) }),
        onAttached: ({ from, snapshot, rows, columns }) => {
          if (snapshot || from === 0) emulator.beginAnew();
          this.onSize({ rows, columns });
          this.change({ blank: false, exit: undefined });
        },
        onSnapshot: (bytes) => emulator.write(bytes, () => undefined),
        onOutput: (bytes, _old, parsed) => emulator.write(bytes, parsed),
        onSize: (size) => this.onSize(size),
        onKeyboard: () => undefined,
        onRenamed: (name) => this.change({ name }),
        onExit: (exit) => this.change({ exit }),
        onProblem: (problem) => this.change({ problem }),
        onDropped: () => undefined,
        onLatency: () => undefined,
      },
    });
    this.link.connect();
  }

  /** In the order of what is drawn. */
  private onSize(size: Size) {
    this.emulator?.write(new Uint8Array(), () => {
      this.emulator?.resize(size);
      this.isResized = true;
      this.fit(this.room);
    });
  }

  private onKey(event: KeyboardEvent): boolean {
    const terminal = this.emulator?.terminal;
    const scroll = scrollOf(event);
    // Every other key is the page's: nothing is typed here, and Tab goes on.
    if (!scroll || !terminal || event.type !== "keydown") return true;
    event.preventDefault();
    if (scroll === "top") terminal.scrollToTop();
    else if (scroll === "bottom") terminal.scrollToBottom();
    else terminal.scrollLines(scroll === "up" ? -1 : scroll === "down" ? 1 : (terminal.rows - 1) * (scroll === "page-up" ? -1 : 1));
    return true;
  }

  private change(change: Partial<WatchView>) {
    this.view = { ...this.view, ...change };
    for (const listener of this.listeners) listener();
  }
}
