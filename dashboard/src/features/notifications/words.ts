import { Mail, MessageSquare, Webhook, type LucideIcon } from "lucide-react";

import type { NotificationChannel, NotificationEvent, NotificationKind } from "@/api/types";

interface KindWords {
  word: string;
  icon: LucideIcon;
  hint: string;
}

export const kindWords: Record<NotificationKind, KindWords> = {
  slack: { word: "Slack", icon: MessageSquare, hint: "A message in a channel. Also Mattermost, and Discord with /slack at the end of the address." },
  email: { word: "E-mail", icon: Mail, hint: "Through a mail server of yours." },
  webhook: { word: "Webhook", icon: Webhook, hint: "Signed JSON for a program of yours." },
};

export const kinds: readonly NotificationKind[] = ["slack", "email", "webhook"];

export const eventWords: Record<NotificationEvent, string> = {
  "deployment.failed": "A deployment failed",
  "deployment.live": "A deployment went live",
  "workload.crash_loop": "An app crashes again and again",
  "node.disk_nearly_full": "The disk of a server is nearly full",
  "schedule.failed": "A scheduled run failed",
};

export const events: readonly NotificationEvent[] = ["deployment.failed", "deployment.live", "workload.crash_loop", "node.disk_nearly_full", "schedule.failed"];

/** Troubles are told; good news only to who asks for them. */
export const usualEvents: readonly NotificationEvent[] = events.filter((event) => event !== "deployment.live");

/** Where it goes, as far as that is no secret. */
export function targetOf({ settings }: NotificationChannel): string {
  return settings.url_host ?? settings.to?.join(", ") ?? "";
}
