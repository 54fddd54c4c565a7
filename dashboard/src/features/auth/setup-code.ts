/** The one-time code from an address such as `/setup#code=ABCD-1234`. */
export function codeFromHash(hash: string): string {
  return new URLSearchParams(hash.replace(/^#/, "")).get("code")?.trim() ?? "";
}

/** Where to go after signing in: only within the dashboard. */
export function safeNext(next: string | null): string {
  return next && /^\/(?![/\\])/.test(next) && !next.startsWith("/login") && !next.startsWith("/setup") ? next : "/";
}
