import { useEffect, type ReactNode } from "react";

/** Keyboards of phones are taller than what else makes a page shorter. */
const KEYBOARD_PX = 140;

/**
 * A page that takes all the room there is and does not scroll itself. On phones that is what the keyboard leaves of it:
 * browsers lay it over the page.
 */
export function FillPage({ children }: { children: ReactNode }) {
  useEffect(() => {
    const viewport = window.visualViewport;
    const root = document.documentElement;
    function measure() {
      if (!viewport) return;
      const keyboard = window.innerHeight - viewport.height > KEYBOARD_PX && viewport.scale === 1;
      root.toggleAttribute("data-keyboard", keyboard);
      if (keyboard) {
        root.style.setProperty("--fill-height", `${viewport.height}px`);
        // The browser has scrolled to the field, which is in view now.
        window.scrollTo(0, 0);
      } else root.style.removeProperty("--fill-height");
    }
    viewport?.addEventListener("resize", measure);
    return () => {
      viewport?.removeEventListener("resize", measure);
      root.removeAttribute("data-keyboard");
      root.style.removeProperty("--fill-height");
    };
  }, []);

  return (
    <div data-fill className="flex min-h-0 flex-1 flex-col">
      {children}
    </div>
  );
}
