import "@xterm/xterm/css/xterm.css";

import { SearchAddon, type ISearchOptions } from "@xterm/addon-search";
import { Unicode11Addon } from "@xterm/addon-unicode11";
import { WebLinksAddon } from "@xterm/addon-web-links";
import type { WebglAddon } from "@xterm/addon-webgl";
import { Terminal } from "@xterm/xterm";

import { matchColours, themes } from "./colours";
import type { Size } from "./link";

const SCROLLBACK_LINES = 10_000;
const SCROLLBAR_PX = 14;
/** Ends whatever sequence was begun, and resets everything. */
const BEGIN_ANEW = "\u0018\u001bc";
/** That the terminal has got the focus, or lost it, said to programs that asked for it. */
const FOCUS_REPORTS = ["\u001b[I", "\u001b[O"];

export interface Look {
  theme: "light" | "dark";
  fontSize: number;
  screenReader: boolean;
}

export interface EmulatorListener {
  onText: (text: string) => void;
  onBytes: (latin1: string) => void;
  /** Returns whether the key was meant for the page. */
  onKey: (event: KeyboardEvent) => boolean;
  /** Whether the first line that is kept is in view, and is one that could be scrolled to. */
  onTop: (atTop: boolean) => void;
  onResults: (results: SearchResults | undefined) => void;
  /** A character takes another room than before. */
  onCell: () => void;
  /** Whether questions that programs ask the terminal are to be left unanswered now. */
  mute: () => boolean;
}

export interface SearchResults {
  /** -1: not counted. */
  index: number;
  count: number;
}

/** xterm.js, with what this dashboard wants of it. In a chunk of its own: it is large. */
export class Emulator {
  readonly terminal: Terminal;
  private readonly search = new SearchAddon();
  private webgl: WebglAddon | undefined;
  private shown = false;

  constructor(host: HTMLElement, private look: Look, private readonly listener: EmulatorListener) {
    this.terminal = new Terminal({
      // For the widths of Unicode 11, and for marking what was found.
      allowProposedApi: true,
      cursorBlink: false,
      fontFamily: getComputedStyle(document.documentElement).getPropertyValue("--font-mono") || "monospace",
      scrollback: SCROLLBACK_LINES,
      macOptionIsMeta: true,
      rightClickSelectsWord: false,
      ...optionsOf(look),
    });
    const { terminal } = this;
    terminal.loadAddon(this.search);
    terminal.loadAddon(new WebLinksAddon((event, uri) => openLink(event, uri)));
    terminal.options.linkHandler = { activate: (event, uri) => openLink(event, uri) };
    terminal.loadAddon(new Unicode11Addon());
    terminal.unicode.activeVersion = "11";
    terminal.attachCustomKeyEventHandler((event) => !listener.onKey(event));
    terminal.onData((text) => {
      // Nobody typed it, and there may be nobody any more who asked for it.
      if (!FOCUS_REPORTS.includes(text) || !listener.mute()) listener.onText(text);
    });
    terminal.onBinary((text) => listener.onBytes(text));
    let atTop = true;
    terminal.onRender(() => {
      const { viewportY, type } = terminal.buffer.active;
      const next = viewportY === 0 && type === "normal";
      if (next !== atTop) listener.onTop(next);
      atTop = next;
    });
    this.search.onDidChangeResults(({ resultIndex, resultCount }) => listener.onResults({ index: resultIndex, count: resultCount }));
    this.muteQueries();
    terminal.open(host);
  }

  dispose(): void {
    this.shown = false;
    this.endWebgl();
    this.terminal.dispose();
  }

  setLook(look: Look): void {
    this.look = look;
    Object.assign(this.terminal.options, optionsOf(look));
  }

  /** Drawing by the graphics card is several times as fast, but browsers allow a few such canvases only. */
  setShown(shown: boolean): void {
    this.shown = shown;
    if (!shown) this.endWebgl();
    else if (hasWebgl()) void import("@xterm/addon-webgl").then((addon) => this.useWebgl(addon.WebglAddon), () => undefined);
  }

  write(bytes: Uint8Array, parsed: () => void): void {
    this.terminal.write(bytes, parsed);
  }

  /** Forgets everything, in the order of what is written. */
  beginAnew(): void {
    this.terminal.write(BEGIN_ANEW);
  }

  /** The room that one character takes, in pixels; nothing while it is not seen. */
  cell(): { width: number; height: number } | undefined {
    const screen = this.terminal.element?.querySelector<HTMLElement>(".xterm-screen");
    if (!screen || screen.offsetWidth === 0 || screen.offsetHeight === 0) return undefined;
    return { width: screen.offsetWidth / this.terminal.cols, height: screen.offsetHeight / this.terminal.rows };
  }

  /** As many characters as fit into so much room. */
  sizeIn(width: number, height: number): Size | undefined {
    const cell = this.cell();
    if (!cell || width <= 0 || height <= 0) return undefined;
    return {
      rows: Math.min(Math.max(Math.floor(height / cell.height), 2), 500),
      columns: Math.min(Math.max(Math.floor((width - SCROLLBAR_PX) / cell.width), 2), 1000),
    };
  }

  resize({ rows, columns }: Size): void {
    if (rows !== this.terminal.rows || columns !== this.terminal.cols) this.terminal.resize(columns, rows);
  }

  /** The room that it takes at its size, in pixels. */
  extent(): { width: number; height: number } {
    const screen = this.terminal.element?.querySelector<HTMLElement>(".xterm-screen");
    return { width: (screen?.offsetWidth ?? 0) + SCROLLBAR_PX, height: screen?.offsetHeight ?? 0 };
  }

  /** `typing` begins at the end again: what was put out last is looked for most. */
  find(text: string, step: "next" | "previous" | "typing", options: { caseSensitive: boolean }): void {
    const search = { ...options, decorations: highlight(this.look.theme) };
    if (step === "typing") this.terminal.clearSelection();
    if (text === "") this.endFind();
    else if (step === "next") this.search.findNext(text, search);
    else this.search.findPrevious(text, search);
  }

  endFind(): void {
    this.search.clearDecorations();
    this.listener.onResults(undefined);
  }

  /** All that can be scrolled to, as lines of text. */
  text(): string {
    const buffer = this.terminal.buffer.active;
    const lines: string[] = [];
    for (let row = 0; row < buffer.length; row += 1) {
      const line = buffer.getLine(row);
      if (!line) continue;
      const text = line.translateToString(true);
      if (line.isWrapped && lines.length > 0) lines[lines.length - 1] += text;
      else lines.push(text);
    }
    return lines.join("\n").trimEnd();
  }

  private useWebgl(Addon: typeof WebglAddon) {
    if (this.webgl || !this.shown) return;
    try {
      const webgl = new Addon();
      webgl.onContextLoss(() => {
        if (this.webgl !== webgl) return;
        this.endWebgl();
        this.listener.onCell();
      });
      this.terminal.loadAddon(webgl);
      this.webgl = webgl;
    } catch {
      // Without it, xterm draws by elements of the page.
      return;
    }
    // Elements may be fractions of a pixel wide, what the graphics card draws may not.
    this.listener.onCell();
  }

  private endWebgl() {
    this.webgl?.dispose();
    this.webgl = undefined;
  }

  /** Says itself what is handled, so that xterm does not answer. */
  private muteQueries() {
    const { parser } = this.terminal;
    const { mute } = this.listener;
    const quiet = () => mute();
    for (const id of [{ final: "c" }, { prefix: ">", final: "c" }, { prefix: "=", final: "c" }, { final: "n" }, { prefix: "?", final: "n" }]) parser.registerCsiHandler(id, quiet);
    for (const id of [{ intermediates: "$", final: "p" }, { prefix: "?", intermediates: "$", final: "p" }, { prefix: ">", final: "q" }]) parser.registerCsiHandler(id, quiet);
    for (const id of [{ intermediates: "$", final: "q" }, { intermediates: "+", final: "q" }]) parser.registerDcsHandler(id, quiet);
    for (const id of [4, 10, 11, 12]) parser.registerOscHandler(id, (data) => data.includes("?") && mute());
  }
}

function highlight(theme: Look["theme"]): ISearchOptions["decorations"] {
  const { one, active } = matchColours[theme];
  return { matchBackground: one, matchOverviewRuler: one, activeMatchBackground: active, activeMatchColorOverviewRuler: active };
}

function optionsOf({ theme, fontSize, screenReader }: Look) {
  // Programs choose colours for a dark background; on a light one they must stay legible.
  return { theme: themes[theme], fontSize, screenReaderMode: screenReader, minimumContrastRatio: theme === "light" ? 4.5 : 1 };
}

function openLink(event: MouseEvent, uri: string) {
  event.preventDefault();
  if (/^https?:\/\//i.test(uri)) window.open(uri, "_blank", "noopener,noreferrer");
}

let webgl: boolean | undefined;

/** One that is not played by the processor: that is slower than elements of the page. */
function hasWebgl(): boolean {
  webgl ??= isAccelerated();
  return webgl;
}

function isAccelerated(): boolean {
  const context = document.createElement("canvas").getContext("webgl2", { failIfMajorPerformanceCaveat: true });
  if (!context) return false;
  const info = context.getExtension("WEBGL_debug_renderer_info");
  const renderer = String(context.getParameter(info ? info.UNMASKED_RENDERER_WEBGL : context.RENDERER));
  context.getExtension("WEBGL_lose_context")?.loseContext();
  return !/swiftshader|llvmpipe|software/i.test(renderer);
}
