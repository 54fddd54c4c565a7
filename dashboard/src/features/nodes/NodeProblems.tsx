import { TriangleAlert } from "lucide-react";

import { Notice } from "@/ui/states";

import { useNodes } from "./queries";

/** What keeps machines from their work, above whatever page is open. */
export function NodeProblems() {
  const { data: nodes } = useNodes();
  const problems = nodes?.flatMap((node) => (node.problems ?? []).map((problem) => ({ node, problem }))) ?? [];
  if (problems.length === 0) return null;
  return (
    <div className="mb-5 flex flex-col gap-2">
      {problems.map(({ node, problem }) => (
        <Notice key={`${node.id} ${problem.code}`} tone="bad" icon={TriangleAlert}>
          {`${node.name}: ${problem.message}.`}
        </Notice>
      ))}
    </div>
  );
}
