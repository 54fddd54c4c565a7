/** Which terminals are shown side by side, and which of them is typed into. */
export interface Layout {
  panes: readonly string[];
  active: string | undefined;
}

export const emptyLayout: Layout = { panes: [], active: undefined };
export const MAX_PANES = 3;

/** In the place of what was typed into, unless it is shown already. */
export function show({ panes, active }: Layout, id: string): Layout {
  if (panes.includes(id)) return { panes, active: id };
  if (active === undefined || !panes.includes(active)) return { panes: [id], active: id };
  return { panes: panes.map((each) => (each === active ? id : each)), active: id };
}

/** Beside what was typed into. */
export function showBeside({ panes, active }: Layout, id: string): Layout {
  if (panes.includes(id)) return { panes, active: id };
  if (panes.length >= MAX_PANES) return show({ panes, active }, id);
  const at = active === undefined ? -1 : panes.indexOf(active);
  return { panes: [...panes.slice(0, at + 1), id, ...panes.slice(at + 1)], active: id };
}

/** Takes a terminal out of sight; it runs on. */
export function hide({ panes, active }: Layout, id: string): Layout {
  const at = panes.indexOf(id);
  const left = panes.filter((each) => each !== id);
  return { panes: left, active: active === id ? (left[at] ?? left[at - 1]) : active };
}

/** Leaves out what is gone; something is shown as long as there is something. */
export function reconcile(layout: Layout, ids: readonly string[]): Layout {
  const gone = layout.panes.filter((id) => !ids.includes(id));
  const left = gone.reduce(hide, layout);
  const next = ids[ids.length - 1];
  if (left.panes.length > 0) return gone.length > 0 ? left : layout;
  if (next === undefined) return layout.panes.length === 0 ? layout : emptyLayout;
  return { panes: [next], active: next };
}

export function neighbour(ids: readonly string[], id: string | undefined, step: 1 | -1): string | undefined {
  if (ids.length === 0) return undefined;
  const at = id === undefined ? 0 : ids.indexOf(id);
  return ids[(at + step + ids.length) % ids.length];
}

export function parseLayout(text: string | null): Layout {
  try {
    const value: unknown = JSON.parse(text ?? "");
    if (typeof value !== "object" || value === null || !("panes" in value) || !Array.isArray(value.panes)) return emptyLayout;
    const panes = value.panes.filter((id): id is string => typeof id === "string").slice(0, MAX_PANES);
    const active = "active" in value && typeof value.active === "string" && panes.includes(value.active) ? value.active : panes[0];
    return { panes, active };
  } catch {
    return emptyLayout;
  }
}
