import { describe, expect, it } from "vitest";

import { openPath, questionBefore, shownPorts, withPort } from "./ports";

const port = (number: number, access: "private" | "link" | "team" | "public", listens = true) => ({ port: number, access, is_listening: listens, url: "" });

describe("ports of a workspace", () => {
  it("are shown when they listen or others may reach them", () => {
    expect(shownPorts([port(9, "private", false), port(8000, "team", false), port(80, "private")]).map((it) => it.port)).toEqual([80, 8000]);
  });

  it("are replaced by what was said last", () => {
    expect(withPort([port(80, "private"), port(90, "private")], port(80, "public"))).toEqual([port(80, "public"), port(90, "private")]);
    expect(withPort([], port(80, "link"))).toHaveLength(1);
  });

  it("are opened to strangers after a question only", () => {
    expect(questionBefore("team", "private")).toBeUndefined();
    expect(questionBefore("private", "public")).toBeUndefined();
    expect(questionBefore("public", "public")).toBeUndefined();
    expect(questionBefore("public", "team")?.confirm).toBe("Open to everybody");
    expect(questionBefore("link", "private")?.confirm).toBe("Make a link");
    expect(questionBefore("link", "link")?.confirm).toBe("Make another link");
  });

  it("are opened by way of the dashboard", () => {
    expect(openPath("a b", 80)).toBe("/api/workspaces/a%20b/ports/80/open");
  });
});
