import { useCallback, useState } from "react";

import { emptyLayout, parseLayout, type Layout } from "./layout";

function keyOf(workspaceId: string): string {
  return `nanoscale-terminals-${workspaceId}`;
}

function read(workspaceId: string): Layout {
  try {
    return parseLayout(localStorage.getItem(keyOf(workspaceId)));
  } catch {
    return emptyLayout;
  }
}

/** The layout of a workspace's terminals, which this browser remembers. */
export function useLayout(workspaceId: string): [Layout, (change: (layout: Layout) => Layout) => void] {
  const [layout, setLayout] = useState(() => read(workspaceId));
  const change = useCallback(
    (next: (layout: Layout) => Layout) =>
      setLayout((before) => {
        const after = next(before);
        try {
          localStorage.setItem(keyOf(workspaceId), JSON.stringify(after));
        } catch {
          // Kept for this visit only.
        }
        return after;
      }),
    [workspaceId],
  );
  return [layout, change];
}
