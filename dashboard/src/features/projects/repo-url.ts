import type { Project } from "@/api/types";

/** The project name that a repository's address suggests. */
export function nameFromRepoUrl(url: string): string {
  const path = url
    .trim()
    .replace(/^[a-z][a-z0-9+.-]*:\/\/[^/]*/i, "")
    .replace(/^[^/@]+@[^:/]+:/, "/")
    .replace(/[?#].*$/, "")
    .replace(/\/+$/, "");
  const last = path.slice(path.lastIndexOf("/") + 1).replace(/\.git$/i, "");
  return last.replace(/[^\w .-]+/g, "-").slice(0, 80);
}

/** What is visibly wrong with it, before the server is asked. */
export function repoUrlProblem(text: string): string | undefined {
  const url = text.trim();
  if (url === "") return "Paste the address of a Git repository.";
  const ssh = /^(?:ssh:\/\/)?(?:[^/@]+@)([^:/]+)[:/](.+)$/.exec(url);
  if (ssh && !url.startsWith("http")) return `Use the https address: https://${ssh[1]}/${ssh[2]}`;
  // Plain http is for the hosts that the configuration lists; the server knows them.
  if (!/^https?:\/\//i.test(url)) return "The address has to start with https://.";
  try {
    const parsed = new URL(url);
    if (parsed.username || parsed.password) return "Leave user name and password out of the address.";
    return parsed.pathname.length > 1 ? undefined : "The address names a host but no repository.";
  } catch {
    return "This is not an address.";
  }
}

/** Where the app answers, as a browser's address bar shows it: with the port, when it is not the usual one. */
export function addressOf(project: Pick<Project, "domain" | "url">): string {
  return URL.canParse(project.url) ? new URL(project.url).host : project.domain;
}

/** The short form for people: host and path. */
export function shortRepo(url: string): string {
  return url.replace(/^https?:\/\//, "").replace(/\.git$/, "");
}
