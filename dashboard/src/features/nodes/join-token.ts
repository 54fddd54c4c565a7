import type { JoinToken, Node } from "@/api/types";

/** "9:05", rounded up, so that it ends at 0:00 when the time does. */
export function formatRemaining(milliseconds: number): string {
  const seconds = Math.max(0, Math.ceil(milliseconds / 1000));
  const pad = (value: number) => String(value).padStart(2, "0");
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  return hours > 0 ? `${hours}:${pad(minutes)}:${pad(seconds % 60)}` : `${minutes}:${pad(seconds % 60)}`;
}

/** How long a token is good for; what it was made for at most, for clocks differ and tick. */
export function remainingOf({ created_at, expires_at }: Pick<JoinToken, "created_at" | "expires_at">, now: number): number {
  return Date.parse(expires_at) - Math.max(now, Date.parse(created_at));
}

/** Those with which a machine can still join. */
export function openTokens(tokens: readonly JoinToken[], now: number): JoinToken[] {
  return tokens.filter((token) => token.state === "open" && Date.parse(token.expires_at) > now);
}

export type Arrival = { step: "waiting" | "expired" | "revoked" } | { step: "joined"; nodeId: string; node?: Node };

/** How far the machine is that was given this token. The list may not have the token yet. */
export function arrivalOf(token: JoinToken | undefined, nodes: readonly Node[], remaining: number): Arrival {
  const nodeId = token?.node_id;
  if (nodeId) return { step: "joined", nodeId, node: nodes.find((node) => node.id === nodeId) };
  if (token?.state === "revoked") return { step: "revoked" };
  return { step: remaining <= 0 || token?.state === "expired" ? "expired" : "waiting" };
}
