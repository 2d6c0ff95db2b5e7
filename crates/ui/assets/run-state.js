// What the page shows, as the address says it: everything that a person chose stands there, so that an address
// that is sent to somebody shows them the same.

import { searched } from "./run-named.js";
import { RUNS } from "./run-subject.js";

const SINGLE = ["filter", "since", "show", "x", "smooth", "log", "zoom", "metric", "band", "all", "sx", "sy", "sc", "view", "stage", "nest"];
const LISTS = { order: "orders", group: "groups", run: "selected", pin: "pins", fold: "folds", axis: "axes", experiment: "named" };

// A column: a `!` if it is pinned, its width with a colon, and its name in the search language.
export function readColumn(text) {
  const [, pinned, width, name] = text.match(/^(!?)(?:(\d+):)?(.*)$/s);
  return { name, pinned: pinned !== "", width: width ? Math.min(1200, Math.max(48, Number(width))) : null };
}

export function writeColumn({ name, pinned, width }) {
  return `${pinned ? "!" : ""}${width ? `${width}:` : ""}${name}`;
}

export class RunState extends EventTarget {
  constructor(root, subject = RUNS) {
    super();
    this.subject = subject;
    this.root = root;
    this.here = root.dataset.here;
    this.experiments = root.dataset.experiments ? root.dataset.experiments.split(" ") : null;
    const heads = [...root.querySelectorAll("th[data-column]")];
    this.usual = heads.map((head) => readColumn(head.dataset.column)).filter(({ name }) => name !== subject.first);
    this.read();
    addEventListener("popstate", () => {
      this.read();
      this.tell("everything");
    });
  }

  read() {
    const asked = new URLSearchParams(location.search);
    for (const name of SINGLE) this[name] = asked.get(name) ?? "";
    this.filter = searched(this.filter, this.subject.first);
    for (const [name, field] of Object.entries(LISTS)) this[field] = asked.getAll(name);
    const columns = asked.getAll("col").map(readColumn);
    const { first } = this.subject;
    this.nameWidth = columns.find(({ name }) => name === first)?.width ?? null;
    const chosen = columns.filter(({ name }) => name !== first && name !== "");
    this.columns = chosen.length > 0 ? chosen : this.usual.map((column) => ({ ...column }));
    this.isUsual = chosen.length === 0;
    this.show ||= "table";
  }

  query() {
    const asked = new URLSearchParams();
    for (const id of this.named) asked.append("experiment", id);
    for (const name of SINGLE) if (this[name] !== "" && !(name === "show" && this.show === "table")) asked.set(name, this[name]);
    for (const [name, field] of Object.entries(LISTS)) {
      if (name !== "experiment") for (const value of this[field]) asked.append(name, value);
    }
    if (this.nameWidth) asked.append("col", `${this.nameWidth}:${this.subject.first}`);
    if (!this.isUsual) for (const column of this.columns) asked.append("col", writeColumn(column));
    // A space as %20, so that the text is the same as the server writes.
    return asked.toString().replaceAll("+", "%20");
  }

  address() {
    const query = this.query();
    return query ? `${this.here}?${query}` : this.here;
  }

  // Changes some fields, writes the address, and tells what changed. Big steps can be gone back.
  set(change, { isStep = false } = {}) {
    Object.assign(this, change);
    if ("columns" in change) this.isUsual = false;
    history[isStep ? "pushState" : "replaceState"](null, "", this.address());
    for (const field of Object.keys(change)) this.tell(field);
  }

  tell(field) {
    this.dispatchEvent(new Event(field));
  }

  // Calls back when one of these fields, or everything, has changed.
  when(fields, work) {
    for (const field of [...fields, "everything"]) this.addEventListener(field, work);
  }

  // Turns the selection of runs on, off or around.
  select(ids, chosen) {
    const all = new Set(this.selected);
    for (const id of ids) {
      const on = chosen ?? !all.has(id);
      if (on) all.add(id);
      else all.delete(id);
    }
    this.set({ selected: [...all].slice(0, MOST_SELECTED) });
  }

  // One colour for each selected run, the same in table and charts: by its place among the selected.
  colour(id) {
    const at = this.selected.indexOf(id);
    return at < 0 ? null : at % COLOURS;
  }

  // Whether deleted runs are among those that are shown: `active`, `deleted` or `all`.
  get lifecycle() {
    return this.stage || this.root.dataset.stage || "active";
  }

  get orderTexts() {
    return this.orders.length > 0 ? this.orders : [this.subject.order];
  }
}

export const COLOURS = 12;
// As many ids as an address of 8 KiB holds, beside the rest of it.
export const MOST_SELECTED = 100;
