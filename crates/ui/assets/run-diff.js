// What differs between runs, side by side: parameters, metrics and tags, each run a column.

import { button, make } from "./dom.js";
import { ago, apart, asNumber, count, exact, instant, number, span, state as stateOf } from "./figure.js";

// Columns that a table still shows side by side.
const MOST = 20;
const KINDS = [["attributes", "About the run"], ["params", "Parameters"], ["metrics", "Metrics"], ["tags", "Tags"]];
const OWN = { status: (value) => stateOf(value)[0], user_id: String, start_time: (value) => ago(value), duration: span, experiment_id: String };

function valuesOf(run, kind) {
  if (kind !== "attributes") return run[kind] ?? {};
  return Object.fromEntries(Object.keys(OWN).filter((key) => run[key] !== undefined).map((key) => [key, run[key]]));
}

// What is known of a value besides what a cell says.
const FULL = { start_time: instant, duration: (value) => `${count(value)} ms` };

function full(kind, key, value) {
  if (value === undefined) return "not there";
  if (kind === "attributes") return FULL[key]?.(value) ?? String(value);
  return kind === "metrics" ? exact(value) : String(value);
}

// The cells of a row. Values that differ never look the same.
function says(kind, key, values) {
  if (kind === "metrics") return apart(values);
  const texts = values.map((value) => (value === undefined ? "" : kind === "attributes" ? OWN[key](value) : String(value)));
  const isTold = new Set(texts).size === new Set(values).size;
  return isTold ? texts : values.map((value) => (value === undefined ? "" : full(kind, key, value)));
}

export function drawDiff(comparison) {
  const { diff: place, state } = comparison;
  const runs = comparison.runs.slice(0, MOST);
  const isWhole = state.all === "1";
  const turn = make("input", { type: "checkbox" });
  turn.checked = !isWhole;
  turn.addEventListener("change", () => state.set({ all: turn.checked ? "" : "1" }));
  const head = comparison.heading("Side by side", make("label", { class: "check" }, turn, "Only differences"));
  const isPair = runs.length === 2;
  const heads = runs.map((run) => make("th", { scope: "col" }, make("i", { class: `dot c${state.colour(run.run_id)}`, "aria-hidden": "true" }),
    make("a", { href: `/runs/${run.run_id}` }, run.run_name), button("×", () => state.select([run.run_id], false), { class: "drop", "aria-label": `Take ${run.run_name} away` })));
  const bodies = KINDS.map(([kind, words]) => body(kind, words, runs, isWhole, isPair));
  const shown = bodies.filter((part) => part !== null);
  const table = make("table", { class: "diff" },
    make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "What"), ...heads, isPair ? make("th", { scope: "col", class: "num" }, "Change") : null)), ...shown);
  const more = comparison.runs.length > MOST ? [make("p", { class: "soft" }, `The first ${MOST} of ${comparison.runs.length} selected runs.`)] : [];
  const none = shown.length === 0 ? [make("p", { class: "soft" }, "Nothing differs: their parameters, metrics and tags are the same.")] : [];
  place.replaceChildren(head, make("div", { class: "scroll tall" }, table), ...more, ...none);
}

function body(kind, words, runs, isWhole, isPair) {
  const all = runs.map((run) => valuesOf(run, kind));
  const keys = [...new Set(all.flatMap((values) => Object.keys(values)))].sort();
  const rows = [];
  for (const key of keys) {
    const values = all.map((own) => own[key]);
    const differs = values.some((value) => value !== values[0]);
    if (!differs && !isWhole) continue;
    const texts = says(kind, key, values);
    const cells = values.map((value, at) => {
      const isNumeric = kind === "metrics" || (kind === "attributes" && key === "duration");
      return make("td", { class: `${isNumeric ? "mono" : "clip"} ${value === undefined ? "none" : ""}`, title: full(kind, key, value) }, texts[at]);
    });
    const change = isPair ? [make("td", { class: "num mono soft" }, changeOf(kind, values))] : [];
    rows.push(make("tr", { class: differs ? "differs" : "" }, make("th", { scope: "row", title: key }, key), ...cells, ...change));
  }
  if (rows.length === 0) return null;
  const span = runs.length + 1 + (isPair ? 1 : 0);
  return make("tbody", {}, make("tr", { class: "kind" }, make("th", { scope: "colgroup", colspan: span }, words)), ...rows);
}

function changeOf(kind, [before, after]) {
  const [one, other] = [asNumber(before), asNumber(after)];
  if (kind !== "metrics" || one === null || other === null) return "";
  const by = other - one;
  const percent = Math.abs((by / one) * 100);
  const size = percent > 0 && percent < 0.05 ? "under 0.1" : `${by >= 0 ? "+" : "−"}${percent.toFixed(1)}`;
  const share = one !== 0 && Number.isFinite(percent) ? ` (${size} %)` : "";
  return `${by > 0 ? "+" : ""}${number(by)}${share}`;
}
