/** The map: coastlines, the layer of the moment, a second one for the swipe, places. */

import * as maplibregl from "maplibre-gl";
import "maplibre-gl/dist/maplibre-gl.css";
import workerUrl from "maplibre-gl/dist/maplibre-gl-worker.mjs?worker&url";
import { feature, mesh } from "topojson-client";
import type { GeometryCollection, Topology } from "topojson-specification";
import worldUrl from "world-atlas/countries-50m.json?url";
import type { SensorFeature } from "./api";

maplibregl.setWorkerUrl(workerUrl);

const COLOURS = {
  light: { sea: "#dce6ec", land: "#f7f5f0", line: "#7d8790", mark: "#b3261e", halo: "#ffffff" },
  dark: { sea: "#101820", land: "#232a30", line: "#6f7a84", mark: "#ffb4ab", halo: "#000000" },
};
export type Theme = keyof typeof COLOURS;
const NOTHING: GeoJSON.FeatureCollection = { type: "FeatureCollection", features: [] };

async function world(): Promise<{ land: GeoJSON.FeatureCollection; borders: GeoJSON.Geometry }> {
  const topology = (await (await fetch(worldUrl)).json()) as Topology<{ countries: GeometryCollection }>;
  const land = feature(topology, topology.objects.countries) as GeoJSON.FeatureCollection;
  return { land, borders: mesh(topology, topology.objects.countries) };
}

/** Return lines of whole and tenth degrees in a box. */
function graticule(bbox: readonly number[]): GeoJSON.FeatureCollection {
  const [west = -180, south = -80, east = 180, north = 84] = bbox;
  const wide = Math.max(east - west, north - south);
  const step = wide > 20 ? 10 : wide > 2 ? 1 : wide > 0.4 ? 0.1 : 0.02;
  const features: GeoJSON.Feature[] = [];
  const line = (coordinates: number[][]) =>
    features.push({ type: "Feature", properties: {}, geometry: { type: "LineString", coordinates } });
  const low = (value: number) => Math.floor(value / step - 3) * step;
  const high = (value: number) => Math.ceil(value / step + 3) * step;
  for (let lon = low(west); lon <= high(east); lon += step) line([[lon, low(south)], [lon, high(north)]]);
  for (let lat = low(south); lat <= high(north); lat += step) line([[low(west), lat], [high(east), lat]]);
  return { type: "FeatureCollection", features };
}

export class MapView {
  readonly main: maplibregl.Map;
  readonly before: maplibregl.Map;
  private corners: [number, number][] | null = null;
  onPoint: (lon: number, lat: number) => void = () => {};
  onSensor: (id: string) => void = () => {};
  onArea: (area: GeoJSON.Polygon) => void = () => {};
  onMove: () => void = () => {};
  onDrawing: (corners: number) => void = () => {};

  private constructor(theme: Theme, bbox: readonly number[], basemap: string) {
    const make = (container: string, interactive: boolean) =>
      new maplibregl.Map({
        container,
        interactive,
        bounds: [
          [bbox[0]!, bbox[1]!],
          [bbox[2]! < bbox[0]! ? bbox[2]! + 360 : bbox[2]!, bbox[3]!],
        ],
        fitBoundsOptions: { padding: 60, maxZoom: 14 },
        attributionControl: false,
        style: this.style(theme, bbox, basemap),
        maxZoom: 17,
        fadeDuration: 0,
        canvasContextAttributes: { preserveDrawingBuffer: true },
      });
    this.main = make("map", true);
    this.before = make("before", false);
    this.main.addControl(new maplibregl.NavigationControl({ showCompass: false }), "top-left");
    this.main.addControl(new maplibregl.ScaleControl({ unit: "metric" }), "bottom-right");
    this.main.dragRotate.disable();
    this.main.touchZoomRotate.disableRotation();
    this.main.keyboard.disableRotation();
    this.main.on("move", () => this.before.jumpTo({ center: this.main.getCenter(), zoom: this.main.getZoom() }));
    this.main.on("moveend", () => this.onMove());
    this.main.on("click", (event) => this.clicked(event));
    this.main.on("dblclick", (event) => {
      if (this.corners) {
        event.preventDefault();
        this.finish();
      }
    });
    this.main.getCanvas().setAttribute("aria-label", "Map; arrow keys move it, plus and minus zoom");
  }

  /** Make the maps; resolves when they are drawn. */
  static async of(theme: Theme, bbox: readonly number[], basemap: string): Promise<MapView> {
    const view = new MapView(theme, bbox, basemap);
    const drawn = (map: maplibregl.Map) => new Promise<void>((done) => map.once("load", () => done()));
    const [ground] = await Promise.all([world(), drawn(view.main), drawn(view.before)]);
    for (const map of [view.main, view.before]) {
      (map.getSource("land") as maplibregl.GeoJSONSource).setData(ground.land);
      (map.getSource("borders") as maplibregl.GeoJSONSource).setData(ground.borders);
    }
    return view;
  }

  private style(theme: Theme, bbox: readonly number[], basemap: string): maplibregl.StyleSpecification {
    const { sea, land, line, mark, halo } = COLOURS[theme];
    const geojson = (data: GeoJSON.GeoJSON) => ({ type: "geojson" as const, data });
    const online: Record<string, maplibregl.RasterSourceSpecification> = basemap ? { online: { type: "raster", tiles: [basemap], tileSize: 256 } } : {};
    return {
      version: 8,
      sources: {
        ...online,
        land: geojson(NOTHING),
        borders: geojson(NOTHING),
        graticule: geojson(graticule(bbox)),
        places: geojson(NOTHING),
        sensors: geojson(NOTHING),
      },
      layers: [
        { id: "sea", type: "background", paint: { "background-color": sea } },
        { id: "land", type: "fill", source: "land", paint: { "fill-color": land } },
        ...(basemap ? [{ id: "online", type: "raster" as const, source: "online" }] : []),
        { id: "graticule", type: "line", source: "graticule", paint: { "line-color": line, "line-opacity": 0.35, "line-width": 0.6 } },
        { id: "borders", type: "line", source: "borders", paint: { "line-color": line, "line-width": 1.1 } },
        { id: "areas", type: "line", source: "places", paint: { "line-color": mark, "line-width": 2.5 } },
        {
          id: "corners",
          type: "circle",
          source: "places",
          filter: ["==", ["geometry-type"], "Point"],
          paint: { "circle-radius": 5, "circle-color": mark, "circle-stroke-color": halo, "circle-stroke-width": 2 },
        },
        {
          id: "sensors",
          type: "circle",
          source: "sensors",
          paint: { "circle-radius": 6, "circle-color": halo, "circle-stroke-color": mark, "circle-stroke-width": 2.5 },
        },
      ],
    };
  }

  setTheme(theme: Theme): void {
    const { sea, land, line, mark, halo } = COLOURS[theme];
    for (const map of [this.main, this.before]) {
      map.setPaintProperty("sea", "background-color", sea);
      map.setPaintProperty("land", "fill-color", land);
      for (const layer of ["graticule", "borders"]) map.setPaintProperty(layer, "line-color", line);
      map.setPaintProperty("areas", "line-color", mark);
      map.setPaintProperty("corners", "circle-color", mark);
      map.setPaintProperty("corners", "circle-stroke-color", halo);
      map.setPaintProperty("sensors", "circle-color", halo);
      map.setPaintProperty("sensors", "circle-stroke-color", mark);
    }
  }

  /** Show tiles on the main map, and others left of the swipe if they are given. */
  setTiles(tiles: string, others: string): void {
    this.put(this.main, tiles);
    if (others) this.put(this.before, others);
  }

  private put(map: maplibregl.Map, tiles: string): void {
    const source = map.getSource("cells") as maplibregl.RasterTileSource | undefined;
    if (source) {
      if (source.tiles?.[0] !== tiles) source.setTiles([tiles]);
      return;
    }
    map.addSource("cells", { type: "raster", tiles: [tiles], tileSize: 256, maxzoom: 14 });
    map.addLayer(
      { id: "cells", type: "raster", source: "cells", paint: { "raster-resampling": "nearest", "raster-fade-duration": 0 } },
      "borders",
    );
  }

  setSensors(sensors: SensorFeature[]): void {
    const features = sensors.map((one) => ({ ...one, properties: { id: one.id } }));
    (this.main.getSource("sensors") as maplibregl.GeoJSONSource).setData({ type: "FeatureCollection", features });
  }

  setPlaces(...places: (GeoJSON.Geometry | null)[]): void {
    const features = places
      .filter((one) => one !== null)
      .map((geometry) => ({ type: "Feature" as const, properties: {}, geometry }));
    (this.main.getSource("places") as maplibregl.GeoJSONSource).setData({ type: "FeatureCollection", features });
  }

  go(bbox: readonly number[]): void {
    const east = bbox[2]! < bbox[0]! ? bbox[2]! + 360 : bbox[2]!;
    this.main.fitBounds([[bbox[0]!, bbox[1]!], [east, bbox[3]!]], { padding: 60, maxZoom: 14, animate: false });
    for (const map of [this.main, this.before])
      (map.getSource("graticule") as maplibregl.GeoJSONSource | undefined)?.setData(graticule(bbox));
  }

  bounds(): number[] {
    const held = this.main.getBounds();
    return [held.getWest(), held.getSouth(), held.getEast(), held.getNorth()].map((one) => Number(one.toFixed(5)));
  }

  get drawing(): boolean {
    return this.corners !== null;
  }

  startDrawing(): void {
    this.corners = [];
    this.main.doubleClickZoom.disable();
    this.main.getCanvas().classList.add("drawing");
    this.onDrawing(0);
  }

  /** End the drawing; an area of three corners or more is given to `onArea`. */
  finish(): void {
    const corners = this.corners ?? [];
    this.corners = null;
    this.main.getCanvas().classList.remove("drawing");
    setTimeout(() => this.main.doubleClickZoom.enable(), 300);
    this.onDrawing(-1);
    const distinct = corners.filter((one, at) => at === 0 || one.join() !== corners[at - 1]!.join());
    if (distinct.length < 3) {
      this.setPlaces();
      return;
    }
    this.onArea({ type: "Polygon", coordinates: [[...distinct, distinct[0]!]] });
  }

  private clicked(event: maplibregl.MapMouseEvent): void {
    const [lon, lat] = [((event.lngLat.lng + 540) % 360) - 180, event.lngLat.lat].map((one) => Number(one.toFixed(6))) as [number, number];
    if (this.corners) {
      this.addCorner(lon, lat);
      return;
    }
    const box: [maplibregl.PointLike, maplibregl.PointLike] = [
      [event.point.x - 8, event.point.y - 8],
      [event.point.x + 8, event.point.y + 8],
    ];
    const sensor = this.main.queryRenderedFeatures(box, { layers: ["sensors"] })[0];
    if (sensor) this.onSensor(String(sensor.properties.id));
    else this.onPoint(lon, lat);
  }

  addCorner(lon: number, lat: number): void {
    this.corners?.push([lon, lat]);
    const corners = this.corners ?? [];
    const points = corners.map((coordinates) => ({ type: "Point" as const, coordinates }));
    this.setPlaces({ type: "LineString", coordinates: corners.length > 1 ? corners : [] }, ...points);
    this.onDrawing(corners.length);
  }
}
