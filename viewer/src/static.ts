/** The exported viewer without a server: series from files of 16 x 16 cells, tiles from PMTiles. */

import * as maplibregl from "maplibre-gl";
import { Protocol } from "pmtiles";
import { Refused, type Legend, type ServedMap, type Series } from "./api";

const CELL_M = 320;
const Z90 = 1.645;
const NODATA = 2 ** 32 - 1;

export interface Grid {
  epsg: number;
  west: number;
  north: number;
  rows: number;
  columns: number;
}

export interface StaticMap extends ServedMap {
  grids: Grid[];
  block: number;
  columns: string[];
  files: Record<string, string[]>;
}

export function readPmtiles(): void {
  maplibregl.addProtocol("pmtiles", new Protocol().tile);
}

function stamp(time: string): string {
  return time.replace(/[-:]/g, "");
}

export function staticTiles(map: ServedMap, layer: string, time: string): string {
  const page = new URL(".", document.baseURI).href;
  return `pmtiles://${page}maps/${map.id}/${layer}_${stamp(time)}.pmtiles/{z}/{x}/{y}`;
}

/** Return easting and northing in a UTM zone (Krüger's series to the third order, within 1 mm). */
export function utm(lon: number, lat: number, epsg: number): [number, number] {
  const [a, f] = [6378137, 1 / 298.257223563];
  const n = f / (2 - f);
  const radius = (a / (1 + n)) * (1 + n ** 2 / 4 + n ** 4 / 64);
  const alpha = [n / 2 - (2 / 3) * n ** 2 + (5 / 16) * n ** 3, (13 / 48) * n ** 2 - (3 / 5) * n ** 3, (61 / 240) * n ** 3];
  const [phi, lambda] = [(lat * Math.PI) / 180, ((lon - ((epsg % 100) * 6 - 183)) * Math.PI) / 180];
  const e = (2 * Math.sqrt(n)) / (1 + n);
  const t = Math.sinh(Math.atanh(Math.sin(phi)) - e * Math.atanh(e * Math.sin(phi)));
  const xi = Math.atan2(t, Math.cos(lambda));
  const eta = Math.atanh(Math.sin(lambda) / Math.hypot(1, t));
  let [x, y] = [eta, xi];
  alpha.forEach((part, at) => {
    const order = 2 * (at + 1);
    x += part * Math.cos(order * xi) * Math.sinh(order * eta);
    y += part * Math.sin(order * xi) * Math.cosh(order * eta);
  });
  return [500000 + 0.9996 * radius * x, 0.9996 * radius * y + (epsg >= 32700 ? 10_000_000 : 0)];
}

function plain(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

/** Return the series of the cell that contains a point. */
export async function staticSeries(map: StaticMap, lon: number, lat: number): Promise<Series> {
  const zone = Math.min(Math.floor((lon + 180) / 6) + 1, 60) + (lat >= 0 ? 32600 : 32700);
  const grid = map.grids.find((one) => one.epsg === zone);
  const outside = new Refused(404, "", "No cell of the map is there.", "Click within the map.");
  if (!grid) throw outside;
  const [x, y] = utm(lon, lat, zone);
  const [row, column] = [Math.floor((grid.north - y) / CELL_M), Math.floor((x - grid.west) / CELL_M)];
  if (row < 0 || column < 0 || row >= grid.rows || column >= grid.columns) throw outside;
  const size = map.block;
  const answer = await fetch(`maps/${map.id}/series/${zone}_${Math.floor(row / size)}_${Math.floor(column / size)}.bin.gz`);
  if (!answer.ok || !answer.body) throw outside;
  const packed = await answer.arrayBuffer();
  const bytes = new Uint8Array(packed);
  const raw = bytes[0] === 0x1f && bytes[1] === 0x8b;
  const stream = new Blob([packed]).stream();
  const content = await new Response(raw ? stream.pipeThrough(new DecompressionStream("gzip")) : stream).arrayBuffer();
  const count = map.times.length;
  const series: Record<string, unknown> = { datetime: map.times };
  map.columns.forEach((name, layer) => {
    const start = (((layer * size + (row % size)) * size + (column % size)) * count) * 4;
    const values = name === "quality" ? new Uint32Array(content, start, count) : new Float32Array(content, start, count);
    series[name] = name === "quality" ? [...values] : [...values].map(plain);
  });
  return completed(map, series as unknown as Series, outside);
}

function completed(map: StaticMap, series: Series, outside: Refused): Series {
  const quality = series.quality;
  if (quality.every((one) => one === NODATA)) throw outside;
  const flags = map.layers.find((one: Legend) => one.layer === "quality")?.categories ?? [];
  const bits = flags.filter((one) => one.bit !== undefined);
  const ends = (sign: number) =>
    series.soil_moisture.map((mean, at) => {
      const std = series.soil_moisture_std[at];
      return mean === null || std === null || std === undefined ? null : Math.max(0, mean + sign * Z90 * std);
    });
  return {
    ...series,
    soil_moisture_low: ends(-1),
    soil_moisture_high: ends(1),
    "vadose:flags": quality.map((one) => (one === NODATA ? [] : bits.filter((flag) => one & (1 << flag.bit!)).map((flag) => flag.name))),
  };
}
