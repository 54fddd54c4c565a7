import { useSyncExternalStore } from "react";

export interface TerminalSettings {
  fontSize: number;
  screenReader: boolean;
}

export const FONT_SIZES = [9, 10, 11, 12, 13, 14, 15, 16, 18, 20, 24];

const STORAGE_KEY = "nanoscale-terminal";
const usual: TerminalSettings = { fontSize: 13, screenReader: false };
const listeners = new Set<() => void>();

let settings = read();

function read(): TerminalSettings {
  try {
    const stored = JSON.parse(localStorage.getItem(STORAGE_KEY) ?? "{}") as Partial<TerminalSettings>;
    return {
      fontSize: FONT_SIZES.includes(stored.fontSize ?? 0) ? (stored.fontSize ?? usual.fontSize) : usual.fontSize,
      screenReader: stored.screenReader === true,
    };
  } catch {
    return usual;
  }
}

export function changeSettings(change: Partial<TerminalSettings>) {
  settings = { ...settings, ...change };
  try {
    localStorage.setItem(STORAGE_KEY, JSON.stringify(settings));
  } catch {
    // Kept for this visit only.
  }
  for (const listener of listeners) listener();
}

/** One size up or down. */
export function zoom(step: 1 | -1) {
  const at = FONT_SIZES.indexOf(settings.fontSize) + step;
  const fontSize = FONT_SIZES[at];
  if (fontSize !== undefined) changeSettings({ fontSize });
}

function subscribe(listener: () => void) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function useTerminalSettings(): TerminalSettings {
  return useSyncExternalStore(subscribe, () => settings);
}
