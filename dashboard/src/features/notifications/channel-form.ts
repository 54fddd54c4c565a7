import type { NotificationChannel, NotificationChannelCreate, NotificationChannelUpdate, NotificationEvent, NotificationKind, NotificationSettings, SmtpTls } from "@/api/types";

import { usualEvents } from "./words";

/** What a channel is made of, as it stands in the inputs. */
export interface ChannelForm {
  kind: NotificationKind;
  name: string;
  url: string;
  secret: string;
  /** What is signed now shall not be signed any more. */
  unsigned: boolean;
  host: string;
  port: string;
  tls: SmtpTls;
  username: string;
  password: string;
  from: string;
  to: string;
  events: readonly NotificationEvent[];
  everyProject: boolean;
  projectIds: readonly string[];
}

export const usualPorts: Record<SmtpTls, number> = { starttls: 587, implicit: 465, none: 25 };

/** Names of the server's fields that the form shows. */
export const shownFields = [
  "name",
  "settings.url",
  "settings.secret",
  "settings.host",
  "settings.port",
  "settings.tls",
  "settings.username",
  "settings.password",
  "settings.from",
  "settings.to",
  "events",
  "project_ids",
] as const;

export function emptyForm(kind: NotificationKind): ChannelForm {
  return {
    kind,
    name: "",
    url: "",
    secret: "",
    unsigned: false,
    host: "",
    port: "",
    tls: "starttls",
    username: "",
    password: "",
    from: "",
    to: "",
    events: usualEvents,
    everyProject: true,
    projectIds: [],
  };
}

export function fromChannel({ kind, name, settings, events, project_ids }: NotificationChannel): ChannelForm {
  return {
    ...emptyForm(kind),
    name,
    host: settings.host ?? "",
    port: settings.port ? String(settings.port) : "",
    tls: settings.tls ?? "starttls",
    username: settings.username ?? "",
    from: settings.from ?? "",
    to: settings.to?.join("\n") ?? "",
    events,
    everyProject: project_ids.length === 0,
    projectIds: project_ids,
  };
}

/** Addresses between commas, semicolons or line ends. */
export function addresses(text: string): string[] {
  return text
    .split(/[,;\n]/)
    .map((part) => part.trim())
    .filter(Boolean);
}

/** What can be seen to be missing before the server is asked. */
export function problemsOf(form: ChannelForm, stored?: NotificationChannel): Partial<Record<(typeof shownFields)[number], string>> {
  const email = form.kind === "email";
  const port = Number(form.port);
  return {
    name: form.name.trim() ? undefined : "Give the channel a name.",
    "settings.url": email || form.url.trim() || stored ? undefined : "Paste the address to post to.",
    "settings.host": !email || form.host.trim() ? undefined : "Name the mail server.",
    "settings.port": !email || !form.port.trim() || (Number.isInteger(port) && port > 0 && port < 65536) ? undefined : "A port is a whole number from 1 to 65535.",
    "settings.from": !email || form.from.trim() ? undefined : "Say from whom the mails come.",
    "settings.to": !email || addresses(form.to).length > 0 ? undefined : "Say who shall be told.",
    events: form.events.length > 0 ? undefined : "Choose at least one.",
    project_ids: form.everyProject || form.projectIds.length > 0 ? undefined : "Choose at least one project, or all of them.",
  };
}

function settingsOf(form: ChannelForm, stored?: NotificationChannel): NotificationSettings {
  if (form.kind === "email") {
    const username = form.username.trim();
    return {
      host: form.host.trim(),
      tls: form.tls,
      port: form.port.trim() ? Number(form.port) : usualPorts[form.tls],
      username,
      // Nobody signs in any more, so nothing is kept for it.
      ...(form.password ? { password: form.password } : !username && stored?.settings.has_password && { password: "" }),
      from: form.from.trim(),
      to: addresses(form.to),
    };
  }
  return {
    ...(form.url.trim() && { url: form.url.trim() }),
    ...(form.kind === "webhook" && form.secret && { secret: form.secret }),
    ...(form.unsigned && { secret: "" }),
  };
}

export function toCreate(form: ChannelForm): NotificationChannelCreate {
  return {
    name: form.name.trim(),
    kind: form.kind,
    settings: settingsOf(form),
    events: [...form.events],
    project_ids: form.everyProject ? [] : [...form.projectIds],
  };
}

export function toUpdate(form: ChannelForm, stored: NotificationChannel): NotificationChannelUpdate {
  return {
    name: form.name.trim(),
    settings: settingsOf(form, stored),
    events: [...form.events],
    project_ids: form.everyProject ? [] : [...form.projectIds],
  };
}

/** A secret that nobody guesses, for the other side to check signatures with. */
export function randomSecret(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(24));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
