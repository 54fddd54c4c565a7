import { describe, expect, it } from "vitest";

import { ApiError, asSentence, fieldError, fieldErrors, formError, isErrorBody, openAiError, parseRetryAfter } from "./error";

describe("errors", () => {
  const taken = new ApiError(409, "NAME_TAKEN", "Another project has this name.", { field: "name" });

  it("go to the field they speak of, and nowhere else", () => {
    expect(fieldError(taken, "name")).toBe("Another project has this name.");
    expect(fieldError(taken, "port")).toBeUndefined();
    expect(formError(taken, ["name", "port"])).toBeUndefined();
    expect(formError(taken, ["port"])).toBe("Another project has this name.");
    expect(formError(null, ["name"])).toBeUndefined();
  });

  it("inside a list belong to the list's field", () => {
    const inList = new ApiError(400, "INVALID", "Bad name.", { field: "env_vars[2].key" });
    expect(fieldError(inList, "env_vars")).toBe("Bad name.");
  });

  it("say all that is wrong, each at its field", () => {
    const problems = [
      { field: "name", error: "INVALID_NAME", message: "a channel has a name" },
      { field: "settings.to[1]", error: "INVALID_ADDRESS", message: "`b` is no address" },
    ];
    const all = new ApiError(400, "INVALID_NAME", "A channel has a name; `b` is no address.", { field: "name", problems });
    expect(fieldError(all, "name")).toBe("A channel has a name.");
    expect(fieldError(all, "settings.to")).toBe("`b` is no address.");
    expect(fieldError(all, "settings.from")).toBeUndefined();
  });

  it("of one field are all there, in their order", () => {
    const problems = [
      { field: "models", error: "INVALID_MODELS", message: "`a` is there twice" },
      { field: "name", error: "INVALID_NAME", message: "it has a name" },
      { field: "models[1].context", error: "INVALID_MODELS", message: "its context is too small" },
    ];
    const all = new ApiError(400, "INVALID_MODELS", "All of it.", { field: "models", problems });
    expect(fieldErrors(all, "models")).toEqual(["`a` is there twice.", "Its context is too small."]);
    expect(fieldErrors(all, "base_url")).toEqual([]);
    expect(fieldErrors(new Error("no"), "models")).toEqual([]);
  });

  it("are told from other answers", () => {
    expect(isErrorBody({ error: "X", message: "y" })).toBe(true);
    expect(isErrorBody({ error: { code: 1 } })).toBe(false);
    expect(isErrorBody("<html>")).toBe(false);
  });

  it("are understood also as other programs know them", () => {
    expect(openAiError({ error: { message: "no machine serves `m`", type: "not_found", code: "MODEL_UNKNOWN" } })).toEqual({ code: "MODEL_UNKNOWN", message: "No machine serves `m`." });
    expect(openAiError({ error: { message: "busy", type: "overloaded", code: null } })).toEqual({ code: "overloaded", message: "Busy." });
    expect(openAiError({ error: "X", message: "y" })).toBeUndefined();
    expect(openAiError(undefined)).toBeUndefined();
  });
});

describe("asSentence", () => {
  it.each([
    ["the name is taken", "The name is taken."],
    ["list it in `git.allow_hosts`", "List it in `git.allow_hosts`."],
    ["Done.", "Done."],
    ["is that meant?", "Is that meant?"],
    ["", ""],
  ])("%s → %s", (text, sentence) => expect(asSentence(text)).toBe(sentence));
});

describe("Retry-After", () => {
  it("comes in seconds or as a date", () => {
    const now = Date.parse("2026-03-01T12:00:00Z");
    expect(parseRetryAfter("42")).toBe(42);
    expect(parseRetryAfter("Sun, 01 Mar 2026 12:00:30 GMT", now)).toBe(30);
    expect(parseRetryAfter("soon")).toBeUndefined();
    expect(parseRetryAfter(null)).toBeUndefined();
  });
});
