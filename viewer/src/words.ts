/** Flags, dates and numbers in words. */

const WHY: Record<string, string> = {
  frozen: "The soil is frozen or under snow: radar and radiometer see ice instead of liquid water.",
  water: "Open water covers part of the cell: its signal is not that of soil.",
  urban: "Buildings cover part of the cell: the radar sees walls and roofs.",
  out_of_domain: "The inputs lie far from those the network was trained on: the estimate is an extrapolation.",
  steep: "The ground is steep (15 degrees or more): radar and optical signals depend on the slope.",
  cloud: "Clouds hid most of the cell from Sentinel-2.",
  stale: "An observation is older than half of what is accepted: the soil may have dried or been wetted since.",
  history_short: "Fewer than half of the earlier observations were there.",
  sentinel1_missing: "There was no Sentinel-1 observation (radar: moisture and roughness of the surface).",
  sentinel2_missing: "There was no Sentinel-2 observation (optical: vegetation).",
  dem_missing: "There was no elevation.",
  soilgrids_missing: "There was no soil map (SoilGrids: texture and density).",
  smap_missing: "There was no SMAP observation (radiometer: moisture at 9 to 36 km).",
  gldas_missing: "There was no GLDAS model value.",
};

export function why(flag: string): string {
  return WHY[flag] ?? "No explanation is known for this flag.";
}

export function sourceName(source: string): string {
  const known: Record<string, string> = { sentinel1: "Sentinel-1", sentinel2: "Sentinel-2", smap: "SMAP", gldas: "GLDAS" };
  return known[source] ?? source;
}

/** Return a time as "25 Aug 2021, 11:55 UTC"; without the hour for the end of a day. */
export function date(time: string): string {
  const moment = new Date(time);
  const day = moment.toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
  return isPass(time) ? `${day}, ${time.slice(11, 16)} UTC` : day;
}

/** Whether a map is of the moment of a pass, not of the end of a day. */
export function isPass(time: string): boolean {
  return !time.endsWith("23:59:59Z");
}

export function number(value: number | null | undefined, digits = 3): string {
  return value === null || value === undefined || !Number.isFinite(value) ? "–" : value.toFixed(digits);
}
