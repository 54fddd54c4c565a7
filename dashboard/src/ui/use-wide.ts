import { useSyncExternalStore } from "react";

const wide = window.matchMedia("(min-width: 48rem)");

function subscribe(listener: () => void) {
  wide.addEventListener("change", listener);
  return () => wide.removeEventListener("change", listener);
}

/** Whether there is room for a table; the same width as the `md:` classes. */
export function useWide(): boolean {
  return useSyncExternalStore(subscribe, () => wide.matches);
}
