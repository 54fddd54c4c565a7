import { Ban, ShieldCheck } from "lucide-react";

import type { Capability } from "@/api/types";
import { plural } from "@/format/quantity";
import { Panel } from "@/ui/Card";

const protectionNames: Record<string, string> = {
  cpu_weight: "Share of the CPU",
  cpu_yielding: "Yielding of who computes",
  pids_limit: "Limit of processes",
  own_uid: "User of its own",
  pid_namespace: "Process namespace",
  ipc_namespace: "IPC namespace",
  seccomp: "System call filter",
  no_new_privs: "No new privileges",
  memory_pressure: "Pressure on memory",
  network_policy: "Rules for the network",
  separate_processes: "Server and edge without root",
};

/** What keeps projects apart, and whether it holds on this kernel. */
export function NodeProtections({ capabilities }: { capabilities: readonly Capability[] }) {
  const missing = capabilities.filter((capability) => !capability.enabled).length;
  return (
    <Panel
      title="Protections"
      description={missing === 0 ? "Everything that keeps projects apart holds on this machine." : `${plural(missing, "protection")} of ${capabilities.length} cannot hold on this machine.`}
    >
      <ul className="-my-2 divide-y divide-line">
        {[...capabilities].sort((a, b) => Number(a.enabled) - Number(b.enabled)).map(({ name, enabled, detail }) => {
          const Icon = enabled ? ShieldCheck : Ban;
          return (
            <li key={name} className="flex items-start gap-3 py-2.5">
              <Icon aria-hidden className={enabled ? "mt-0.5 size-4 shrink-0 text-good" : "mt-0.5 size-4 shrink-0 text-warn"} />
              <div className="min-w-0 flex-1">
                <p className="flex flex-wrap items-baseline justify-between gap-x-3">
                  <span className="font-medium first-letter:uppercase">{protectionNames[name] ?? name.replaceAll("_", " ")}</span>
                  <span className={enabled ? "text-xs text-good" : "text-xs text-warn"}>{enabled ? "enforced" : "not enforced"}</span>
                </p>
                <p className="text-[13px] wrap-anywhere text-faint">{detail}</p>
              </div>
            </li>
          );
        })}
      </ul>
    </Panel>
  );
}
