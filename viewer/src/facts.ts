/** What stands beside the chart: the estimate of the date, its flags in words, its sources, and the numbers. */

import type { Legend, Readings, SensorProperties, Series } from "./api";
import { date, number, sourceName, why } from "./words";

export function element<K extends keyof HTMLElementTagNameMap>(
  name: K,
  text = "",
  facts: Record<string, string> = {},
): HTMLElementTagNameMap[K] {
  const made = document.createElement(name);
  if (text) made.textContent = text;
  for (const [key, value] of Object.entries(facts)) made.setAttribute(key, value);
  return made;
}

/** Return the facts of a series at a date. */
export function facts(series: Series, time: string, flags: Legend | undefined, sensor: SensorProperties | null): Node[] {
  const at = series.datetime.indexOf(time);
  const parts: Node[] = [];
  if (at >= 0) parts.push(estimate(series, at), ...reasons(series, at, flags), sources(series, at));
  if (series["vadose:interval"]) parts.push(element("p", series["vadose:interval"], { class: "small" }));
  if (sensor) parts.push(...scores(sensor));
  parts.push(key(sensor !== null), table(series, sensor?.readings ?? null));
  return parts;
}

function estimate(series: Series, at: number): Node {
  const [mean, low, high] = [series.soil_moisture[at], series.soil_moisture_low[at], series.soil_moisture_high[at]];
  const made = element("p", "", { class: "estimate" });
  if (mean === null || mean === undefined) {
    made.textContent = `${date(series.datetime[at]!)}: no estimate`;
    return made;
  }
  made.append(`${date(series.datetime[at]!)}: `, element("strong", `${number(mean)} m³ m⁻³`));
  made.append(`, 90 % interval ${number(low)} to ${number(high)}`);
  if (series.cells) made.append(`, mean of ${series.cells[at]} cells`);
  return made;
}

function reasons(series: Series, at: number, flags: Legend | undefined): Node[] {
  const names = series["vadose:flags"][at] ?? [];
  if (!names.length) return [element("p", series.cells ? "No cell is flagged." : "This cell has no flag.")];
  const list = element("ul", "", { class: "why" });
  for (const name of names) {
    const known = flags?.categories?.find((one) => one.name === name);
    const item = element("li");
    item.append(element("strong", `${known?.words ?? name}: `), why(name));
    list.append(item);
  }
  return [element("h3", series.cells ? "Why some of the cells are flagged" : "Why this cell is flagged"), list];
}

function sources(series: Series, at: number): Node {
  const names = Object.keys(series).filter((name) => name.startsWith("age_"));
  const words = names.map((name) => {
    const age = (series[name] as (number | null)[])[at];
    return `${sourceName(name.slice(4))} ${age === null || age === undefined ? "not observed" : `${number(age, 1)} days before`}`;
  });
  return element("p", `Observed: ${words.join(", ")}.`, { class: "small" });
}

/** Return the depths of a sensor, such as "0.05 m" or "0 to 0.05 m". */
export function depths({ depth_from_m: from, depth_to_m: to }: SensorProperties): string {
  return from === to ? `${to} m` : `${from} to ${to} m`;
}

function scores(sensor: SensorProperties): Node[] {
  const held = sensor.scores;
  const where = element("p", `Sensor at ${depths(sensor)}.`, { class: "small" });
  if (!held) return [where];
  const named: [string, string][] = [["n", "samples"], ["r", "R"], ["bias", "bias"], ["ubrmse", "ubRMSE"], ["coverage_90", "in the 90 % interval"]];
  const words = named.map(([name, text]) => {
    const value = held[name];
    if (typeof value !== "number") return `${text} –`;
    return name === "n" ? `${value} ${text}` : name === "coverage_90" ? `${Math.round(100 * value)} % ${text}` : `${text} ${number(value)}`;
  });
  return [where, element("p", `Scores of ${held.product} at this sensor, held out: ${words.join(", ")}.`, { class: "small" })];
}

function key(readings: boolean): Node {
  const made = element("p", "", { class: "small key" });
  const one = (name: string, text: string) => made.append(element("span", "", { class: `swatch ${name}` }), `${text} `);
  one("mean", "estimate");
  one("band", "90 % interval");
  one("flagged", "flagged");
  if (readings) one("reading", "sensor (hollow: doubtful by ISMN)");
  return made;
}

function table(series: Series, readings: Readings | null): Node {
  const made = element("details");
  made.append(element("summary", "Numbers"));
  const frame = element("div", "", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Numbers of the series" });
  const grid = element("table");
  const ages = Object.keys(series).filter((name) => name.startsWith("age_"));
  const head = ["date", "mean", "low", "high", "flags", ...(series.cells ? ["cells"] : []), ...ages.map((name) => `${sourceName(name.slice(4))}, days`), ...(readings ? ["sensor", "ISMN flag"] : [])];
  const row = element("tr");
  for (const text of head) row.append(element("th", text, { scope: "col" }));
  grid.createTHead().append(row);
  const body = grid.createTBody();
  series.datetime.forEach((time, at) => {
    const line = body.insertRow();
    const cells = [
      time.replace("T", " ").replace("Z", ""),
      number(series.soil_moisture[at]),
      number(series.soil_moisture_low[at]),
      number(series.soil_moisture_high[at]),
      (series["vadose:flags"][at] ?? []).join(", ").replaceAll("_", " "),
      ...(series.cells ? [String(series.cells[at])] : []),
      ...ages.map((name) => number((series[name] as (number | null)[])[at], 1)),
    ];
    if (readings) {
      const read = readings.datetime.indexOf(time);
      cells.push(read < 0 ? "" : number(readings.reading[read]), read < 0 ? "" : readings.flag[read]!);
    }
    for (const text of cells) line.insertCell().textContent = text;
  });
  frame.append(grid);
  made.append(frame);
  return made;
}
