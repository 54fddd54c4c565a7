import { useLayoutEffect, useRef, useState } from "react";

import { classes } from "@/ui/classes";

import { linesOf, type Box } from "./line-paths";
import type { Flow, Line } from "./topology-parts";

interface Boxes {
  hub: Box;
  ends: Map<string, Box>;
}

function measure(picture: HTMLElement): Boxes | undefined {
  const corner = picture.getBoundingClientRect();
  const boxOf = (element: HTMLElement): Box => {
    const { left, top, width, height } = element.getBoundingClientRect();
    return { left: left - corner.left, top: top - corner.top, width, height };
  };
  const hub = picture.querySelector<HTMLElement>("[data-hub]");
  const ends = [...picture.querySelectorAll<HTMLElement>("[data-end]")];
  return hub ? { hub: boxOf(hub), ends: new Map(ends.map((end) => [end.dataset.end ?? "", boxOf(end)])) } : undefined;
}

/** Where the parts of the picture are that the lines lie in, anew whenever one of them changes its size. */
function useBoxes(parts: string) {
  const ref = useRef<SVGSVGElement>(null);
  const [boxes, setBoxes] = useState<Boxes>();
  useLayoutEffect(() => {
    const picture = ref.current?.parentElement;
    if (!picture) return;
    const observer = new ResizeObserver(() => setBoxes(measure(picture)));
    for (const part of [picture, ...picture.querySelectorAll("[data-hub], [data-end]")]) observer.observe(part);
    return () => observer.disconnect();
  }, [parts]);
  return { ref, boxes };
}

const strokes: Record<Flow, string> = {
  away: "stroke-line-strong [stroke-dasharray:3_5]",
  idle: "stroke-line-strong",
  // Not translucent: several may lie on each other.
  busy: "stroke-[color-mix(in_oklab,var(--accent)_50%,var(--surface))]",
};

/** Where lines share a way, the strongest is on top. */
const order: Flow[] = ["away", "idle", "busy"];

function Drawn({ path, line: { flow, load } }: { path: string; line: Line }) {
  const busy = flow === "busy";
  return (
    <>
      <path d={path} strokeWidth={busy ? 2.5 + load * 2.5 : 1.5} className={classes("transition-[stroke-width] duration-500", strokes[flow])} />
      {busy && <path d={path} strokeWidth={2.5} strokeLinecap="round" className="animate-flow stroke-accent-strong [stroke-dasharray:0.1_13.9] motion-reduce:hidden" />}
    </>
  );
}

/** The lines from the hub to each end. They say nothing that is not in words beside them. */
export function Lines({ lines }: { lines: Line[] }) {
  const { ref, boxes } = useBoxes(lines.map(({ to }) => to).join());
  const paths = boxes ? linesOf(boxes) : new Map<string, string>();
  const sorted = [...lines].sort((a, b) => order.indexOf(a.flow) - order.indexOf(b.flow));
  return (
    <svg ref={ref} aria-hidden fill="none" className="pointer-events-none absolute inset-0 size-full">
      {sorted.map((line) => {
        const path = paths.get(line.to);
        return path && <Drawn key={line.to} path={path} line={line} />;
      })}
    </svg>
  );
}
