// Charts of the selected runs, or of the first of the list: one for each metric that any of them has logged, in groups
// by what stands before the last `/` of its name, all on one axis and one range.

import { button, later, make } from "./dom.js";
import { counted } from "./figure.js";
import { RunChart } from "./run-chart.js";
import { COLOURS } from "./run-state.js";

// Charts at once; further ones are found by name.
const MOST = 60;
// Runs that are drawn where none is selected.
const FIRST = 10;

export class RunCharts {
  constructor(place, state, api, { isOne = false, only = null } = {}) {
    Object.assign(this, { place, state, api, isOne, only, charts: new Map(), runs: new Map(), first: [] });
    this.list = make("div", { class: "chartlist" });
    this.says = make("p", { class: "soft says", role: "status", hidden: true });
    this.legend = make("ul", { class: "legend", "aria-label": "Selected runs" });
    this.bar = this.controls();
    this.legend.hidden = isOne;
    place.replaceChildren(this.bar, this.says, this.legend, this.list);
    this.seen = new IntersectionObserver((entries) => this.scrolled(entries), { rootMargin: "300px" });
    const redraw = () => this.isShown && this.charts.forEach((chart) => chart.draw());
    state.when(["smooth", "log", "band"], redraw);
    state.when(["x", "zoom"], () => this.isShown && this.reload());
    state.when(["selected"], later(100, () => this.isShown && this.show()));
    state.when(["filter", "orders"], later(100, () => this.isShown && state.selected.length === 0 && this.show()));
    state.when(["pins", "metric", "folds"], () => this.isShown && this.arrange());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { this.inks = {}; redraw(); });
    this.inks = {};
  }

  get isShown() {
    return !this.place.hidden;
  }

  // The runs that have lines.
  get drawn() {
    return this.state.selected.length > 0 ? this.state.selected : this.first;
  }

  controls() {
    const { state } = this;
    const axis = make("select", { "aria-label": "Axis" }, ...[["step", "Step"], ["relative", "Time since start"], ["time", "Time of day"]]
      .map(([value, words]) => make("option", { value, selected: (state.x || "step") === value }, words)));
    axis.addEventListener("change", () => state.set({ x: axis.value === "step" ? "" : axis.value, zoom: "" }));
    const weight = make("output", { class: "mono" }, state.smooth || "0");
    const slider = make("input", { type: "range", min: "0", max: "0.99", step: "0.01", value: state.smooth || "0", "aria-label": "Smoothing: weight of an exponential moving average, debiased" });
    slider.addEventListener("input", () => {
      weight.textContent = slider.value;
      state.set({ smooth: Number(slider.value) > 0 ? slider.value : "" });
    });
    const check = (words, field, on, off) => {
      const box = make("input", { type: "checkbox" });
      box.checked = state[field] === on;
      box.addEventListener("change", () => state.set({ [field]: box.checked ? on : off }));
      return make("label", { class: "check" }, box, words);
    };
    const band = check("Least to greatest", "band", "", "0");
    const find = make("input", { type: "search", placeholder: "Find a metric", "aria-label": "Find a metric", value: state.metric });
    find.addEventListener("input", later(150, () => state.set({ metric: find.value.trim() })));
    this.whole = button("Whole range", () => this.zoomTo(null), { hidden: state.zoom === "" });
    return make("div", { class: "controls" }, make("label", { class: "check" }, "Axis", axis),
      make("label", { class: "check", title: "s = w·s + (1 − w)·y, divided by 1 − wⁿ: an exponential moving average without the bias of its start, as TensorBoard draws it" }, "Smoothing", slider, weight),
      check("Log scale", "log", "1", ""), band, find, this.whole);
  }

  // Comes into sight, or the runs are others.
  async show() {
    const { state } = this;
    if (state.selected.length === 0) await this.readFirst();
    const unknown = this.drawn.filter((id) => !this.runs.has(id));
    if (unknown.length > 0 || !this.knows) {
      try {
        const runs = await this.api.byId(this.drawn, ["run_name", "status", "metrics.*"]);
        this.runs = new Map(runs.map((run) => [run.run_id, run]));
        this.knows = true;
      } catch (error) {
        this.says.hidden = false;
        this.says.textContent = error.message;
        return;
      }
    }
    this.drawLegend();
    this.arrange();
    this.reload();
  }

  // Of the list as it is ordered, where none is selected.
  async readFirst() {
    try {
      const { runs } = await this.api.rows({ order_by: this.state.orderTexts, columns: [], limit: FIRST });
      this.first = runs.map((run) => run.run_id);
    } catch {
      // The table says what is wrong with the search; what was drawn stays.
    }
  }

  drawLegend() {
    const { state } = this;
    const { selected } = state;
    this.says.hidden = this.isOne || selected.length > 0 || this.first.length === 0;
    this.says.textContent = `None is selected: ${this.first.length === 1 ? "the first run" : `the first ${this.first.length} runs`} of the table. Select runs there to draw those.`;
    const lines = this.drawn.filter((id) => this.runs.has(id)).map((id) => make("li", {},
      make("i", { class: `dot c${this.pen(id).at}`, "aria-hidden": "true" }), make("a", { href: `/runs/${id}` }, this.nameOf(id)),
      make("button", { type: "button", class: "drop", "aria-label": `Take ${this.nameOf(id)} away`, onclick: () => state.set({ selected: this.drawn.filter((other) => other !== id) }) }, "×")));
    if (selected.length > 0) lines.push(make("li", { class: "none" }, button("None", () => state.set({ selected: [] }), { "aria-label": "Select none" })));
    this.legend.replaceChildren(...lines);
  }

  // Which charts there are, in which order: pinned ones first, then group by group.
  arrange() {
    const { state } = this;
    const names = new Set();
    for (const id of this.drawn) for (const name of Object.keys(this.runs.get(id)?.metrics ?? {})) if (!this.only || this.only.has(name)) names.add(name);
    const typed = state.metric.toLowerCase();
    const pinned = state.pins.filter((name) => names.has(name));
    const fitting = [...names].sort().filter((name) => name.toLowerCase().includes(typed) && !pinned.includes(name));
    const parts = partsOf(fitting);
    let room = MOST - pinned.length;
    const wanted = new Set(pinned);
    for (const part of parts) {
      // As long as there is room groups are open; what a person has opened or closed is in the address.
      part.isOpen = state.folds.includes(`+${part.prefix}`) || (room > 0 && !state.folds.includes(`-${part.prefix}`));
      part.shown = part.isOpen ? part.names.slice(0, Math.max(room, state.folds.includes(`+${part.prefix}`) ? MOST : 0)) : [];
      room -= part.shown.length;
      for (const name of part.shown) wanted.add(name);
    }
    for (const name of [...this.charts.keys()]) if (!wanted.has(name)) this.forget(name);
    for (const name of wanted) this.chart(name, pinned.includes(name));
    const none = wanted.size === 0 && parts.length === 0 ? [make("div", { class: "card empty" }, make("p", {}, this.nothing(names)))] : [];
    const top = pinned.length > 0 ? [this.part({ prefix: null, names: pinned, shown: pinned, isOpen: true }, false)] : [];
    const sections = parts.map((part) => this.part(part, parts.length > 1 || part.prefix !== ""));
    put(this.list, [...top, ...sections, ...none]);
  }

  nothing(names) {
    if (names.size > 0) return "No metric has this in its name.";
    if (this.drawn.length === 0) return "There is no run to draw.";
    return this.state.selected.length > 0 ? "The selected runs have logged no metric." : "The first runs of the table have logged no metric.";
  }

  chart(name, isPinned) {
    if (!this.charts.has(name)) {
      const chart = new RunChart(this, name);
      this.charts.set(name, chart);
      this.seen.observe(chart.figure);
    }
    const { figure, pin } = this.charts.get(name);
    pin.textContent = isPinned ? "Unpin" : "Pin";
    pin.setAttribute("aria-pressed", String(isPinned));
    figure.classList.toggle("pinned", isPinned);
  }

  // The section of a group: kept from one time to the next, so that no chart is taken out of the page for a moment.
  part({ prefix, names, shown, isOpen }, isHeaded) {
    this.sections ??= new Map();
    if (!this.sections.has(prefix)) {
      const turn = make("button", { type: "button", class: "turn", onclick: () => this.fold(prefix) });
      this.sections.set(prefix, { turn, head: make("h2", { class: "parthead" }, turn), list: make("div", { class: "charts wide" }), more: make("p", { class: "soft" }), section: make("section", { class: "chartpart" }) });
    }
    const { turn, head, list, more, section } = this.sections.get(prefix);
    turn.setAttribute("aria-expanded", String(isOpen));
    turn.replaceChildren(make("i", { "aria-hidden": "true" }, isOpen ? "▾" : "▸"), prefix || "no prefix", make("span", { class: "count" }, counted(names.length, "metric", "metrics")));
    more.textContent = `${counted(names.length - shown.length, "more metric", "more metrics")}: find them by name`;
    put(list, shown.map((name) => this.charts.get(name).figure));
    put(section, [...(isHeaded ? [head] : []), ...(isOpen ? [list] : []), ...(isOpen && shown.length < names.length ? [more] : [])]);
    section.dataset.prefix = prefix ?? "pinned";
    return section;
  }

  // Closes a group that is open, and opens one that is closed.
  fold(prefix) {
    const isOpen = this.sections.get(prefix).turn.getAttribute("aria-expanded") === "true";
    const others = this.state.folds.filter((one) => one.slice(1) !== prefix);
    this.state.set({ folds: [...others, `${isOpen ? "-" : "+"}${prefix}`] });
  }

  forget(name) {
    const chart = this.charts.get(name);
    this.seen.unobserve(chart.figure);
    chart.plot?.destroy();
    this.charts.delete(name);
  }

  scrolled(entries) {
    for (const { target, isIntersecting } of entries) {
      const chart = this.charts.get(target.dataset.metric);
      if (!chart) continue;
      const fresh = isIntersecting && !chart.isSeen;
      chart.isSeen = isIntersecting;
      if (fresh) chart.load();
    }
  }

  reload() {
    this.whole.hidden = this.state.zoom === "";
    this.charts.forEach((chart) => chart.load());
  }

  // Some runs have logged: their lines grow.
  changed(ids) {
    if (!this.isShown || !ids.some((id) => this.runs.has(id))) return;
    this.charts.forEach((chart) => chart.load({ isLive: true }));
  }

  pin(metric) {
    const { pins } = this.state;
    this.state.set({ pins: pins.includes(metric) ? pins.filter((one) => one !== metric) : [...pins, metric] });
  }

  zoom() {
    const ends = this.state.zoom.split(":").map(Number);
    return ends.length === 2 && ends.every(Number.isFinite) && ends[0] < ends[1] ? ends : null;
  }

  zoomTo(ends) {
    this.state.set({ zoom: ends ? ends.join(":") : "" });
  }

  nameOf(id) {
    return this.runs.get(id)?.run_name || id;
  }

  pen(id) {
    const place = Math.max(0, this.drawn.indexOf(id));
    const at = place % COLOURS;
    const round = Math.floor(place / COLOURS);
    return { at, colour: this.ink(`--c${at}`), dash: [undefined, [6, 4], [2, 3], [8, 3, 2, 3]][round % 4] };
  }

  // Canvas wants colours resolved for the theme that is on.
  ink(name) {
    if (!this.inks[name]) {
      const probe = make("span", { });
      this.place.append(probe);
      probe.style.color = `var(${name})`;
      this.inks[name] = getComputedStyle(probe).color;
      probe.remove();
    }
    return this.inks[name];
  }

  // What makes a chart another one than before.
  look() {
    const { x, log, zoom, smooth, band } = this.state;
    return [x, log, zoom, Number(smooth) > 0, band, this.ink("--line")];
  }
}

// Groups by what stands before the last `/`: what has nothing there first, what the machine says of itself (`system/`)
// last. Prefixes that hold one metric each are grouped by what stands behind: forty layers with a norm are one group.
function partsOf(names) {
  const own = grouped(names, (name) => name.slice(0, Math.max(0, name.lastIndexOf("/"))));
  const lone = own.flatMap(([prefix, those]) => (prefix !== "" && those.length === 1 ? those : []));
  const shared = grouped(lone, (name) => `*${name.slice(name.lastIndexOf("/"))}`).filter(([, those]) => those.length > 1);
  const taken = new Set(shared.flatMap(([, those]) => those));
  const parts = [...own.filter(([, those]) => !taken.has(those[0])), ...shared].map(([prefix, those]) => ({ prefix, names: those }));
  const rank = ({ prefix }) => (prefix === "" ? 0 : /^system(\/|$)/.test(prefix) ? 3 : prefix.startsWith("*/") ? 2 : 1);
  const size = (part) => (rank(part) === 2 ? part.names.length : 0);
  return parts.sort((one, other) => rank(one) - rank(other) || size(one) - size(other) || (one.prefix < other.prefix ? -1 : 1));
}

function grouped(names, keyOf) {
  const groups = new Map();
  for (const name of names) groups.set(keyOf(name), [...(groups.get(keyOf(name)) ?? []), name]);
  return [...groups];
}

// What stands there already is left: taken out for a moment, a chart would lose the keyboard.
function put(place, nodes) {
  const stands = nodes.length === place.childNodes.length && nodes.every((node, at) => node === place.childNodes[at]);
  if (!stands) place.replaceChildren(...nodes);
}
