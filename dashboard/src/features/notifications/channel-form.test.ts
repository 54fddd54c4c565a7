import { describe, expect, it } from "vitest";

import type { NotificationChannel } from "@/api/types";

import { addresses, emptyForm, fromChannel, problemsOf, randomSecret, toCreate, toUpdate } from "./channel-form";

const channel: NotificationChannel = {
  id: "01j9z3k4w5x6y7z8a9b0c1d2e3",
  name: "mail",
  kind: "email",
  settings: { host: "smtp.example.com", port: 587, tls: "starttls", username: "ada", has_password: true, from: "cloud@example.com", to: ["a@example.com", "b@example.com"] },
  events: ["deployment.failed"],
  project_ids: ["01j9z3k4w5x6y7z8a9b0c1d2e4"],
  enabled: true,
  created_at: "2026-03-01T12:00:00Z",
  updated_at: "2026-03-01T12:00:00Z",
};

describe("a channel's form", () => {
  it("says what is missing, of its kind only", () => {
    const slack = problemsOf(emptyForm("slack"));
    expect(slack.name).toBeDefined();
    expect(slack["settings.url"]).toBeDefined();
    expect(slack["settings.host"]).toBeUndefined();
    const email = problemsOf({ ...emptyForm("email"), port: "x", events: [] });
    expect(Object.entries(email).filter(([, problem]) => problem).map(([field]) => field)).toEqual(["name", "settings.host", "settings.port", "settings.from", "settings.to", "events"]);
    expect(problemsOf({ ...emptyForm("slack"), everyProject: false }).project_ids).toBeDefined();
  });

  it("sends what belongs to its kind", () => {
    const form = { ...emptyForm("webhook"), name: " ops ", url: " https://example.com/hook ", secret: "shh", host: "left over" };
    expect(toCreate(form)).toMatchObject({ name: "ops", kind: "webhook", settings: { url: "https://example.com/hook", secret: "shh" }, project_ids: [] });
    const mail = { ...emptyForm("email"), name: "mail", host: "smtp.example.com", tls: "implicit" as const, from: "a@example.com", to: "b@example.com, c@example.com" };
    expect(toCreate(mail).settings).toEqual({ host: "smtp.example.com", tls: "implicit", port: 465, username: "", from: "a@example.com", to: ["b@example.com", "c@example.com"] });
  });

  it("keeps a secret that nobody typed again", () => {
    const form = fromChannel(channel);
    expect(problemsOf(form, channel)["settings.url"]).toBeUndefined();
    expect(toUpdate(form, channel).settings).not.toHaveProperty("password");
    expect(toUpdate({ ...form, password: "new" }, channel).settings).toHaveProperty("password", "new");
    expect(toUpdate({ ...form, username: "" }, channel).settings).toHaveProperty("password", "");
    expect(toUpdate(form, channel).project_ids).toEqual(channel.project_ids);
    const hook: NotificationChannel = { ...channel, kind: "webhook", settings: { url_host: "example.com", has_secret: true } };
    expect(toUpdate(fromChannel(hook), hook).settings).toEqual({});
    expect(toUpdate({ ...fromChannel(hook), unsigned: true }, hook).settings).toEqual({ secret: "" });
  });
});

it("splits addresses as people write them", () => {
  expect(addresses("a@x.org, b@x.org;\nAda <c@x.org>\n")).toEqual(["a@x.org", "b@x.org", "Ada <c@x.org>"]);
});

it("makes secrets that differ", () => {
  expect(randomSecret()).toHaveLength(48);
  expect(randomSecret()).not.toBe(randomSecret());
});
