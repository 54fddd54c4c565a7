import { describe, expect, it } from "vitest";

import type { HostedProvider } from "@/api/types";

import { rowsOf } from "./model-rows";
import { baseOf, emptyForm, fromProvider, isMoved, isSound, problemsOf, suggestedName, toCreate, toUpdate, withKind, type ProviderForm } from "./provider-form";

const provider: HostedProvider = {
  id: "01j9z3k4w5x6y7z8a9b0c1d2e3",
  name: "openai",
  node_id: "coordinator.openai",
  kind: "openai",
  base_url: "https://api.openai.com",
  models: [{ name: "gpt-5", context: 400_000, input_price: 1, output_price: 10 }],
  enabled: true,
  created_at: "2026-03-01T12:00:00Z",
  updated_at: "2026-03-01T12:00:00Z",
};

const filled: ProviderForm = { ...emptyForm("openai", []), key: " sk-1 ", models: rowsOf(provider.models) };
const stored = fromProvider(provider);
const fieldsOf = (form: ProviderForm, of?: HostedProvider) => Object.keys(problemsOf(form, of).fields);

describe("a name", () => {
  it("is suggested by the kind, and another one where that is taken", () => {
    expect(suggestedName("openai", [])).toBe("openai");
    expect(suggestedName("openai", ["openai", "openai-2"])).toBe("openai-3");
  });

  it("goes with the kind until somebody writes one", () => {
    const form = emptyForm("openai", []);
    expect(withKind(form, "anthropic", [])).toMatchObject({ kind: "anthropic", name: "anthropic" });
    expect(withKind({ ...form, name: "" }, "anthropic", [])).toMatchObject({ name: "anthropic" });
    expect(withKind({ ...form, name: "ours" }, "anthropic", [])).toMatchObject({ kind: "anthropic", name: "ours" });
    expect(withKind(emptyForm("openai", ["openai"]), "anthropic", ["openai"])).toMatchObject({ name: "anthropic" });
  });

  it.each(["x", "Open", "open ai", "inference", "a".repeat(41)])("is not %j", (name) => expect(fieldsOf({ ...filled, name })).toEqual(["name"]));
  it.each(["ai", "my.own-1_b", " openai "])("may be %j", (name) => expect(fieldsOf({ ...filled, name })).toEqual([]));
});

describe("a base URL", () => {
  it.each([
    ["https://api.openai.com/v1/", "https://api.openai.com"],
    [" https://openrouter.ai/api/v1", "https://openrouter.ai/api"],
    ["https://API.openai.com:443", "https://api.openai.com"],
    ["http://127.0.0.1:8080", "http://127.0.0.1:8080"],
    ["http://[::1]:8080/", "http://[::1]:8080"],
  ])("%s → %s", (text, base) => expect(baseOf(text)).toBe(base));

  it.each(["", "http://api.openai.com", "https://a:b@c.d", "ftp://x.y", "api.openai.com", "https://x.y/?a=b", "https://x.y/?", "https://x.y/#z"])("is not %j", (text) =>
    expect(baseOf(text)).toBeUndefined(),
  );

  it("is the company's own when empty", () => {
    expect(fieldsOf({ ...filled, url: " " })).toEqual([]);
    expect(isMoved({ ...stored, url: "" }, provider)).toBe(false);
    expect(isMoved({ ...stored, url: "" }, { ...provider, base_url: "https://eu.api.openai.com" })).toBe(true);
  });

  it("is another only where the key would go elsewhere", () => {
    expect(isMoved({ ...stored, url: "https://api.openai.com/v1/" }, provider)).toBe(false);
    expect(isMoved({ ...stored, url: "https://openrouter.ai/api" }, provider)).toBe(true);
    const odd = { ...provider, base_url: "https://example.com/v1" };
    expect(isMoved(fromProvider(odd), odd)).toBe(false);
  });
});

describe("a key", () => {
  it("is wanted of a new one, and has no spaces", () => {
    expect(fieldsOf({ ...filled, key: "  " })).toEqual(["api_key"]);
    expect(fieldsOf({ ...filled, key: "sk 1" })).toEqual(["api_key"]);
    expect(fieldsOf({ ...filled, key: "sk-ü" })).toEqual(["api_key"]);
  });

  it("stays as it is, except where it would go elsewhere", () => {
    expect(isSound(problemsOf(stored, provider))).toBe(true);
    expect(fieldsOf({ ...stored, url: "https://openrouter.ai/api" }, provider)).toEqual(["api_key"]);
    expect(fieldsOf({ ...stored, url: "https://openrouter.ai/api", key: "sk-2" }, provider)).toEqual([]);
    expect(fieldsOf({ ...stored, url: "openrouter.ai" }, provider)).toEqual(["base_url"]);
  });
});

it("offers a model at least, and each with all that is said of one", () => {
  expect(fieldsOf({ ...filled, models: [] })).toEqual(["models"]);
  const problems = problemsOf(emptyForm("anthropic", []));
  expect(Object.keys(problems.fields)).toEqual(["api_key"]);
  expect(problems.rows.size).toBe(1);
  expect(isSound(problems)).toBe(false);
  expect(isSound(problemsOf(filled))).toBe(true);
});

describe("what is sent", () => {
  it("of a new one has no address where the company's own is meant", () => {
    expect(toCreate(filled)).toEqual({ kind: "openai", name: "openai", api_key: "sk-1", models: provider.models });
    expect(toCreate({ ...filled, url: " https://openrouter.ai/api/v1 " })).toHaveProperty("base_url", "https://openrouter.ai/api/v1");
  });

  it("of a change is only what is another", () => {
    expect(toUpdate(stored, provider)).toEqual({});
    expect(toUpdate({ ...stored, enabled: false }, provider)).toEqual({ enabled: false });
    expect(toUpdate({ ...stored, key: " sk-2 " }, provider)).toEqual({ api_key: "sk-2" });
    expect(toUpdate({ ...stored, models: rowsOf([{ name: "gpt-5", context: 400_000, input_price: 2, output_price: 10 }]) }, provider)).toEqual({
      models: [{ name: "gpt-5", context: 400_000, input_price: 2, output_price: 10 }],
    });
    expect(toUpdate({ ...stored, url: "http://localhost:9000/v1", key: "sk-2" }, provider)).toEqual({ base_url: "http://localhost:9000/v1", api_key: "sk-2" });
    expect(toUpdate({ ...stored, url: "" }, { ...provider, base_url: "https://eu.api.openai.com" })).toHaveProperty("base_url", "https://api.openai.com");
  });
});
