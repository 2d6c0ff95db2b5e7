// The rows of the table, read from the server as they come into sight. All of one list are of one snapshot: what is
// logged meanwhile moves none of them.

import { PARENT } from "./run-api.js";

const BLOCK = 100;
// Blocks that are kept; those seen longest ago are forgotten.
const KEPT = 60;
// More groups than anybody reads.
export const GROUPS = 1000;

export class RunRows extends EventTarget {
  constructor(api, { filter, orders, columns }) {
    super();
    this.api = api;
    this.query = { filter, order_by: orders, columns };
    this.blocks = new Map();
    this.asked = new Set();
    this.total = 0;
    this.snapshot = null;
    this.leaving = new AbortController();
  }

  async open() {
    const answer = await this.read(0, { count: true });
    this.total = answer.total;
    return this;
  }

  async read(block, more = {}) {
    const asked = { ...this.query, offset: block * BLOCK, limit: BLOCK, ...more };
    if (this.snapshot) asked.snapshot = this.snapshot;
    const answer = await this.api.rows(asked, this.leaving.signal);
    if (this.snapshot && answer.snapshot !== this.snapshot) {
      // The server no longer has the list: the rows that are held are of another one.
      this.blocks.clear();
      this.dispatchEvent(new Event("anew"));
    }
    this.snapshot = answer.snapshot;
    this.blocks.set(block, answer.runs);
    return answer;
  }

  // The row at an index; undefined while it is on its way.
  at(index) {
    const block = Math.floor(index / BLOCK);
    const known = this.blocks.get(block);
    if (known) {
      const run = known[index % BLOCK];
      return run === null ? { isGone: true } : run && { thing: run };
    }
    this.fetch(block);
    return undefined;
  }

  async fetch(block) {
    if (this.asked.has(block)) return;
    this.asked.add(block);
    try {
      await this.read(block);
      while (this.blocks.size > KEPT) this.blocks.delete(this.blocks.keys().next().value);
      this.dispatchEvent(new Event("loaded"));
    } catch (error) {
      if (error.name !== "AbortError") this.dispatchEvent(new CustomEvent("failed", { detail: error }));
    } finally {
      this.asked.delete(block);
    }
  }

  // Puts new values of runs that are held in their places.
  replace(runs) {
    const fresh = new Map(runs.map((run) => [run.run_id, run]));
    for (const block of this.blocks.values()) {
      block.forEach((run, at) => {
        if (run && fresh.has(run.run_id)) block[at] = fresh.get(run.run_id);
      });
    }
  }

  holds(id) {
    for (const block of this.blocks.values()) if (block.some((run) => run?.run_id === id)) return true;
    return false;
  }

  close() {
    this.leaving.abort();
  }
}

// Rows below heads of groups, which open and close.
export class GroupedRows extends EventTarget {
  constructor(api, query, aggregates) {
    super();
    this.api = api;
    this.query = query;
    this.aggregates = aggregates;
    this.groups = [];
    this.total = 0;
    this.leaving = new AbortController();
  }

  async open() {
    const { filter, orders } = this.query;
    const asked = { filter, order_by: orders, aggregates: this.aggregates, limit: GROUPS, count: true };
    const answer = await this.api.groups(asked, this.leaving.signal);
    this.groups = answer.groups.map((group) => ({ ...group, rows: null }));
    await this.nameParents();
    this.groupsInAll = answer.total;
    this.runsInAll = answer.total_runs;
    this.measure();
    return this;
  }

  // A group of children goes by the name of their parent.
  async nameParents() {
    const at = this.api.state.groups.indexOf(PARENT);
    if (at < 0) return;
    const ids = this.groups.map(({ key }) => key[at]).filter((id) => /^[0-9a-f]{32}$/.test(id ?? ""));
    const known = await this.api.byId([...new Set(ids)], ["run_name"], this.leaving.signal);
    const names = new Map(known.map((run) => [run.run_id, run.run_name]));
    for (const group of this.groups) group.named = { [at]: names.get(group.key[at]) };
  }

  measure() {
    let next = 0;
    for (const group of this.groups) {
      group.start = next;
      next += 1 + (group.rows ? group.rows.total : 0);
    }
    this.total = next;
  }

  place(index) {
    let [low, high] = [0, this.groups.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.groups[middle].start <= index) low = middle;
      else high = middle - 1;
    }
    return this.groups[low];
  }

  at(index) {
    const group = this.place(index);
    if (!group) return undefined;
    return index === group.start ? { group } : group.rows.at(index - group.start - 1);
  }

  async toggle(group) {
    if (group.rows) {
      group.rows.close();
      group.rows = null;
    } else {
      const { filter, orders, columns } = this.query;
      const whole = filter.trim() === "" ? group.filter : `(${filter}) AND ${group.filter}`;
      const rows = await new RunRows(this.api, { filter: whole, orders, columns }).open();
      for (const kind of ["loaded", "failed", "anew"]) {
        rows.addEventListener(kind, ({ detail }) => this.dispatchEvent(new CustomEvent(kind, { detail })));
      }
      group.rows = rows;
    }
    this.measure();
    this.dispatchEvent(new Event("loaded"));
  }

  replace(runs) {
    for (const group of this.groups) group.rows?.replace(runs);
  }

  holds(id) {
    return this.groups.some((group) => group.rows?.holds(id));
  }

  close() {
    this.leaving.abort();
    for (const group of this.groups) group.rows?.close();
  }
}
