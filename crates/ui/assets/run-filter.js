// The field of the search language: it offers what could stand at the cursor, and says where a text went wrong.

import { later, make } from "./dom.js";
import { count } from "./figure.js";
import { columnOf } from "./run-api.js";
import { searched } from "./run-named.js";

const RUN_ENTITIES = ["metrics", "params", "tags", "attributes", "datasets"];

// What of the text before the cursor is still open: the part behind the last AND, OR, NOT or parenthesis that stands
// outside of quotes.
export function clause(text) {
  let [start, quote] = [0, null];
  for (let at = 0; at < text.length; at += 1) {
    const letter = text[at];
    if (quote) {
      if (letter === quote) quote = null;
      continue;
    }
    if (letter === "'" || letter === '"' || letter === "`") quote = letter;
    else if (letter === "(" && !/\sIN\s*$/i.test(text.slice(0, at))) start = at + 1;
    else {
      const word = text.slice(at).match(/^(AND|OR|NOT)\s/i);
      if (word && (at === 0 || /[\s)]/.test(text[at - 1]))) {
        at += word[0].length - 1;
        start = at + 1;
      }
    }
  }
  const open = text.slice(start);
  const blank = open.match(/^\s*/)[0].length;
  return { start: start + blank, text: open.slice(blank) };
}

// What is wanted at the end of a clause: a column, a comparator, a value, or a word that joins.
export function wanted(text, entities = RUN_ENTITIES) {
  const COLUMN = `(?:(?:${entities.join("|")})\\.)?(?:[A-Za-z_][\\w.]*|\`[^\`]*\`)`;
  const NAME = `(?:(?:${entities.join("|")})\\.(?:[\\w.]+|\`[^\`]*\`)|[A-Za-z_][\\w]*)`;
  const list = text.match(new RegExp(`^(${NAME})\\s+(?:NOT\\s+)?IN\\s*\\((?:.*,)?\\s*('[^']*|[^',\\s]*)$`, "i"));
  const value = list ?? text.match(new RegExp(`^(${NAME})\\s*(?:<=|>=|!=|=|<|>|(?:NOT\\s+)?(?:LIKE|ILIKE|RLIKE)\\s)\\s*('[^']*|[^'\\s]*)$`, "i"));
  if (value) return { what: "value", column: value[1], at: text.length - value[2].length, typed: value[2].replace(/^'/, "") };
  const comparator = text.match(new RegExp(`^(${NAME})\\s+([<>=!]*|[A-Za-z ]*)$`));
  if (comparator) return { what: "comparator", column: comparator[1], at: text.length - comparator[2].length, typed: comparator[2] };
  if (new RegExp(`^(?:${COLUMN.replaceAll("`[^`]*`", "`[^`]*`?")}|[A-Za-z]*\\.?)?$`).test(text)) return { what: "column", at: 0, typed: text };
  if (/['"\d)]\s+[A-Za-z]*$/.test(text) || /NULL\s+[A-Za-z]*$/i.test(text)) {
    const typed = text.match(/[A-Za-z]*$/)[0];
    return { what: "join", at: text.length - typed.length, typed };
  }
  return null;
}

const begins = (all, typed) => all.filter((word) => word.toLowerCase().startsWith(typed.trim().toLowerCase()));

export class FilterField {
  constructor(form, state, api) {
    Object.assign(this, { form, state, api });
    this.input = form.querySelector('input[name="filter"]');
    this.list = make("ul", { class: "offers", role: "listbox", id: "run-offers", "aria-label": "What could stand here", hidden: true });
    form.append(this.list);
    const roles = { role: "combobox", "aria-expanded": "false", "aria-controls": "run-offers", "aria-autocomplete": "list" };
    for (const [name, value] of Object.entries(roles)) this.input.setAttribute(name, value);
    this.offers = [];
    this.chosen = -1;
    const look = later(120, () => this.look());
    this.input.addEventListener("input", look);
    this.input.addEventListener("click", look);
    this.input.addEventListener("focus", look);
    this.input.addEventListener("blur", () => setTimeout(() => this.close(), 150));
    this.input.addEventListener("keydown", (event) => this.key(event));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.apply();
    });
    state.when(["filter"], () => {
      this.input.value = state.filter;
      this.clearing();
    });
    this.clearing();
  }

  apply() {
    this.close();
    const filter = searched(this.input.value, this.state.subject.first);
    this.input.value = filter;
    this.state.set({ filter }, { isStep: true });
  }

  // The way back to all, where there is a search.
  clearing() {
    let clear = this.form.querySelector('[data-part="clear"]');
    if (this.state.filter === "") {
      clear?.remove();
      return;
    }
    if (!clear) {
      clear = make("a", { class: "btn", "data-part": "clear", href: this.state.here }, "Clear");
      this.list.before(clear);
    }
    clear.onclick = (event) => {
      event.preventDefault();
      this.input.value = "";
      this.apply();
    };
  }

  async look() {
    if (document.activeElement !== this.input) return;
    const text = this.input.value.slice(0, this.input.selectionStart);
    const open = clause(text);
    const want = wanted(open.text, this.state.subject.entities);
    this.leaving?.abort();
    this.leaving = new AbortController();
    let offers = [];
    try {
      offers = want ? await this.answers(want) : [];
    } catch {
      // Completion is a courtesy: without it the field works all the same.
    }
    this.from = open.start + (want?.at ?? 0);
    this.until = text.length;
    this.show(offers);
  }

  async answers(want) {
    const { signal } = this.leaving;
    if (want.what === "join") return begins(["AND", "OR"], want.typed).map((word) => ({ text: `${word} `, says: word }));
    const { subject } = this.state;
    if (want.what === "comparator") {
      return begins(subject.comparators(want.column), want.typed).map((word) => ({ text: `${word} `, says: word }));
    }
    if (want.what === "value") {
      const fixed = subject.valuesOf?.(want.column);
      if (fixed) return begins(fixed, want.typed).map((value) => ({ text: `'${value}' `, says: value }));
      if (!subject.hasValues(want.column)) return [];
      const found = await this.api.values({ column: want.column, prefix: want.typed, limit: 20 }, signal);
      const head = `${found.column} = `;
      const literal = ({ value, filter }) => (filter.startsWith(head) ? filter.slice(head.length) : `'${value}'`);
      return found.values.map((one) => ({ text: `${literal(one)} `, says: one.value, hint: count(one[subject.many]) }));
    }
    const named = subject.kinds.map(([name]) => name).join("|");
    const [, kind, typed] = want.typed.match(new RegExp(`^(${named})\\.\`?(.*)$`, "s")) ?? [null, null, want.typed];
    const asked = kind ? { kinds: [kind], prefix: typed.replace(/`$/, "") } : { prefix: typed };
    const found = await this.api.columns({ ...asked, limit: 12 }, signal);
    const own = kind ? [] : begins(subject.searched ?? subject.attributes, typed).map((name) => ({ text: `${name} `, says: name, hint: subject.about.toLowerCase() }));
    const keys = found.columns.map((one) => ({ text: `${columnOf(one.kind, one.key)} `, says: one.column, hint: count(one[subject.many]) }));
    return typed === "" ? [...keys, ...own] : [...own, ...keys];
  }

  show(offers) {
    this.offers = offers;
    this.chosen = -1;
    this.input.removeAttribute("aria-activedescendant");
    this.list.hidden = offers.length === 0;
    this.input.setAttribute("aria-expanded", String(offers.length > 0));
    this.list.replaceChildren(...offers.map((offer, at) => make("li", {
      role: "option", id: `run-offer-${at}`, "aria-selected": "false",
      onpointerdown: (event) => { event.preventDefault(); this.take(at); },
    }, make("span", {}, offer.says), offer.hint ? make("span", { class: "soft mono" }, offer.hint) : null)));
  }

  close() {
    this.show([]);
  }

  key(event) {
    if (this.offers.length === 0) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const step = event.key === "ArrowDown" ? 1 : -1;
      this.choose((this.chosen + step + this.offers.length) % this.offers.length);
    } else if ((event.key === "Enter" || event.key === "Tab") && this.chosen >= 0) {
      event.preventDefault();
      this.take(this.chosen);
    } else if (event.key === "Escape") {
      event.preventDefault();
      event.stopPropagation();
      this.close();
    }
  }

  choose(at) {
    this.list.children[this.chosen]?.setAttribute("aria-selected", "false");
    this.chosen = at;
    const line = this.list.children[at];
    line.setAttribute("aria-selected", "true");
    line.scrollIntoView({ block: "nearest" });
    this.input.setAttribute("aria-activedescendant", line.id);
  }

  take(at) {
    const { text } = this.offers[at];
    const { value } = this.input;
    const behind = value.slice(this.until).replace(/^ /, "");
    this.input.value = value.slice(0, this.from) + text + behind;
    const place = this.from + text.length;
    this.input.focus();
    this.input.setSelectionRange(place, place);
    this.look();
  }
}
