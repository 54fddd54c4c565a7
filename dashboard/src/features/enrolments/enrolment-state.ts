import { CircleCheck, CirclePause, CircleX, Hourglass, OctagonPause, Unplug, type LucideIcon } from "lucide-react";

import { asSentence } from "@/api/error";
import type { Enrolment } from "@/api/types";
import type { Tone } from "@/ui/Badge";

export type Standing = Pick<Enrolment, "state" | "online" | "paused" | "public_key" | "models" | "last_seen_at">;

interface StandingLook {
  word: string;
  tone: Tone;
  icon: LucideIcon;
}

/** How the part of a machine is told: colour, icon and word. */
export function lookOf({ state, online, paused }: Standing): StandingLook {
  switch (state) {
    case "pending":
      return { word: "Waits for approval", tone: "busy", icon: Hourglass };
    case "suspended":
      return { word: "Suspended", tone: "warn", icon: OctagonPause };
    case "rejected":
      return { word: "Rejected", tone: "bad", icon: CircleX };
    case "active":
      if (!online) return { word: "Offline", tone: "calm", icon: Unplug };
      return paused ? { word: "Paused", tone: "warn", icon: CirclePause } : { word: "Online", tone: "good", icon: CircleCheck };
  }
}

/** What a state means for the machine's owner, and what to do about it. Nothing while all is well. */
export function meaningOf({ state, online, paused, public_key, models }: Standing): string | undefined {
  switch (state) {
    case "pending":
      return public_key
        ? "It has registered. Whoever approves it compares its key with what the machine shows."
        : "It has not registered yet. Run its command on the machine; its key then shows up here.";
    case "suspended":
      return "It gets no requests until somebody who may approves it again.";
    case "rejected":
      return "Somebody who may decide said no. A new key asks once more.";
    case "active":
      if (!online) return public_key ? "It is not connected. Look whether the machine is on and whether its agent runs." : "It has not registered yet. Run its command on the machine.";
      if (paused) return asSentence(paused);
      return models.length === 0 ? "It serves no model at this moment." : undefined;
  }
}

/** By what waits longest for somebody, then by name. */
export function sortEnrolments<E extends Pick<Enrolment, "state" | "node_id">>(enrolments: readonly E[]): E[] {
  const order = ["pending", "active", "suspended", "rejected"];
  return [...enrolments].sort((a, b) => order.indexOf(a.state) - order.indexOf(b.state) || a.node_id.localeCompare(b.node_id));
}

/** In credits for a million tokens: a microcredit a token is just that. */
export function formatPrice({ input_price, output_price }: { input_price: number; output_price: number }): string {
  if (input_price === 0 && output_price === 0) return "free";
  return `${input_price} in, ${output_price} out per million tokens`;
}

/** "34 tokens/s", of what was measured. */
export function formatSpeed(tokensPerSecond: number): string {
  return `${tokensPerSecond < 10 ? tokensPerSecond.toFixed(1) : Math.round(tokensPerSecond)} tokens/s`;
}
