/** Requests to the server, which are relative to the page. */

export interface Legend {
  layer: string;
  title: string;
  units: string;
  kind: "sequential" | "diverging" | "categories";
  low?: number;
  high?: number;
  step?: number;
  colours?: string[];
  categories?: { name: string; colour: string; words: string; bit?: number }[];
}

export interface ServedMap {
  id: string;
  title: string;
  notice: string;
  version: string;
  bbox: [number, number, number, number];
  times: string[];
  sources: string[];
  layers: Legend[];
  zones: { epsg: number; bbox: [number, number, number, number] }[];
}

export interface Config {
  version: string;
  static?: boolean;
  basemap: string;
  sensors: boolean;
  export_sensors: boolean;
  maps: ServedMap[];
}

export type Numbers = (number | null)[];

export interface Series {
  datetime: string[];
  soil_moisture: Numbers;
  soil_moisture_std: Numbers;
  soil_moisture_low: Numbers;
  soil_moisture_high: Numbers;
  quality: number[];
  cells?: number[];
  cell?: [number, number][][];
  "vadose:flags": string[][];
  "vadose:interval"?: string;
  [key: string]: unknown;
}

export interface Readings {
  datetime: string[];
  time_read: string[];
  reading: Numbers;
  flag: string[];
  meaning: string[];
}

export interface SensorProperties {
  network: string;
  station: string;
  sensor: string;
  depth_from_m: number;
  depth_to_m: number;
  scores?: Record<string, number | string | null>;
  readings?: Readings;
  estimates?: Series;
}

export type SensorFeature = GeoJSON.Feature<GeoJSON.Point, SensorProperties> & { id: string };

/** An error in three parts, as the server says it. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly context: string,
    readonly problem: string,
    readonly hint: string,
  ) {
    super(`${problem} ${hint}`);
  }
}

async function fetched(path: string, init?: RequestInit): Promise<Response> {
  let answer: Response;
  try {
    answer = await fetch(path, init);
  } catch {
    throw new Refused(0, "", "The server does not answer.", "Is 'vadose serve' still running?");
  }
  if (!answer.ok) {
    const said = await answer.json().catch(() => ({}));
    throw new Refused(answer.status, said.context ?? "", said.problem ?? `Status ${answer.status}.`, said.hint ?? "");
  }
  return answer;
}

export async function readConfig(): Promise<Config> {
  return (await fetched("viewer/config.json")).json();
}

/** Return the address of the tiles of a layer. */
export function tileAddress(map: ServedMap, layer: string, time: string, minus: string, hide: string[]): string {
  const query = new URLSearchParams({ datetime: time, v: map.version });
  if (layer === "difference") query.set("minus", minus);
  if (hide.length) query.set("hide", hide.join(","));
  const page = new URL(".", document.baseURI).href;
  return `${page}collections/${map.id}/layers/${layer}/tiles/WebMercatorQuad/{z}/{x}/{y}?${query}`;
}

export function positionAddress(map: ServedMap, lon: number, lat: number, form: string): string {
  return `collections/${map.id}/position?${new URLSearchParams({ coords: `POINT(${lon} ${lat})`, f: form })}`;
}

export async function positionSeries(map: ServedMap, lon: number, lat: number): Promise<Series> {
  const found = await (await fetched(positionAddress(map, lon, lat, "GeoJSON"))).json();
  return found.features[0].properties;
}

export async function areaFile(map: ServedMap, area: GeoJSON.Geometry, form: string): Promise<Response> {
  const init = { method: "POST", body: JSON.stringify(area), headers: { "content-type": "application/geo+json" } };
  return fetched(`collections/${map.id}/area?f=${form}`, init);
}

export async function areaSeries(map: ServedMap, area: GeoJSON.Geometry): Promise<Series> {
  return (await (await areaFile(map, area, "GeoJSON")).json()).features[0].properties;
}

export async function sensorsOf(map: ServedMap): Promise<SensorFeature[]> {
  return (await (await fetched(`collections/${map.id}/sensors`)).json()).features;
}

export async function sensorSeries(map: ServedMap, id: string): Promise<SensorFeature> {
  return (await fetched(`collections/${map.id}/sensors/${id}`)).json();
}

/** Return the files of the cells in a box at one time, one for each zone that has some. */
export async function clips(map: ServedMap, bbox: number[], time: string, form: string): Promise<File[]> {
  const files: File[] = [];
  const [west = -180, south = -90, east = 180, north = 90] = bbox;
  const inView = map.zones.filter(({ bbox: [w, s, e, n] }) => w < east && (e < w || e > west) && s < north && n > south);
  for (const { epsg: zone } of inView) {
    const query = new URLSearchParams({ bbox: bbox.join(","), datetime: time, zone: `${zone}`, f: form });
    try {
      const answer = await fetched(`collections/${map.id}/cube?${query}`);
      const suffix = { COG: "tif", NetCDF: "nc", CSV: "csv" }[form] ?? "bin";
      const stamp = time.replace(/[-:]/g, "").replace("Z", "");
      files.push(new File([await answer.blob()], `${map.id}_${stamp}_${zone}.${suffix}`));
    } catch (error) {
      if (!(error instanceof Refused && error.status === 404)) throw error;
    }
  }
  if (!files.length) throw new Refused(404, "", "No cell of the map is in view.", "Move the map.");
  return files;
}

export async function download(path: string): Promise<Blob> {
  return (await fetched(path)).blob();
}
