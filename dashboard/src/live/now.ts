import { useSyncExternalStore } from "react";

/** One timer per interval for all clocks on the page. */
function createClock(interval: number) {
  let now = Date.now();
  let timer: number | undefined;
  const listeners = new Set<() => void>();
  return {
    subscribe(listener: () => void) {
      listeners.add(listener);
      if (timer === undefined) {
        now = Date.now();
        timer = window.setInterval(() => {
          now = Date.now();
          for (const each of listeners) each();
        }, interval);
      }
      return () => {
        listeners.delete(listener);
        if (listeners.size > 0) return;
        window.clearInterval(timer);
        timer = undefined;
      };
    },
    read: () => now,
  };
}

const seconds = createClock(1000);
const slow = createClock(10_000);

/** The time, again and again: each second, or every ten of them. */
export function useNow(pace: "second" | "slow" = "second"): number {
  const clock = pace === "second" ? seconds : slow;
  return useSyncExternalStore(clock.subscribe, clock.read);
}
