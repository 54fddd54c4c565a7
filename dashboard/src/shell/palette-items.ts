import { Bell, Boxes, BrainCircuit, FileText, KeyRound, LogOut, MonitorDot, Moon, Plus, RotateCw, Server, Settings, SquareTerminal, Sun, type LucideIcon } from "lucide-react";
import { useMatch, useNavigate } from "react-router";

import { useLogout, useMeshOnly } from "@/features/auth/queries";
import { useRedeploy } from "@/features/deployments/queries";
import { useProjects } from "@/features/projects/queries";
import { addressOf } from "@/features/projects/repo-url";
import { useTerminals } from "@/features/terminals/queries";
import { useWorkspaces } from "@/features/workspaces/queries";
import { isUsable } from "@/features/workspaces/words";
import { toast } from "@/ui/toast-store";

import { setTheme, useResolvedTheme } from "./theme";

export interface PaletteItem {
  id: string;
  group: "Projects" | "Workspaces" | "Pages" | "Actions";
  label: string;
  hint?: string;
  keywords?: string;
  icon: LucideIcon;
  /** The portal of a mesh does not have it. */
  cloudOnly?: true;
  run: () => void;
}

/** Workspaces, and the terminals of the one that is open. */
function useWorkspaceItems(): PaletteItem[] {
  const navigate = useNavigate();
  const { data: workspaces = [] } = useWorkspaces();
  const id = useMatch("/workspaces/:id")?.params.id ?? "";
  const shown = workspaces.find((workspace) => workspace.id === id);
  const { data: terminals = [] } = useTerminals(id, shown !== undefined && isUsable(shown.state));
  const ofTerminals = terminals.map<PaletteItem>((terminal) => ({
    id: `terminal-${terminal.id}`,
    group: "Workspaces",
    label: terminal.name,
    hint: shown?.name,
    keywords: "terminal shell",
    icon: SquareTerminal,
    run: () => void navigate(`/workspaces/${id}?terminal=${encodeURIComponent(terminal.id)}`),
  }));
  const ofWorkspaces = workspaces.map<PaletteItem>((workspace) => ({
    id: `workspace-${workspace.id}`,
    group: "Workspaces",
    label: workspace.name,
    hint: workspace.node_name,
    keywords: `workspace ${workspace.project_name}`,
    icon: MonitorDot,
    run: () => void navigate(`/workspaces/${workspace.id}`),
  }));
  return [...ofTerminals, ...ofWorkspaces];
}

/** Everything the palette can find. */
export function usePaletteItems(): PaletteItem[] {
  const navigate = useNavigate();
  const meshOnly = useMeshOnly();
  const { data: projects = [] } = useProjects();
  const redeploy = useRedeploy();
  const logout = useLogout();
  const theme = useResolvedTheme();
  const ofWorkspaces = useWorkspaceItems();
  const go = (to: string) => () => void navigate(to);

  const ofProjects = projects.map<PaletteItem>((project) => ({
    id: `project-${project.id}`,
    group: "Projects",
    label: project.name,
    hint: addressOf(project),
    keywords: project.domain,
    icon: Boxes,
    run: go(`/projects/${project.id}`),
  }));
  const pages: PaletteItem[] = [
    { id: "projects", group: "Pages", label: "Projects", icon: Boxes, keywords: "home apps", run: go("/"), cloudOnly: true },
    { id: "workspaces", group: "Pages", label: "Workspaces", icon: MonitorDot, keywords: "terminals development ide", run: go("/workspaces"), cloudOnly: true },
    { id: "servers", group: "Pages", label: "Servers", icon: Server, keywords: "nodes machines", run: go("/servers"), cloudOnly: true },
    { id: "models", group: "Pages", label: "Models", icon: BrainCircuit, keywords: "playground chat mesh llm ai", run: go("/models") },
    { id: "models-connect", group: "Pages", label: "Connect programs to models", icon: BrainCircuit, keywords: "mesh openai anthropic ollama sdk curl base url token snippets", run: go("/models/connect") },
    { id: "models-machines", group: "Pages", label: "Machines that serve models", icon: BrainCircuit, keywords: "mesh enrol gpu", run: go("/models/machines") },
    { id: "models-usage", group: "Pages", label: "Usage of models", icon: BrainCircuit, keywords: "mesh credits balance statement completions cost", run: go("/models/usage") },
    { id: "notifications", group: "Pages", label: "Notifications", icon: Bell, keywords: "slack email webhook alerts channels", run: go("/notifications"), cloudOnly: true },
    { id: "settings", group: "Pages", label: "Settings", icon: Settings, keywords: "account theme tokens api", run: go("/settings") },
  ];
  const actions: PaletteItem[] = [
    { id: "new", group: "Actions", label: "New project", icon: Plus, keywords: "deploy create git", run: go("/projects/new"), cloudOnly: true },
    { id: "new-workspace", group: "Actions", label: "New workspace", icon: Plus, keywords: "open terminal checkout develop", run: go("/workspaces?new"), cloudOnly: true },
    { id: "new-machine", group: "Actions", label: "Add a machine that serves models", icon: Plus, keywords: "mesh enrol gpu", run: go("/models/machines?new") },
    {
      id: "theme",
      group: "Actions",
      label: theme === "dark" ? "Use the light theme" : "Use the dark theme",
      icon: theme === "dark" ? Sun : Moon,
      keywords: "appearance colour",
      run: () => setTheme(theme === "dark" ? "light" : "dark"),
    },
    { id: "logout", group: "Actions", label: "Sign out", icon: LogOut, keywords: "log out leave", run: () => logout.mutate(undefined, { onError: toast.error }) },
  ];
  const perProject = projects.flatMap<PaletteItem>(({ id, name }) => [
    { id: `logs-${id}`, group: "Actions", label: `Logs of ${name}`, icon: FileText, run: go(`/projects/${id}/logs`) },
    { id: `runs-${id}`, group: "Actions", label: `Runs of ${name}`, icon: SquareTerminal, keywords: "schedule cron command exec job", run: go(`/projects/${id}/runs`) },
    { id: `workspace-of-${id}`, group: "Actions", label: `New workspace of ${name}`, icon: MonitorDot, keywords: "open terminal checkout develop", run: go(`/workspaces?new&project=${encodeURIComponent(id)}`) },
    { id: `env-${id}`, group: "Actions", label: `Environment of ${name}`, icon: KeyRound, keywords: "variables secrets", run: go(`/projects/${id}/env`) },
    {
      id: `redeploy-${id}`,
      group: "Actions",
      label: `Redeploy ${name}`,
      icon: RotateCw,
      run: () =>
        redeploy.mutate(
          { projectId: id },
          { onSuccess: ({ deployment }) => void navigate(`/projects/${id}/deployments/${deployment.id}`), onError: toast.error },
        ),
    },
  ]);
  return [...ofProjects, ...ofWorkspaces, ...pages, ...actions, ...perProject].filter(({ cloudOnly }) => !(meshOnly && cloudOnly));
}
