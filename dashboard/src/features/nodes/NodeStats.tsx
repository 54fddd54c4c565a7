import { ArrowDownUp, Cpu, HardDrive, MemoryStick, type LucideIcon } from "lucide-react";
import type { ReactNode } from "react";

import type { NodeMetrics } from "@/api/types";
import { formatBytes, formatPercent, formatRate, percentOf, plural } from "@/format/quantity";
import { Card } from "@/ui/Card";

function Stat({ icon: Icon, label, value, detail }: { icon: LucideIcon; label: string; value: ReactNode; detail: string }) {
  return (
    <Card className="p-4">
      <p className="flex items-center gap-1.5 text-[13px] text-faint">
        <Icon aria-hidden className="size-3.5" /> {label}
      </p>
      <p className="mt-1 text-xl font-semibold tracking-tight tabular-nums">{value}</p>
      <p className="truncate text-xs text-faint tabular-nums">{detail}</p>
    </Card>
  );
}

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
