// The table of runs, or of traces: as many rows as there are, of which those in sight are drawn. Rows come from the
// server as they are reached (run-rows.js); the columns are the person's own (run-head.js).

import { make } from "./dom.js";
import { count, counted } from "./figure.js";
import { drawHead } from "./run-head.js";
import { GROUPS, GroupedRows } from "./run-rows.js";

export const ROW = 32;
// Rows beyond the window's edges that are drawn as well.
const BEYOND = 12;
// Browsers draw nothing below about 16 million pixels.
const MOST_ROWS = 500_000;

export class RunTable {
  constructor(root, state, api, say) {
    Object.assign(this, { root, state, api, say, subject: state.subject });
    this.card = root.querySelector('[data-part="table"]');
    this.rows = null;
    this.drawn = new Map();
    this.cursor = 0;
    // No row is the present one before somebody moves to one.
    this.isUsed = false;
    this.lay();
    state.when(["filter", "since", "orders", "groups", "stage", "nest"], () => this.open());
    state.when(["columns"], () => (this.needs() ? this.open() : this.redraw()));
    state.when(["selected"], () => this.mark());
  }

  lay() {
    this.head = make("thead");
    this.body = make("tbody");
    this.sheet = new CSSStyleSheet();
    document.adoptedStyleSheets.push(this.sheet);
    this.table = make("table", { class: "runtable whole", role: "grid", "aria-multiselectable": this.subject.isSelectable ? "true" : null, "aria-label": this.subject.label },
      this.head, this.body);
    this.grid = make("div", { class: "grid", "data-part": "grid", tabindex: "0", "aria-label": `${this.subject.label}; ? shows the keys`, role: "group" }, this.table);
    this.foot = make("p", { class: "tally soft" });
    this.grid.addEventListener("scroll", () => this.plan(), { passive: true });
    new ResizeObserver(() => this.plan()).observe(this.grid);
    this.body.addEventListener("click", (event) => this.press(event));
  }

  // What the answers must hold besides ids.
  wanted() {
    const names = new Set([...this.subject.always, ...this.state.columns.map(({ name }) => name)]);
    return [...names];
  }

  needs() {
    return this.wanted().some((name) => !this.asked?.includes(name));
  }

  // Asks for the list anew, from its first row, and shows it in the place of the one before.
  async open({ keepPlace = false } = {}) {
    const { state, api } = this;
    this.asked = this.wanted();
    const query = { filter: state.filter, orders: state.orderTexts, columns: this.asked };
    const rows = this.subject.rows(api, query, { groups: state.groups, names: this.asked, nest: state.nest });
    this.opening?.close();
    this.opening = rows;
    this.root.setAttribute("aria-busy", "true");
    try {
      await rows.open();
    } catch (error) {
      if (error.name !== "AbortError") this.say(error);
      return;
    } finally {
      if (this.opening === rows) this.root.removeAttribute("aria-busy");
    }
    if (this.opening !== rows) return rows.close();
    this.say(null);
    this.opening = null;
    this.rows?.close();
    this.rows = rows;
    rows.addEventListener("loaded", () => this.plan(true));
    rows.addEventListener("grown", () => this.grow());
    rows.addEventListener("anew", () => this.plan(true));
    rows.addEventListener("failed", ({ detail }) => this.say(detail));
    this.settle(keepPlace);
  }

  settle(keepPlace) {
    // An experiment without runs keeps what the server says about beginning.
    const teaches = this.rows.total === 0 && this.state.filter === "" && this.state.stage === "" && this.card.querySelector(".copy");
    if (!this.grid.isConnected && !teaches) {
      this.card.replaceChildren(this.grid, this.foot);
      this.card.classList.add("whole");
    }
    if (!keepPlace) {
      this.grid.scrollTop = 0;
      this.cursor = 0;
    }
    this.redraw();
    this.tally();
    this.root.dispatchEvent(new Event("opened"));
    this.root.dataset.total = String(this.total);
  }

  // More rows are known than before, behind those that were.
  grow() {
    this.table.setAttribute("aria-rowcount", String(this.total + 1));
    this.root.dataset.total = String(this.total);
    this.tally();
    this.plan(true);
  }

  get total() {
    return Math.min(this.rows?.total ?? 0, MOST_ROWS);
  }

  tally() {
    const { rows } = this;
    const { one, many } = this.subject;
    const parts = [];
    if (rows instanceof GroupedRows) {
      parts.push(`${counted(rows.runsInAll, one, many)} in ${counted(rows.groupsInAll, "group", "groups")}`);
      if (rows.groupsInAll > GROUPS) parts.push(`the first ${count(GROUPS)} groups are shown`);
    } else {
      parts.push(rows.says?.() ?? counted(rows.total, one, many));
      if (rows.total > MOST_ROWS) parts.push(`the first ${count(MOST_ROWS)} are shown: search for fewer`);
    }
    if (this.state.selected.length > 0) parts.push(`${count(this.state.selected.length)} selected`);
    this.foot.textContent = parts.join(" · ");
    const none = rows.total === 0;
    this.grid.classList.toggle("none", none);
    if (none) this.foot.textContent = this.state.filter === "" && this.state.lifecycle === "deleted" ? `No ${one} is deleted.` : `No ${one} fits this search.`;
  }

  // Columns have changed: everything is drawn again.
  redraw() {
    if (!this.rows) return;
    drawHead(this);
    this.measure();
    const isNested = this.rows.isNested ?? false;
    this.table.setAttribute("role", this.state.groups.length > 0 || isNested ? "treegrid" : "grid");
    this.table.classList.toggle("nested", isNested);
    this.table.setAttribute("aria-rowcount", String(this.total + 1));
    this.table.setAttribute("aria-colcount", String(this.state.columns.length + 1));
    this.render(true);
  }

  // Widths, and where pinned columns stand still.
  measure() {
    const widths = [this.state.nameWidth ?? 220, ...this.state.columns.map((column) => column.width ?? this.subject.width(column.name))];
    const fixed = [0, ...this.state.columns.flatMap(({ pinned }, at) => (pinned ? [at + 1] : []))];
    const rules = widths.map((width, at) => `.runtable.whole tr>:nth-child(${at + 1}){width:${width}px}`);
    let left = 0;
    for (const at of fixed) {
      rules.push(`.runtable.whole tr:not(.gap)>:nth-child(${at + 1}){position:sticky;left:${left}px;z-index:1}`);
      rules.push(`.runtable.whole thead tr:not(.gap)>:nth-child(${at + 1}){z-index:3}`);
      left += widths[at];
    }
    // On a narrow window only the names stand still.
    const whole = rules.filter((rule) => !rule.includes("sticky") || rule.includes(":nth-child(1)"));
    const pinned = rules.filter((rule) => !whole.includes(rule));
    rules.length = 0;
    rules.push(...whole, `@media (min-width:640px){${pinned.join("")}}`);
    rules.push(`.runtable.whole{width:max(100%,${widths.reduce((sum, width) => sum + width, 0)}px)}`);
    this.sheet.replaceSync(rules.join("\n"));
  }

  // Draws with the next frame, and not more often.
  plan(all = false) {
    this.everything ||= all;
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      this.render(this.everything);
      this.everything = false;
    });
  }

  render(all) {
    if (!this.rows || this.card.hidden) return;
    const { total } = this;
    const seen = Math.ceil(this.grid.clientHeight / ROW);
    const top = Math.floor(this.grid.scrollTop / ROW);
    const first = Math.max(0, Math.min(total, top - BEYOND));
    const last = Math.min(total, top + seen + BEYOND);
    const wanted = [];
    for (let index = first; index < last; index += 1) {
      const known = this.drawn.get(index);
      const fresh = !known || all || known.classList.contains("coming");
      wanted.push(fresh ? this.draw(index, known) : known);
      this.drawn.set(index, wanted.at(-1));
    }
    for (const index of [...this.drawn.keys()]) if (index < first || index >= last) this.drawn.delete(index);
    const columns = this.state.columns.length + 2;
    const gap = (rows) => {
      const cell = make("td", { colspan: columns });
      cell.style.height = `${rows * ROW}px`;
      return make("tr", { class: "gap", "aria-hidden": "true" }, cell);
    };
    const above = first > 0 ? [gap(first)] : [];
    const below = last < total ? [gap(total - last)] : [];
    this.body.replaceChildren(...above, ...wanted, ...below);
  }

  draw(index, known) {
    const item = this.rows.at(index);
    const row = known ?? make("tr");
    row.className = "";
    row.setAttribute("aria-rowindex", String(index + 2));
    row.id = `row-${index}`;
    row.dataset.index = String(index);
    delete row.dataset[this.subject.one];
    for (const name of ["aria-expanded", "aria-level"]) row.removeAttribute(name);
    if (item === undefined || item.isGone) {
      row.classList.add(item ? "gone" : "coming");
      const says = item ? "removed meanwhile" : "…";
      row.replaceChildren(make("th", { scope: "row" }, says), ...this.state.columns.map(() => make("td")), rest());
    } else if (item.group) {
      this.drawGroup(row, item.group);
    } else {
      this.drawOne(row, item.thing, item.nest);
    }
    row.classList.toggle("current", index === this.cursor && this.isUsed);
    return row;
  }

  drawOne(row, thing, nest) {
    const { subject } = this;
    const [id, caption] = [subject.id(thing), subject.caption(thing)];
    row.dataset[subject.one] = id;
    const marks = nest && this.rows.isNested ? this.drawNest(row, nest, caption) : [];
    if (subject.isSelectable) {
      const chosen = this.state.selected.includes(id);
      const box = make("input", { type: "checkbox", tabindex: "-1", "aria-label": `Select ${caption}` });
      box.checked = chosen;
      marks.push(box, make("i", { class: `dot ${chosen ? `c${this.state.colour(id)}` : ""}`, "aria-hidden": "true" }));
      row.setAttribute("aria-selected", String(chosen));
    }
    const link = make("a", { href: subject.href(thing), tabindex: "-1", title: caption, dir: "auto" }, caption);
    const after = [];
    if (nest?.children > 0 && this.rows.isNested) after.push(make("span", { class: "count" }, count(nest.children)));
    if (thing.lifecycle === "deleted") after.push(make("span", { class: "tag" }, "deleted"));
    row.classList.toggle("deleted", thing.lifecycle === "deleted");
    if (this.state.groups.length > 0) row.setAttribute("aria-level", "2");
    row.replaceChildren(make("th", { scope: "row" }, make("span", { class: "named" }, ...marks, link, ...after)), ...this.state.columns.map(({ name, width }) => subject.cell(name, thing, width ?? subject.width(name))), rest());
  }

  // What stands before a name where runs are nested: how deep it is, and what opens its children.
  drawNest(row, { children, depth, rows }, caption) {
    row.setAttribute("aria-level", String(depth));
    const inset = make("i", { class: "inset", "aria-hidden": "true" });
    inset.style.width = `${(depth - 1) * 20 + (children > 0 ? 0 : 24)}px`;
    if (children === 0) return [inset];
    row.setAttribute("aria-expanded", String(rows !== null));
    return [inset, make("button", { type: "button", class: "turn", tabindex: "-1", "aria-label": `${rows ? "Close" : "Open"} ${caption}` }, rows ? "▾" : "▸")];
  }

  // Opens or closes what lies below a row, if something does.
  turn(index, opens = null) {
    const item = this.rows?.at(index);
    const fold = item?.group ?? (item?.nest?.children > 0 ? item.nest : null);
    if (!fold || (opens !== null && opens !== (fold.rows === null))) return false;
    this.rows.toggle(fold).then(() => this.redraw(), (error) => this.say(error));
    return true;
  }

  drawGroup(row, group) {
    row.classList.add("group");
    row.setAttribute("aria-level", "1");
    row.setAttribute("aria-expanded", String(group.rows !== null));
    const says = group.key.map((value, at) => `${this.subject.title(this.state.groups[at])}: ${group.named?.[at] ?? value ?? "none"}`).join(" · ");
    const turn = make("button", { type: "button", class: "turn", tabindex: "-1", "aria-label": `${group.rows ? "Close" : "Open"} ${says}` }, group.rows ? "▾" : "▸");
    const name = make("th", { scope: "row", title: says }, turn, make("b", {}, says), make("span", { class: "count" }, count(group.runs)));
    const cells = this.state.columns.map(({ name: column, width }) => {
      const found = group.aggregates[column];
      if (!found || found.mean === null) return make("td");
      return this.subject.mean(column, found, width ?? this.subject.width(column));
    });
    row.replaceChildren(name, ...cells, rest());
  }

  // Selected runs have changed: marks only.
  mark() {
    if (!this.subject.isSelectable) return;
    for (const row of this.body.querySelectorAll("tr[data-run]")) {
      const chosen = this.state.selected.includes(row.dataset.run);
      row.setAttribute("aria-selected", String(chosen));
      row.querySelector("input").checked = chosen;
      row.querySelector(".dot").className = `dot ${chosen ? `c${this.state.colour(row.dataset.run)}` : ""}`;
    }
    if (this.rows) this.tally();
  }

  press(event) {
    const row = event.target.closest("tr[data-index]");
    if (!row) return;
    const index = Number(row.dataset.index);
    const from = this.cursor;
    this.go(index, { scroll: false });
    if (row.classList.contains("group")) {
      this.turn(index);
    } else if (event.target.closest(".turn")) {
      this.turn(index);
    } else if (event.target.closest("input")) {
      if (event.shiftKey) this.selectBetween(from, index, event.target.checked);
      else this.state.select([row.dataset.run], event.target.checked);
    }
  }

  selectBetween(from, to, chosen) {
    const ids = [];
    for (let index = Math.min(from, to); index <= Math.max(from, to); index += 1) {
      const thing = this.rows.at(index)?.thing;
      if (thing) ids.push(this.subject.id(thing));
    }
    this.state.select(ids, chosen);
  }

  // Moves to a row, and brings it into sight.
  go(index, { scroll = true } = {}) {
    this.isUsed = true;
    this.drawn.get(this.cursor)?.classList.remove("current");
    this.cursor = Math.max(0, Math.min(this.total - 1, index));
    if (scroll) {
      const head = this.head.offsetHeight;
      const top = this.cursor * ROW;
      const { scrollTop, clientHeight } = this.grid;
      if (top < scrollTop) this.grid.scrollTop = top;
      else if (top + ROW > scrollTop + clientHeight - head) this.grid.scrollTop = top + ROW - clientHeight + head;
      this.render(false);
    }
    this.drawn.get(this.cursor)?.classList.add("current");
    this.grid.setAttribute("aria-activedescendant", `row-${this.cursor}`);
  }

  // Reads runs again that are in sight; they stay where they are.
  async refresh(ids) {
    const held = ids.filter((id) => this.rows?.holds(id));
    if (held.length === 0) return;
    this.rows.replace(await this.api.byId(held.slice(0, 500), this.asked));
    this.plan(true);
  }
}

// What is left of the window beside the columns.
export function rest() {
  return make("td", { class: "rest", "aria-hidden": "true" });
}
