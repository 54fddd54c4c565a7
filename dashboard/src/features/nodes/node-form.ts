import type { Node, NodeAccess, NodeUpdate } from "@/api/types";

import { formatLabels, labelsProblem, parseLabels } from "./labels";

export interface NodeForm {
  name: string;
  labels: string;
  access: NodeAccess;
}

type Stored = Pick<Node, "name" | "labels" | "access">;

export function fromNode({ name, labels, access }: Stored): NodeForm {
  return { name, labels: formatLabels(labels), access };
}

export function problemsOf(form: NodeForm): Partial<Record<keyof NodeForm, string>> {
  return {
    ...(!form.name.trim() && { name: "A server needs a name." }),
    ...(labelsProblem(form.labels) && { labels: labelsProblem(form.labels) }),
  };
}

/** Only what was changed. */
export function toUpdate(form: NodeForm, node: Stored): NodeUpdate {
  const labels = parseLabels(form.labels);
  return {
    ...(form.name.trim() !== node.name && { name: form.name.trim() }),
    ...(formatLabels(labels) !== formatLabels(node.labels) && { labels }),
    ...(form.access !== node.access && { access: form.access }),
  };
}
