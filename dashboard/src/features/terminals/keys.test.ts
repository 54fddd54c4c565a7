import { describe, expect, it } from "vitest";

import { latin1, modify, sequenceOf, shortcutOf, utf8 } from "./keys";

const none = { control: false, alt: false };

describe("keys of a terminal", () => {
  it("are what xterm sends", () => {
    expect(sequenceOf("up", none, false)).toBe("\u001b[A");
    expect(sequenceOf("up", none, true)).toBe("\u001bOA");
    expect(sequenceOf("left", { control: true, alt: false }, true)).toBe("\u001b[1;5D");
    expect(sequenceOf("page_up", { control: false, alt: true }, false)).toBe("\u001b[5;3~");
    expect(sequenceOf("tab", none, false)).toBe("\t");
    expect(sequenceOf("esc", none, false)).toBe("\u001b");
  });

  it("are changed by Ctrl and Alt of the key row", () => {
    expect(modify("c", { control: true, alt: false })).toBe("\u0003");
    expect(modify("[", { control: true, alt: false })).toBe("\u001b");
    expect(modify(" ", { control: true, alt: false })).toBe("\u0000");
    expect(modify("b", { control: false, alt: true })).toBe("\u001bb");
    expect(modify("ü", { control: true, alt: false })).toBe("ü");
    expect(modify("", { control: false, alt: true })).toBe("");
  });

  it("leave to the shell what is not ours", () => {
    const key = { code: "KeyF", ctrlKey: true, shiftKey: true, altKey: false, metaKey: false };
    expect(shortcutOf(key)).toBe("find");
    expect(shortcutOf({ ...key, shiftKey: false })).toBeUndefined();
    expect(shortcutOf({ ...key, code: "KeyQ" })).toBeUndefined();
  });

  it("become bytes", () => {
    expect([...utf8("ä")]).toEqual([0xc3, 0xa4]);
    expect([...latin1("\u001b[M\u00ff")]).toEqual([0x1b, 0x5b, 0x4d, 0xff]);
  });
});
