import { describe, expect, it } from "vitest";

import { addressesOf, shellWord, snippetsOf, type Page, type Snippet } from "./connect";

const page: Page = { origin: "https://nano.example.com:4000", protocol: "https:", hostname: "nano.example.com" };
const ollamaUrl = "http://127.0.0.1:11434";

function textOf(id: Snippet["id"], asked: { ollamaUrl?: string; model?: string; token?: string } = {}): string {
  return snippetsOf({ page, model: undefined, token: undefined, ...asked }).find((snippet) => snippet.id === id)?.text ?? "";
}

describe("addresses", () => {
  it("are the dashboard's own", () => {
    expect(addressesOf(page)).toEqual([
      { name: "OpenAI", url: "https://nano.example.com:4000/v1" },
      { name: "Anthropic", url: "https://nano.example.com:4000" },
    ]);
    expect(addressesOf(page, null)).toHaveLength(2);
  });

  it("have Ollama's where there is that port, and say who reaches it", () => {
    expect(addressesOf(page, ollamaUrl)[2]).toEqual({ name: "Ollama", url: ollamaUrl, note: "Only programs on the server itself reach it." });
    expect(addressesOf(page, "http://[::1]:11434")[2]?.note).toBeDefined();
    expect(addressesOf(page, "http://192.0.2.7:11434")[2]).toEqual({ name: "Ollama", url: "http://192.0.2.7:11434" });
    expect(addressesOf(page, "http://127.example.com:11434")[2]?.note).toBeUndefined();
  });

  it("never are the address that stands for all", () => {
    const url = "https://nano.example.com:11434";
    expect(addressesOf(page, "http://0.0.0.0:11434")[2]).toEqual({ name: "Ollama", url });
    expect(addressesOf(page, "http://[::]:11434")[2]).toEqual({ name: "Ollama", url });
    const local: Page = { origin: "http://[::1]:4000", protocol: "http:", hostname: "[::1]" };
    expect(addressesOf(local, "http://[::]:11434")[2]?.url).toBe("http://[::1]:11434");
  });
});

describe("words of a shell", () => {
  it("are quoted where they must be", () => {
    expect(shellWord("http://[::1]:4000")).toBe("'http://[::1]:4000'");
    expect(shellWord("https://nano.example.com:4000/v1")).toBe("https://nano.example.com:4000/v1");
    expect(shellWord("")).toBe("''");
    expect(shellWord("a\nb")).toBe("'a\nb'");
    expect(shellWord("it's $(here)")).toBe("'it'\\''s $(here)'");
  });
});

describe("snippets", () => {
  it("say what to fill in while nothing is known", () => {
    expect(textOf("python-openai")).toContain('base_url="https://nano.example.com:4000/v1",\n    api_key="my-token",');
    expect(textOf("python-anthropic")).toContain('base_url="https://nano.example.com:4000",\n    api_key="my-token",');
    for (const id of ["python-openai", "python-anthropic"] as const) expect(textOf(id)).toContain('model="my-model"');
    expect(textOf("curl")).toContain('"model": "my-model"');
  });

  it("carry the model and the token", () => {
    const asked = { model: "qwen3:8b", token: "nst_abc" };
    for (const id of ["python-openai", "python-anthropic"] as const) {
      expect(textOf(id, asked)).toContain('api_key="nst_abc"');
      expect(textOf(id, asked)).toContain('model="qwen3:8b"');
    }
    expect(textOf("curl", asked)).toBe(`curl https://nano.example.com:4000/v1/chat/completions \\
  -H 'Authorization: Bearer nst_abc' \\
  -H 'Content-Type: application/json' \\
  -d '{"model": "qwen3:8b", "max_tokens": 200, "messages": [{"role": "user", "content": "Say hello."}]}'
`);
    expect(snippetsOf({ page, ...asked }).find(({ id }) => id === "environment")?.note).toContain("`qwen3:8b`");
  });

  it("do nothing else than ask, whatever a model is called", () => {
    const model = `it's "$(rm -rf ~)"\n`;
    expect(textOf("curl", { model })).toContain(`-d '{"model": "it'\\''s \\"$(rm -rf ~)\\"\\n", "max_tokens"`);
    expect(textOf("python-openai", { model })).toContain('model="it\'s \\"$(rm -rf ~)\\"\\n",\n');
  });

  it("name the variables of each program, and Ollama's where there is its port", () => {
    const two = `# Programs for OpenAI
export OPENAI_BASE_URL=https://nano.example.com:4000/v1
export OPENAI_API_KEY=nst_abc

# Programs for Anthropic
export ANTHROPIC_BASE_URL=https://nano.example.com:4000
export ANTHROPIC_AUTH_TOKEN=nst_abc
`;
    expect(textOf("environment", { token: "nst_abc" })).toBe(two);
    expect(textOf("environment", { token: "nst_abc", ollamaUrl })).toBe(`${two}
# Programs for Ollama
export OLLAMA_HOST=http://127.0.0.1:11434
export OLLAMA_API_KEY=nst_abc
`);
  });
});
