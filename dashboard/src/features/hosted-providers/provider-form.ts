import type { HostedProvider, HostedProviderCreate, HostedProviderKind, HostedProviderUpdate } from "@/api/types";

import { modelsOf, newRow, rowProblems, rowsOf, saysTheSame, type ModelRow, type RowProblems } from "./model-rows";
import { kindWords } from "./words";

/** What a provider is made of, as it stands in the inputs. */
export interface ProviderForm {
  kind: HostedProviderKind;
  name: string;
  /** The company's own when empty. */
  url: string;
  key: string;
  models: readonly ModelRow[];
  enabled: boolean;
}

/** Names of the server's fields that the form shows. */
export const shownFields = ["name", "base_url", "api_key", "models"] as const;

interface Problems {
  fields: Partial<Record<(typeof shownFields)[number], string>>;
  rows: ReadonlyMap<number, RowProblems>;
}

/** The kind's own name, or one like it where that is taken. */
export function suggestedName(kind: HostedProviderKind, taken: readonly string[]): string {
  let name: string = kind;
  for (let count = 2; taken.includes(name); count++) name = `${kind}-${count}`;
  return name;
}

export function emptyForm(kind: HostedProviderKind, taken: readonly string[]): ProviderForm {
  return { kind, name: suggestedName(kind, taken), url: "", key: "", models: [newRow()], enabled: true };
}

export function fromProvider({ kind, name, base_url, models, enabled }: HostedProvider): ProviderForm {
  return { kind, name, url: base_url, key: "", models: rowsOf(models), enabled };
}

/** Another kind, and another name where nobody wrote one. */
export function withKind(form: ProviderForm, kind: HostedProviderKind, taken: readonly string[]): ProviderForm {
  const suggested = form.name.trim() === "" || form.name === suggestedName(form.kind, taken);
  return { ...form, kind, name: suggested ? suggestedName(kind, taken) : form.name };
}

/** An address as the server keeps it: without `/v1`, which most people write. Undefined where no key may go. */
export function baseOf(text: string): string | undefined {
  let url: URL;
  try {
    url = new URL(text.trim());
  } catch {
    return undefined;
  }
  const isHere = ["localhost", "127.0.0.1", "[::1]"].includes(url.hostname);
  const isSafe = url.protocol === "https:" || (url.protocol === "http:" && isHere);
  if (!isSafe || url.username || url.password || /[?#]/.test(url.href)) return undefined;
  return url.href.replace(/\/+$/, "").replace(/\/v1$/, "");
}

function urlOf({ kind, url }: ProviderForm): string {
  return url.trim() || kindWords[kind].url;
}

/** Whether the key would go elsewhere than it was meant for. */
export function isMoved(form: ProviderForm, stored: HostedProvider): boolean {
  return form.url.trim() !== stored.base_url && baseOf(urlOf(form)) !== stored.base_url;
}

function keyProblem(form: ProviderForm, stored?: HostedProvider): string | undefined {
  const key = form.key.trim();
  if (key) return /^[!-~]+$/.test(key) ? undefined : "An API key has printable characters, and no spaces.";
  if (!stored) return "Paste the API key that the company gave you.";
  return baseOf(urlOf(form)) !== undefined && isMoved(form, stored) ? "Another base URL has a key of its own: paste it, too." : undefined;
}

function nameProblem(name: string): string | undefined {
  const fits = /^[a-z0-9._-]{2,40}$/.test(name) && name !== "inference";
  return fits ? undefined : "2 to 40 lower-case letters, digits, dots, hyphens and underscores, and not `inference`.";
}

/** What can be seen to be wrong before the server is asked. */
export function problemsOf(form: ProviderForm, stored?: HostedProvider): Problems {
  const name = stored ? undefined : nameProblem(form.name.trim());
  const isAddress = baseOf(urlOf(form)) !== undefined;
  const key = keyProblem(form, stored);
  return {
    fields: {
      ...(name && { name }),
      ...(!isAddress && { base_url: "It begins with https:// (or http:// on this machine) and has neither user nor query." }),
      ...(key && { api_key: key }),
      ...(form.models.length === 0 && { models: "Offer at least one model." }),
    },
    rows: rowProblems(form.models),
  };
}

export function isSound({ fields, rows }: Problems): boolean {
  return Object.keys(fields).length === 0 && rows.size === 0;
}

export function toCreate(form: ProviderForm): HostedProviderCreate {
  return {
    kind: form.kind,
    name: form.name.trim(),
    ...(form.url.trim() && { base_url: form.url.trim() }),
    api_key: form.key.trim(),
    models: modelsOf(form.models),
  };
}

/** Only what is another: what the configuration does not allow any more is no obstacle to the rest. */
export function toUpdate(form: ProviderForm, stored: HostedProvider): HostedProviderUpdate {
  return {
    ...(isMoved(form, stored) && { base_url: urlOf(form) }),
    ...(form.key.trim() && { api_key: form.key.trim() }),
    ...(!saysTheSame(form.models, stored.models) && { models: modelsOf(form.models) }),
    ...(form.enabled !== stored.enabled && { enabled: form.enabled }),
  };
}
