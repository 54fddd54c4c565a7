import { useMemo } from "react";

import type { Completion } from "@/api/types";
import { Plot } from "@/features/metrics/Plot";
import { formatCredits } from "@/format/credits";
import { useNow } from "@/live/now";
import { Panel } from "@/ui/Card";

import { creditsAxis, HOURS, spentColumns, totalOf } from "./spent";

const HOUR_MS = 3_600_000;
const lines = [{ label: "Credits", colour: "accent-strong", bars: true }];

/** Credits that the newest completions cost, by the hour. */
export function SpentPlot({ completions }: { completions: Completion[] }) {
  const hour = Math.floor(useNow("slow") / HOUR_MS) * HOUR_MS;
  const columns = useMemo(() => spentColumns(completions, hour), [completions, hour]);
  const total = formatCredits(totalOf(columns));
  return (
    <Panel title="Credits spent" description={`By the hour over the last day, of your newest completions: ${total} in all.`}>
      <div data-testid="spent">
        <Plot seconds={(HOURS * HOUR_MS) / 1000} summary={`Credits spent by the hour over the last day, ${total} in all`} lines={lines} data={columns} vertical={creditsAxis} />
      </div>
    </Panel>
  );
}
