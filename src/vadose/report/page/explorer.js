"use strict";
(() => {
  const D = JSON.parse(document.getElementById("explorer-data").textContent);
  const $ = (id) => document.getElementById(id);
  const S = D.sensors, N = S.lat.length, P = D.products;
  const SVG = "http://www.w3.org/2000/svg";
  let packed = null, chosen = -1, shown = [], own = null;

  // ---- data -------------------------------------------------------------------------------------------------
  async function unpack() {
    await new Promise((seen) => requestAnimationFrame(() => setTimeout(seen)));  // the map is painted first
    const text = atob(D.series.data), bytes = new Uint8Array(text.length);
    for (let k = 0; k < text.length; k++) bytes[k] = text.charCodeAt(k);
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    const plain = await new Response(stream).arrayBuffer();
    const n = D.series.samples, steps = new Uint32Array(plain, 0, n), values = new Uint16Array(plain, 4 * n);
    packed = { steps, values, n };
  }
  const decoded = (raw) => (raw === 65535 ? NaN : raw / 10000 - 0.5);
  function seriesOf(i) {
    const a = D.series.bounds[i], b = D.series.bounds[i + 1], time = new Float64Array(b - a);
    let minutes = 0;
    for (let k = a; k < b; k++) { minutes += packed.steps[k]; time[k - a] = D.series.start + minutes * 60000; }
    const part = (c) => Float64Array.from(packed.values.subarray(c * packed.n + a, c * packed.n + b), decoded);
    return { time, label: part(0), estimates: P.map((_, p) => part(p + 1)) };
  }

  // ---- scores of a choice of years, in the browser -------------------------------------------------------------
  function scored(time, p, t, years) {
    let n = 0, mp = 0, mt = 0, pp = 0, tt = 0, pt = 0, dd = 0;
    for (let k = 0; k < t.length; k++) {
      if (!(isFinite(p[k]) && isFinite(t[k])) || !years(new Date(time[k]).getUTCFullYear())) continue;
      n++;
      const dp = p[k] - mp, dt = t[k] - mt, e = dp - dt;
      mp += dp / n; mt += dt / n;
      pp += dp * (p[k] - mp); tt += dt * (t[k] - mt); pt += dp * (t[k] - mt); dd += e * (p[k] - mp - t[k] + mt);
    }
    if (n < D.min_samples) return { n };
    const bias = mp - mt, ub = Math.sqrt(Math.max(dd, 0) / n), flat = pp <= 1e-20 || tt <= 1e-20;
    return { n, r: flat ? NaN : pt / Math.sqrt(pp * tt), bias, ubrmse: ub, rmse: Math.hypot(bias, ub) };
  }
  const RECOMPUTED = ["r", "ubrmse", "rmse", "bias", "n"];
  function yearTest() {
    const [how, year] = $("x-years").value.split(" ");
    if (how === "all") return null;
    return how === "only" ? (y) => y === +year : (y) => y !== +year;
  }
  function recompute() {
    const test = yearTest(), p = product();
    own = null;
    if (!test || !packed) return;
    own = Object.fromEntries(RECOMPUTED.map((m) => [m, new Array(N).fill(null)]));
    for (let i = 0; i < N; i++) {
      const one = seriesOf(i), s = scored(one.time, one.estimates[p], one.label, test);
      for (const m of RECOMPUTED) own[m][i] = s[m] ?? null;
    }
  }

  // ---- choices ---------------------------------------------------------------------------------------------
  const product = () => +$("x-product").value;
  const metric = () => D.metrics.find((m) => m.key === $("x-metric").value);
  const valueOf = (i, key = metric().key) => {
    const v = own ? (own[key] ?? [])[i] : D.scores[product()][key][i];
    return v === null || v === undefined ? NaN : v;
  };
  function passes(i) {
    for (const [k, one] of D.classes.entries()) {
      const want = $(`x-class-${k}`).value;
      if (want.startsWith("=") && one.codes[i] !== +want.slice(1)) return false;
      if (want.startsWith("!") && one.codes[i] === +want.slice(1)) return false;
    }
    if ((own ? own.n[i] ?? 0 : S.n[i]) < +$("x-n").value) return false;
    const text = $("x-find").value.trim().toLowerCase();
    return !text || name(i).toLowerCase().includes(text);
  }
  const name = (i) => `${S.network[i]}/${S.station[i]}/${S.sensor[i]}`;
  const fixed = (v, d = 3) => (isFinite(v) ? v.toFixed(d) : "–");

  // ---- colours ---------------------------------------------------------------------------------------------
  const RAMP = ["#440154", "#443983", "#31688e", "#21918c", "#35b779", "#90d743", "#d8cf1c", "#fde725"];
  const DIVERGING = ["#2166ac", "#67a9cf", "#d1e5f0", "#f7f7f7", "#fddbc7", "#ef8a62", "#b2182b"];
  function shade(v) {
    if (!isFinite(v)) return "#b9bfc4";
    const m = metric(), [low, high] = m.range, ramp = m.diverging ? DIVERGING : m.worse ? [...RAMP].reverse() : RAMP;
    const k = Math.floor(((v - low) / (high - low)) * ramp.length);
    return ramp[Math.min(Math.max(k, 0), ramp.length - 1)];
  }

  // ---- map -------------------------------------------------------------------------------------------------
  const canvas = $("x-map"), view = { x: 0, y: 0, k: 1 };
  const rings = D.land.map((flat) => {
    const ring = []; let x = 0, y = 0;
    for (let k = 0; k < flat.length; k += 2) { x += flat[k]; y += flat[k + 1]; ring.push([x / 10, y / 10]); }
    return ring;
  });
  const size = () => [canvas.clientWidth, canvas.clientHeight];
  const stretch = () => Math.cos((Math.min(Math.abs(view.y), 70) * Math.PI) / 180);
  function project(lon, lat, [w, h] = size()) {
    let dx = lon - view.x;
    if (dx > 180) dx -= 360; else if (dx < -180) dx += 360;
    return [w / 2 + dx * stretch() * view.k, h / 2 - (lat - view.y) * view.k];
  }
  function fit(which) {
    const [w, h] = size();
    if (!which.length) return;
    const lats = which.map((i) => S.lat[i]), lons = which.map((i) => S.lon[i]);
    let low = Infinity, high = -Infinity, west = Infinity, east = -Infinity;
    for (const v of lats) { low = Math.min(low, v); high = Math.max(high, v); }
    for (const v of lons) { west = Math.min(west, v); east = Math.max(east, v); }
    view.x = (west + east) / 2; view.y = (low + high) / 2;
    const tall = Math.max(high - low, 0.2), wide = Math.max((east - west) * stretch(), 0.2);
    view.k = Math.min((0.86 * h) / tall, (0.86 * w) / wide);
  }
  function drawMap() {
    const [w, h] = size(), ratio = window.devicePixelRatio || 1, c = canvas.getContext("2d");
    if (!w) return;
    canvas.width = w * ratio; canvas.height = h * ratio;
    c.setTransform(ratio, 0, 0, ratio, 0, 0);
    c.fillStyle = "#eef3f7"; c.fillRect(0, 0, w, h);
    c.fillStyle = "#fbfaf6"; c.strokeStyle = "#c8cdd1"; c.lineWidth = 0.7;
    for (const ring of rings) {
      c.beginPath();
      const turn = ring[0][0] - view.x > 180 ? -360 : ring[0][0] - view.x < -180 ? 360 : 0;
      ring.forEach(([lon, lat], k) => {
        const x = w / 2 + (lon + turn - view.x) * stretch() * view.k, y = h / 2 - (lat - view.y) * view.k;
        if (k) c.lineTo(x, y); else c.moveTo(x, y);
      });
      c.fill(); c.stroke();
    }
    const radius = shown.length > 1500 ? 3.2 : 4.6;
    c.lineWidth = 0.6; c.strokeStyle = "rgba(30,35,40,.75)";
    for (const i of ordered()) {
      const [x, y] = project(S.lon[i], S.lat[i], [w, h]);
      if (x < -9 || y < -9 || x > w + 9 || y > h + 9) continue;
      c.beginPath(); c.arc(x, y, radius, 0, 6.2832); c.fillStyle = shade(valueOf(i)); c.fill(); c.stroke();
    }
    if (chosen >= 0) {
      const [x, y] = project(S.lon[chosen], S.lat[chosen]);
      c.beginPath(); c.arc(x, y, radius + 4, 0, 6.2832); c.lineWidth = 2.4; c.strokeStyle = "#a33200"; c.stroke();
    }
  }
  const ordered = () => [...shown].sort((a, b) => (isFinite(valueOf(a)) ? 1 : 0) - (isFinite(valueOf(b)) ? 1 : 0));
  function nearest(x, y) {
    let best = -1, least = 14 * 14;
    for (const i of shown) {
      const [px, py] = project(S.lon[i], S.lat[i]), d = (px - x) ** 2 + (py - y) ** 2;
      if (d < least) { least = d; best = i; }
    }
    return best;
  }
  function zoom(factor, x, y) {
    const [w, h] = size(), cx = x ?? w / 2, cy = y ?? h / 2;
    const lon = view.x + (cx - w / 2) / (stretch() * view.k), lat = view.y - (cy - h / 2) / view.k;
    view.k = Math.min(Math.max(view.k * factor, 1.2), 60000);
    view.y = Math.min(Math.max(lat + (cy - h / 2) / view.k, -85), 85);
    view.x = lon - (cx - w / 2) / (stretch() * view.k);
    view.x = ((view.x + 540) % 360) - 180;
    drawMap();
  }
  let drag = null;
  canvas.addEventListener("pointerdown", (e) => {
    drag = { x: e.offsetX, y: e.offsetY, moved: false, at: { ...view } }; canvas.setPointerCapture(e.pointerId);
  });
  canvas.addEventListener("pointermove", (e) => {
    if (!drag) {
      const i = nearest(e.offsetX, e.offsetY);
      canvas.title = i < 0 ? "" : `${name(i)}: ${metric().title} ${fixed(valueOf(i))}`;
      canvas.style.cursor = i < 0 ? "grab" : "pointer";
      return;
    }
    const dx = e.offsetX - drag.x, dy = e.offsetY - drag.y;
    if (Math.abs(dx) + Math.abs(dy) > 4) drag.moved = true;
    view.x = drag.at.x - dx / (stretch() * view.k); view.y = Math.min(Math.max(drag.at.y + dy / view.k, -85), 85);
    drawMap();
  });
  canvas.addEventListener("pointerup", (e) => {
    if (drag && !drag.moved) { const i = nearest(e.offsetX, e.offsetY); if (i >= 0) select(i); }
    drag = null;
  });
  canvas.addEventListener("wheel", (e) => {
    e.preventDefault(); zoom(e.deltaY < 0 ? 1.25 : 0.8, e.offsetX, e.offsetY);
  }, { passive: false });
  canvas.addEventListener("keydown", (e) => {
    const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[e.key];
    if (move) { view.x += (40 * move[0]) / view.k; view.y += (40 * move[1]) / view.k; drawMap(); e.preventDefault(); }
    if (e.key === "+" || e.key === "-") zoom(e.key === "+" ? 1.25 : 0.8);
    if (e.key === "Enter" && shown.length) select(shown[(shown.indexOf(chosen) + 1) % shown.length]);
  });

  // ---- SVG charts ------------------------------------------------------------------------------------------
  function element(tag, attrs, parent, text) {
    const node = document.createElementNS(SVG, tag);
    for (const [key, value] of Object.entries(attrs)) node.setAttribute(key, value);
    if (text !== undefined) node.textContent = text;
    if (parent) parent.append(node);
    return node;
  }
  function chart(host, w, h) {
    host.replaceChildren();
    const svg = element("svg", { xmlns: SVG, viewBox: `0 0 ${w} ${h}`, width: w, height: h, role: "img" }, host);
    element("style", {}, svg, "text{font:11px system-ui,'DejaVu Sans',sans-serif;fill:#3a4248}.big{font-size:12px}");
    element("rect", { width: w, height: h, fill: "#fff" }, svg);
    return svg;
  }
  function ticks(low, high, count) {
    const raw = (high - low) / count, power = 10 ** Math.floor(Math.log10(raw)), at = raw / power;
    const step = power * (at < 1.5 ? 1 : at < 3.5 ? 2 : at < 7.5 ? 5 : 10), found = [];
    for (let v = Math.ceil(low / step - 1e-9) * step; v <= high + 1e-9; v += step) found.push(+v.toFixed(10));
    return found;
  }
  const LINES = { ubrmse: D.lines };

  function drawHistogram() {
    const w = 620, h = 190, box = { l: 44, r: 12, t: 22, b: 36 }, svg = chart($("x-hist"), w, h), m = metric();
    const values = shown.map((i) => valueOf(i)).filter(isFinite), lines = LINES[m.key] ?? [];
    if (!values.length) { element("text", { x: 20, y: 30 }, svg, "no sensor has this score"); return; }
    let low = Math.min(m.range[0], quantile(values, 0.01)), high = Math.max(m.range[1], quantile(values, 0.99));
    for (const line of lines) high = Math.max(high, line.at * 1.2);
    const bins = 44, counts = new Array(bins).fill(0);
    for (const v of values) counts[Math.min(Math.max(Math.floor(((v - low) / (high - low)) * bins), 0), bins - 1)]++;
    const most = Math.max(...counts), x = (v) => box.l + ((v - low) / (high - low)) * (w - box.l - box.r);
    const y = (c) => h - box.b - (c / most) * (h - box.t - box.b);
    counts.forEach((c, k) => {
      const a = low + ((high - low) * k) / bins;
      element("rect", { x: x(a) + 0.5, y: y(c), width: (w - box.l - box.r) / bins - 1, height: h - box.b - y(c),
        fill: shade(a + (high - low) / bins / 2), stroke: "#8a8f94", "stroke-width": 0.3 }, svg);
    });
    element("line", { x1: box.l, x2: w - box.r, y1: h - box.b, y2: h - box.b, stroke: "#5b646b" }, svg);
    for (const v of ticks(low, high, 7)) element("text", { x: x(v), y: h - box.b + 14, "text-anchor": "middle" }, svg, `${v}`);
    for (const v of ticks(0, most, 3)) element("text", { x: box.l - 6, y: y(v) + 4, "text-anchor": "end" }, svg, `${v}`);
    const title = m.title + (m.units === "1" ? "" : `, ${m.units}`);
    element("text", { x: (w + box.l) / 2, y: h - 5, "text-anchor": "middle", class: "big" }, svg, `${title} (sensors)`);
    lines.forEach((line, k) => {
      element("line", { x1: x(line.at), x2: x(line.at), y1: 8, y2: h - box.b, stroke: "#a33200", "stroke-width": 1.6,
        "stroke-dasharray": k ? "6 3" : "" }, svg);
      element("text", { x: x(line.at) + 4, y: 12 + 12 * k, fill: "#a33200" }, svg, `${line.at} ${line.name}`);
    });
  }
  function quantile(values, q) {
    const sorted = Float64Array.from(values).sort(), at = (sorted.length - 1) * q, k = Math.floor(at);
    return sorted[k] + (at - k) * ((sorted[k + 1] ?? sorted[k]) - sorted[k]);
  }

  function drawSeries(one) {
    const w = 940, h = 260, box = { l: 46, r: 12, t: 26, b: 26 }, svg = chart($("x-series"), w, h);
    const test = yearTest(), all = [one.label, ...one.estimates];
    let high = 0.1, low = 0;
    for (const values of all) for (const v of values) if (isFinite(v)) { high = Math.max(high, v); low = Math.min(low, v); }
    const first = one.time[0], last = one.time[one.time.length - 1] || first + 1;
    const x = (t) => box.l + ((t - first) / Math.max(last - first, 1)) * (w - box.l - box.r);
    const y = (v) => h - box.b - ((v - low) / (high * 1.05 - low)) * (h - box.t - box.b);
    for (const v of ticks(low, high, 5)) {
      element("line", { x1: box.l, x2: w - box.r, y1: y(v), y2: y(v), stroke: "#e6eaed" }, svg);
      element("text", { x: box.l - 6, y: y(v) + 4, "text-anchor": "end" }, svg, `${v}`);
    }
    const years = [];
    for (let year = new Date(first).getUTCFullYear(); year <= new Date(last).getUTCFullYear(); year++) years.push(year);
    for (const year of years) {
      const a = Math.max(Date.UTC(year, 0, 1), first), b = Math.min(Date.UTC(year + 1, 0, 1), last);
      if (test && !test(year))
        element("rect", { x: x(a), y: box.t, width: x(b) - x(a), height: h - box.t - box.b, fill: "#f1f1f1" }, svg);
      if (years.length < 30 || year % 5 === 0) element("text", { x: x(a) + 2, y: h - box.b + 15 }, svg, `${year}`);
      element("line", { x1: x(a), x2: x(a), y1: h - box.b, y2: h - box.b + 5, stroke: "#5b646b" }, svg);
    }
    const gaps = []; for (let k = 1; k < one.time.length; k++) gaps.push(one.time[k] - one.time[k - 1]);
    const gap = gaps.length ? 3.5 * quantile(gaps, 0.5) : Infinity;
    const path = (values) => {
      let d = "", before = -Infinity;
      values.forEach((v, k) => {
        if (!isFinite(v)) { before = -Infinity; return; }
        d += `${one.time[k] - before > gap ? "M" : "L"}${x(one.time[k]).toFixed(1)} ${y(v).toFixed(1)}`;
        before = one.time[k];
      });
      return d;
    };
    one.estimates.forEach((values, p) => element("path", { d: path(values), fill: "none", stroke: D.colours[p % D.colours.length],
      "stroke-width": p === product() ? 1.8 : 1 }, svg));
    element("path", { d: path(one.label), fill: "none", stroke: "#222", "stroke-width": 1 }, svg);
    if (one.time.length < 800) one.label.forEach((v, k) => {
      if (isFinite(v)) element("circle", { cx: x(one.time[k]).toFixed(1), cy: y(v).toFixed(1), r: 1.4, fill: "#222" }, svg);
    });
    let at = box.l;
    for (const [text, stroke] of [["sensor", "#222"], ...P.map((p, k) => [p, D.colours[k % D.colours.length]])]) {
      element("line", { x1: at, x2: at + 18, y1: 13, y2: 13, stroke, "stroke-width": 2 }, svg);
      element("text", { x: at + 22, y: 17 }, svg, text.slice(0, 28));
      at += 40 + 6.4 * Math.min(text.length, 28);
    }
    element("text", { x: w - box.r, y: 17, "text-anchor": "end" }, svg, "soil moisture, m³ m⁻³");
  }

  // ---- one sensor ------------------------------------------------------------------------------------------
  function select(i) {
    chosen = i;
    $("x-one").hidden = false;
    $("x-name").textContent = name(i);
    const facts = [["place", `${S.lat[i].toFixed(4)}° N, ${S.lon[i].toFixed(4)}° E`]];
    for (const one of D.classes) facts.push([one.title, one.codes[i] < 0 ? "not stated" : one.names[one.codes[i]]]);
    facts.push(["samples", `${S.n[i]}`]);
    if (S.left_out[i]) facts.push(["left out", S.left_out[i]]);
    if (S.note[i]) facts.push(["note", S.note[i]]);
    const list = $("x-facts"); list.replaceChildren();
    for (const [key, value] of facts) {
      const dt = document.createElement("dt"), dd = document.createElement("dd");
      dt.textContent = key; dd.textContent = value; list.append(dt, dd);
    }
    const rows = D.metrics.filter((m) => m.key !== "n").map((m) => [m.title + (m.units === "1" ? "" : `, ${m.units}`),
      ...P.map((_, p) => {
        const v = D.scores[p][m.key][i], low = D.scores[p][`${m.key}_low`]?.[i], high = D.scores[p][`${m.key}_high`]?.[i];
        const known = low !== null && low !== undefined && high !== null && high !== undefined;
        return v === null ? "–" : fixed(v) + (known ? ` [${fixed(low)}, ${fixed(high)}]` : "");
      })]);
    fillTable($("x-scores"), ["score", ...P], rows);
    if (packed) drawSeries(seriesOf(i));
    drawMap();
  }
  function fillTable(table, header, rows) {
    table.replaceChildren();
    const cell = (tag, text, row) => { const c = document.createElement(tag); c.textContent = text; row.append(c); };
    const head = document.createElement("thead"), body = document.createElement("tbody"), first = document.createElement("tr");
    header.forEach((text) => cell("th", text, first)); head.append(first);
    for (const values of rows) {
      const row = document.createElement("tr");
      values.forEach((text, k) => cell(k ? "td" : "th", text, row)); body.append(row);
    }
    table.append(head, body);
  }

  // ---- all shown sensors -------------------------------------------------------------------------------------
  function legend() {
    const m = metric(), [low, high] = m.range, ramp = m.diverging ? DIVERGING : m.worse ? [...RAMP].reverse() : RAMP;
    const host = $("x-legend"); host.replaceChildren();
    ramp.forEach((colour, k) => {
      const item = document.createElement("span"), box = document.createElement("i");
      box.style.background = colour;
      const a = low + ((high - low) * k) / ramp.length, b = low + ((high - low) * (k + 1)) / ramp.length, d = m.digits;
      item.append(box, k === 0 ? `< ${b.toFixed(d)}` : k === ramp.length - 1 ? `≥ ${a.toFixed(d)}` : a.toFixed(d));
      host.append(item);
    });
    const none = document.createElement("span"), box = document.createElement("i");
    box.style.background = "#b9bfc4"; none.append(box, "no score"); host.append(none);
  }
  function summarise() {
    const keys = RECOMPUTED.filter((k) => k !== "n"), rows = keys.map((key) => {
      const m = D.metrics.find((one) => one.key === key), values = shown.map((i) => valueOf(i, key)).filter(isFinite);
      if (!values.length) return [m.title, "0", "–", "–", "–"];
      const mean = values.reduce((a, b) => a + b, 0) / values.length;
      return [m.title, `${values.length}`, fixed(mean), fixed(quantile(values, 0.5)),
        `${fixed(quantile(values, 0.25))} to ${fixed(quantile(values, 0.75))}`];
    });
    fillTable($("x-summary"), ["score of the sensors shown", "sensors", "mean", "median", "middle half"], rows);
    const share = (limit) => {
      const values = shown.map((i) => valueOf(i, "ubrmse")).filter(isFinite);
      return values.length ? `${Math.round((100 * values.filter((v) => v <= limit).length) / values.length)} %` : "–";
    };
    $("x-lines").textContent = D.lines.map((line) => `${share(line.at)} of them have an ubRMSE of at most ${line.at}`).join("; ") + ".";
    $("x-count").textContent = `${shown.length.toLocaleString("en")} of ${N.toLocaleString("en")} sensors`;
    $("x-holdout").textContent = own ? `Scores computed here from the embedded samples${D.series.step > 1 ? `, every ${D.series.step}th` : ""}, of ${$("x-years").selectedOptions[0].textContent}.` : "";
  }
  function listed() {
    const key = metric().key, order = [...shown].sort((a, b) => (valueOf(a, key) || 0) - (valueOf(b, key) || 0)).slice(0, 200);
    const table = $("x-list"), keys = RECOMPUTED.filter((k) => k !== "n");
    fillTable(table, ["sensor", ...keys.map((k) => D.metrics.find((m) => m.key === k).title), "samples"],
      order.map((i) => [name(i), ...keys.map((k) => fixed(valueOf(i, k))), `${own ? own.n[i] ?? 0 : S.n[i]}`]));
    [...table.tBodies[0].rows].forEach((row, k) => { row.tabIndex = 0; row.onclick = () => select(order[k]); });
  }
  function refresh() {
    shown = [];
    for (let i = 0; i < N; i++) if (passes(i)) shown.push(i);
    legend(); drawMap(); drawHistogram(); summarise(); listed();
    if (chosen >= 0) select(chosen);
    document.body.dataset.explorer = "ready";
  }

  // ---- files -----------------------------------------------------------------------------------------------
  function save(file, text, type) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(text instanceof Blob ? text : new Blob([text], { type }));
    link.download = file; link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }
  const cells = (table) => [...table.rows].map((row) => [...row.cells].map((c) => c.textContent.replace(/\s+/g, " ").trim()));
  const csv = (rows) => rows.map((r) => r.map((c) => (/[",\n]/.test(c) ? `"${c.replaceAll('"', '""')}"` : c)).join(",")).join("\r\n") + "\r\n";
  const TEX = { "\\": "\\textbackslash{}", "&": "\\&", "%": "\\%", $: "\\$", "#": "\\#", _: "\\_", "{": "\\{", "}": "\\}",
    "~": "\\textasciitilde{}", "^": "\\textasciicircum{}", "–": "--", "³": "\\textsuperscript{3}", "⁻": "\\textsuperscript{-}" };
  const tex = (text) => text.replace(/[\\&%$#_{}~^–³⁻]/g, (c) => TEX[c]);
  function latex(rows) {
    const [head, ...body] = rows, line = (r) => r.map(tex).join(" & ") + " \\\\";
    return ["\\begin{tabular}{l" + "r".repeat(head.length - 1) + "}", "\\hline", line(head), "\\hline", ...body.map(line), "\\hline",
      "\\end{tabular}", ""].join("\n");
  }
  function button(text, run) {
    const b = document.createElement("button"); b.type = "button"; b.textContent = text; b.onclick = run; return b;
  }
  function bar(...buttons) {
    const span = document.createElement("span"); span.className = "x-save"; span.append(...buttons); return span;
  }
  const serial = (svg) => new XMLSerializer().serializeToString(svg);
  function toPng(svg, file) {
    const image = new Image(), w = +svg.getAttribute("width"), h = +svg.getAttribute("height");
    image.onload = () => {
      const c = document.createElement("canvas"); c.width = 2 * w; c.height = 2 * h;
      c.getContext("2d").drawImage(image, 0, 0, 2 * w, 2 * h);
      c.toBlob((blob) => save(file, blob), "image/png");
    };
    image.src = "data:image/svg+xml;charset=utf-8," + encodeURIComponent(serial(svg));
  }
  function mapSvg() {
    const [w, h] = size(), svg = element("svg", { xmlns: SVG, viewBox: `0 0 ${w} ${h}`, width: w, height: h });
    element("rect", { width: w, height: h, fill: "#eef3f7" }, svg);
    for (const ring of rings) {
      const turn = ring[0][0] - view.x > 180 ? -360 : ring[0][0] - view.x < -180 ? 360 : 0;
      const at = ring.map(([lon, lat]) => `${(w / 2 + (lon + turn - view.x) * stretch() * view.k).toFixed(1)},${(h / 2 - (lat - view.y) * view.k).toFixed(1)}`);
      element("polygon", { points: at.join(" "), fill: "#fbfaf6", stroke: "#c8cdd1", "stroke-width": 0.7 }, svg);
    }
    for (const i of ordered()) {
      const [x, y] = project(S.lon[i], S.lat[i]);
      if (x > -9 && y > -9 && x < w + 9 && y < h + 9)
        element("circle", { cx: x.toFixed(1), cy: y.toFixed(1), r: 4, fill: shade(valueOf(i)), stroke: "#1e2328", "stroke-width": 0.5 }, svg);
    }
    return svg;
  }
  function exportsOf() {
    $("x-map-save").append(button("PNG", () => canvas.toBlob((blob) => save("map.png", blob))),
      button("SVG", () => save("map.svg", serial(mapSvg()), "image/svg+xml")));
    for (const host of ["x-hist", "x-series"]) {
      const svg = () => $(host).querySelector("svg"), file = host === "x-hist" ? "distribution" : "series";
      $(`${host}-save`).append(button("PNG", () => toPng(svg(), `${file}.png`)),
        button("SVG", () => save(`${file}.svg`, serial(svg()), "image/svg+xml")));
    }
    document.querySelectorAll("table").forEach((table, k) => {
      const near = table.closest("section")?.id || "table", file = `${near}-${k + 1}`;
      const tools = bar(button("CSV", () => save(`${file}.csv`, "\ufeff" + csv(cells(table)), "text/csv")),
        button("LaTeX", () => save(`${file}.tex`, latex(cells(table)), "text/x-tex")));
      (table.parentElement.classList.contains("wide") ? table.parentElement : table).after(tools);
    });
    document.querySelectorAll("figure img").forEach((image, k) => {
      const text = atob(image.src.split(",")[1]), bytes = Uint8Array.from(text, (c) => c.charCodeAt(0));
      const svg = new TextDecoder().decode(bytes), box = /viewBox="0 0 ([\d.]+) ([\d.]+)"/.exec(svg);
      image.closest("figure").append(bar(button("PNG", () => {
        const c = document.createElement("canvas"), w = box ? +box[1] : image.naturalWidth, h = box ? +box[2] : image.naturalHeight;
        c.width = 2 * w; c.height = 2 * h; const g = c.getContext("2d");
        g.fillStyle = "#fff"; g.fillRect(0, 0, c.width, c.height); g.drawImage(image, 0, 0, c.width, c.height);
        c.toBlob((blob) => save(`figure-${k + 1}.png`, blob));
      }), button("SVG", () => save(`figure-${k + 1}.svg`, svg, "image/svg+xml"))));
    });
  }

  // ---- start -----------------------------------------------------------------------------------------------
  function option(select, value, text) {
    const o = document.createElement("option"); o.value = value; o.textContent = text; select.append(o);
  }
  P.forEach((p, k) => option($("x-product"), k, p));
  D.metrics.forEach((m) => option($("x-metric"), m.key, m.title));
  option($("x-years"), "all", "all years");
  for (const year of D.years) option($("x-years"), `only ${year}`, `${year} alone${year === D.driest ? " (driest by the readings)" : ""}`);
  if (D.years.length > 1) for (const year of D.years) option($("x-years"), `without ${year}`, `all years but ${year}`);
  D.classes.forEach((one, k) => {
    const label = document.createElement("label"), select = document.createElement("select");
    select.id = `x-class-${k}`; label.append(one.title, select); $("x-filters").append(label);
    option(select, "", "all");
    one.names.forEach((text, c) => option(select, `=${c}`, text));
    if (one.holdout) one.names.forEach((text, c) => option(select, `!${c}`, `all but ${text}`));
    select.onchange = refresh;
  });
  $("explorer").hidden = false;
  const again = () => { recompute(); refresh(); };
  for (const id of ["x-product", "x-years"]) $(id).onchange = again;
  for (const id of ["x-metric", "x-n"]) $(id).onchange = refresh;
  $("x-find").oninput = refresh;
  $("x-in").onclick = () => zoom(1.5); $("x-out").onclick = () => zoom(1 / 1.5);
  $("x-fit").onclick = () => { fit(shown); drawMap(); };
  window.addEventListener("resize", drawMap); window.addEventListener("beforeprint", drawMap);
  fit([...Array(N).keys()]);
  refresh(); exportsOf();
  unpack().then(() => { document.body.dataset.series = "ready"; if (yearTest() || chosen >= 0) again(); });
})();
