import { expect, it } from "vitest";

import type { Project } from "@/api/types";

import { fromProject, needsDeployment, problemsOf, removedVolumes, toUpdate, volumeRow } from "./runtime-form";

const project = {
  network: { outward: "only", destinations: ["api.example.com:443"], host_ports: [5432] },
  volumes: [{ name: "data", path: "/data" }],
  limits: { memory_mb: 256 },
} as unknown as Project;

it("sends only the groups that were changed, each as a whole", () => {
  const form = fromProject(project);
  expect(toUpdate(form, project)).toEqual({});
  expect(toUpdate({ ...form, destinations: "api.example.com:443,\n 10.1.0.0/16 " }, project)).toEqual({
    network: { outward: "only", destinations: ["api.example.com:443", "10.1.0.0/16"], host_ports: [5432] },
  });
  expect(toUpdate({ ...form, outward: "none" }, project).network?.destinations).toEqual([]);
  expect(toUpdate({ ...form, limits: { ...form.limits, memory_mb: " ", cpu_percent: "150" } }, project)).toEqual({ limits: { cpu_percent: 150 } });
});

it("knows which volumes leave the list", () => {
  const form = fromProject(project);
  expect(removedVolumes(form, project)).toEqual([]);
  const changed = { ...form, volumes: [volumeRow({ name: "other", path: "/other" }), volumeRow()] };
  expect(removedVolumes(changed, project)).toEqual(["data"]);
  expect(toUpdate(changed, project)).toEqual({ volumes: [{ name: "other", path: "/other" }] });
});

it("sees what is wrong before the server does", () => {
  const form = fromProject(project);
  expect(problemsOf(form)).toEqual({});
  const wrong = problemsOf({ ...form, destinations: " ", hostPorts: "5432, x", volumes: [volumeRow({ name: "a", path: "data" })], limits: { ...form.limits, processes: "1.5" } });
  expect(Object.keys(wrong)).toEqual(["network.destinations", "network.host_ports", "volumes", "limits.processes"]);
});

it("reads sizes of volumes, which need no deployment", () => {
  const form = fromProject(project);
  const sized = (size: string) => ({ ...form, volumes: form.volumes.map((row) => ({ ...row, size })) });
  const update = toUpdate(sized(" 20 "), project);
  expect(update).toEqual({ volumes: [{ name: "data", path: "/data", size_mb: 20 }] });
  expect(needsDeployment(update, project)).toBe(false);
  expect(needsDeployment({ volumes: [] }, project)).toBe(true);
  expect(problemsOf(sized("0")).volumes).toBeDefined();
  expect(problemsOf(sized("")).volumes).toBeUndefined();
});
