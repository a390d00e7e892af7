/** What is shown, kept in the address so that it can be shared. */

export interface State {
  map: string;
  layer: string;
  time: string;
  other: string;
  mode: "one" | "swipe" | "difference";
  hide: string[];
  view: [number, number, number] | null;
  point: [number, number] | null;
  area: GeoJSON.Geometry | null;
  sensor: string;
}

export const EMPTY: State = {
  map: "",
  layer: "soil_moisture",
  time: "",
  other: "",
  mode: "one",
  hide: [],
  view: null,
  point: null,
  area: null,
  sensor: "",
};

function numbers(text: string | null, count: number): number[] | null {
  const parts = (text ?? "").split(",").map(Number);
  return text && parts.length === count && parts.every(Number.isFinite) ? parts : null;
}

function geometry(text: string | null): GeoJSON.Geometry | null {
  if (!text || text.length > 50_000) return null;
  try {
    const held = JSON.parse(text);
    return ["Polygon", "MultiPolygon"].includes(held?.type) && Array.isArray(held.coordinates) ? held : null;
  } catch {
    return null;
  }
}

/** Read the state from the fragment of an address; what is not valid is left out. */
export function parse(fragment: string): State {
  const held = new URLSearchParams(fragment.replace(/^#/, ""));
  const mode = held.get("mode");
  return {
    map: held.get("map") ?? "",
    layer: held.get("layer") ?? EMPTY.layer,
    time: held.get("time") ?? "",
    other: held.get("other") ?? "",
    mode: mode === "swipe" || mode === "difference" ? mode : "one",
    hide: (held.get("hide") ?? "").split(",").filter(Boolean),
    view: numbers(held.get("view"), 3) as State["view"],
    point: numbers(held.get("point"), 2) as State["point"],
    area: geometry(held.get("area")),
    sensor: held.get("sensor") ?? "",
  };
}

/** Return the fragment of an address for a state. */
export function format(state: State): string {
  const held = new URLSearchParams();
  const put = (key: string, value: string) => value && held.set(key, value);
  put("map", state.map);
  put("layer", state.layer);
  put("time", state.time);
  if (state.mode !== "one") {
    put("mode", state.mode);
    put("other", state.other);
  }
  put("hide", state.hide.join(","));
  put("view", state.view?.map((part, index) => part.toFixed(index < 2 ? 5 : 2)).join(",") ?? "");
  put("sensor", state.sensor);
  if (!state.sensor) put("point", state.point?.map((part) => part.toFixed(6)).join(",") ?? "");
  put("area", state.area ? JSON.stringify(state.area) : "");
  return `#${held}`;
}
