// The spans of a trace as a tree beside one axis of time. However many there are, those in sight are drawn.

import { divider } from "./divider.js";
import { button, later, make } from "./dom.js";
import { count, counted } from "./figure.js";
import { ask } from "./run-api.js";
import { took } from "./trace-tree.js";

export const ROW = 28;
// Rows beyond the window's edges that are drawn as well.
const BEYOND = 10;
const STEPS = 4;
// How far a step lies to the right of what it is part of, and which part of the names' column all steps together may take.
const STEP = 14;
const INDENTED = 0.45;
const LOOKS = {
  LLM: "llm", CHAT_MODEL: "llm", EMBEDDING: "llm", TOOL: "tool", RETRIEVER: "find", RERANKER: "find", MEMORY: "find",
  AGENT: "agent", CHAIN: "flow", WORKFLOW: "flow", PARSER: "flow", EVALUATOR: "agent", GUARDRAIL: "agent",
};
const WORDS = { CHAT_MODEL: "chat", LLM: "llm" };

export const look = (type) => LOOKS[type] ?? "other";
// Clients write UNKNOWN where nobody said what kind of step it is.
export const isKnown = (type) => type !== "" && type !== "UNKNOWN";
export const word = (type) => WORDS[type] ?? type.toLowerCase().replaceAll("_", " ");

export class Waterfall extends EventTarget {
  constructor(card, trace, tree) {
    super();
    Object.assign(this, { card, trace, tree, cursor: 0, hits: null, drawn: new Map() });
    this.lay();
    this.settle();
  }

  lay() {
    const { tree } = this;
    this.find = make("input", { type: "search", "data-find": true, "aria-label": "Find in this trace", placeholder: "Find in this trace", autocomplete: "off" });
    this.says = make("span", { class: "soft", role: "status" });
    this.inside = make("input", { type: "checkbox" });
    const failed = tree.order.filter((at) => tree.failed(at)).length;
    const bar = make("div", { class: "wfbar" }, this.find,
      make("label", { class: "check" }, this.inside, "in what spans hold"), this.says,
      failed > 0 ? button(counted(failed, "error", "errors"), () => this.nextError(), { class: "btn small danger", title: "To the next span that failed (e)" }) : null,
      button("Open all", () => this.fold(Infinity)), button("Close all", () => this.fold(1)));
    const ticks = Array.from({ length: STEPS + 1 }, (_, at) => {
      const tick = make("span", { class: at === STEPS ? "last" : "" }, took((tree.length * at) / STEPS));
      tick.style.left = `${(100 * at) / STEPS}%`;
      return tick;
    });
    const names = make("span", { class: "names" }, make("span", { class: "soft", "aria-hidden": "true" }, "Span"));
    this.head = make("div", { class: "wfhead" }, names, make("span", { class: "axis", "aria-hidden": "true" }, ...ticks));
    this.space = make("div", { class: "wfspace", role: "presentation" });
    this.grid = make("div", { class: "wfgrid", role: "tree", tabindex: "0", "aria-label": "Spans; ? shows the keys" }, this.space);
    this.foot = make("p", { class: "tally soft" });
    // Names and times share the width as one likes.
    this.sheet = make("div", { class: "wfsheet" }, this.head, this.grid);
    names.append(divider({
      label: "Width of the spans' names", key: "trace-names", least: 20, most: 85, usual: 45,
      width: () => this.head.clientWidth,
      set: (percent) => {
        this.sheet.style.setProperty("--names", `${percent}%`);
        this.plan(true);
      },
    }));
    this.card.replaceChildren(bar, this.sheet, this.foot);
    this.grid.addEventListener("scroll", () => this.plan(), { passive: true });
    new ResizeObserver(() => this.plan(true)).observe(this.grid);
    this.grid.addEventListener("click", (event) => this.press(event));
    this.grid.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (this.key(event)) event.preventDefault();
    });
    const seek = later(180, () => this.seek());
    this.find.addEventListener("input", seek);
    this.inside.addEventListener("change", () => this.seek());
    this.find.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      this.nextHit(event.shiftKey ? -1 : 1);
    });
  }

  // What is open has changed.
  settle() {
    this.seen = this.tree.open();
    this.places = new Map(this.seen.map((at, place) => [at, place]));
    this.space.style.height = `${this.seen.length * ROW}px`;
    this.deepest = this.seen.reduce((most, at) => Math.max(most, this.tree.depths[at]), 0);
    this.cursor = Math.min(this.cursor, Math.max(0, this.seen.length - 1));
    const hidden = this.tree.count - this.seen.length;
    this.foot.textContent = counted(this.tree.count, "span", "spans") + (hidden > 0 ? ` · ${count(hidden)} in closed ones` : "") + (this.tree.isComplete ? "" : " · not all have come");
    this.render(true);
  }

  // Draws with the browser's next frame, with new widths if they have changed.
  plan(isNew = false) {
    this.isNew ||= isNew;
    if (this.planned) return;
    this.planned = requestAnimationFrame(() => {
      this.planned = null;
      this.render(this.isNew);
      this.isNew = false;
    });
  }

  // How far steps lie apart, so that the deepest still shows its name.
  get step() {
    const names = this.head.firstElementChild.clientWidth;
    return Math.min(STEP, (names * INDENTED) / Math.max(1, this.deepest));
  }

  render(all) {
    if (all) this.apart = this.step;
    const { scrollTop, clientHeight } = this.grid;
    const first = Math.max(0, Math.floor(scrollTop / ROW) - BEYOND);
    const last = Math.min(this.seen.length, Math.ceil((scrollTop + clientHeight) / ROW) + BEYOND);
    for (const [place, row] of this.drawn) {
      if (all || place < first || place >= last) {
        row.remove();
        this.drawn.delete(place);
      }
    }
    const fresh = [];
    for (let place = first; place < last; place += 1) {
      if (this.drawn.has(place)) continue;
      const row = this.row(place);
      this.drawn.set(place, row);
      fresh.push(row);
    }
    this.space.append(...fresh);
  }

  row(place) {
    const { tree } = this;
    const at = this.seen[place];
    const [type, depth, isParent] = [tree.type(at), tree.depths[at], tree.sizes[at] > 0];
    const closed = tree.closed.has(at);
    const turn = isParent ? make("button", { type: "button", class: "turn", tabindex: "-1", "aria-label": `${closed ? "Open" : "Close"} ${tree.name(at)}` }, closed ? "▸" : "▾") : make("span", { class: "turn" });
    const caption = make("span", { class: "what" }, turn,
      !isKnown(type) ? null : make("span", { class: `kind ${look(type)}` }, word(type)),
      make("span", { class: "name", title: tree.name(at) }, tree.name(at)),
      closed ? make("span", { class: "count" }, count(tree.sizes[at])) : null,
      tree.failed(at) ? make("span", { class: "state bad" }, "error") : null);
    caption.style.paddingLeft = `${6 + depth * this.apart}px`;
    const duration = tree.durations[at];
    const [start, length] = [tree.starts[at] / tree.length, (duration ?? tree.length - tree.starts[at]) / tree.length];
    const bar = make("i", { class: `bar ${look(type)}${tree.failed(at) ? " bad" : ""}${duration === null ? " open" : ""}` });
    bar.style.left = `${100 * start}%`;
    bar.style.width = `max(2px, ${100 * length}%)`;
    const label = make("span", { class: "took mono" }, took(duration));
    // Beside the bar where there is room, else before it.
    if (start + length < 0.8) label.style.left = `calc(${100 * (start + length)}% + 6px)`;
    else if (start > 0.2) label.style.right = `calc(${100 * (1 - start)}% + 6px)`;
    else label.classList.add("within");
    const row = make("div", {
      class: "wfrow", role: "treeitem", id: `span-${at}`, "data-place": place, "aria-level": depth + 1, "aria-expanded": isParent ? String(!closed) : null,
      "aria-selected": String(this.chosen === at), "aria-label": `${tree.name(at)}${isKnown(type) ? `, ${word(type)}` : ""}, ${took(duration)}${tree.failed(at) ? ", error" : ""}`,
    }, caption, make("span", { class: "axis" }, bar, label));
    row.style.top = `${place * ROW}px`;
    row.classList.toggle("current", place === this.cursor);
    row.classList.toggle("hit", this.hits?.has(at) ?? false);
    return row;
  }

  press(event) {
    const row = event.target.closest(".wfrow");
    if (!row) return;
    const place = Number(row.dataset.place);
    if (event.target.closest("button.turn")) this.toggle(place);
    else this.go(place, { isChosen: true });
  }

  toggle(place, closed) {
    const at = this.seen[place];
    if (at === undefined || this.tree.sizes[at] === 0) return;
    if (closed ?? !this.tree.closed.has(at)) this.tree.closed.add(at);
    else this.tree.closed.delete(at);
    this.cursor = place;
    this.settle();
    this.go(place);
  }

  fold(depth) {
    const at = this.seen[this.cursor];
    this.tree.closeFrom(depth);
    this.seen = this.tree.open();
    this.cursor = Math.max(0, this.seen.indexOf(at));
    this.settle();
  }

  go(place, { isChosen = false } = {}) {
    this.drawn.get(this.cursor)?.classList.remove("current");
    this.cursor = Math.max(0, Math.min(this.seen.length - 1, place));
    const top = this.cursor * ROW;
    const { scrollTop, clientHeight } = this.grid;
    if (top < scrollTop) this.grid.scrollTop = top;
    else if (top + ROW > scrollTop + clientHeight) this.grid.scrollTop = top + ROW - clientHeight;
    this.render(false);
    this.drawn.get(this.cursor)?.classList.add("current");
    const at = this.seen[this.cursor];
    this.grid.setAttribute("aria-activedescendant", `span-${at}`);
    if (isChosen) this.choose(at);
    else this.soon(at);
  }

  // Walking over spans shows each that one rests on.
  soon = later(120, (at) => this.choose(at));

  choose(at) {
    if (this.chosen === at || at === undefined) return;
    this.space.querySelector('[aria-selected="true"]')?.setAttribute("aria-selected", "false");
    this.chosen = at;
    this.drawn.get(this.places.get(at))?.setAttribute("aria-selected", "true");
    this.dispatchEvent(new CustomEvent("chosen", { detail: at }));
  }

  // Brings a span into sight, wherever it is.
  show(at) {
    if (this.tree.reveal(at)) this.settle();
    this.go(this.places.get(at), { isChosen: true });
  }

  async seek() {
    const text = this.find.value.trim();
    this.seeking?.abort();
    this.seeking = new AbortController();
    if (text === "") {
      this.hits = null;
      this.says.textContent = "";
      return this.render(true);
    }
    let found = this.tree.named(text);
    if (this.inside.checked) {
      this.says.textContent = "looking…";
      try {
        const path = `/api/v1/traces/${encodeURIComponent(this.trace)}/spans?columns=status&contains=${encodeURIComponent(text)}`;
        const { matches } = await ask(path, undefined, { method: "GET", signal: this.seeking.signal });
        const those = new Set([...matches, ...found]);
        found = [...this.tree.order].filter((at) => those.has(at));
      } catch (error) {
        if (error.name === "AbortError") return undefined;
        this.says.textContent = error.message;
        return undefined;
      }
    }
    this.hits = new Set(found);
    this.found = found;
    this.hit = -1;
    this.says.textContent = found.length === 0 ? "nothing" : counted(found.length, "span", "spans");
    if (found.length > 0) this.nextHit(1);
    return this.render(true);
  }

  nextHit(step) {
    if (!this.found?.length || !this.hits) return;
    this.hit = (this.hit + step + this.found.length) % this.found.length;
    this.says.textContent = `${count(this.hit + 1)} of ${count(this.found.length)}`;
    this.show(this.found[this.hit]);
  }

  nextError() {
    const { tree } = this;
    const from = tree.place[this.seen[this.cursor] ?? 0];
    for (let step = 1; step <= tree.count; step += 1) {
      const at = tree.order[(from + step) % tree.count];
      if (tree.failed(at)) return this.show(at);
    }
    return undefined;
  }

  // What a key does; whether it did.
  key(event) {
    const page = Math.max(1, Math.floor(this.grid.clientHeight / ROW) - 2);
    const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -this.seen.length, End: this.seen.length };
    const at = this.seen[this.cursor];
    const { tree } = this;
    if (event.key in moves) this.go(this.cursor + moves[event.key]);
    else if (event.key === "ArrowRight") {
      if (tree.closed.has(at)) this.toggle(this.cursor, false);
      else if (tree.sizes[at] > 0) this.go(this.cursor + 1);
    } else if (event.key === "ArrowLeft") {
      if (tree.sizes[at] > 0 && !tree.closed.has(at)) this.toggle(this.cursor, true);
      else if (tree.parents[at] >= 0) this.go(this.places.get(tree.parents[at]));
    } else if (event.key === "Enter") {
      this.choose(at);
      this.dispatchEvent(new Event("entered"));
    } else if (event.key === "e") this.nextError();
    else if (event.key === "n") this.nextHit(1);
    else if (event.key === "N") this.nextHit(-1);
    else return false;
    return true;
  }
}
