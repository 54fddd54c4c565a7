import { useLayoutEffect, useRef } from "react";

/** For a dialog that is opened without a trigger of its own: what had the focus before gets it back, unless `onClosed` knows better. */
export function useReturnFocus(open: boolean, onClosed?: () => void): (event: Event) => void {
  const opener = useRef<Element | null>(null);

  // Before the dialog's content is there and takes the focus.
  useLayoutEffect(() => {
    if (open) opener.current = document.activeElement;
  }, [open]);

  return (event) => {
    event.preventDefault();
    if (onClosed) return onClosed();
    const target = opener.current?.isConnected ? opener.current : document.getElementById("content");
    if (target instanceof HTMLElement) target.focus({ preventScroll: true });
  };
}
