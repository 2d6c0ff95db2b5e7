// What the table of runs shows when it is about traces.

import { make } from "./dom.js";
import { count, counted, exact, number, span } from "./figure.js";
import { moment } from "./run-subject.js";
import { TraceRows } from "./trace-api.js";

export const TITLES = {
  name: "Name", trace_id: "Trace id", status: "State", timestamp_ms: "Started", execution_time_ms: "Took", tokens: "Tokens", cost: "Cost",
  request: "Request", response: "Response", assessments: "Assessments", experiment_id: "Experiment", session: "Session", user: "User",
  run_id: "Run", client_request_id: "Client's id",
};
const WIDTHS = { status: 110, timestamp_ms: 112, execution_time_ms: 96, tokens: 84, cost: 84, request: 320, response: 320, assessments: 220, trace_id: 260, experiment_id: 100, run_id: 250 };
const NUMBERS = ["execution_time_ms", "tokens", "cost"];
// Columns that the server orders and searches by another name.
const ORDERS = { trace_id: "request_id", session: "metadata.`mlflow.trace.session`", user: "metadata.`mlflow.trace.user`" };
const UNORDERED = ["tokens", "cost", "request", "response", "assessments"];
const STATES = { OK: ["ok", "ok"], ERROR: ["error", "bad"], IN_PROGRESS: ["in progress", "now"], STATE_UNSPECIFIED: ["unknown", "idle"] };
const KINDS = /^(tags|metadata|feedback|expectation)\.(.*)$/s;
// What somebody wrote as JSON: a text without its quotes.
const plain = (value) => (/^".*"$/s.test(value) ? value.slice(1, -1) : value);
// What a preview says: a text without the quotes that JSON puts around it, even where its end is cut off.
export function spoken(preview) {
  if (!preview?.startsWith('"')) return preview;
  const begun = preview.replace(/(\.\.\.|…)+$/, "");
  // The cut may lie within an escape, of which the longest are two of `\uXXXX`.
  for (const text of [preview, ...(begun === preview ? [] : Array.from({ length: 13 }, (_, cut) => `${begun.slice(0, begun.length - cut)}"`))]) {
    try {
      const read = JSON.parse(text);
      return text === preview ? read : `${read.replace(/[\uD800-\uDBFF]$/, "")}…`;
    } catch {
      // Not there.
    }
  }
  return preview;
}

// What somebody said, or what kept them from it.
const told = ({ value, error }) => (error ? `failed: ${error}` : plain(value));

function part(name) {
  const [, kind, key] = name.match(KINDS) ?? [];
  if (!kind) return { kind: "attributes", key: name };
  return { kind, key: key.startsWith("`") && key.endsWith("`") ? key.slice(1, -1) : key };
}

function title(name) {
  const { kind, key } = part(name);
  return kind === "attributes" ? TITLES[key] ?? key : key;
}

function valueOf(trace, name) {
  const { kind, key } = part(name);
  if (kind === "tags" || kind === "metadata") return trace[kind]?.[key];
  if (kind === "feedback" || kind === "expectation") {
    const said = trace.assessments.filter((one) => one.kind === kind && one.name === key);
    return said.length > 0 ? said.map(told).join(", ") : undefined;
  }
  if (name === "assessments") return trace.assessments.map((one) => `${one.name}: ${told(one)}`).join(", ") || undefined;
  return key === "request" || key === "response" ? spoken(trace[key]) : trace[key];
}

export function stateOf(status) {
  const [word, look] = STATES[status] ?? [String(status).toLowerCase(), "idle"];
  return make("span", { class: `state ${look}` }, word);
}

export const money = (dollars) => `$${dollars >= 1 ? dollars.toFixed(2) : number(dollars, { digits: 4 })}`;

// A chip for what somebody said: yes and no are told apart by a word, not by colour alone. What should have been said is
// neither good nor bad.
export function chip(one, caption = `${one.name}: ${told(one)}`) {
  const text = told(one);
  const isGood = /^(true|yes|pass|passed)$/i.test(text);
  const isBad = one.error || /^(false|no|fail|failed)$/i.test(text);
  const look = one.kind !== "feedback" ? "" : isGood ? "ok" : isBad ? "bad" : "";
  return make("span", { class: `tag said ${look}`, title: `${one.kind} ${one.name}: ${text}` }, caption);
}

function cell(name, trace) {
  const value = valueOf(trace, name);
  if (value === undefined || value === null) return make("td");
  if (name === "status") return make("td", {}, stateOf(value));
  if (name === "timestamp_ms") return moment(value);
  if (name === "execution_time_ms") return make("td", { class: "num mono", title: `${count(value)} ms` }, span(value));
  if (name === "tokens") return make("td", { class: "num mono" }, count(value));
  if (name === "cost") return make("td", { class: "num mono", title: `${exact(value)} US dollars` }, money(value));
  if (name === "experiment_id") return make("td", {}, make("a", { href: `/experiments/${value}/traces`, tabindex: "-1" }, value));
  if (name === "run_id" && /^[0-9a-f]{32}$/.test(value)) return make("td", { class: "mono" }, make("a", { href: `/runs/${value}`, tabindex: "-1" }, value));
  if (name === "session") return make("td", { title: value }, make("a", { href: `/traces?filter=${encodeURIComponent(sessionFilter(value))}`, tabindex: "-1" }, value));
  if (name === "assessments") return make("td", { title: value }, ...trace.assessments.slice(0, 4).flatMap((one) => [chip(one), " "]));
  const { kind, key } = part(name);
  if (kind === "feedback") {
    const said = trace.assessments.filter((one) => one.kind === kind && one.name === key);
    return make("td", { title: value }, ...said.slice(0, 4).flatMap((one) => [chip(one, told(one)), " "]));
  }
  return make("td", { title: value }, String(value));
}

export function sessionFilter(session) {
  const quote = session.includes("'") ? '"' : "'";
  return `metadata.\`mlflow.trace.session\` = ${quote}${session}${quote}`;
}

const isNumber = (name) => NUMBERS.includes(name);

export const TRACES = {
  one: "trace",
  many: "traces",
  label: "Traces",
  first: "name",
  key: "trace_id",
  always: ["name"],
  about: "About the trace",
  attributes: Object.keys(TITLES),
  // What the search language names, which is not what the table calls it.
  searched: ["name", "status", "timestamp_ms", "execution_time_ms", "request_id", "run_id", "client_request_id", "prompt", "trace.text", "span.name", "span.type", "span.status", "span.content"],
  kinds: [["tags", "Tags"], ["metadata", "Metadata"], ["feedback", "Feedback"], ["expectation", "Expectations"]],
  order: "timestamp_ms DESC",
  views: "traces",
  isSelectable: false,
  id: (trace) => trace.trace_id,
  caption: (trace) => trace.name || trace.trace_id,
  href: (trace) => `/traces/${encodeURIComponent(trace.trace_id)}`,
  title,
  isNumber,
  isTime: (name) => name === "timestamp_ms",
  valueOf,
  orderOf(name) {
    const { kind } = part(name);
    if (UNORDERED.includes(name) || kind === "feedback" || kind === "expectation") return null;
    return ORDERS[name] ?? name;
  },
  isGrouped: () => false,
  rows: (api, query) => new TraceRows(api, query),
  width: (name) => WIDTHS[name] ?? 140,
  cell,
  entities: ["tags", "tag", "metadata", "request_metadata", "attributes", "attribute", "trace", "span", "feedback", "expectation", "issue"],
  comparators(column) {
    if (/^(timestamp|execution_time|end_time)(_ms)?$/.test(column)) return ["<", "<=", ">", ">=", "=", "!="];
    if (column === "prompt" || column.startsWith("issue.")) return ["="];
    if (column === "span.content" || column === "trace.text") return ["LIKE", "ILIKE"];
    if (column.startsWith("span.")) return ["=", "!=", "LIKE", "ILIKE", "RLIKE", "IN", "NOT IN"];
    if (/^(feedback|expectation)\./.test(column)) return ["=", "!=", "<", "<=", ">", ">=", "LIKE", "ILIKE", "RLIKE", "IS NULL", "IS NOT NULL"];
    if (KINDS.test(column) || column === "name") return ["=", "!=", "LIKE", "ILIKE", "RLIKE", "IS NULL", "IS NOT NULL"];
    return ["=", "!=", "LIKE", "ILIKE", "RLIKE", "IN"];
  },
  valuesOf: (column) => ({
    "span.type": ["LLM", "CHAT_MODEL", "TOOL", "AGENT", "CHAIN", "RETRIEVER", "EMBEDDING", "RERANKER", "PARSER", "MEMORY", "UNKNOWN"],
    "span.status": ["OK", "ERROR", "UNSET"],
  })[column],
  hasValues: (column) => !/^(timestamp|execution_time|end_time)|^span\.|^trace\.|^issue\./.test(column),
  // Spans come by many requests, the first of which makes the trace.
  heard({ kind, body }, _, table) {
    if (kind !== "spans.logged" && !kind.startsWith("trace.")) return null;
    const ids = body?.traces ?? [];
    const isNew = kind === "spans.logged" || kind === "trace.started";
    return { ids, isNew: isNew && ids.some((id) => !table.rows?.holds(id)) };
  },
  keys: [],
};
