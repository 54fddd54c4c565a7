import { describe, expect, it } from "vitest";

import { parseAnsi, plainText } from "./ansi";

describe("parseAnsi", () => {
  it("leaves plain text alone", () => {
    expect(parseAnsi("added 12 packages")).toEqual([{ text: "added 12 packages", className: "" }]);
  });

  it("turns colours into classes and back", () => {
    expect(parseAnsi("\u001b[32m✓\u001b[39m built \u001b[1;31mfast\u001b[0m!")).toEqual([
      { text: "✓", className: "text-good" },
      { text: " built ", className: "" },
      { text: "fast", className: "font-semibold text-bad" },
      { text: "!", className: "" },
    ]);
  });

  it("skips palettes, cursor movements and links", () => {
    expect(parseAnsi("\u001b[38;5;208mwarm\u001b[0m\u001b[2K\u001b]8;;http://x\u0007link")).toEqual([
      { text: "warm", className: "" },
      { text: "link", className: "" },
    ]);
  });

  it("shows what a progress bar wrote last", () => {
    expect(plainText("10%\r50%\r100%\r")).toBe("100%");
  });
});
