// What the table, its search field and its keys are about: here runs, in trace-subject.js traces.

import { make } from "./dom.js";
import { ago, asNumber, count, exact, instant, number, span, state as stateOf } from "./figure.js";
import { ATTRIBUTES, PARENT, isNumber, part, title, valueOf } from "./run-api.js";
import { NestedRows } from "./run-nest.js";
import { GroupedRows, RunRows } from "./run-rows.js";

const WIDTHS = { status: 104, start_time: 112, end_time: 112, duration: 104, user_id: 110, run_id: 250, experiment_id: 100, artifact_uri: 260 };
const GROUPED = ["status", "user_id", "run_name", "experiment_id", "artifact_uri", "run_id"];

export const RUNS = {
  one: "run",
  many: "runs",
  label: "Runs",
  // The column that stands first, always.
  first: "run_name",
  always: ["run_name", "status"],
  about: "About the run",
  attributes: ATTRIBUTES,
  kinds: [["metrics", "Metrics"], ["params", "Parameters"], ["tags", "Tags"]],
  order: "start_time DESC",
  isSelectable: true,
  id: (run) => run.run_id,
  caption: (run) => run.run_name || run.run_id,
  href: (run) => `/runs/${run.run_id}`,
  title,
  isNumber,
  isTime: (name) => !isNumber(name) && name.endsWith("_time"),
  valueOf,
  // What the server orders a column by; null where it does not.
  orderOf: (name) => name,
  isGrouped: (name) => ["params", "tags"].includes(part(name).kind) || GROUPED.includes(name),
  // A search finds runs wherever they stand, so what it finds is not nested.
  rows(api, query, { groups, names, nest }) {
    if (groups.length === 0) return nest !== "0" && query.filter.trim() === "" ? new NestedRows(api, query) : new RunRows(api, query);
    return new GroupedRows(api, query, names.filter(isNumber).slice(0, 32));
  },
  width(name) {
    const { kind, key } = part(name);
    return WIDTHS[name] ?? (kind === "metrics" ? Math.min(220, Math.max(112, 30 + key.length * 8)) : 130);
  },
  // Within a column so wide, in pixels.
  cell(name, run, width) {
    const value = valueOf(run, name);
    if (value === undefined || value === null) return make("td");
    if (name === "status") {
      const [word, look] = stateOf(value);
      return make("td", {}, make("span", { class: `state ${look}` }, word));
    }
    if (name === "start_time" || name === "end_time") return moment(value);
    if (name === "duration") return make("td", { class: "num mono", title: `${count(value)} ms` }, span(value));
    if (isNumber(name)) return make("td", { class: "num mono", title: exact(value) }, number(value, { room: roomOf(width) }));
    if (name === PARENT) return make("td", { class: "mono", title: value }, make("a", { href: `/runs/${encodeURIComponent(value)}`, tabindex: "-1" }, value));
    return make("td", { title: value, dir: "auto" }, String(value));
  },
  mean(name, found, width) {
    const words = name === "duration" ? span : exact;
    const range = `mean of ${count(found.count)}; from ${words(asNumber(found.min))} to ${words(asNumber(found.max))}`;
    return make("td", { class: "num mono mean", title: range }, name === "duration" ? span(asNumber(found.mean)) : number(found.mean, { room: roomOf(width) }));
  },
  // Entities and comparators of the search language.
  entities: ["metrics", "params", "tags", "attributes", "datasets"],
  comparators(column) {
    const { kind, key } = part(column);
    const numeric = kind === "metrics" || ["start_time", "end_time", "duration"].includes(key);
    return numeric ? ["<", "<=", ">", ">=", "=", "!=", "IS NULL", "IS NOT NULL"] : ["=", "!=", "LIKE", "ILIKE", "RLIKE", "IN", "IS NULL", "IS NOT NULL"];
  },
  hasValues: (column) => part(column).kind !== "metrics" && !column.endsWith("_time") && column !== "duration",
  // Of an event of the record: the runs that it is about, and whether they are new.
  heard({ kind, subject, body }, state) {
    const [what, id] = subject.split(":");
    if (what !== "run") return null;
    if (kind !== "run.created") return { ids: [id], isNew: false };
    return state.experiments === null || state.experiments.includes(String(body?.experiment)) ? { ids: [id], isNew: true } : null;
  },
  keys: [["← →", "close and open a group or a parent; else move sideways"], ["t c v", "table, charts, comparison"]],
};

// How many digits stand in a cell: 7.2 pixels each beside its padding.
const roomOf = (width) => Math.max(6, Math.floor((width - 24) / 7.2));

export function moment(value) {
  return make("td", { class: "soft" }, make("time", { datetime: instant(value), title: instant(value) }, ago(value)));
}
