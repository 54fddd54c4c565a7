/** What the snippets say while no model is served and no token was made. */
export const NO_MODEL = "my-model";
export const NO_TOKEN = "my-token";

/** Where the reader's browser has this page from. */
export type Page = Pick<Location, "origin" | "protocol" | "hostname">;

export interface Address {
  /** Whose programs know it. */
  name: "OpenAI" | "Anthropic" | "Ollama";
  url: string;
  note?: string;
}

export interface Snippet {
  id: "python-openai" | "python-anthropic" | "curl" | "environment";
  label: string;
  /** What it takes, with names of things between backticks. */
  note: string;
  text: string;
}

/** A port that is bound to every address has none of its own: readers reach it where they reach the dashboard, and as safely. */
function reachable(url: string, { protocol, hostname }: Page): string {
  return url.replace(/^https?:\/\/(0\.0\.0\.0|\[::\])(?=:|$)/, () => `${protocol}//${hostname}`);
}

function isOfTheServerOnly(url: string): boolean {
  return /^https?:\/\/(127\.[\d.]+|\[::1\]|localhost)(:|$)/.test(url);
}

/** What programs are told instead of the addresses that they know. */
export function addressesOf(page: Page, ollamaUrl?: string | null): Address[] {
  const addresses: Address[] = [
    { name: "OpenAI", url: `${page.origin}/v1` },
    { name: "Anthropic", url: page.origin },
  ];
  if (!ollamaUrl) return addresses;
  const url = reachable(ollamaUrl, page);
  return [...addresses, { name: "Ollama", url, ...(isOfTheServerOnly(url) && { note: "Only programs on the server itself reach it." }) }];
}

/** A word of a shell. Names of models are what owners of machines call them, and what is copied is run. */
export function shellWord(text: string): string {
  return /^[\w./:@%+,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

const body = (model: string) => `{"model": ${JSON.stringify(model)}, "max_tokens": 200, "messages": [{"role": "user", "content": "Say hello."}]}`;

// A string of JSON is one of Python too.
const openaiText = (url: string, model: string, token: string) => `import openai

client = openai.OpenAI(
    base_url=${JSON.stringify(url)},
    api_key=${JSON.stringify(token)},
)
answer = client.chat.completions.create(
    model=${JSON.stringify(model)},
    max_tokens=200,
    messages=[{"role": "user", "content": "Say hello."}],
)
print(answer.choices[0].message.content)
`;

const anthropicText = (url: string, model: string, token: string) => `import anthropic

client = anthropic.Anthropic(
    base_url=${JSON.stringify(url)},
    api_key=${JSON.stringify(token)},
)
answer = client.messages.create(
    model=${JSON.stringify(model)},
    max_tokens=200,
    messages=[{"role": "user", "content": "Say hello."}],
)
print(answer.content[0].text)
`;

const curlText = (url: string, model: string, token: string) => `curl ${shellWord(`${url}/chat/completions`)} \\
  -H ${shellWord(`Authorization: Bearer ${token}`)} \\
  -H 'Content-Type: application/json' \\
  -d ${shellWord(body(model))}
`;

/** By what programs of each kind are told where to ask and what to show. */
const variables: Record<Address["name"], [url: string, token: string]> = {
  OpenAI: ["OPENAI_BASE_URL", "OPENAI_API_KEY"],
  Anthropic: ["ANTHROPIC_BASE_URL", "ANTHROPIC_AUTH_TOKEN"],
  Ollama: ["OLLAMA_HOST", "OLLAMA_API_KEY"],
};

function environmentText(addresses: readonly Address[], token: string): string {
  const groups = addresses.map(({ name, url }) => {
    const [ofUrl, ofToken] = variables[name];
    return `# Programs for ${name}\nexport ${ofUrl}=${shellWord(url)}\nexport ${ofToken}=${shellWord(token)}\n`;
  });
  return groups.join("\n");
}

interface Asked {
  page: Page;
  ollamaUrl?: string | null;
  /** The first one that is served now. */
  model: string | undefined;
  /** What was made on this page. */
  token: string | undefined;
}

/** How programs ask the models of this mesh, to be copied. */
export function snippetsOf({ page, ollamaUrl, model = NO_MODEL, token = NO_TOKEN }: Asked): Snippet[] {
  const v1 = `${page.origin}/v1`;
  return [
    { id: "python-openai", label: "Python, openai", note: "With OpenAI's package: `pip install openai`.", text: openaiText(v1, model, token) },
    { id: "python-anthropic", label: "Python, anthropic", note: "With Anthropic's package: `pip install anthropic`.", text: anthropicText(page.origin, model, token) },
    { id: "curl", label: "curl", note: "In a shell, with nothing to install.", text: curlText(v1, model, token) },
    {
      id: "environment",
      label: "Environment",
      note: `Most programs read these when they start. Which model they ask is a setting of their own, such as \`${model}\`.`,
      text: environmentText(addressesOf(page, ollamaUrl), token),
    },
  ];
}
