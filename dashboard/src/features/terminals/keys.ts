/** Keys that a phone's keyboard lacks. */
export type PhoneKey = "esc" | "tab" | "up" | "down" | "left" | "right" | "home" | "end" | "page_up" | "page_down";

export interface Modifiers {
  control: boolean;
  alt: boolean;
}

const cursorKeys: Partial<Record<PhoneKey, string>> = { up: "A", down: "B", right: "C", left: "D", home: "H", end: "F" };
const pageKeys: Partial<Record<PhoneKey, number>> = { page_up: 5, page_down: 6 };

/** What a terminal sends for a key, as xterm does. */
export function sequenceOf(key: PhoneKey, { control, alt }: Modifiers, applicationCursor: boolean): string {
  const modifier = 1 + (alt ? 2 : 0) + (control ? 4 : 0);
  const letter = cursorKeys[key];
  if (letter) {
    if (modifier > 1) return `\u001b[1;${modifier}${letter}`;
    return applicationCursor ? `\u001bO${letter}` : `\u001b[${letter}`;
  }
  const page = pageKeys[key];
  if (page !== undefined) return modifier > 1 ? `\u001b[${page};${modifier}~` : `\u001b[${page}~`;
  const text = key === "esc" ? "\u001b" : "\t";
  return alt ? `\u001b${text}` : text;
}

/** What typed text becomes while Ctrl or Alt of the key row is on: only its first character is meant. */
export function modify(text: string, { control, alt }: Modifiers): string {
  const [first = "", ...rest] = text;
  const character = control ? controlOf(first) : first;
  return `${alt && first ? "\u001b" : ""}${character}${rest.join("")}`;
}

function controlOf(character: string): string {
  if (character === " ") return "\u0000";
  if (character === "?") return "\u007f";
  const code = character.toUpperCase().charCodeAt(0);
  return character.length === 1 && code >= 0x40 && code <= 0x5f ? String.fromCharCode(code - 0x40) : character;
}

export type Shortcut = "new" | "split" | "previous" | "next" | "pane" | "find" | "history" | "copy" | "paste" | "help";

type KeyLike = Pick<KeyboardEvent, "code" | "ctrlKey" | "shiftKey" | "altKey" | "metaKey">;

const shortcuts: Record<string, Shortcut> = {
  Backquote: "new",
  Digit5: "split",
  BracketLeft: "previous",
  BracketRight: "next",
  Semicolon: "pane",
  KeyF: "find",
  KeyH: "history",
  KeyC: "copy",
  KeyV: "paste",
  Slash: "help",
};

/** Ctrl and Shift together are free in shells; these are also not taken by browsers for good. */
export function shortcutOf(event: KeyLike): Shortcut | undefined {
  if (!event.ctrlKey || !event.shiftKey || event.altKey || event.metaKey) return undefined;
  return shortcuts[event.code];
}

const encoder = new TextEncoder();

/** What xterm calls binary: one byte for each character. */
export function latin1(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0) & 0xff);
}

export function utf8(text: string): Uint8Array {
  return encoder.encode(text);
}
