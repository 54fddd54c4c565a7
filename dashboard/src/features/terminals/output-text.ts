import { plainText } from "@/features/logs/ansi";

/** What was put out, as text to read: without escape sequences, and without what a later byte of the line overwrote. */
export function outputText(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes).split("\n").map(plainText).join("\n");
}

/** As text, in three pieces of which the second one is a line that was found, in what begins at `at`. */
export function splitAtMatch(bytes: Uint8Array, at: number, line: string): string[] {
  const start = Math.max(at, 0);
  const text = outputText(bytes.subarray(start));
  // Where the server made another text of it, it is about there.
  const from = Math.max(text.indexOf(line), 0);
  return [outputText(bytes.subarray(0, start)) + text.slice(0, from), text.slice(from, from + line.length), text.slice(from + line.length)];
}

export function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}
