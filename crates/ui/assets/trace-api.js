// The server's answers about traces (docs/reference/http.md), and the rows of their table.

import { counted } from "./figure.js";
import { ask } from "./run-api.js";

const BLOCK = 200;
// Blocks that are kept; those seen longest ago are forgotten and read again from where they began.
const KEPT = 60;
// Rows of an answer, where all are wanted.
const PART = 1000;

export const SPANS = { "15m": 900_000, "1h": 3_600_000, "24h": 86_400_000, "7d": 604_800_000, "30d": 2_592_000_000 };

// Only what is about traces; `experiments` is null for all of them.
export class TraceApi {
  constructor(state) {
    this.state = state;
  }

  get of() {
    const since = SPANS[this.state.since];
    return {
      ...(this.state.experiments === null ? {} : { experiments: this.state.experiments }),
      ...(since ? { since_ms: Date.now() - since } : {}),
    };
  }

  rows({ filter = this.state.filter, ...asked }, signal) {
    return ask("/api/v1/traces/search", { ...this.of, filter, ...asked }, { signal });
  }

  columns(asked, signal) {
    return ask("/api/v1/traces/columns", { ...this.of, ...asked }, { signal });
  }

  values(asked, signal) {
    return ask("/api/v1/traces/columns/values", { ...this.of, ...asked }, { signal });
  }

  // All of a search, part by part.
  async* all({ columns, ...query }) {
    for (let [token, total, isFirst] = [undefined, undefined, true]; isFirst || token; isFirst = false) {
      const answer = await this.rows({ ...query, columns: shownColumns(columns), limit: PART, count: isFirst, page_token: token });
      total ??= answer.total;
      token = answer.next_page_token;
      yield { things: answer.traces, total };
    }
  }

  // Traces by their ids, in the order of the ids.
  async byId(ids, columns, signal) {
    if (ids.length === 0) return [];
    const filter = `request_id IN (${ids.map((id) => `'${id.replaceAll("'", "")}'`).join(", ")})`;
    const { traces } = await ask("/api/v1/traces/search", { filter, limit: ids.length, columns: shownColumns(columns) }, { signal });
    const known = new Map(traces.map((trace) => [trace.trace_id, trace]));
    return ids.map((id) => known.get(id)).filter((trace) => trace !== undefined);
  }
}

// Of columns those that an answer does not hold anyway.
export const shownColumns = (names) => names.filter((name) => /^(tags|metadata)\./.test(name));

// The rows of a search, read one part behind the other: each part begins behind the last row of the one before, so
// that traces which come meanwhile move none of them.
export class TraceRows extends EventTarget {
  constructor(api, { filter, orders, columns }) {
    super();
    this.api = api;
    this.query = { filter, order_by: orders, columns: shownColumns(columns), limit: BLOCK };
    this.blocks = new Map();
    // Where each block begins; one more than there are blocks, while there is more.
    this.tokens = [undefined];
    this.asked = new Set();
    this.total = 0;
    this.leaving = new AbortController();
  }

  async open() {
    // One moment for all parts.
    const { since_ms } = this.api.of;
    if (since_ms !== undefined) this.query.since_ms = since_ms;
    const answer = await this.read(0, { count: true });
    this.inAll = answer.total;
    return this;
  }

  // How many there are, as far as that is known.
  says() {
    if (this.inAll !== undefined) return counted(Math.max(this.inAll, this.known), "trace", "traces");
    return `${counted(this.known, "trace", "traces")}${this.isWhole ? "" : " and more"}`;
  }

  async read(block, more = {}) {
    const answer = await this.api.rows({ ...this.query, page_token: this.tokens[block], ...more }, this.leaving.signal);
    this.blocks.set(block, answer.traces);
    if (block + 1 === this.tokens.length) {
      this.known = block * BLOCK + answer.traces.length;
      this.isWhole = !answer.next_page_token;
      // The row behind the last known one stands for those to come.
      this.total = this.known + (this.isWhole ? 0 : 1);
      if (answer.next_page_token) this.tokens.push(answer.next_page_token);
    }
    return answer;
  }

  at(index) {
    const block = Math.floor(index / BLOCK);
    const known = this.blocks.get(block);
    const trace = known?.[index % BLOCK];
    if (trace) return { thing: trace };
    if (known && index < this.known) return { isGone: true };
    this.fetch(known ? block + 1 : block);
    return undefined;
  }

  async fetch(block) {
    if (this.asked.has(block) || block >= this.tokens.length) return;
    this.asked.add(block);
    const before = this.total;
    try {
      await this.read(block);
      while (this.blocks.size > KEPT) this.blocks.delete(this.blocks.keys().next().value);
      this.dispatchEvent(new Event(this.total === before ? "loaded" : "grown"));
    } catch (error) {
      if (error.name !== "AbortError") this.dispatchEvent(new CustomEvent("failed", { detail: error }));
    } finally {
      this.asked.delete(block);
    }
  }

  replace(traces) {
    const fresh = new Map(traces.map((trace) => [trace.trace_id, trace]));
    for (const block of this.blocks.values()) {
      block.forEach((trace, at) => {
        if (fresh.has(trace.trace_id)) block[at] = fresh.get(trace.trace_id);
      });
    }
  }

  holds(id) {
    for (const block of this.blocks.values()) if (block.some((trace) => trace.trace_id === id)) return true;
    return false;
  }

  close() {
    this.leaving.abort();
  }
}
