import { Panel } from "@/ui/Card";
import { CopyButton } from "@/ui/Copy";

import { useMesh } from "./queries";

/** By what a machine reaches the coordinator and knows it. */
export function CoordinatorPanel() {
  const { data: mesh } = useMesh();
  if (!mesh) return null;
  const facts = [
    { label: "Address", value: mesh.coordinator_url, copy: "Copy the address" },
    { label: "Key", value: mesh.coordinator_key, copy: "Copy the key" },
  ];
  return (
    <Panel title="The coordinator" description={`It brings requests and machines together. Of what a completion costs, ${mesh.fee_bps / 100}% is its part.`}>
      <dl className="flex flex-col gap-1">
        {facts.map(({ label, value, copy }) => (
          <div key={label} className="flex items-center gap-3">
            <dt className="w-16 shrink-0 text-[13px] text-faint">{label}</dt>
            <dd className="min-w-0 flex-1 font-mono text-[13px] wrap-anywhere">{value}</dd>
            <CopyButton text={value} label={copy} />
          </div>
        ))}
      </dl>
    </Panel>
  );
}
