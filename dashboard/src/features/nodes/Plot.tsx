import "uplot/dist/uPlot.min.css";

import { useEffect, useRef } from "react";
import uPlot from "uplot";

import { useResolvedTheme } from "@/shell/theme";

import type { Axis, Columns } from "./plot-series";

interface Line {
  label: string;
  /** The name of a theme colour, without its dashes. */
  colour: string;
}

interface PlotProps {
  /** What a screen reader hears instead of the picture. */
  summary: string;
  lines: Line[];
  data: Columns;
  vertical: Axis;
}

const HEIGHT = 168;

function themeColour(element: HTMLElement, name: string): string {
  return getComputedStyle(element).getPropertyValue(`--${name}`).trim();
}

function withAlpha(colour: string, percent: number): string {
  return `color-mix(in oklab, ${colour} ${percent}%, transparent)`;
}

function options(element: HTMLElement, lines: Line[], { format, ceiling, width, increments }: Axis): uPlot.Options {
  const axis = { stroke: themeColour(element, "ink-faint"), grid: { stroke: themeColour(element, "line"), width: 1 }, ticks: { show: false }, font: "11px system-ui, sans-serif" };
  return {
    width: element.clientWidth || 320,
    height: HEIGHT,
    padding: [10, 18, 0, 0],
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 7 } },
    legend: { show: true, live: true },
    scales: { y: { range: (_plot, _min, max) => [0, ceiling(max)] } },
    axes: [
      { ...axis, space: 70, size: 28, grid: { show: false }, values: (_plot, times) => times.map((time) => new Date(time * 1000).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" })) },
      { ...axis, space: 30, size: width, incrs: increments, values: (_plot, values) => values.map((value) => format(value)) },
    ],
    series: [
      { label: "Time", value: (_plot, time) => (time == null ? "now" : new Date(time * 1000).toLocaleTimeString("en-GB")) },
      ...lines.map(({ label, colour }) => ({
        label,
        stroke: themeColour(element, colour),
        fill: withAlpha(themeColour(element, colour), 10),
        width: 1.75,
        points: { show: false },
        value: (plot: uPlot, value: number | null, series: number) => {
          const shown = value ?? plot.data[series]?.at(-1);
          return shown == null ? "–" : format(shown);
        },
      })),
    ],
  };
}

export function Plot({ summary, lines, data, vertical }: PlotProps) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(null);
  const latest = useRef(data);
  const theme = useResolvedTheme();
  const shape = lines.map((line) => `${line.label}:${line.colour}`).join();

  useEffect(() => {
    latest.current = data;
    plot.current?.setData(data);
  }, [data]);

  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const parsed = shape.split(",").map((line) => {
      const [label = "", colour = ""] = line.split(":");
      return { label, colour };
    });
    const made = new uPlot(options(element, parsed, vertical), latest.current, element);
    plot.current = made;
    const observer = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height: HEIGHT }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = null;
    };
    // The colours are the theme's.
  }, [shape, vertical, theme]);

  return <div ref={box} role="img" aria-label={summary} className="plot min-w-0" />;
}
