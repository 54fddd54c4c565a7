import { lazy, Suspense, type ComponentType } from "react";
import { createBrowserRouter, Navigate } from "react-router";

import LoginPage from "@/features/auth/LoginPage";
import { RequireCloud } from "@/features/auth/RequireCloud";
import SetupPage from "@/features/auth/SetupPage";
import ProjectsPage from "@/features/projects/ProjectsPage";
import { NotFound } from "@/shell/NotFound";
import { PageFailed } from "@/shell/PageFailed";
import { Shell } from "@/shell/Shell";

type PageModule = Promise<{ default: ComponentType }>;

const loaders: (() => PageModule)[] = [];

function page(load: () => PageModule) {
  loaders.push(load);
  return lazy(load);
}

const NewProjectPage = page(() => import("@/features/projects/NewProjectPage"));
const ProjectLayout = page(() => import("@/features/projects/ProjectLayout"));
const OverviewTab = page(() => import("@/features/projects/OverviewTab"));
const DeploymentsTab = page(() => import("@/features/deployments/DeploymentsTab"));
const LogsTab = page(() => import("@/features/logs/LogsTab"));
const ActivityTab = page(() => import("@/features/activity/ActivityTab"));
const EnvTab = page(() => import("@/features/env/EnvTab"));
const SettingsTab = page(() => import("@/features/projects/SettingsTab"));
const RunsTab = page(() => import("@/features/runs/RunsTab"));
const RunPage = page(() => import("@/features/runs/RunPage"));
const DeploymentPage = page(() => import("@/features/deployments/DeploymentPage"));
const NodesPage = page(() => import("@/features/nodes/NodesPage"));
const NodePage = page(() => import("@/features/nodes/NodePage"));
const WorkspacesPage = page(() => import("@/features/workspaces/WorkspacesPage"));
const WorkspacePage = page(() => import("@/features/workspaces/WorkspacePage"));
const NotificationsPage = page(() => import("@/features/notifications/NotificationsPage"));
const NotificationChannelPage = page(() => import("@/features/notifications/ChannelPage"));
const MeshLayout = page(() => import("@/features/mesh/MeshLayout"));
const PlaygroundTab = page(() => import("@/features/completions/PlaygroundTab"));
const ConnectTab = page(() => import("@/features/mesh/ConnectTab"));
const MachinesTab = page(() => import("@/features/enrolments/MachinesTab"));
const UsageTab = page(() => import("@/features/ledger/UsageTab"));
const OperationsTab = page(() => import("@/features/enrolments/OperationsTab"));
const WatchPage = page(() => import("@/features/watch/WatchPage"));
const SettingsPage = page(() => import("@/shell/SettingsPage"));

/** Fetches the pages nobody opened yet: they must open also while the server is away, and after it was updated. */
export async function preloadPages(): Promise<void> {
  await Promise.allSettled(loaders.map((load) => load()));
}

export const router = createBrowserRouter([
  { path: "/setup", element: <SetupPage /> },
  { path: "/login", element: <LoginPage /> },
  {
    element: <RequireCloud />,
    children: [
      {
        path: "/watch",
        element: (
          <PageFailed>
            <Suspense>
              <WatchPage />
            </Suspense>
          </PageFailed>
        ),
      },
    ],
  },
  {
    path: "/",
    element: <Shell />,
    children: [
      {
        element: <RequireCloud />,
        children: [
          { index: true, element: <ProjectsPage /> },
          { path: "projects", element: <ProjectsPage /> },
          { path: "projects/new", element: <NewProjectPage /> },
          {
            path: "projects/:id",
            element: <ProjectLayout />,
            children: [
              { index: true, element: <OverviewTab /> },
              { path: "deployments", element: <DeploymentsTab /> },
              { path: "runs", element: <RunsTab /> },
              { path: "logs", element: <LogsTab /> },
              { path: "activity", element: <ActivityTab /> },
              { path: "env", element: <EnvTab /> },
              { path: "settings", element: <SettingsTab /> },
            ],
          },
          { path: "projects/:id/deployments/:deploymentId", element: <DeploymentPage /> },
          { path: "projects/:id/runs/:runId", element: <RunPage /> },
          { path: "workspaces", element: <WorkspacesPage /> },
          { path: "workspaces/:id", element: <WorkspacePage /> },
          { path: "servers", element: <NodesPage /> },
          { path: "servers/:id", element: <NodePage /> },
          { path: "notifications", element: <NotificationsPage /> },
          { path: "notifications/:id", element: <NotificationChannelPage /> },
        ],
      },
      {
        path: "models",
        element: <MeshLayout />,
        children: [
          { index: true, element: <PlaygroundTab /> },
          { path: "connect", element: <ConnectTab /> },
          { path: "machines", element: <MachinesTab /> },
          { path: "usage", element: <UsageTab /> },
          { path: "operations", element: <OperationsTab /> },
        ],
      },
      // What a guide calls it.
      { path: "portal/coordinator-ops", element: <Navigate to="/models/operations" replace /> },
      { path: "settings", element: <SettingsPage /> },
      { path: "*", element: <NotFound /> },
    ],
  },
]);
