// The server's answers about runs (docs/reference/http.md).

export class Refused extends Error {
  constructor(problem, status) {
    // Our own API says `detail`, MLflow's `message`.
    super(problem?.detail ?? problem?.message ?? `the server answered ${status}`);
    this.code = problem?.code ?? problem?.error_code;
    this.position = problem?.position;
  }
}

export async function ask(path, body, { method = "POST", signal } = {}) {
  const sent = body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } };
  const answer = await fetch(path, { method, signal, ...sent });
  if (answer.status === 204) return null;
  const text = await answer.text();
  let read = null;
  try {
    read = JSON.parse(text);
  } catch {
    if (answer.ok) throw new Refused(null, answer.status);
  }
  if (!answer.ok) throw new Refused(read, answer.status);
  return read;
}

// Rows of an answer, where all are wanted.
const PART = 5000;

// Only what is about runs; `experiments` is null for all of them.
export class RunApi {
  constructor(state) {
    this.state = state;
  }

  get of() {
    return this.state.experiments === null ? {} : { experiments: this.state.experiments };
  }

  rows({ filter = this.state.filter, ...asked }, signal) {
    return ask("/api/v1/runs/search", { ...this.of, filter, ...asked }, { signal });
  }

  groups(asked, signal) {
    return this.rows({ group_by: this.state.groups, order_by: this.state.orderTexts, ...asked }, signal);
  }

  columns(asked, signal) {
    return ask("/api/v1/runs/columns", { ...this.of, ...asked }, { signal });
  }

  values(asked, signal) {
    return ask("/api/v1/runs/columns/values", { ...this.of, ...asked }, { signal });
  }

  // All of a search, part by part; the list stays the same meanwhile.
  async* all(query) {
    let [offset, total, snapshot] = [0, 1, undefined];
    for (; offset < total; offset += PART) {
      const answer = await this.rows({ ...query, limit: PART, count: true, offset, snapshot });
      ({ total, snapshot } = answer);
      yield { things: answer.runs.filter((run) => run !== null), total };
    }
  }

  // Whole runs by their ids, in the order of the ids.
  async byId(ids, columns, signal) {
    if (ids.length === 0) return [];
    const filter = `run_id IN (${ids.map((id) => `'${id}'`).join(", ")})`;
    const { runs } = await ask("/api/v1/runs/search", { filter, view: "all", limit: ids.length, columns }, { signal });
    const known = new Map(runs.map((run) => [run.run_id, run]));
    return ids.map((id) => known.get(id)).filter((run) => run !== undefined);
  }
}

// A column's name taken apart: `metrics.`val/loss`` is a metric of the key `val/loss`.
export function part(name) {
  const [, kind, key] = name.match(/^(metrics|params|tags)\.(.*)$/s) ?? [];
  if (!kind) return { kind: "attributes", key: name };
  return { kind, key: key.startsWith("`") && key.endsWith("`") ? key.slice(1, -1) : key };
}

export function columnOf(kind, key) {
  if (kind === "attributes") return key;
  return /^[A-Za-z0-9_.]+$/.test(key) ? `${kind}.${key}` : `${kind}.\`${key}\``;
}

export function valueOf(run, name) {
  const { kind, key } = part(name);
  return kind === "attributes" ? run[key] : run[kind]?.[key];
}

const TITLES = {
  run_name: "Run", run_id: "Run id", experiment_id: "Experiment", user_id: "User", status: "Status",
  start_time: "Started", end_time: "Ended", duration: "Took", artifact_uri: "Artifacts",
};

export function title(name) {
  const { kind, key } = part(name);
  return kind === "attributes" ? TITLES[key] ?? key : key;
}

export const isNumber = (name) => part(name).kind === "metrics" || name === "duration";
export const ATTRIBUTES = Object.keys(TITLES);
