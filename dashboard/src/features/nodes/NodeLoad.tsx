import type { NodeMetrics } from "@/api/types";
import { formatBytes, percentOf, plural } from "@/format/quantity";
import { Meter } from "@/ui/Meter";

/** How full the machine is. */
export function NodeLoad({ metrics }: { metrics: NodeMetrics }) {
  const { cpu_percent, cpu_cores, load, memory_used_bytes, memory_total_bytes, disk_used_bytes, disk_total_bytes } = metrics;
  return (
    <div className="grid grid-cols-3 gap-4">
      <Meter label="CPU" percent={cpu_percent} detail={`${plural(cpu_cores, "core")}, load ${load.toFixed(2)}`} />
      <Meter
        label="Memory"
        percent={percentOf(memory_used_bytes, memory_total_bytes)}
        detail={`${formatBytes(memory_used_bytes)} of ${formatBytes(memory_total_bytes)}`}
      />
      <Meter label="Disk" percent={percentOf(disk_used_bytes, disk_total_bytes)} detail={`${formatBytes(disk_used_bytes)} of ${formatBytes(disk_total_bytes)}`} />
    </div>
  );
}
