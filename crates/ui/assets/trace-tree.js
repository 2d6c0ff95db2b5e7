// The spans of a trace as the server lists them (docs/reference/http.md), in the order of their tree. No element here.

const ROOT_LIKE = 0;

export class SpanTree {
  constructor({ columns, count, origin_ns: origin, is_complete: isComplete }) {
    Object.assign(this, { count, origin: BigInt(origin), isComplete });
    this.ids = columns.id;
    this.starts = columns.start;
    this.durations = columns.duration;
    this.names = columns.name;
    this.types = columns.type;
    this.statuses = columns.status;
    this.lay(columns.parent);
    this.closed = new Set();
    // The axis is as long as the last end is late.
    this.length = 1;
    for (let at = 0; at < count; at += 1) this.length = Math.max(this.length, this.starts[at] + (this.durations[at] ?? 0));
  }

  // The order of the tree, how deep each span lies, and how many lie below it; those whose parent has not come, and
  // those that are their own ancestors, stand beside the roots.
  lay(parents) {
    const { count } = this;
    this.parents = Int32Array.from(parents);
    const [first, next] = [new Int32Array(count).fill(-1), new Int32Array(count).fill(-1)];
    const tops = [];
    for (let at = count - 1; at >= 0; at -= 1) {
      const parent = this.parents[at];
      if (parent < 0 || parent === at) tops.push(at);
      else {
        next[at] = first[parent];
        first[parent] = at;
      }
    }
    this.order = new Int32Array(count);
    this.place = new Int32Array(count).fill(-1);
    this.depths = new Int32Array(count);
    this.sizes = new Int32Array(count);
    let done = 0;
    const walk = (top) => {
      const waiting = [[top, ROOT_LIKE]];
      while (waiting.length > 0) {
        const [at, depth] = waiting.pop();
        if (this.place[at] >= 0) continue;
        this.place[at] = done;
        this.order[done] = at;
        this.depths[at] = depth;
        done += 1;
        const children = [];
        for (let child = first[at]; child >= 0; child = next[child]) children.push([child, depth + 1]);
        while (children.length > 0) waiting.push(children.pop());
      }
    };
    while (tops.length > 0) walk(tops.pop());
    for (let at = 0; at < count; at += 1) {
      if (this.place[at] < 0) {
        this.parents[at] = -1;
        walk(at);
      }
    }
    // From the last to the first, so that children are known before their parents.
    for (let place = count - 1; place >= 0; place -= 1) {
      const at = this.order[place];
      const parent = this.parents[at];
      if (parent >= 0 && parent !== at) this.sizes[parent] += this.sizes[at] + 1;
    }
  }

  name(at) {
    return this.names.values[this.names.codes[at]];
  }

  type(at) {
    return this.types.values[this.types.codes[at]] ?? "";
  }

  failed(at) {
    return this.statuses.values[this.statuses.codes[at]] === "ERROR";
  }

  // The spans in sight where some are closed, in order.
  open() {
    const seen = [];
    for (let place = 0; place < this.count; place += 1) {
      const at = this.order[place];
      seen.push(at);
      if (this.closed.has(at)) place += this.sizes[at];
    }
    return seen;
  }

  // Opens all that a span lies in.
  reveal(at) {
    let isChanged = false;
    for (let above = this.parents[at]; above >= 0 && above !== at; above = this.parents[above]) isChanged = this.closed.delete(above) || isChanged;
    return isChanged;
  }

  closeFrom(depth) {
    this.closed = new Set();
    for (let at = 0; at < this.count; at += 1) if (this.sizes[at] > 0 && this.depths[at] >= depth) this.closed.add(at);
  }

  // The spans whose name, type or status holds a text, in the order of the tree.
  named(text) {
    const wanted = text.toLowerCase();
    const hits = (coded) => coded.values.map((value) => value.toLowerCase().includes(wanted));
    const [names, types] = [hits(this.names), hits(this.types)];
    return [...this.order].filter((at) => names[this.names.codes[at]] || types[this.types.codes[at]] || (wanted === "error" && this.failed(at)));
  }
}

// Nanoseconds in words.
export function took(ns) {
  if (ns === null || ns === undefined) return "goes on";
  if (ns < 1_000) return `${ns} ns`;
  if (ns < 999_500) return `${Number((ns / 1_000).toPrecision(3))} µs`;
  if (ns < 1_000_000_000) return `${Number((ns / 1_000_000).toPrecision(3))} ms`;
  if (ns < 60_000_000_000) return `${(ns / 1_000_000_000).toFixed(2)} s`;
  const seconds = Math.round(ns / 1_000_000_000);
  return seconds < 3_600 ? `${Math.floor(seconds / 60)} min ${seconds % 60} s` : `${Math.floor(seconds / 3_600)} h ${Math.floor((seconds % 3_600) / 60)} min`;
}
