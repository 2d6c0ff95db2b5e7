// One span, whole: what went in and came out, what failed, and all that is known of it.

import { make } from "./dom.js";
import { count, grouped, instant } from "./figure.js";
import { ask } from "./run-api.js";
import { took } from "./trace-tree.js";
import { titled, valueView } from "./trace-value.js";
import { isKnown, look, word } from "./trace-waterfall.js";

const KEPT = 50;
const INPUTS = "mlflow.spanInputs";
const OUTPUTS = "mlflow.spanOutputs";
const TOKENS = "mlflow.chat.tokenUsage";
// Said elsewhere on the pane.
const TOLD = [INPUTS, OUTPUTS, TOKENS, "mlflow.spanType", "mlflow.traceRequestId"];

export class SpanPane {
  constructor(place, trace, tree) {
    Object.assign(this, { place, trace, tree, known: new Map() });
  }

  async show(at) {
    this.leaving?.abort();
    this.leaving = new AbortController();
    const id = this.tree.ids[at];
    this.id = id;
    try {
      const span = this.known.get(id) ?? await ask(`/api/v1/traces/${encodeURIComponent(this.trace)}/spans/${id}`, undefined, { method: "GET", signal: this.leaving.signal });
      this.known.set(id, span);
      if (this.known.size > KEPT) this.known.delete(this.known.keys().next().value);
      if (this.id === id) this.draw(span, at);
    } catch (error) {
      if (error.name !== "AbortError") this.place.replaceChildren(make("p", { class: "fault" }, error.message));
    }
  }

  draw(span, at) {
    const { attributes } = span;
    const failed = span.status === "ERROR";
    const head = make("header", {}, make("h2", {}, span.name),
      make("span", { class: "acts" }, isKnown(span.type ?? "") ? make("span", { class: `kind ${look(span.type)}` }, word(span.type)) : null,
        make("span", { class: `state ${failed ? "bad" : span.status === "OK" ? "ok" : "idle"}` }, failed ? "error" : span.status.toLowerCase())));
    const usage = attributes[TOKENS];
    const facts = make("p", { class: "soft" }, [
      `took ${took(this.tree.durations[at])}`, `began after ${took(this.tree.starts[at])}`,
      ...(usage?.total_tokens === undefined ? [] : [`${count(usage.total_tokens)} tokens (${count(usage.input_tokens ?? 0)} in, ${count(usage.output_tokens ?? 0)} out)`]),
    ].join(" · "));
    const faults = span.events.filter(({ name, attributes: of }) => name === "exception" || "exception.type" in of);
    const events = span.events.filter((event) => !faults.includes(event));
    const others = Object.entries(attributes).filter(([name]) => !TOLD.includes(name));
    this.place.replaceChildren(head, facts,
      ...(failed && span.message ? [make("p", { class: "fault" }, span.message)] : []),
      ...faults.map(fault),
      ...(INPUTS in attributes ? [titled("Inputs", attributes[INPUTS])] : []),
      ...(OUTPUTS in attributes ? [titled("Outputs", attributes[OUTPUTS])] : []),
      ...(others.length > 0 ? [section("Attributes", make("dl", { class: "tree" }, ...others.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, valueView(value, 2, false))])))] : []),
      ...(events.length > 0 ? [section("Events", make("dl", { class: "tree" }, ...events.flatMap((event) => [make("dt", {}, event.name, make("span", { class: "soft" }, ` after ${this.since(event.time_ns)}`)), make("dd", {}, valueView(event.attributes, 2, false))])))] : []),
      ...(span.links.length > 0 ? [section("Links", make("ul", { class: "plainlist" }, ...span.links.map(({ trace, span: other }) => make("li", {}, make("a", { class: "mono", href: `/traces/${encodeURIComponent(trace)}?span=${other}` }, `${trace} ${other}`)))))] : []),
      section("Names", make("dl", { class: "tree" }, make("dt", {}, "span"), make("dd", { class: "mono" }, span.id), make("dt", {}, "kind"), make("dd", { class: "mono" }, span.kind),
        make("dt", {}, "began"), make("dd", { class: "mono", title: `${grouped(span.start_ns)} ns` }, instant(Number(BigInt(span.start_ns) / 1_000_000n))))));
  }

  since(ns) {
    return took(Number(BigInt(ns) - this.tree.origin));
  }
}

function section(title, content) {
  return make("section", { class: "value" }, make("header", {}, make("h3", {}, title)), content);
}

function fault({ attributes }) {
  const stack = attributes["exception.stacktrace"];
  return make("section", { class: "value failed" },
    make("header", {}, make("h3", {}, String(attributes["exception.type"] ?? "Exception"))),
    make("p", { class: "break" }, String(attributes["exception.message"] ?? "")),
    stack ? make("details", { open: true }, make("summary", {}, "where"), make("pre", { class: "code tall" }, String(stack))) : null);
}
