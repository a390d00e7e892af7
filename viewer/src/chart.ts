/** The chart of a series as SVG: mean, 90 % band, flagged dates, ages of the sources, readings of a sensor. */

import type { Legend, Readings, Series } from "./api";
import { date, number, sourceName } from "./words";

/** Room for the labels of the axis and of the sources. */
const LEFT = 56;
const SVG = "http://www.w3.org/2000/svg";

export function svg(name: string, facts: Record<string, string | number> = {}, text = ""): SVGElement {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(facts)) made.setAttribute(key, String(value));
  if (text) made.textContent = text;
  return made;
}

interface Frame {
  x: (time: string) => number;
  y: (value: number) => number;
  left: number;
  right: number;
  top: number;
  bottom: number;
}

/** Return the path of a line that is broken where a value is missing. */
function path(points: ([number, number] | null)[]): string {
  let open = false;
  return points
    .map((point) => {
      if (!point) {
        open = false;
        return "";
      }
      const step = `${open ? "L" : "M"}${point[0].toFixed(1)},${point[1].toFixed(1)}`;
      open = true;
      return step;
    })
    .join("");
}

/** Yield runs of dates that have an interval. */
function runs(series: Series): number[][] {
  const found: number[][] = [];
  let run: number[] = [];
  series.datetime.forEach((_, at) => {
    if (series.soil_moisture_low[at] !== null && series.soil_moisture_high[at] !== null) run.push(at);
    else if (run.length) {
      found.push(run);
      run = [];
    }
  });
  if (run.length) found.push(run);
  return found;
}

function ticks(low: number, high: number): number[] {
  const step = [0.02, 0.05, 0.1, 0.2].find((one) => (high - low) / one <= 6) ?? 0.5;
  const first = Math.ceil(low / step);
  return Array.from({ length: Math.floor(high / step) - first + 1 }, (_, at) => (first + at) * step);
}

function dateTicks(first: number, last: number, room: number): number[] {
  const count = Math.max(2, Math.min(6, Math.floor(room / 90)));
  if (last === first) return [first];
  return Array.from({ length: count }, (_, at) => first + ((last - first) * at) / (count - 1));
}

export interface Chart {
  series: Series;
  readings: Readings | null;
  time: string;
  legends: Legend[];
  width: number;
}

/** Return the chart, with a description for readers who do not see it. */
export function draw({ series, readings, time, legends, width }: Chart): SVGElement {
  const sources = Object.keys(series).filter((name) => name.startsWith("age_"));
  const height = 210 + 16 * sources.length;
  const made = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": summary(series) });
  const values = [...series.soil_moisture_low, ...series.soil_moisture_high, ...(readings?.reading ?? [])];
  const known = values.filter((one): one is number => one !== null);
  const low = Math.max(0, Math.min(0.1, ...known) - 0.02);
  const high = Math.max(0.3, ...known) + 0.02;
  const moments = series.datetime.map((one) => Date.parse(one));
  const [first, last] = [moments[0]!, moments[moments.length - 1]!];
  const frame: Frame = {
    left: LEFT,
    right: width - 12,
    top: 12,
    bottom: 176,
    x: (one) => (last === first ? (LEFT + width - 20) / 2 : LEFT + 8 + ((Date.parse(one) - first) / (last - first)) * (width - LEFT - 28)),
    y: (value) => 12 + ((high - value) / (high - low)) * 164,
  };
  axes(made, frame, ticks(low, high), dateTicks(first, last, width));
  flagged(made, frame, series);
  band(made, frame, series);
  mean(made, frame, series, time);
  if (readings) dots(made, frame, readings);
  made.append(svg("text", { x: 4, y: 10, class: "unit" }, "m³ m⁻³"));
  sources.forEach((name, row) => ages(made, frame, series, name, legends, 200 + 16 * row));
  return made;
}

function axes(made: SVGElement, frame: Frame, values: number[], moments: number[]): void {
  for (const value of values) {
    made.append(svg("line", { x1: frame.left, x2: frame.right, y1: frame.y(value), y2: frame.y(value), class: "grid" }));
    made.append(svg("text", { x: frame.left - 6, y: frame.y(value) + 4, "text-anchor": "end" }, value.toFixed(2)));
  }
  moments.forEach((moment, at) => {
    const text = new Date(moment).toISOString().slice(0, 10);
    const anchor = moments.length === 1 ? "middle" : at === 0 ? "start" : at === moments.length - 1 ? "end" : "middle";
    made.append(svg("text", { x: frame.x(new Date(moment).toISOString()), y: frame.bottom + 15, "text-anchor": anchor }, text));
  });
}

function flagged(made: SVGElement, frame: Frame, series: Series): void {
  const step = (frame.right - frame.left) / Math.max(series.datetime.length, 1);
  const wide = Math.max(3, Math.min(14, step));
  series["vadose:flags"].forEach((flags, at) => {
    if (!flags.length) return;
    const x = frame.x(series.datetime[at]!) - wide / 2;
    const bar = svg("rect", { x, y: frame.top, width: wide, height: frame.bottom - frame.top, class: "flagged" });
    bar.append(svg("title", {}, `${date(series.datetime[at]!)}: ${flags.join(", ").replaceAll("_", " ")}`));
    made.append(bar);
  });
}

function band(made: SVGElement, frame: Frame, series: Series): void {
  for (const run of runs(series)) {
    const upper = run.map((at): [number, number] => [frame.x(series.datetime[at]!), frame.y(series.soil_moisture_high[at]!)]);
    const lower = run.map((at): [number, number] => [frame.x(series.datetime[at]!), frame.y(series.soil_moisture_low[at]!)]);
    if (run.length === 1) {
      const [x, y] = upper[0]!;
      made.append(svg("line", { x1: x, x2: x, y1: y, y2: lower[0]![1], class: "whisker" }));
    }
    made.append(svg("path", { d: `${path([...upper, ...lower.reverse()])}Z`, class: "band" }));
  }
}

function mean(made: SVGElement, frame: Frame, series: Series, time: string): void {
  const points = series.soil_moisture.map((value, at): [number, number] | null =>
    value === null ? null : [frame.x(series.datetime[at]!), frame.y(value)],
  );
  made.append(svg("path", { d: path(points), class: "mean" }));
  points.forEach((point, at) => {
    if (!point || (points.length > 150 && series.datetime[at] !== time)) return;
    const now = series.datetime[at] === time;
    const dot = svg("circle", { cx: point[0], cy: point[1], r: now ? 5 : 2.5, class: now ? "now" : "dot" });
    const [mid, lowest, highest] = [series.soil_moisture[at], series.soil_moisture_low[at], series.soil_moisture_high[at]];
    const words = `${date(series.datetime[at]!)}: ${number(mid)} (90 %: ${number(lowest)} to ${number(highest)})`;
    dot.append(svg("title", {}, words));
    made.append(dot);
  });
  const x = frame.x(time);
  if (series.datetime.includes(time)) made.append(svg("line", { x1: x, x2: x, y1: frame.top, y2: frame.bottom, class: "cursor" }));
}

function dots(made: SVGElement, frame: Frame, readings: Readings): void {
  readings.reading.forEach((value, at) => {
    if (value === null) return;
    const good = readings.flag[at] === "G";
    const [x, y] = [frame.x(readings.datetime[at]!), frame.y(value)];
    const made_ = svg("path", { d: `M${x - 5},${y}L${x},${y - 5}L${x + 5},${y}L${x},${y + 5}Z`, class: good ? "reading" : "reading doubtful" });
    made_.append(svg("title", {}, `Sensor ${date(readings.time_read[at]!)}: ${number(value)}, ${readings.flag[at]} (${readings.meaning[at]})`));
    made.append(made_);
  });
}

function ages(made: SVGElement, frame: Frame, series: Series, name: string, legends: Legend[], y: number): void {
  const legend = legends.find((one) => one.layer === name);
  const values = series[name] as (number | null)[];
  const step = Math.max(3, Math.min(18, (frame.right - frame.left) / Math.max(values.length, 1)));
  made.append(svg("text", { x: 4, y: y + 10, class: "source" }, sourceName(name.slice(4)).replace("Sentinel", "S").replace("S-", "S")));
  values.forEach((value, at) => {
    if (value === null) return;
    const part = Math.min(1, Math.max(0, (value - (legend?.low ?? 0)) / ((legend?.high ?? 10) - (legend?.low ?? 0))));
    const colour = legend?.colours?.[Math.min(254, Math.floor(part * 255))] ?? "#888888";
    const cell = svg("rect", { x: frame.x(series.datetime[at]!) - step / 2, y, width: step, height: 11, fill: colour });
    cell.append(svg("title", {}, `${sourceName(name.slice(4))}: ${number(value, 1)} days old on ${date(series.datetime[at]!)}`));
    made.append(cell);
  });
}

function summary(series: Series): string {
  const known = series.soil_moisture.filter((one): one is number => one !== null);
  const span = `${date(series.datetime[0]!)} to ${date(series.datetime[series.datetime.length - 1]!)}`;
  if (!known.length) return `Soil moisture, ${span}: no estimate`;
  const flagged = series["vadose:flags"].filter((one) => one.length).length;
  return (
    `Soil moisture, ${span}: ${known.length} estimates between ${number(Math.min(...known))} and ` +
    `${number(Math.max(...known))} m³ m⁻³, ${flagged} dates with flags. The numbers are in the table below.`
  );
}
