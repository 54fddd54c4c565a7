import { inputClass } from "@/ui/Field";
import { classes } from "@/ui/classes";

import { presets, type TimeRange } from "./time-range";

const fieldClass = classes(inputClass, "h-8 w-auto px-2 text-[13px]");

export function TimeRangeSelect({ range, onRange }: { range: TimeRange; onRange: (range: TimeRange) => void }) {
  return (
    <div className="flex flex-wrap items-center gap-1.5">
      <select
        aria-label="Time range"
        value={range.preset}
        onChange={(event) => onRange({ ...range, preset: event.target.value })}
        className={fieldClass}
      >
        {presets.map(({ value, label }) => (
          <option key={value} value={value}>
            {label}
          </option>
        ))}
      </select>
      {range.preset === "custom" && (
        <>
          <input
            type="datetime-local"
            aria-label="From"
            value={range.from}
            onChange={(event) => onRange({ ...range, from: event.target.value })}
            className={fieldClass}
          />
          <input
            type="datetime-local"
            aria-label="Until"
            value={range.to}
            onChange={(event) => onRange({ ...range, to: event.target.value })}
            className={fieldClass}
          />
        </>
      )}
    </div>
  );
}
