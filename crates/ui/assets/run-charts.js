// Charts of the selected runs: one for each metric that any of them has logged, all on one axis and one range.

import { button, later, make } from "./dom.js";
import { counted } from "./figure.js";
import { RunChart } from "./run-chart.js";
import { COLOURS } from "./run-state.js";

// Charts at once; further ones are found by name.
const MOST = 60;
// Runs that are drawn where nobody chose.
const FIRST = 10;

export class RunCharts {
  constructor(place, state, api, { isOne = false, only = null } = {}) {
    Object.assign(this, { place, state, api, isOne, only, charts: new Map(), runs: new Map() });
    this.list = make("div", { class: "charts wide" });
    this.legend = make("ul", { class: "legend", "aria-label": "Selected runs" });
    this.bar = this.controls();
    this.legend.hidden = isOne;
    place.replaceChildren(this.bar, this.legend, this.list);
    this.seen = new IntersectionObserver((entries) => this.scrolled(entries), { rootMargin: "300px" });
    const redraw = () => this.isShown && this.charts.forEach((chart) => chart.draw());
    state.when(["smooth", "log", "band"], redraw);
    state.when(["x", "zoom"], () => this.isShown && this.reload());
    state.when(["selected"], later(100, () => this.isShown && this.show()));
    state.when(["pins", "metric"], () => this.isShown && this.arrange());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { this.inks = {}; redraw(); });
    this.inks = {};
  }

  get isShown() {
    return !this.place.hidden;
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

  // Comes into sight, or the selection has changed.
  async show() {
    const { state } = this;
    if (state.selected.length === 0) return this.teach();
    const unknown = state.selected.filter((id) => !this.runs.has(id));
    if (unknown.length > 0 || !this.knows) {
      const runs = await this.api.byId(state.selected, ["run_name", "status", "metrics.*"]);
      this.runs = new Map(runs.map((run) => [run.run_id, run]));
      this.knows = true;
    }
    this.drawLegend();
    this.arrange();
    this.reload();
  }

  teach() {
    this.legend.replaceChildren();
    this.list.replaceChildren(make("div", { class: "card empty" },
      make("p", {}, "Select runs in the table: their metrics are drawn here, one colour for each run."),
      make("p", {}, button(`Draw the first ${FIRST} of the list`, async () => {
        const { runs } = await this.api.rows({ order_by: this.state.orderTexts, columns: [], limit: FIRST });
        this.state.select(runs.map((run) => run.run_id), true);
      }, { class: "btn primary" }))));
    this.charts.clear();
  }

  drawLegend() {
    const { state } = this;
    const lines = state.selected.filter((id) => this.runs.has(id)).map((id) => make("li", {},
      make("i", { class: `dot c${state.colour(id)}`, "aria-hidden": "true" }), make("a", { href: `/runs/${id}` }, this.nameOf(id)),
      make("button", { type: "button", class: "drop", "aria-label": `Take ${this.nameOf(id)} away`, onclick: () => state.select([id], false) }, "×")));
    const none = make("li", {}, button("None", () => state.set({ selected: [] }), { "aria-label": "Select none" }));
    this.legend.replaceChildren(...lines, none);
  }

  // Which charts there are, in which order: pinned ones first, then by name.
  arrange() {
    const { state } = this;
    const names = new Set();
    for (const id of state.selected) for (const name of Object.keys(this.runs.get(id)?.metrics ?? {})) if (!this.only || this.only.has(name)) names.add(name);
    const typed = state.metric.toLowerCase();
    const fitting = [...names].sort().filter((name) => name.toLowerCase().includes(typed) || state.pins.includes(name));
    const ordered = [...state.pins.filter((name) => names.has(name)), ...fitting.filter((name) => !state.pins.includes(name))];
    const shown = ordered.slice(0, MOST);
    for (const name of [...this.charts.keys()]) if (!shown.includes(name)) this.forget(name);
    for (const name of shown) {
      if (!this.charts.has(name)) {
        const chart = new RunChart(this, name);
        this.charts.set(name, chart);
        this.seen.observe(chart.figure);
      }
      const { figure, pin } = this.charts.get(name);
      const pinned = state.pins.includes(name);
      pin.textContent = pinned ? "Unpin" : "Pin";
      pin.setAttribute("aria-pressed", String(pinned));
      figure.classList.toggle("pinned", pinned);
    }
    const more = ordered.length > MOST ? [make("p", { class: "soft" }, `${counted(ordered.length - MOST, "more metric", "more metrics")}: find them by name`)] : [];
    const none = shown.length === 0 ? [make("div", { class: "card empty" }, make("p", {}, names.size === 0 ? "The selected runs have logged no metric." : "No metric has this in its name."))] : [];
    const all = [...shown.map((name) => this.charts.get(name).figure), ...more, ...none];
    // What stands there already is left: taken out for a moment, a chart would lose the keyboard.
    const stands = all.length === this.list.childNodes.length && all.every((node, at) => node === this.list.childNodes[at]);
    if (!stands) this.list.replaceChildren(...all);
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
    const at = this.state.colour(id) ?? 0;
    const round = Math.floor(this.state.selected.indexOf(id) / COLOURS);
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
