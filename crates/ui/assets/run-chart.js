// One metric of many runs: lines, the bands between least and greatest of what a bucket holds, exact values under the
// pointer or the arrow keys. Dragging zooms, and asks the server for the range.

import { button, make, saveAs } from "./dom.js";
import { count, exact, instant, number, span } from "./figure.js";
import { SPANS, STEPS, WHOLE, alone, tickTexts } from "./run-axis.js";
import { areSingle, bars } from "./run-bars.js";
import { aligned, askSeries, lineOf, smoothed } from "./run-series.js";

const HEIGHT = 240;
// Lines with bands, and with what they were smoothed from, before a chart is only a thicket.
const FEW = 20;
// Runs that the reading under the pointer names.
const NAMED = 12;
// Width of a character at an axis.
const LETTER = 6.7;

export class RunChart {
  constructor(panel, metric) {
    Object.assign(this, { panel, metric, lines: new Map(), versions: {}, isSeen: false });
    this.place = make("div", { class: "plot", tabindex: "0", role: "img", "aria-label": this.said() });
    this.tip = make("div", { class: "tip", role: "status", hidden: true });
    this.note = make("span", { class: "soft" });
    this.pin = button("Pin", () => panel.pin(metric), { "aria-pressed": "false" });
    this.figure = make("figure", { class: "card", "data-metric": metric },
      make("figcaption", {}, make("h2", { title: metric }, metric), make("span", { class: "acts" }, this.note, this.pin, this.all(), button("CSV", () => this.save(), { title: "What is drawn" }))),
      make("div", { class: "frame" }, this.place, this.tip));
    this.place.addEventListener("keydown", (event) => this.key(event));
    this.place.addEventListener("mouseleave", () => { this.tip.hidden = true; });
    new ResizeObserver(() => this.resize()).observe(this.place);
  }

  said() {
    return `${this.metric}: a line for each selected run. Arrow keys read values, plus and minus zoom, Escape shows the whole range`;
  }

  // Every point there is, where one run is drawn.
  all() {
    if (!this.panel.isOne) return null;
    const query = new URLSearchParams({ key: this.metric, format: "csv" });
    return make("a", { class: "btn small", download: true, href: `/api/v1/runs/${this.panel.drawn[0]}/metrics?${query}`, title: "Every point that was logged" }, "All points");
  }

  // Asks for what is drawn; with `isLive` only for what has news.
  async load({ isLive = false } = {}) {
    const { state } = this.panel;
    const runs = [...this.panel.drawn];
    if (runs.length === 0 || !this.isSeen) return;
    this.leaving?.abort();
    this.leaving = new AbortController();
    const [from, to] = this.panel.zoom() ?? [null, null];
    const known = isLive ? Object.fromEntries(runs.filter((run) => this.versions[run]).map((run) => [run, this.versions[run]])) : null;
    const points = Math.max(100, Math.round(this.place.clientWidth));
    try {
      const answer = await askSeries({ runs, metric: this.metric, axis: state.x || "step", from, to, points, known }, this.leaving.signal);
      if (isLive && answer.width !== this.width) return this.load();
      this.take(answer, runs);
      this.draw();
      this.note.textContent = "";
    } catch (error) {
      if (error.name !== "AbortError") this.note.textContent = error.message;
    }
  }

  take(answer, runs) {
    this.width = answer.width;
    this.range = [answer.from, answer.to];
    const kept = new Map();
    const starts = new Map();
    for (const series of answer.series) {
      const before = this.lines.get(series.run);
      if (series.kind === "unchanged" && before) kept.set(series.run, before);
      if (series.kind !== "buckets" && series.kind !== "points") continue;
      const line = lineOf(series, answer.width);
      if (line.x.length > 0) kept.set(series.run, line);
      this.versions[series.run] = { [this.metric]: series.version };
      starts.set(series.run, series.start);
    }
    this.lines = new Map(runs.filter((run) => kept.has(run)).map((run) => [run, kept.get(run)]));
    this.unit = unitOf([...this.lines.values()]);
    const total = [...this.lines.values()].reduce((sum, line) => sum + line.total, 0);
    this.figure.dataset.points = String(total);
    this.figure.dataset.width = String(answer.width);
    this.figure.dataset.lines = String(this.lines.size);
  }

  columnsOf(line) {
    const { state } = this.panel;
    const weight = Number(state.smooth) || 0;
    const few = this.lines.size <= FEW;
    const positive = (values) => (state.log ? values.map((value) => (value !== null && value > 0 ? value : null)) : values);
    const drawn = (values) => (this.unit === 1 ? positive(values) : positive(values).map((value) => (typeof value === "number" ? value / this.unit : value)));
    const columns = [drawn(smoothed(line.y, weight))];
    if (few && weight > 0) columns.push(drawn(line.y));
    if (few && line.low && state.band !== "0") columns.push(drawn(line.low), drawn(line.high));
    return columns;
  }

  draw() {
    const lines = [...this.lines.values()];
    const isBars = areSingle(lines) && !this.panel.state.log && !this.panel.zoom();
    this.place.setAttribute("role", isBars ? "group" : "img");
    this.place.setAttribute("aria-label", isBars ? `${this.metric}: a value for each selected run` : this.said());
    if (isBars) return this.show(bars(lines, this.panel));
    const data = aligned(lines, (line) => this.columnsOf(line));
    const shape = JSON.stringify([lines.map((line) => [line.run, this.columnsOf(line).length]), this.unit, isWhole(lines), this.panel.look()]);
    if (this.plot && shape === this.shape) {
      this.plot.setData(data, true);
      return;
    }
    if (lines.length === 0) return this.show(make("p", { class: "soft nothing" }, this.panel.zoom() ? "No point in this range." : "None of the selected runs has logged it."));
    this.show();
    this.shape = shape;
    this.plot = new window.uPlot(this.options(lines), data, this.place);
  }

  // Something else in the place of the lines.
  show(...nodes) {
    this.plot?.destroy();
    Object.assign(this, { plot: null, shape: null });
    this.place.replaceChildren(...nodes);
  }

  options(lines) {
    const { panel } = this;
    const { state } = panel;
    const series = [{}];
    const bands = [];
    for (const line of lines) {
      const { colour, dash } = panel.pen(line.run);
      const columns = this.columnsOf(line).length;
      const weight = Number(state.smooth) || 0;
      const sparse = line.x.length < 40;
      series.push({ stroke: colour, width: 1.75, dash, points: { show: sparse, size: 4, fill: colour } });
      if (columns % 2 === 0) series.push({ stroke: `color-mix(in srgb, ${colour} 30%, transparent)`, width: 1, points: { show: false } });
      if (columns > 2) {
        const at = series.length;
        const edge = { stroke: "transparent", width: 0, points: { show: false } };
        series.push(edge, { ...edge });
        bands.push({ series: [at + 1, at], fill: `color-mix(in srgb, ${colour} 16%, transparent)` });
      }
    }
    const axis = { stroke: panel.ink("--soft"), font: "11px Mono, monospace", grid: { stroke: panel.ink("--line"), width: 1 }, ticks: { show: false } };
    const isTime = state.x === "time";
    const zoom = panel.zoom();
    const below = { ...axis, size: 28, space: 58 };
    if (state.x === "relative") Object.assign(below, { incrs: SPANS, values: (_, splits) => splits.map((value) => (value < 0 ? "" : span(value))) });
    else if (!isTime) Object.assign(below, { incrs: WHOLE, values: (_, splits) => tickTexts(splits) });
    const beside = { ...axis, incrs: this.unit === 1 && isWhole(lines) ? WHOLE : STEPS, values: (_, splits) => this.texts(splits), size: (_, texts) => roomFor(texts) };
    return {
      width: this.place.clientWidth, height: HEIGHT, padding: [8, 18, 0, 0], legend: { show: false }, ms: 1,
      tzDate: (at) => window.uPlot.tzDate(new Date(at), "Etc/UTC"),
      cursor: { sync: { key: "runs" }, points: { size: 6 }, drag: { x: true, y: false, setScale: false } },
      scales: { x: { time: isTime, ...(zoom ? { range: zoom } : {}) }, y: state.log ? { distr: 3 } : {} },
      axes: [below, beside],
      series, bands,
      hooks: { setCursor: [() => this.read()], setSelect: [(plot) => this.select(plot)] },
    };
  }

  // At the values' own size, however they are drawn.
  texts(splits) {
    const values = splits.map((value) => (value === null ? null : value * this.unit));
    return this.panel.state.log ? values.map((value) => (value === null ? "" : alone(value))) : tickTexts(values);
  }

  select(plot) {
    const { left, width } = plot.select;
    if (width < 4) return;
    const ends = [plot.posToVal(left, "x"), plot.posToVal(left + width, "x")];
    plot.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
    this.panel.zoomTo([Math.floor(ends[0]), Math.ceil(ends[1])]);
  }

  // What the lines say at the cursor: the nearest point of each, those next to the pointer first.
  read() {
    const { plot } = this;
    const at = plot?.cursor.idx;
    const own = plot && (this.place.matches(":hover") || document.activeElement === this.place);
    if (!own || at === null || at === undefined) {
      this.tip.hidden = true;
      return;
    }
    const x = plot.data[0][at];
    const height = plot.cursor.top >= 0 ? plot.posToVal(plot.cursor.top, "y") * this.unit : 0;
    const weight = Number(this.panel.state.smooth) || 0;
    const said = [...this.lines.values()].map((line) => {
      const near = nearest(line.x, x);
      return { line, near, value: weight > 0 ? (this.smooth(line, weight))[near] : line.y[near] };
    }).sort((one, other) => Math.abs((one.value ?? Infinity) - height) - Math.abs((other.value ?? Infinity) - height));
    const rows = said.slice(0, NAMED).map(({ line, near, value }) => {
      const { at: place } = this.panel.pen(line.run);
      // A point as it was logged; of a bucket its mean, rounded.
      const raw = line.count && line.count[near] > 1 ? number(line.shown[near]) : exact(line.shown[near]);
      const range = line.count && line.count[near] > 1 ? ` (${number(line.low[near])} to ${number(line.high[near])}, ${count(line.count[near])} points)` : "";
      return make("li", {}, make("i", { class: `dot c${place}` }), make("span", { class: "who" }, this.panel.nameOf(line.run)),
        make("b", { class: "mono" }, weight > 0 ? number(value) : raw), make("span", { class: "soft" }, (weight > 0 ? `from ${raw}` : "") + range));
    });
    const first = said[0];
    const more = said.length > NAMED ? [make("li", { class: "soft" }, `and ${said.length - NAMED} more`)] : [];
    this.tip.replaceChildren(make("p", { class: "mono" }, this.where(first.line, first.near)), make("ul", {}, ...rows, ...more));
    this.tip.hidden = false;
    const right = plot.cursor.left > this.place.clientWidth / 2;
    this.tip.classList.toggle("left", right);
  }

  smooth(line, weight) {
    if (line.weight !== weight) Object.assign(line, { weight, smooth: smoothed(line.y, weight) });
    return line.smooth;
  }

  where(line, at) {
    const word = { time: instant, relative: span }[this.panel.state.x] ?? ((x) => `step ${count(x)}`);
    if (!line.begins || this.width === 1) return word(line.x[at]);
    return `${word(line.begins[at])} and the ${count(this.width - 1)} ${this.panel.state.x === "time" || this.panel.state.x === "relative" ? "ms" : "steps"} behind`;
  }

  key(event) {
    const { plot } = this;
    const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -20, PageDown: 20 }[event.key];
    if (event.key === "Escape") this.panel.zoomTo(null);
    else if (plot && (event.key === "+" || event.key === "-")) this.zoomBy(event.key === "+" ? 0.5 : 2);
    else if (plot && step) {
      const xs = plot.data[0];
      const at = Math.max(0, Math.min(xs.length - 1, (plot.cursor.idx ?? (step > 0 ? -1 : xs.length)) + step));
      plot.setCursor({ left: plot.valToPos(xs[at], "x"), top: plot.cursor.top >= 0 ? plot.cursor.top : HEIGHT / 3 });
    } else return;
    event.preventDefault();
  }

  // Nearer to the cursor, or further away.
  zoomBy(factor) {
    const { min, max } = this.plot.scales.x;
    const { idx } = this.plot.cursor;
    const middle = idx === null || idx === undefined ? (min + max) / 2 : this.plot.data[0][idx];
    const half = Math.max(1, ((max - min) * factor) / 2);
    this.panel.zoomTo([Math.floor(middle - half), Math.ceil(middle + half)]);
  }

  resize() {
    const width = this.place.clientWidth;
    if (this.plot && width > 0 && width !== this.plot.width) this.plot.setSize({ width, height: HEIGHT });
  }

  // What is drawn, as it came.
  save() {
    const rows = [`run_id,run_name,${this.panel.state.x || "step"},value,min,max,count\n`];
    for (const line of this.lines.values()) {
      line.x.forEach((x, at) => {
        const name = `"${this.panel.nameOf(line.run).replaceAll('"', '""')}"`;
        const wide = line.count ? [line.low[at] ?? "", line.high[at] ?? "", line.count[at]] : ["", "", 1];
        rows.push(`${[line.run, name, line.begins ? line.begins[at] : x, line.shown[at] ?? "", ...wide].join(",")}\n`);
      });
    }
    saveAs(`${this.metric.replaceAll("/", "_")}.csv`, "text/csv", rows);
  }
}

function nearest(xs, x) {
  let [low, high] = [0, xs.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (xs[middle] < x) low = middle + 1;
    else high = middle;
  }
  return low > 0 && x - xs[low - 1] <= xs[low] - x ? low - 1 : low;
}

// What values are divided by to be drawn: the plot knows no ticks for the very large and the very small.
function unitOf(lines) {
  let greatest = 0;
  for (const { y, low, high } of lines) for (const values of [y, low ?? [], high ?? []]) for (const value of values) greatest = Math.max(greatest, Math.abs(value ?? 0));
  if (greatest === 0 || (greatest > 1e-15 && greatest < 1e21)) return 1;
  return Number(`1e${Math.max(-300, Math.floor(Math.log10(greatest)))}`);
}

// Between whole numbers there is nothing to tick.
const isWhole = (lines) => lines.every(({ y }) => y.every((value) => value === null || Number.isInteger(value)));

const roomFor = (texts) => Math.max(44, Math.ceil(Math.max(0, ...(texts ?? []).map((text) => text.length)) * LETTER) + 16);
