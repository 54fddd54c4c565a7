import { plainText } from "@/features/logs/ansi";

/** What was put out, as text to read: without escape sequences, and without what a later byte of the line overwrote. */
export function outputText(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes).split("\n").map(plainText).join("\n");
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
