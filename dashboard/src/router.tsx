import { lazy } from "react";
import { createBrowserRouter } from "react-router";

import LoginPage from "@/features/auth/LoginPage";
import SetupPage from "@/features/auth/SetupPage";
import ProjectsPage from "@/features/projects/ProjectsPage";
import { NotFound } from "@/shell/NotFound";
import { Shell } from "@/shell/Shell";

const NewProjectPage = lazy(() => import("@/features/projects/NewProjectPage"));
const ProjectLayout = lazy(() => import("@/features/projects/ProjectLayout"));
const OverviewTab = lazy(() => import("@/features/projects/OverviewTab"));
const DeploymentsTab = lazy(() => import("@/features/deployments/DeploymentsTab"));
const LogsTab = lazy(() => import("@/features/logs/LogsTab"));
const EnvTab = lazy(() => import("@/features/env/EnvTab"));
const SettingsTab = lazy(() => import("@/features/projects/SettingsTab"));
const DeploymentPage = lazy(() => import("@/features/deployments/DeploymentPage"));
const NodesPage = lazy(() => import("@/features/nodes/NodesPage"));
const NodePage = lazy(() => import("@/features/nodes/NodePage"));
const SettingsPage = lazy(() => import("@/shell/SettingsPage"));

export const router = createBrowserRouter([
  { path: "/setup", element: <SetupPage /> },
  { path: "/login", element: <LoginPage /> },
  {
    path: "/",
    element: <Shell />,
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
          { path: "logs", element: <LogsTab /> },
          { path: "env", element: <EnvTab /> },
          { path: "settings", element: <SettingsTab /> },
        ],
      },
      { path: "projects/:id/deployments/:deploymentId", element: <DeploymentPage /> },
      { path: "servers", element: <NodesPage /> },
      { path: "servers/:id", element: <NodePage /> },
      { path: "settings", element: <SettingsPage /> },
      { path: "*", element: <NotFound /> },
    ],
  },
]);
