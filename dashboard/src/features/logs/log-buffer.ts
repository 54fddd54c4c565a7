import type { LogLine } from "@/api/types";

export interface LogChunk {
  id: number;
  lines: readonly LogLine[];
}

export interface LogSnapshot {
  chunks: readonly LogChunk[];
  /** How many lines are held. */
  count: number;
  /** How many older ones were let go to keep the page quick. */
  dropped: number;
}

export const emptyLog: LogSnapshot = { chunks: [], count: 0, dropped: 0 };

const CHUNK_LINES = 200;
const MAX_LINES = 20_000;

/**
 * The lines of a log in pieces that do not change once full, so that a long log costs
 * the page only its last piece per update. A line sent twice is kept once.
 */
export class LogBuffer {
  #chunks: LogChunk[] = [];
  #ids = new Set<string>();
  #nextChunk = 1;
  #firstChunk = 0;
  #loaded = 0;
  #dropped = 0;
  #lastId: string | undefined;

  constructor(
    readonly maxLines = MAX_LINES,
    readonly chunkLines = CHUNK_LINES,
  ) {}

  /** Where a new connection goes on. */
  get lastId(): string | undefined {
    return this.#lastId;
  }

  append(lines: readonly LogLine[]): LogSnapshot {
    for (const line of lines) {
      if (this.#ids.has(line.id)) continue;
      this.#ids.add(line.id);
      this.#lastId = line.id;
      this.#push(line);
    }
    this.#seal();
    this.#trim();
    return this.snapshot();
  }

  /** Puts older lines before the others. Who asked for them keeps them: they do not count towards what is let go. */
  prepend(lines: readonly LogLine[]): LogSnapshot {
    const older = lines.filter((line) => !this.#ids.has(line.id));
    const chunks: LogChunk[] = [];
    for (let end = older.length; end > 0; end -= this.chunkLines) {
      chunks.unshift({ id: this.#firstChunk--, lines: older.slice(Math.max(0, end - this.chunkLines), end) });
    }
    for (const line of older) this.#ids.add(line.id);
    this.#chunks.unshift(...chunks);
    this.#loaded += older.length;
    return this.snapshot();
  }

  snapshot(): LogSnapshot {
    return { chunks: [...this.#chunks], count: this.#ids.size, dropped: this.#dropped };
  }

  #open: LogLine[] | undefined;

  #push(line: LogLine) {
    const last = this.#chunks.at(-1);
    if (this.#open && this.#open.length < this.chunkLines) {
      this.#open.push(line);
    } else if (!this.#open && last && last.lines.length < this.chunkLines) {
      this.#open = [...last.lines, line];
      this.#chunks[this.#chunks.length - 1] = { id: last.id, lines: this.#open };
    } else {
      this.#open = [line];
      this.#chunks.push({ id: this.#nextChunk++, lines: this.#open });
    }
  }

  /** What was handed out must not change any more. */
  #seal() {
    this.#open = undefined;
  }

  #trim() {
    while (this.#ids.size > this.maxLines + this.#loaded && this.#chunks.length > 1) {
      const first = this.#chunks.shift();
      for (const line of first?.lines ?? []) this.#ids.delete(line.id);
      this.#dropped += first?.lines.length ?? 0;
    }
  }
}
