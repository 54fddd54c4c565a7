import { describe, expect, it } from "vitest";

import { outputText, splitAtMatch } from "./output-text";

describe("a terminal's output as text", () => {
  it("has no escape sequences, and what a line came to", () => {
    const text = "\u001b[1;32m$\u001b[0m ls\r\n10%\r100%\r\n\u001b]0;title\u0007ä\r\n";
    expect(outputText(new TextEncoder().encode(text))).toBe("$ ls\n100%\nä\n");
  });

  it("is split at the line that was found, and at no other one like it", () => {
    const bytes = new TextEncoder().encode("ä failed\r\n\u001b[31mä failed\u001b[0m\r\nä failed\r\n");
    expect(splitAtMatch(bytes, 11, "ä failed")).toEqual(["ä failed\n", "ä failed", "\nä failed\n"]);
    // What came before is not kept any more.
    expect(splitAtMatch(bytes, -5, "ä failed")).toEqual(["", "ä failed", "\nä failed\nä failed\n"]);
  });
});
