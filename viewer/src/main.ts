/** The viewer: controls, the map and the chart follow one state, which the address of the page holds. */

import {
  areaFile,
  areaSeries,
  clips,
  download,
  positionAddress,
  positionSeries,
  readConfig,
  Refused,
  sensorSeries,
  sensorsOf,
  tileAddress,
  type Config,
  type Legend,
  type SensorFeature,
  type SensorProperties,
  type Series,
  type ServedMap,
} from "./api";
import { draw, svg } from "./chart";
import { depths, element, facts } from "./facts";
import { MapView, type Theme } from "./map";
import { format, parse, type State } from "./state";
import { readPmtiles, staticSeries, staticTiles, type StaticMap } from "./static";
import "./style.css";
import { date, isPass } from "./words";

const LARGEST_UPLOAD = 1_000_000;

function at<T extends Element>(selector: string): T {
  const found = document.querySelector<T>(selector);
  if (!found) throw new Error(`no ${selector}`);
  return found;
}

const status = at<HTMLElement>("#status");

function say(text: string, failed = false): void {
  status.textContent = text;
  status.classList.toggle("failed", failed);
}

class Viewer {
  private map!: ServedMap;
  private sensors: SensorFeature[] = [];
  private series: Series | null = null;
  private sensor: SensorProperties | null = null;
  private asked = 0;

  constructor(
    private readonly config: Config,
    private readonly view: MapView,
    private state: State,
  ) {
    view.onPoint = (lon, lat) => void this.look({ point: [lon, lat], area: null, sensor: "" });
    view.onSensor = (id) => void this.look({ point: null, area: null, sensor: id });
    view.onArea = (area) => void this.look({ point: null, area, sensor: "" });
    view.onMove = () => this.keep();
    view.onDrawing = (corners) => this.drawing(corners);
    this.listen();
  }

  async start(): Promise<void> {
    for (const one of document.querySelectorAll<HTMLElement>("[data-served]")) one.hidden = Boolean(this.config.static);
    const known = this.config.maps.find((one) => one.id === this.state.map);
    await this.open(known ?? this.config.maps[0]!, this.state.view);
    if (this.state.point || this.state.area || this.state.sensor) await this.look({});
  }

  private listen(): void {
    at<HTMLDetailsElement>("#legend").open = !matchMedia("(max-width: 760px)").matches;
    at<HTMLInputElement>("#slider").addEventListener("input", (event) => {
      this.set({ time: this.map.times[Number((event.target as HTMLInputElement).value)]! });
    });
    const step = (by: number) => () => {
      const next = this.map.times[this.map.times.indexOf(this.state.time) + by];
      if (next) this.set({ time: next });
    };
    at("#earlier").addEventListener("click", step(-1));
    at("#later").addEventListener("click", step(1));
    at<HTMLSelectElement>("#maps select").addEventListener("change", (event) => {
      const id = (event.target as HTMLSelectElement).value;
      this.forget();
      void this.open(this.config.maps.find((one) => one.id === id)!, null);
    });
    at<HTMLSelectElement>("#other").addEventListener("change", (event) => {
      this.set({ other: (event.target as HTMLSelectElement).value });
    });
    for (const radio of document.querySelectorAll<HTMLInputElement>("input[name=mode]")) {
      radio.addEventListener("change", () => this.set({ mode: radio.value as State["mode"] }));
    }
    const swipe = at<HTMLInputElement>("#swipe input");
    swipe.addEventListener("input", () => at<HTMLElement>("#stage").style.setProperty("--swipe", `${swipe.value}%`));
    at("#centre").addEventListener("click", () => {
      const { lng, lat } = this.view.main.getCenter();
      void this.look({ point: [Number(lng.toFixed(6)), Number(lat.toFixed(6))], area: null, sensor: "" });
    });
    at("#draw").addEventListener("click", () => (this.view.drawing ? this.view.finish() : this.view.startDrawing()));
    document.addEventListener("keydown", (event) => this.pressed(event));
    at("#upload").addEventListener("change", (event) => void this.upload(event.target as HTMLInputElement));
    at("#go").addEventListener("submit", (event) => this.typed(event));
    at("#share").addEventListener("click", () => void this.share());
    at("#download").addEventListener("click", () => void this.clip());
    at("#close").addEventListener("click", () => this.forget());
    window.addEventListener("hashchange", () => void this.reread());
    new ResizeObserver(() => this.chart()).observe(at("#chart"));
  }

  private pressed(event: KeyboardEvent): void {
    if (event.key === "Escape") {
      if (this.view.drawing) this.view.finish();
      else this.forget();
    }
    if (this.view.drawing && document.activeElement === this.view.main.getCanvas()) {
      if (event.key === "Enter") this.view.finish();
      if (event.key === " ") {
        event.preventDefault();
        const { lng, lat } = this.view.main.getCenter();
        this.view.addCorner(Number(lng.toFixed(6)), Number(lat.toFixed(6)));
      }
    }
  }

  /** Show a map in a view, by default as a whole. */
  private async open(map: ServedMap, view: State["view"]): Promise<void> {
    this.map = map;
    const held = this.state;
    const flags = new Set(map.layers.flatMap((one) => one.categories ?? []).map((one) => one.name));
    this.state = {
      ...held,
      map: map.id,
      time: map.times.includes(held.time) ? held.time : map.times.at(-1)!,
      other: map.times.includes(held.other) ? held.other : (map.times.at(-2) ?? map.times[0]!),
      layer: map.layers.some((one) => one.layer === held.layer) ? held.layer : "soil_moisture",
      mode: map.times.length > 1 ? held.mode : "one",
      hide: held.hide.filter((one) => flags.has(one)),
      sensor: /^[0-9a-f]{16}$/.test(held.sensor) && this.config.sensors ? held.sensor : "",
    };
    at("#title").textContent = map.title;
    document.title = `${map.title} – vadose`;
    const notice = at<HTMLElement>("#notice");
    notice.hidden = !map.notice;
    notice.textContent = map.notice;
    this.controls();
    if (view) this.view.main.jumpTo({ center: [view[0], view[1]], zoom: view[2] });
    else this.view.go(map.bbox);
    this.sensors = this.config.sensors ? await sensorsOf(map) : [];
    this.view.setSensors(this.sensors);
    this.listSensors();
    this.show();
  }

  private controls(): void {
    const { map } = this;
    const maps = at<HTMLSelectElement>("#maps select");
    maps.replaceChildren(...this.config.maps.map((one) => new Option(one.title, one.id, false, one.id === map.id)));
    at<HTMLElement>("#maps").hidden = this.config.maps.length < 2;
    at<HTMLInputElement>("#slider").max = String(map.times.length - 1);
    at<HTMLElement>("#slider").toggleAttribute("disabled", map.times.length < 2);
    at<HTMLElement>("#compare").hidden = map.times.length < 2;
    this.passes();
    const layers = at("#layers");
    const offered = map.layers.filter((one) => one.layer !== "difference");
    layers.replaceChildren(element("legend", "Layer"), ...offered.map((one) => this.choice("radio", "layer", one.layer, one.title)));
    const categories = map.layers.find((one) => one.layer === "quality")?.categories ?? [];
    const flags = categories.filter((one) => one.name !== "none");
    const boxes = flags.map((one) => this.choice("checkbox", "hide", one.name, one.words));
    const more = element("details");
    more.append(element("summary", "missing sources"), ...boxes.filter((_, index) => flags[index]!.name.endsWith("_missing")));
    at("#hide").replaceChildren(
      element("legend", "Hide cells with"),
      ...boxes.filter((_, index) => !flags[index]!.name.endsWith("_missing")),
      more,
    );
    at("#other").replaceChildren(...map.times.map((time) => new Option(date(time), time)));
  }

  private choice(type: "radio" | "checkbox", name: string, value: string, text: string): HTMLLabelElement {
    const label = element("label", "", { class: "choice" });
    const input = element("input", "", { type, name, value });
    input.addEventListener("change", () => {
      if (type === "radio") this.set({ layer: value });
      else this.set({ hide: [...document.querySelectorAll<HTMLInputElement>("input[name=hide]:checked")].map((one) => one.value) });
    });
    label.append(input, ` ${text}`);
    return label;
  }

  /** Mark the dates on a line under the slider; passes of Sentinel-1 are taller. */
  private passes(): void {
    const line = at<SVGElement>("#passes");
    const moments = this.map.times.map(Date.parse);
    const [first, last] = [moments[0]!, moments.at(-1)!];
    line.setAttribute("viewBox", "0 0 100 10");
    line.setAttribute("preserveAspectRatio", "none");
    line.setAttribute("aria-label", `${moments.length} dates, ${this.map.times.filter(isPass).length} of them passes of Sentinel-1`);
    const marks = moments.map((moment, index) => {
      const x = last === first ? 50 : 1 + (98 * (moment - first)) / (last - first);
      const time = this.map.times[index]!;
      return svg("line", { x1: x, x2: x, y1: isPass(time) ? 0 : 5, y2: 10, class: "pass", "data-time": time });
    });
    line.replaceChildren(...marks);
  }

  private listSensors(): void {
    at<HTMLElement>("#sensors").hidden = !this.sensors.length;
    const items = this.sensors.map((one) => {
      const item = element("li");
      const button = element("button", `${one.properties.station}, ${depths(one.properties)}`, { type: "button", class: "link" });
      button.addEventListener("click", () => void this.look({ point: null, area: null, sensor: one.id }));
      item.append(button);
      return item;
    });
    at("#sensors summary").textContent = `${this.sensors.length} sensors`;
    at("#sensors ul").replaceChildren(...items);
  }

  private set(change: Partial<State>): void {
    this.state = { ...this.state, ...change };
    this.show();
    this.result();
  }

  private keep(): void {
    const { lng, lat } = this.view.main.getCenter();
    this.state = { ...this.state, view: [lng, lat, this.view.main.getZoom()] };
    history.replaceState(null, "", format(this.state));
  }

  private async reread(): Promise<void> {
    const held = parse(location.hash);
    const map = this.config.maps.find((one) => one.id === held.map) ?? this.map;
    this.state = held;
    await this.open(map, held.view);
    if (held.point || held.area || held.sensor) await this.look({});
    else this.forget();
  }

  /** Bring controls and map in line with the state. */
  private show(): void {
    const { state, map } = this;
    const index = map.times.indexOf(state.time);
    const slider = at<HTMLInputElement>("#slider");
    slider.value = String(index);
    slider.setAttribute("aria-valuetext", date(state.time));
    at("#time").textContent = date(state.time);
    at<HTMLButtonElement>("#earlier").disabled = index === 0;
    at<HTMLButtonElement>("#later").disabled = index === map.times.length - 1;
    at<HTMLSelectElement>("#other").value = state.other;
    for (const one of document.querySelectorAll<HTMLInputElement>("input[name=mode]")) one.checked = one.value === state.mode;
    for (const one of document.querySelectorAll<HTMLInputElement>("input[name=layer]")) one.checked = one.value === state.layer;
    for (const one of document.querySelectorAll<HTMLInputElement>("input[name=hide]")) one.checked = state.hide.includes(one.value);
    for (const one of document.querySelectorAll("#passes line")) {
      one.classList.toggle("now", one.getAttribute("data-time") === state.time);
    }
    const swiping = state.mode === "swipe";
    at<HTMLElement>("#swipe").hidden = !swiping;
    at("#stage").classList.toggle("swiping", swiping);
    const side = at<HTMLElement>("#side");
    side.hidden = !swiping;
    side.children[0]!.textContent = date(state.other);
    side.children[1]!.textContent = date(state.time);
    const layer = state.mode === "difference" && !this.config.static ? "difference" : state.layer;
    const tiles = (time: string) =>
      this.config.static ? staticTiles(map, layer, time) : tileAddress(map, layer, time, state.other, state.hide);
    this.view.setTiles(tiles(state.time), swiping ? tiles(state.other) : "");
    this.legend(map.layers.find((one) => one.layer === layer)!);
    if (this.config.static) this.listFiles();
    this.keep();
  }

  /** List the files of the date, which an exported map has in place of clips. */
  private listFiles(): void {
    const links = ((this.map as StaticMap).files[this.state.time] ?? []).map((path) => {
      const item = element("li");
      item.append(element("a", path.split("/").at(-1)!, { href: path, download: "" }));
      return item;
    });
    at("#files").replaceChildren(...links);
  }

  private legend(held: Legend): void {
    const parts: Node[] = [];
    if (this.state.mode === "difference") {
      parts.push(element("p", `${date(this.state.time)} minus ${date(this.state.other)}: brown drier, green wetter`, { class: "small" }));
    }
    if (held.categories) {
      const list = element("ul");
      for (const { colour, words } of held.categories) {
        const item = element("li");
        const swatch = element("span", "", { class: "swatch" });
        swatch.style.backgroundColor = colour;
        item.append(swatch, words);
        list.append(item);
      }
      parts.push(list);
    } else {
      const [low, high] = [held.low!, held.high!];
      const bar = colourBar(held.colours!, `Colours from ${low} to ${high} ${held.units}`);
      const scale = element("p", "", { class: "scale" });
      for (const part of [0, 0.5, 1]) {
        const value = low + part * (high - low);
        const beyond = part === 1 ? "≥ " : part === 0 && held.kind === "diverging" ? "≤ " : "";
        scale.append(element("span", `${beyond}${Number(value.toFixed(3))}`));
      }
      parts.push(bar, scale);
    }
    at("#legend summary").textContent = held.units ? `${held.title}, ${held.units.replace(" ", "\u00a0")}` : held.title;
    at("#legend div").replaceChildren(...parts);
  }

  /** Fetch and show the series of a point, an area or a sensor. */
  private async look(change: Partial<State>): Promise<void> {
    this.state = { ...this.state, ...change };
    const { state, map } = this;
    const number = ++this.asked;
    say("Reading…");
    try {
      let series: Series;
      let sensor: SensorProperties | null = null;
      let title: string;
      if (state.sensor) {
        const found = await sensorSeries(map, state.sensor);
        sensor = found.properties;
        series = sensor.estimates!;
        title = `${sensor.network}, ${sensor.station}`;
        this.view.setPlaces(found.geometry);
      } else if (state.area) {
        series = await areaSeries(map, state.area);
        title = `Mean of an area, ${Math.max(...(series.cells ?? [0]))} cells`;
        this.view.setPlaces(state.area);
      } else {
        const [lon, lat] = state.point!;
        series = await (this.config.static ? staticSeries(map as StaticMap, lon, lat) : positionSeries(map, lon, lat));
        title = `Cell at ${lon.toFixed(4)}, ${lat.toFixed(4)}`;
        const cell = series.cell ? ({ type: "Polygon", coordinates: series.cell } as GeoJSON.Polygon) : null;
        this.view.setPlaces(cell, { type: "Point", coordinates: [lon, lat] });
      }
      if (number !== this.asked) return;
      this.series = series;
      this.sensor = sensor;
      at("#where").textContent = title;
      at<HTMLElement>("#result").hidden = false;
      say("");
      this.result();
      at<HTMLElement>("#where").focus({ preventScroll: false });
    } catch (error) {
      if (number === this.asked) this.failed(error);
    }
    this.keep();
  }

  private result(): void {
    if (!this.series) return;
    const flags = this.map.layers.find((one) => one.layer === "quality");
    const take = this.config.static ? [] : [this.takeSeries()];
    at("#facts").replaceChildren(...facts(this.series, this.state.time, flags, this.sensor), ...take);
    this.chart();
  }

  private chart(): void {
    const room = at<HTMLElement>("#chart");
    if (!this.series || !room.clientWidth) return;
    const readings = this.sensor?.readings ?? null;
    const { time } = this.state;
    room.replaceChildren(draw({ series: this.series, readings, time, legends: this.map.layers, width: room.clientWidth }));
  }

  private takeSeries(): Node {
    const made = element("p", "", { class: "row" });
    made.append("This series as ");
    for (const form of ["CSV", "NetCDF"]) {
      const button = element("button", form, { type: "button" });
      button.addEventListener("click", () => void this.saveSeries(form));
      made.append(button);
    }
    return made;
  }

  private async saveSeries(form: string): Promise<void> {
    const { state, map } = this;
    try {
      const place = state.sensor ? this.sensors.find((one) => one.id === state.sensor)!.geometry.coordinates : state.point;
      const content = state.area
        ? await (await areaFile(map, state.area, form)).blob()
        : await download(positionAddress(map, place![0]!, place![1]!, form));
      save(new File([content], `${map.id}-series.${form === "CSV" ? "csv" : "nc"}`));
    } catch (error) {
      this.failed(error);
    }
  }

  private async clip(): Promise<void> {
    say("Preparing the file…");
    try {
      const form = at<HTMLSelectElement>("#clip").value;
      const files = await clips(this.map, this.view.bounds(), this.state.time, form);
      files.forEach(save);
      say(`Saved ${files.map((one) => one.name).join(", ")}.`);
    } catch (error) {
      this.failed(error);
    }
  }

  private async share(): Promise<void> {
    this.keep();
    try {
      await navigator.clipboard.writeText(location.href);
      say("The link is copied.");
    } catch {
      say(`Copy the address of this page: ${location.href}`);
    }
  }

  private async upload(input: HTMLInputElement): Promise<void> {
    const file = input.files?.[0];
    input.value = "";
    if (!file) return;
    try {
      if (file.size > LARGEST_UPLOAD) throw new Refused(413, "", "The file is larger than 1 MB.", "Simplify its polygons.");
      const area = polygons(JSON.parse(await file.text()));
      await this.look({ point: null, area, sensor: "" });
    } catch (error) {
      this.failed(error instanceof SyntaxError ? new Refused(400, "", "The file is no GeoJSON.", "Export it as GeoJSON.") : error);
    }
  }

  private typed(event: Event): void {
    event.preventDefault();
    const parts = at<HTMLInputElement>("#lonlat").value.split(/[,;\s]+/).filter(Boolean).map(Number);
    const [lon, lat] = parts;
    if (parts.length !== 2 || lon === undefined || lat === undefined || !(Math.abs(lon) <= 180 && Math.abs(lat) <= 90)) {
      say("Write longitude and latitude in degrees, such as 9.15, 55.44.", true);
      return;
    }
    this.view.main.jumpTo({ center: [lon, lat] });
    void this.look({ point: [lon, lat], area: null, sensor: "" });
  }

  private drawing(corners: number): void {
    const button = at<HTMLElement>("#draw");
    button.setAttribute("aria-pressed", String(corners >= 0));
    button.textContent = corners >= 0 ? "Finish the area" : "Draw an area";
    if (corners >= 0) say(`${corners} corners: click on the map (or press space for its centre); double click or Enter ends.`);
    else say("");
  }

  private forget(): void {
    this.asked += 1;
    this.series = null;
    this.sensor = null;
    this.view.setPlaces();
    at<HTMLElement>("#result").hidden = true;
    say("");
    this.state = { ...this.state, point: null, area: null, sensor: "" };
    this.keep();
  }

  private failed(error: unknown): void {
    say(error instanceof Error ? error.message : String(error), true);
  }
}

/** Return a bar of colours as SVG. */
function colourBar(colours: string[], label: string): SVGElement {
  const bar = svg("svg", { viewBox: "0 0 100 12", class: "bar", preserveAspectRatio: "none", role: "img", "aria-label": label });
  const shades = svg("linearGradient", { id: "shades" });
  colours.forEach((colour, index) => {
    if (index % 6 === 0 || index === colours.length - 1)
      shades.append(svg("stop", { offset: index / (colours.length - 1), "stop-color": colour }));
  });
  bar.append(shades, svg("rect", { width: 100, height: 12, fill: "url(#shades)" }));
  return bar;
}

/** Return the polygons of a GeoJSON as one geometry. */
function polygons(content: GeoJSON.GeoJSON): GeoJSON.Geometry {
  const shapes =
    content.type === "FeatureCollection" ? content.features.map((one) => one.geometry) : [content.type === "Feature" ? content.geometry : content];
  const parts = shapes.flatMap((one) => (one?.type === "Polygon" ? [one.coordinates] : one?.type === "MultiPolygon" ? one.coordinates : []));
  if (!parts.length) throw new Refused(400, "", "The file has no polygon.", "Points and lines have no mean.");
  return parts.length === 1 ? { type: "Polygon", coordinates: parts[0]! } : { type: "MultiPolygon", coordinates: parts };
}

function save(file: File): void {
  const link = element("a", "", { download: file.name, href: URL.createObjectURL(file) });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

function themed(view: MapView | null, theme: Theme): void {
  document.documentElement.dataset.theme = theme;
  const button = at<HTMLElement>("#theme");
  button.textContent = theme === "dark" ? "Light" : "Dark";
  button.setAttribute("aria-pressed", String(theme === "dark"));
  view?.setTheme(theme);
}

async function main(): Promise<void> {
  let theme: Theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  themed(null, theme);
  try {
    const config = await readConfig();
    if (config.static) readPmtiles();
    const state = parse(location.hash);
    const first = config.maps.find((one) => one.id === state.map) ?? config.maps[0];
    if (!first) throw new Refused(404, "", "This server has no map.", "Start it with the folder of one.");
    const view = await MapView.of(theme, first.bbox, config.basemap);
    at("#theme").addEventListener("click", () => themed(view, (theme = theme === "dark" ? "light" : "dark")));
    await new Viewer(config, view, state).start();
    document.documentElement.dataset.ready = "true";
  } catch (error) {
    say(error instanceof Error ? error.message : String(error), true);
    throw error;
  }
}

void main();
