import { expect, it } from "vitest";

import type { Node, Project, User } from "@/api/types";

import { choosableNodes, mayChange, residentsOf } from "./placement";

const node = (id: string, part: Partial<Node> = {}): Node => ({
  id,
  name: id,
  status: "online",
  health_status: "healthy",
  embedded: false,
  access: "everybody",
  created_at: "2026-03-01T12:00:00Z",
  capabilities: [],
  workloads: [],
  ...part,
});
const project = (id: string, node_id: string) => ({ id, name: id, node_id }) as Project;
const ada: User = { id: "usr_ada", username: "ada", role: "user" };
const admin: User = { id: "usr_root", username: "root", role: "superadmin" };

it("offers the servers that a user may put projects on", () => {
  const nodes = [
    node("b"),
    node("a", { access: "owner", owner_id: "usr_ada" }),
    node("c", { access: "owner", owner_id: "usr_bob" }),
    node("d", { status: "draining" }),
    node("e", { status: "unreachable" }),
    node("here", { embedded: true }),
  ];
  expect(choosableNodes(nodes, ada).map(({ id }) => id)).toEqual(["here", "a", "b"]);
  expect(choosableNodes(nodes, admin).map(({ id }) => id)).toEqual(["here", "a", "b", "c"]);
});

it("lets owners and administrators change a server", () => {
  expect(mayChange(node("a", { owner_id: "usr_ada" }), ada)).toBe(true);
  expect(mayChange(node("a", { owner_id: "usr_bob" }), ada)).toBe(false);
  expect(mayChange(node("a"), admin)).toBe(true);
  expect(mayChange(node("a"), undefined)).toBe(false);
});

it("tells what is on a server, also what its user does not see", () => {
  const workload = (project_id: string) => ({ project_id, deployment_id: "dep_1", process: "web", state: "ready", restarts: 0 });
  const here = node("a", { workloads: [workload("moving"), workload("hidden"), workload("hidden")] });
  const residents = residentsOf(here, [project("placed", "a"), project("moving", "b"), project("elsewhere", "b")]);
  expect(residents.projects.map(({ id }) => id)).toEqual(["moving", "placed"]);
  expect(residents.others).toBe(1);
});
