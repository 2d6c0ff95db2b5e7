// Runs below the run that started them: a parent opens to its children, those again to theirs.

import { button } from "./dom.js";
import { count, counted } from "./figure.js";
import { PARENT } from "./run-api.js";
import { RunRows } from "./run-rows.js";

// More parents than this, and the runs are shown one after another.
const PARENTS = 1000;
// Parents that are not in the list themselves; their children then stand at the top.
const ABSENT = 200;
// Below this, children stand beside each other: nobody nests so deep but by mistake.
const DEEPEST = 8;
// A text as the search language takes any.
const quoted = (text) => `E'${text.replace(/[\\']/g, "\\$&")}'`;

// The runs below one, or those at the top, and what is open of them.
class Level {
  constructor(owner, filter, depth) {
    Object.assign(this, { owner, filter, depth, opened: [] });
  }

  async open() {
    const { api, query } = this.owner;
    this.rows = await new RunRows(api, { ...query, filter: this.filter }).open();
    for (const kind of ["loaded", "failed", "anew"]) {
      this.rows.addEventListener(kind, ({ detail }) => {
        // The places of what is open were those of another list.
        if (kind === "anew") this.opened = [];
        this.owner.dispatchEvent(new CustomEvent(kind, { detail }));
      });
    }
    return this;
  }

  get total() {
    return this.opened.reduce((sum, { level }) => sum + level.total, this.rows.total);
  }

  at(index) {
    let before = 0;
    for (const { at, level } of this.opened) {
      const place = at + before;
      const { total } = level;
      if (index <= place) break;
      if (index <= place + total) return level.at(index - place - 1);
      before += total;
    }
    const at = index - before;
    const item = this.rows.at(at);
    if (!item?.thing) return item;
    const children = this.depth < DEEPEST ? this.owner.kin.get(item.thing.run_id) ?? 0 : 0;
    const rows = this.opened.find((one) => one.at === at)?.level ?? null;
    return { thing: item.thing, nest: { id: item.thing.run_id, children, depth: this.depth, rows, level: this, at } };
  }

  every(work) {
    work(this.rows);
    for (const { level } of this.opened) level.every(work);
  }
}

export class NestedRows extends EventTarget {
  constructor(api, query) {
    super();
    Object.assign(this, { api, query, kin: new Map() });
    this.leaving = new AbortController();
  }

  async open() {
    const { signal } = this.leaving;
    const found = await this.api.rows({ filter: "", group_by: [PARENT], limit: PARENTS + 1, count: true }, signal);
    const parents = found.groups.filter(({ key: [id] }) => id !== null);
    const top = parents.length > 0 && parents.length <= PARENTS ? await this.nest(parents, signal) : "";
    this.runsInAll = found.total_runs;
    this.top = await new Level(this, top, 1).open();
    return this;
  }

  // Notes whose children there are. Gives what stands at the top: runs without a parent, and those whose parent is not
  // in the list.
  async nest(parents, signal) {
    const { experiments, lifecycle } = this.api.state;
    const ids = parents.map(({ key: [id] }) => id).filter((id) => /^[0-9a-f]{32}$/.test(id));
    const known = await this.api.byId(ids, ["status"], signal);
    const listed = new Set(known
      .filter((run) => (experiments === null || experiments.includes(run.experiment_id)) && (lifecycle === "all" || run.lifecycle === lifecycle))
      .map((run) => run.run_id));
    const absent = parents.filter(({ key: [id] }) => !listed.has(id));
    if (absent.length > ABSENT) return "";
    this.kin = new Map(parents.filter(({ key: [id] }) => listed.has(id)).map(({ key: [id], runs }) => [id, runs]));
    const orphans = absent.map(({ key: [id] }) => quoted(id)).join(", ");
    return `${PARENT} IS NULL${orphans && ` OR ${PARENT} IN (${orphans})`}`;
  }

  get isNested() {
    return this.kin.size > 0;
  }

  get total() {
    return this.top.total;
  }

  says() {
    if (!this.isNested) return counted(this.total, "run", "runs");
    const below = [...this.kin.values()].reduce((sum, runs) => sum + runs, 0);
    return `${counted(this.runsInAll, "run", "runs")}, ${count(below)} of them below ${counted(this.kin.size, "parent", "parents")}`;
  }

  at(index) {
    return this.top.at(index);
  }

  async toggle({ id, rows, level, at, depth }) {
    const others = () => level.opened.filter((one) => one.at !== at);
    if (rows) {
      rows.every((part) => part.close());
      level.opened = others();
    } else {
      const below = await new Level(this, `${PARENT} = '${id}'`, depth + 1).open();
      // Others may have been opened meanwhile.
      level.opened = [...others(), { at, level: below }].sort((one, other) => one.at - other.at);
    }
    this.dispatchEvent(new Event("grown"));
  }

  replace(runs) {
    this.top.every((rows) => rows.replace(runs));
  }

  holds(id) {
    let isHeld = false;
    this.top?.every((rows) => { isHeld ||= rows.holds(id); });
    return isHeld;
  }

  close() {
    this.leaving.abort();
    this.top?.every((rows) => rows.close());
  }
}

// Turns nesting off and on, where there is something to nest.
export function nesting(state, table, tools) {
  const turn = button("Nested", () => state.set({ nest: state.nest === "0" ? "" : "0" }, { isStep: true }), { title: "Child runs below their parents, or all one after another" });
  turn.hidden = true;
  tools.append(turn);
  const draw = () => {
    turn.hidden = !(table.rows?.isNested || (state.nest === "0" && state.filter === "" && state.groups.length === 0));
    turn.setAttribute("aria-pressed", String(state.nest !== "0"));
  };
  table.root.addEventListener("opened", draw);
  state.when(["nest", "filter", "groups"], draw);
}
