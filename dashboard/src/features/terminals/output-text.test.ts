import { describe, expect, it } from "vitest";

import { outputText } from "./output-text";

describe("a terminal's output as text", () => {
  it("has no escape sequences, and what a line came to", () => {
    const text = "\u001b[1;32m$\u001b[0m ls\r\n10%\r100%\r\n\u001b]0;title\u0007ä\r\n";
    expect(outputText(new TextEncoder().encode(text))).toBe("$ ls\n100%\nä\n");
  });
});
