import type { Node, NodeAccess, NodeUpdate } from "@/api/types";

import { formatLabels, labelsProblem, parseLabels } from "./labels";

export interface NodeForm {
  name: string;
  labels: string;
  access: NodeAccess;
  /** User names, with commas or spaces. */
  grantedTo: string;
}

type Stored = Pick<Node, "name" | "labels" | "access" | "granted_to">;

export function fromNode({ name, labels, access, granted_to }: Stored): NodeForm {
  return { name, labels: formatLabels(labels), access, grantedTo: granted_to?.join(", ") ?? "" };
}

const parseNames = (text: string) => [...new Set(text.split(/[\s,]+/).filter(Boolean))].sort();

export function problemsOf(form: NodeForm): Partial<Record<keyof NodeForm, string>> {
  return {
    ...(!form.name.trim() && { name: "A server needs a name." }),
    ...(labelsProblem(form.labels) && { labels: labelsProblem(form.labels) }),
  };
}

/** Only what was changed. */
export function toUpdate(form: NodeForm, node: Stored): NodeUpdate {
  const labels = parseLabels(form.labels);
  const names = parseNames(form.grantedTo);
  return {
    ...(form.name.trim() !== node.name && { name: form.name.trim() }),
    ...(formatLabels(labels) !== formatLabels(node.labels) && { labels }),
    ...(form.access !== node.access && { access: form.access }),
    ...(names.join() !== (node.granted_to ?? []).join() && { granted_to: names }),
  };
}
