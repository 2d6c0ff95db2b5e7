// Runs beside each other: their values on parallel axes and as a scatter, and what differs between them. The selected
// ones; where none is selected, the first of the list.

import { button, later, make } from "./dom.js";
import { apart, asNumber, counted, instant, span } from "./figure.js";
import { ATTRIBUTES, part, title, valueOf } from "./run-api.js";
import { marksOf } from "./run-axis.js";
import { drawDiff } from "./run-diff.js";
import { drawParallel } from "./run-parallel.js";
import { drawScatter } from "./run-scatter.js";
import { COLOURS } from "./run-state.js";

// Runs of the list that are compared where none is selected.
const FIRST = 500;
// Steps of colour (runs.css).
const SHADES = 8;
// Axes where nobody chose.
const USUAL = 6;

export class Comparison {
  constructor(place, state, api) {
    Object.assign(this, { place, state, api, runs: [] });
    this.says = make("p", { class: "soft" });
    this.parallel = make("section", { class: "card" });
    this.scatter = make("section", { class: "card" });
    this.diff = make("section", { class: "card" });
    place.append(this.says, this.diff, this.parallel, this.scatter);
    state.when(["selected", "filter"], later(100, () => this.isShown && this.show()));
    state.when(["axes", "sx", "sy", "sc", "all"], () => this.isShown && this.draw());
  }

  get isShown() {
    return !this.place.hidden;
  }

  async show() {
    const { state } = this;
    try {
      const chosen = state.selected.length > 0;
      this.runs = chosen
        ? await this.api.byId(state.selected, ["attributes.*", "params.*", "metrics.*", "tags.*"])
        : (await this.api.rows({ order_by: state.orderTexts, limit: FIRST, columns: ["attributes.*", "params.*", "metrics.*"] })).runs;
      this.says.textContent = chosen ? `${counted(this.runs.length, "selected run", "selected runs")}.`
        : `The first ${counted(this.runs.length, "run", "runs")} of the list. Select some in the table to compare those alone.`;
      this.draw();
    } catch (error) {
      this.says.textContent = error.message;
    }
  }

  draw() {
    this.columns = columnsOf(this.runs);
    const varied = this.columns.filter((name) => varies(this.runs, name));
    const metrics = varied.filter((name) => name.startsWith("metrics."));
    const params = varied.filter((name) => name.startsWith("params."));
    const usual = [...params.slice(0, USUAL - Math.min(2, metrics.length)), ...metrics.slice(0, 2)];
    const axes = this.state.axes.length > 0 ? this.state.axes : usual;
    drawParallel(this, axes);
    const [x, y] = [this.state.sx || params.find((name) => isMeasured(this.runs, name)) || metrics[1] || metrics[0], this.state.sy || metrics[0]];
    drawScatter(this, x, y, this.state.sc);
    this.diff.hidden = this.state.selected.length < 2;
    if (!this.diff.hidden) drawDiff(this);
  }

  // A choice among the columns that there are.
  choose(label, chosen, change, { none } = {}) {
    const options = this.columns.map((name) => make("option", { value: name, selected: name === chosen }, name));
    if (none) options.unshift(make("option", { value: "", selected: !chosen }, none));
    const field = make("select", { "aria-label": label }, ...options);
    field.addEventListener("change", () => change(field.value));
    return make("label", { class: "check" }, label, field);
  }

  // The look of a run: its own colour if it is selected, else its place between the least and greatest of a column.
  look(run, shade) {
    const own = this.state.colour(run.run_id);
    return own === null ? shade(run) : `c${own}`;
  }

  shades(name) {
    if (!name) return () => "gn";
    const scale = scaleOf(this.runs, name);
    return (run) => {
      const at = scale.at(valueOf(run, name));
      return at === null ? "gx" : `g${Math.min(SHADES - 1, Math.floor(at * SHADES))}`;
    };
  }

  // What the colours say: a step for each part of a column, or a word. Where each run has its own, and none else is
  // meant, the runs; nothing where all look the same.
  key(name, { isOwn = this.runs.some((run) => this.state.colour(run.run_id) !== null) } = {}) {
    if (isOwn) return this.ownKey();
    if (!name) return "";
    const scale = scaleOf(this.runs, name);
    const swatch = (at, words) => make("li", {}, make("i", { class: `swatch g${at}`, "aria-hidden": "true" }), words);
    const of = (at) => Math.min(SHADES - 1, Math.floor(at * SHADES));
    let items;
    if (scale.words) items = scale.words.length <= SHADES ? scale.words.map((word) => swatch(of(scale.at(word)), word)) : ends(scale.words[0], scale.words.at(-1));
    else if (!Number.isFinite(scale.low)) return "";
    else items = scale.low === scale.high ? [swatch(of(0.5), marksOf(name, scale)[0][0])] : ends(...endsOf(name, scale));
    const without = this.runs.some((run) => scale.at(valueOf(run, name)) === null) ? [make("li", {}, make("i", { class: "swatch gx", "aria-hidden": "true" }), "none")] : [];
    return make("ul", { class: "colourkey", "aria-label": `Colours: ${title(name)}` }, make("li", { class: "what" }, title(name) + (scale.isLog ? " (log)" : "")), ...items, ...without);
  }

  // The runs by the colours that they have in the table, as long as no two share one.
  ownKey() {
    const own = this.runs.filter((run) => this.state.colour(run.run_id) !== null);
    if (own.length > COLOURS) return make("p", { class: "soft" }, `Each run has the colour that it has in the table; after ${COLOURS} they begin again.`);
    const items = own.map((run) => make("li", {}, make("i", { class: `swatch c${this.state.colour(run.run_id)}`, "aria-hidden": "true" }), run.run_name));
    return make("ul", { class: "colourkey", "aria-label": "Colours: runs" }, make("li", { class: "what" }, "run"), ...items);
  }

  heading(words, ...controls) {
    return make("header", {}, make("h2", {}, words), make("span", { class: "controls" }, ...controls));
  }

  addAxis(axes) {
    return this.choose("Add an axis", "", (name) => name && this.state.set({ axes: [...axes, name] }), { none: "choose…" });
  }

  dropAxis(axes, name) {
    return button(`${title(name)} ×`, () => this.state.set({ axes: axes.filter((other) => other !== name) }), { class: "chip", "aria-label": `Take the axis ${name} away` });
  }
}

// From one end to the other through all shades.
function ends(low, high) {
  const all = Array.from({ length: SHADES }, (_, at) => make("i", { class: `swatch g${at}`, "aria-hidden": "true" }));
  return [make("li", { class: "ramp" }, make("span", {}, low), ...all, make("span", {}, high))];
}

function endsOf(name, { low, high }) {
  if (name === "duration") return [span(low), span(high)];
  if (part(name).kind === "attributes") return [low, high].map((at) => instant(at).slice(0, 16).replace("T", " "));
  return apart([low, high]);
}

function columnsOf(runs) {
  const names = new Set();
  for (const run of runs) {
    for (const kind of ["params", "metrics"]) {
      for (const key of Object.keys(run[kind] ?? {})) names.add(/^[A-Za-z0-9_.]+$/.test(key) ? `${kind}.${key}` : `${kind}.\`${key}\``);
    }
  }
  const own = ATTRIBUTES.filter((name) => ["start_time", "duration", "status", "user_id"].includes(name));
  return [...[...names].sort(), ...own];
}

function varies(runs, name) {
  const first = valueOf(runs[0] ?? {}, name);
  return runs.some((run) => valueOf(run, name) !== first);
}

// A value as a number, if it is one or reads as one.
export function measured(value) {
  if (value === undefined || value === null || value === "") return null;
  const known = typeof value === "string" ? Number(value) : asNumber(value);
  return known !== null && Number.isFinite(known) ? known : null;
}

function isMeasured(runs, name) {
  const values = runs.map((run) => valueOf(run, name)).filter((value) => value !== undefined);
  return values.length > 0 && values.every((value) => measured(value) !== null);
}

// From values to 0…1: numbers by their size (or its logarithm, where they span more than three powers of ten and all
// are positive), words by their order.
export function scaleOf(runs, name) {
  const values = runs.map((run) => valueOf(run, name)).filter((value) => value !== undefined && value !== null);
  const { kind } = part(name);
  if (kind === "metrics" || isMeasured(runs, name)) {
    const numbers = values.map(measured).filter((value) => value !== null);
    const [low, high] = [numbers.reduce((a, b) => Math.min(a, b), Infinity), numbers.reduce((a, b) => Math.max(a, b), -Infinity)];
    const isLog = low > 0 && high / low > 1000;
    const isWhole = numbers.every(Number.isInteger);
    const turn = isLog ? Math.log10 : (value) => value;
    const at = (value) => {
      const known = measured(value);
      if (known === null) return null;
      return high === low ? 0.5 : (turn(known) / 2 - turn(low) / 2) / (turn(high) / 2 - turn(low) / 2);
    };
    return { low, high, isLog, isWhole, at, words: null };
  }
  const words = [...new Set(values.map(String))].sort();
  const at = (value) => (value === undefined || value === null ? null : words.length === 1 ? 0.5 : words.indexOf(String(value)) / (words.length - 1));
  return { words, at };
}
