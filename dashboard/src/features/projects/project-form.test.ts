import { expect, it } from "vitest";

import type { Project } from "@/api/types";

import { emptyForm, fromProject, portProblem, toCreate, toUpdate } from "./project-form";

const project: Project = {
  id: "prj_1",
  name: "hello",
  domain: "hello.localhost",
  url: "http://hello.localhost:8080",
  status: "live",
  source: "git",
  replicas: 1,
  reschedule: false,
  node_id: "nod_1",
  port: 3100,
  network: { outward: "open", destinations: [], host_ports: [] },
  limits: {},
  repo_url: "https://example.com/hello.git",
  build_command: "npm run build",
  created_at: "2026-03-01T12:00:00Z",
  updated_at: "2026-03-01T12:00:00Z",
};

it("creates with what was filled in only", () => {
  expect(toCreate({ ...emptyForm, name: " hello ", branch: "  ", run_command: "node .", port: "3200", node_id: "nod_1" })).toEqual({
    name: "hello",
    run_command: "node .",
    port: 3200,
    node_id: "nod_1",
  });
});

it("updates with what was changed only, and clears with an empty text", () => {
  const form = fromProject(project);
  expect(toUpdate(form, project)).toEqual({});
  expect(toUpdate({ ...form, build_command: " ", branch: "main" }, project)).toEqual({ build_command: "", branch: "main" });
});

it("sends the watched paths as a list, and an empty one when they are cleared", () => {
  expect(toCreate({ ...emptyForm, name: "a", watch_paths: " packages/api/** \n\n!*.md" }).watch_paths).toEqual(["packages/api/**", "!*.md"]);
  const watching = { ...project, watch_paths: ["packages/api/**"] };
  const form = fromProject(watching);
  expect(toUpdate({ ...form, watch_paths: "packages/api/**\n" }, watching)).toEqual({});
  expect(toUpdate({ ...form, watch_paths: "" }, watching)).toEqual({ watch_paths: [] });
});

it("knows the ports a project may have", () => {
  expect(portProblem("")).toBeUndefined();
  expect(portProblem("3100")).toBeUndefined();
  expect(portProblem("80")).toBeDefined();
  expect(portProblem("3100.5")).toBeDefined();
  expect(portProblem("x")).toBeDefined();
});
