// What people, judges and code say of a trace: read, added, changed and taken back, with the rights that one has.

import { button, make } from "./dom.js";
import { ago } from "./figure.js";
import { ask } from "./run-api.js";

const KINDS = [["feedback", "Feedback"], ["expectation", "Expectation"]];

// What somebody typed: yes and no, a number, JSON, or a text.
export function read(text) {
  const trimmed = text.trim();
  if (/^(true|yes)$/i.test(trimmed)) return true;
  if (/^(false|no)$/i.test(trimmed)) return false;
  if (/^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(trimmed) || /^[[{]/.test(trimmed)) {
    try {
      return JSON.parse(trimmed);
    } catch {
      return trimmed;
    }
  }
  return trimmed;
}

const valueOf = (one) => {
  if (one.feedback) return one.feedback.value ?? null;
  if (one.expectation) return one.expectation.serialized_value ? JSON.parse(one.expectation.serialized_value.value) : one.expectation.value;
  return one.issue?.issue_name;
};
const written = (value) => (typeof value === "string" ? value : JSON.stringify(value));
// What takes the place of a value: a text stays one, since "yes" of a judge is not the same as true.
const revised = (before, typed) => (typed === written(before) ? before : typeof before === "string" ? typed.trim() : read(typed));

export class Said {
  constructor(place, { trace, who, spanId }) {
    Object.assign(this, { place, who, spanId });
    this.path = `/ajax-api/3.0/mlflow/traces/${encodeURIComponent(trace)}`;
    this.list = make("ul", { class: "plainlist saidlist" });
    this.says = make("p", { class: "soft", role: "status" });
    this.form = this.makeForm();
    place.replaceChildren(make("header", {}, make("h2", {}, "What is said of it")), this.list, this.says, this.form);
    this.read();
  }

  async read() {
    try {
      const { trace } = await ask(this.path, undefined, { method: "GET" });
      this.all = trace.trace_info.assessments ?? [];
      this.draw();
    } catch (error) {
      this.says.textContent = error.message;
    }
  }

  draw() {
    this.says.textContent = this.all.length === 0 ? "Nothing yet: say how good it was, or what it should have been." : "";
    this.list.replaceChildren(...this.all.map((one) => {
      const kind = one.issue ? "issue" : one.expectation ? "expectation" : "feedback";
      const source = `${one.source.source_type.toLowerCase().replaceAll("_", " ")} ${one.source.source_id ?? ""}`.trim();
      const { error } = one.feedback ?? {};
      const value = error ? `failed: ${[error.error_code, error.error_message].filter(Boolean).join(": ")}` : written(valueOf(one));
      return make("li", { class: one.valid === false ? "over" : "" },
        make("span", {}, make("b", {}, one.assessment_name), " ", make("span", { class: "mono break" }, value ?? ""), " ",
          make("span", { class: "soft" }, `${kind} · ${source} · ${ago(Date.parse(one.last_update_time))}${one.span_id ? " · of a span" : ""}${one.valid === false ? " · another takes its place" : ""}`),
          one.rationale ? make("p", { class: "soft break" }, one.rationale) : null,
          error?.stack_trace ? make("details", {}, make("summary", {}, "where"), make("pre", { class: "code" }, error.stack_trace)) : null),
        make("span", { class: "acts" },
          kind === "issue" ? null : button("Change", () => this.change(one), { "aria-label": `Change ${one.assessment_name}` }),
          button("Delete", () => this.remove(one), { "aria-label": `Delete ${one.assessment_name}` })));
    }));
  }

  makeForm() {
    this.name = make("input", { type: "text", required: true, maxlength: "250", placeholder: "correct", autocomplete: "off" });
    this.kind = make("select", {}, ...KINDS.map(([value, title]) => make("option", { value }, title)));
    this.value = make("textarea", { required: true, rows: "1", placeholder: "yes, no, a number, a text or JSON" });
    this.why = make("textarea", { rows: "1", placeholder: "why (optional)" });
    this.ofSpan = make("input", { type: "checkbox" });
    this.send = button("Say it", undefined, { type: "submit", class: "btn small primary" });
    this.leave = button("Cancel", () => this.rest(), { hidden: true });
    const form = make("form", { class: "sayform" }, make("label", {}, "What is judged", this.name), make("label", {}, "As", this.kind), make("label", {}, "Value", this.value), make("label", {}, "Why", this.why),
      make("label", { class: "check" }, this.ofSpan, "of the chosen span"), make("span", { class: "acts" }, this.send, this.leave));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.tell(() => this.keep());
    });
    return form;
  }

  rest() {
    this.changing = null;
    this.form.reset();
    this.send.textContent = "Say it";
    this.leave.hidden = true;
    this.name.disabled = this.kind.disabled = this.ofSpan.disabled = false;
  }

  change(one) {
    this.changing = one;
    this.name.value = one.assessment_name;
    this.kind.value = one.expectation ? "expectation" : "feedback";
    this.value.value = written(valueOf(one));
    this.why.value = one.rationale ?? "";
    this.name.disabled = this.kind.disabled = this.ofSpan.disabled = true;
    this.send.textContent = "Change it";
    this.leave.hidden = false;
    this.value.focus();
  }

  async keep() {
    const value = this.changing ? revised(valueOf(this.changing), this.value.value) : read(this.value.value);
    const kind = this.kind.value;
    const isNested = typeof value === "object" && value !== null;
    const judged = kind === "feedback" ? { feedback: { value } }
      : { expectation: isNested ? { serialized_value: { serialization_format: "JSON_FORMAT", value: JSON.stringify(value) } } : { value } };
    const rationale = this.why.value.trim();
    if (this.changing) {
      const id = encodeURIComponent(this.changing.assessment_id);
      const isFeedback = kind === "feedback";
      await ask(`${this.path}/assessments/${id}`, { assessment: { ...judged, ...(isFeedback ? { rationale } : {}) }, update_mask: isFeedback ? "feedback,rationale" : "expectation" }, { method: "PATCH" });
    } else {
      const span = this.ofSpan.checked ? this.spanId() : undefined;
      const source = { source_type: "HUMAN", source_id: this.who };
      await ask(`${this.path}/assessments`, { assessment: { assessment_name: this.name.value.trim(), source, ...judged, ...(rationale && kind === "feedback" ? { rationale } : {}), ...(span ? { span_id: span } : {}) } });
    }
    this.rest();
    await this.read();
  }

  remove(one) {
    this.tell(async () => {
      await ask(`${this.path}/assessments/${encodeURIComponent(one.assessment_id)}`, undefined, { method: "DELETE" });
      if (this.changing?.assessment_id === one.assessment_id) this.rest();
      await this.read();
    });
  }

  async tell(work) {
    try {
      await work();
    } catch (error) {
      this.says.textContent = error.message;
    }
  }
}
