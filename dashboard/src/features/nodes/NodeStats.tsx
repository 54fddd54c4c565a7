import { ArrowDownUp, Cpu, HardDrive, MemoryStick } from "lucide-react";

import type { NodeMetrics } from "@/api/types";
import { formatBytes, formatPercent, formatRate, percentOf, plural } from "@/format/quantity";
import { Stat } from "@/ui/Stat";

/** What the machine uses now. */
export function NodeStats({ metrics }: { metrics: NodeMetrics }) {
  return (
    <div className="grid grid-cols-2 gap-3 lg:grid-cols-4">
      <Stat icon={Cpu} label="CPU" value={formatPercent(metrics.cpu_percent)} detail={`${plural(metrics.cpu_cores, "core")}, load ${metrics.load.toFixed(2)}`} />
      <Stat
        icon={MemoryStick}
        label="Memory"
        value={formatPercent(percentOf(metrics.memory_used_bytes, metrics.memory_total_bytes))}
        detail={`${formatBytes(metrics.memory_used_bytes)} of ${formatBytes(metrics.memory_total_bytes)}`}
      />
      <Stat
        icon={HardDrive}
        label="Disk"
        value={formatPercent(percentOf(metrics.disk_used_bytes, metrics.disk_total_bytes))}
        detail={`${formatBytes(metrics.disk_total_bytes - metrics.disk_used_bytes)} free`}
      />
      <Stat
        icon={ArrowDownUp}
        label="Network"
        value={formatRate(metrics.network_rx_bytes_per_second)}
        detail={`received, ${formatRate(metrics.network_tx_bytes_per_second)} sent`}
      />
    </div>
  );
}
