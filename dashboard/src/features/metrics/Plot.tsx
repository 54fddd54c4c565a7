import "uplot/dist/uPlot.min.css";

import { useEffect, useRef } from "react";
import uPlot from "uplot";

import { useResolvedTheme } from "@/shell/theme";

import type { Axis, Columns, Line } from "./plot-series";

interface PlotProps {
  /** What a screen reader hears instead of the picture. */
  summary: string;
  lines: Line[];
  data: Columns;
  vertical: Axis;
  /** How far back it goes. */
  seconds: number;
}

const HEIGHT = 168;
/** What is shorter is shown as a point. */
const SHORT_PX = 4;
const DAY = 24 * 3600;

function themeColour(element: HTMLElement, name: string): string {
  return getComputedStyle(element).getPropertyValue(`--${name}`).trim();
}

function withAlpha(colour: string, percent: number): string {
  return `color-mix(in oklab, ${colour} ${percent}%, transparent)`;
}

const clock: Intl.DateTimeFormatOptions = { hour: "2-digit", minute: "2-digit" };
const day: Intl.DateTimeFormatOptions = { day: "numeric", month: "short" };

/** A time on the axis. */
function tick(time: number, seconds: number): string {
  const at = new Date(time * 1000);
  return seconds > DAY ? at.toLocaleDateString("en-GB", day) : at.toLocaleTimeString("en-GB", clock);
}

/** A time under the pointer. */
function moment(time: number | null, seconds: number): string {
  if (time == null) return "now";
  const at = new Date(time * 1000);
  if (seconds > DAY) return at.toLocaleString("en-GB", { ...day, ...clock });
  return at.toLocaleTimeString("en-GB", seconds < DAY ? undefined : clock);
}

function options(element: HTMLElement, lines: Line[], { format, ceiling, width, increments }: Axis, seconds: number): uPlot.Options {
  const axis = { stroke: themeColour(element, "ink-faint"), grid: { stroke: themeColour(element, "line"), width: 1 }, ticks: { show: false }, font: "11px system-ui, sans-serif" };
  return {
    width: element.clientWidth || 320,
    height: HEIGHT,
    padding: [10, 18, 0, 0],
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 7 } },
    legend: { show: true, live: true },
    scales: {
      // To this moment, so that silence is seen; also where this clock is behind the server's.
      x: {
        range: (plot) => {
          // Not what the library offers: of a single sample it makes a thousand days.
          const end = Math.max(Date.now() / 1000, plot.data[0]?.at(-1) ?? 0);
          return [end - seconds, end];
        },
      },
      y: { range: (_plot, _min, max) => [0, ceiling(max)] },
    },
    axes: [
      { ...axis, space: 70, size: 28, grid: { show: false }, values: (_plot, times) => times.map((time) => tick(time, seconds)) },
      { ...axis, space: 30, size: width, incrs: increments, values: (_plot, values) => values.map((value) => format(value)) },
    ],
    series: [
      { label: "Time", value: (_plot, time) => moment(time, seconds) },
      ...lines.map(({ label, colour, faint, bars }) => ({
        label,
        stroke: themeColour(element, colour),
        fill: faint ? undefined : withAlpha(themeColour(element, colour), bars ? 60 : 10),
        width: bars ? 0 : faint ? 1 : 1.75,
        paths: bars ? uPlot.paths.bars?.({ size: [0.8], align: 1 }) : undefined,
        dash: faint ? [3, 3] : undefined,
        // What stands alone between two gaps is no line.
        points: { show: !bars, size: 4, width: 0, fill: themeColour(element, colour), filter: lonely },
        value: (plot: uPlot, value: number | null, series: number) => {
          const all = Array.from(plot.data[series] ?? []);
          const newest = bars ? all.findLast((each) => each != null) : all.at(-1);
          const shown = plot.cursor.idx == null ? newest : value;
          return shown == null ? "–" : format(shown);
        },
      })),
    ],
  };
}

/** The newest of each run of samples that is too short to be seen as a line, one alone among them. */
function lonely(plot: uPlot, series: number): number[] {
  const [times, values] = [plot.data[0], plot.data[series] ?? []];
  const found: number[] = [];
  let first: number | undefined;
  for (let at = 0; at <= values.length; at++) {
    if (values[at] != null) first ??= at;
    else if (first !== undefined) {
      const length = plot.valToPos(times[at - 1] ?? 0, "x") - plot.valToPos(times[first] ?? 0, "x");
      if (length < SHORT_PX) found.push(at - 1);
      first = undefined;
    }
  }
  return found;
}

export function Plot({ summary, lines, data, vertical, seconds }: PlotProps) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(null);
  const latest = useRef(data);
  const theme = useResolvedTheme();
  const shape = JSON.stringify(lines);

  useEffect(() => {
    latest.current = data;
    plot.current?.setData(data);
  }, [data]);

  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const made = new uPlot(options(element, JSON.parse(shape) as Line[], vertical, seconds), latest.current, element);
    plot.current = made;
    const observer = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height: HEIGHT }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = null;
    };
    // The colours are the theme's.
  }, [shape, vertical, seconds, theme]);

  return <div ref={box} role="img" aria-label={summary} className="plot min-w-0" />;
}
