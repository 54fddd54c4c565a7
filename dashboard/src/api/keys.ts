import type { ServerEvent } from "./types";

/** Every query key, so that what an event touches can be told in one place. */
export const keys = {
  authStatus: ["auth", "status"] as const,
  me: ["auth", "me"] as const,
  health: ["health"] as const,
  projects: ["projects", "list"] as const,
  projectDetails: ["projects", "detail"] as const,
  project: (id: string) => ["projects", "detail", id] as const,
  projectDeploymentLists: ["projects", "deployments"] as const,
  projectDeployments: (id: string) => ["projects", "deployments", id] as const,
  releaseLists: ["projects", "releases"] as const,
  releases: (projectId: string) => ["projects", "releases", projectId] as const,
  rollbackPlan: (projectId: string, deploymentId: string) => ["projects", "rollback-plan", projectId, deploymentId] as const,
  env: (projectId: string) => ["projects", "env", projectId] as const,
  plan: (repoUrl: string, branch: string, root: string) => ["projects", "plan", repoUrl, branch, root] as const,
  deployment: (id: string) => ["deployments", "detail", id] as const,
  activityAll: ["activity"] as const,
  activity: (projectId: string, of: string) => ["activity", projectId, of] as const,
  runs: ["runs"] as const,
  run: (id: string) => ["runs", "detail", id] as const,
  projectRuns: (projectId: string, schedule: string) => ["runs", "list", projectId, schedule] as const,
  scheduleLists: ["runs", "schedules"] as const,
  schedules: (projectId: string) => ["runs", "schedules", projectId] as const,
  nodes: ["nodes", "list"] as const,
  node: (id: string) => ["nodes", "detail", id] as const,
  /** Below `nodes`: a machine that joins spends its token. */
  joinTokens: ["nodes", "tokens"] as const,
  systemInfo: (id: string) => ["system-info", id] as const,
  nodeMetrics: (id: string, range: string) => ["metrics", "node", id, range] as const,
  projectMetrics: (id: string, range: string) => ["metrics", "project", id, range] as const,
  workspaceMetrics: (id: string, range: string) => ["metrics", "workspace", id, range] as const,
  volumes: (projectId: string) => ["projects", "volumes", projectId] as const,
  cachesAll: ["caches"] as const,
  caches: (nodeId: string) => ["caches", "node", nodeId] as const,
  wouldFree: (nodeId: string, bytes: number | string) => ["caches", "would-free", nodeId, String(bytes)] as const,
  projectCache: (projectId: string) => ["caches", "project", projectId] as const,
  tokens: ["tokens", "list"] as const,
  gitCredentials: ["me", "git-credentials"] as const,
  workSettings: ["me", "work-settings"] as const,
  workspacesAll: ["workspaces"] as const,
  workspaces: ["workspaces", "list"] as const,
  workspace: (id: string) => ["workspaces", "detail", id] as const,
  terminals: (workspaceId: string) => ["workspaces", "terminals", workspaceId] as const,
  terminalLinks: (workspaceId: string, terminalId: string) => ["workspaces", "terminal-links", workspaceId, terminalId] as const,
  terminalMatches: (workspaceId: string, query: string) => ["terminal-matches", workspaceId, query] as const,
  /** By a name for the link that is not its secret. */
  sharedTerminal: (visit: string) => ["shared-terminal", visit] as const,
  notificationChannels: ["notifications", "channels"] as const,
  notificationChannel: (id: string) => ["notifications", "channel", id] as const,
  notificationDeliveries: (id: string) => ["notifications", "deliveries", id] as const,
  mesh: ["mesh", "own"] as const,
  meshModels: ["mesh", "models"] as const,
  enrolments: ["mesh", "enrolments"] as const,
  hostedProviders: ["mesh", "providers"] as const,
  completions: ["mesh", "completions"] as const,
  completionExplained: (id: string) => ["mesh", "explained", id] as const,
  statement: ["mesh", "statement"] as const,
  ledger: ["mesh", "ledger"] as const,
};

export type QueryKey = readonly string[];

/** What has to be read again after an event. Keys are prefixes: an address may carry a slug instead of an id. */
export function keysTouchedBy(event: ServerEvent): QueryKey[] {
  const [noun] = event.kind.split(".");
  switch (noun) {
    case "project":
      return [keys.projects, keys.projectDetails, keys.scheduleLists, keys.releaseLists];
    case "deployment": {
      const touched: QueryKey[] = [keys.projects, keys.projectDetails, keys.projectDeploymentLists, keys.scheduleLists, keys.releaseLists, keys.activityAll];
      if (event.deployment_id) touched.push(keys.deployment(event.deployment_id));
      return touched;
    }
    case "run":
      return [keys.runs];
    case "workspace":
      return [keys.workspacesAll, keys.activityAll];
    case "notification":
      return [["notifications"]];
    case "node":
      return [["nodes"]];
    default:
      return [];
  }
}
