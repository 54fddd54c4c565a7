import { ToggleGroup } from "radix-ui";
import { useSearchParams } from "react-router";

import { rangeOf, ranges, type Range } from "./range";

/** How far back plots go, kept in the address. */
export function useRange(): [Range, (value: string) => void] {
  const [search, setSearch] = useSearchParams();
  function change(value: string) {
    setSearch(
      (before) => {
        before.set("range", value);
        return before;
      },
      { replace: true },
    );
  }
  return [rangeOf(search.get("range")), change];
}

export function RangeSwitch({ range, onRange }: { range: Range; onRange: (value: string) => void }) {
  return (
    <ToggleGroup.Root
      type="single"
      aria-label="How far back"
      value={range.value}
      onValueChange={(value) => value && onRange(value)}
      className="flex rounded-lg bg-sunken p-0.5"
    >
      {ranges.map(({ value, label }) => (
        <ToggleGroup.Item
          key={value}
          value={value}
          data-testid={`range-${value}`}
          className="h-7 rounded-md px-2.5 text-xs font-medium text-faint tabular-nums hover:text-ink data-[state=on]:bg-surface data-[state=on]:text-ink data-[state=on]:shadow-card dark:data-[state=on]:bg-hover"
        >
          {label}
        </ToggleGroup.Item>
      ))}
    </ToggleGroup.Root>
  );
}
