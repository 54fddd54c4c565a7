import { ChevronRight } from "lucide-react";

import type { Plan } from "@/api/types";
import { Chip } from "@/ui/Badge";
import { Prose } from "@/ui/Prose";

const kinds: Record<string, string> = {
  node: "Node.js",
  deno: "Deno",
  python: "Python",
  ruby: "Ruby",
  php: "PHP",
  go: "Go",
  rust: "Rust",
  java: "Java",
  static: "Static site",
  spa: "Single-page app",
  custom: "Custom commands",
};

export function planKind(plan: Plan): string {
  return kinds[plan.kind] ?? plan.kind;
}

export function PlanCommands({ plan }: { plan: Plan }) {
  const rows = [
    ["Install", plan.install_command],
    ["Build", plan.build_command],
    ["Run", plan.run_command],
    ["Output", plan.output_directory],
    ["Before going live", plan.release_command],
  ] as const;
  const named = [
    ...(plan.workers ?? []).map(({ name, command }) => ({ label: "Worker", name, schedule: undefined, command })),
    ...(plan.schedules ?? []).map(({ name, schedule, command }) => ({ label: "On schedule", name, schedule, command })),
  ];
  if (rows.every(([, value]) => !value) && named.length === 0) return null;
  return (
    <dl className="grid grid-cols-[auto_1fr] gap-x-4 gap-y-1 text-[13px]">
      {rows.map(
        ([label, value]) =>
          value && (
            <div key={label} className="contents">
              <dt className="text-faint">{label}</dt>
              <dd className="min-w-0 font-mono wrap-anywhere">{value}</dd>
            </div>
          ),
      )}
      {named.map(({ label, name, schedule, command }) => (
        <div key={`${label} ${name}`} className="contents">
          <dt className="text-faint">{label}</dt>
          <dd className="min-w-0 wrap-anywhere">
            {name} {schedule && <code className="font-mono text-faint">{schedule} </code>}
            <code className="font-mono">{command}</code>
          </dd>
        </div>
      ))}
    </dl>
  );
}

/** One line that opens to the commands and the reasons for them. */
export function PlanSummary({ plan }: { plan: Plan }) {
  return (
    <details className="group border-t border-line pt-3 text-[13px]">
      <summary className="flex w-fit items-center gap-2 rounded text-soft hover:text-ink [&::-webkit-details-marker]:hidden">
        <ChevronRight aria-hidden className="size-4 text-faint transition-transform group-open:rotate-90" />
        How it is built and run <Chip>{planKind(plan)}</Chip>
      </summary>
      <div className="mt-2 flex flex-col gap-3 pl-6">
        <PlanCommands plan={plan} />
        <ul className="list-disc pl-4 text-soft">
          {plan.reasons.map((reason) => (
            <li key={reason}>
              <Prose>{reason}</Prose>
            </li>
          ))}
        </ul>
      </div>
    </details>
  );
}
