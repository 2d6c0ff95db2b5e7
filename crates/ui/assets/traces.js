// The page of traces: the table of runs, about traces.

import { chooser } from "./run-columns.js";
import { FilterField } from "./run-filter.js";
import { listen } from "./run-keys.js";
import { follow } from "./run-live.js";
import { RunState } from "./run-state.js";
import { RunTable } from "./run-table.js";
import { exporting, savedViews } from "./run-views.js";
import { TraceApi } from "./trace-api.js";
import { TRACES } from "./trace-subject.js";

const root = document.querySelector('[data-island="traces"]');
if (root) start();

function start() {
  const state = new RunState(root, TRACES);
  const api = new TraceApi(state);
  const place = (name) => document.querySelector(`[data-part="${name}"]`);
  const [fault, input] = [place("fault"), root.querySelector("#trace-filter")];
  const say = (error) => {
    fault.hidden = error === null;
    fault.textContent = error === null ? "" : error.message;
    input.setAttribute("aria-invalid", String(error !== null && error.code === "invalid-filter"));
  };
  const table = new RunTable(root, state, api, say);
  new FilterField(root.querySelector("form.finder"), state, api);
  const since = root.querySelector('select[name="since"]');
  since.addEventListener("change", () => state.set({ since: since.value }, { isStep: true }));
  state.when(["since"], () => { since.value = state.since; });
  chooser(state, api, place("tools"));
  savedViews(state, place("actions"));
  exporting(table, state, api, place("actions"));
  listen(table, state, null);
  follow(table, state, null);
  table.open();
}
