// The page of runs: the table takes the place of the server's first rows; charts and comparisons of what is selected
// lie beside it.

import { RunApi } from "./run-api.js";
import { RunCharts } from "./run-charts.js";
import { chooser, grouping } from "./run-columns.js";
import { acting } from "./run-acts.js";
import { Comparison } from "./run-compare.js";
import { FilterField } from "./run-filter.js";
import { listen } from "./run-keys.js";
import { follow } from "./run-live.js";
import { nesting } from "./run-nest.js";
import { RunState } from "./run-state.js";
import { RunTable } from "./run-table.js";
import { exporting, savedViews } from "./run-views.js";

const root = document.querySelector('[data-island="runs"]');
if (root) start();

function start() {
  const state = new RunState(root);
  const api = new RunApi(state);
  const place = (name) => document.querySelector(`[data-part="${name}"]`);
  const fault = place("fault");
  const say = (error) => {
    fault.hidden = error === null;
    fault.textContent = error === null ? "" : error.message;
    const input = root.querySelector("#run-filter");
    input.setAttribute("aria-invalid", String(error !== null && error.code === "invalid-filter"));
    if (error?.code === "invalid-filter" && error.position !== undefined && document.activeElement === input) {
      input.setSelectionRange(error.position, input.value.length);
    }
  };
  const table = new RunTable(root, state, api, say);
  const charts = new RunCharts(place("charts"), state, api);
  const comparison = new Comparison(place("compare"), state, api);
  new FilterField(root.querySelector("form.finder"), state, api);
  const tools = place("tools");
  grouping(state, tools);
  nesting(state, table, tools);
  chooser(state, api, tools);
  acting(state, table, api, place("live"));
  const stage = root.querySelector('select[name="stage"]');
  stage.addEventListener("change", () => state.set({ stage: stage.value === root.dataset.stage ? "" : stage.value, selected: [] }, { isStep: true }));
  state.when(["stage"], () => { stage.value = state.lifecycle; });
  savedViews(state, place("actions"));
  exporting(table, state, api, place("actions"));

  const shown = { table, charts, compare: comparison };
  const draw = () => {
    for (const name of Object.keys(shown)) place(name).hidden = name !== state.show;
    for (const tab of root.querySelectorAll(".tabs a[data-show]")) {
      if (tab.dataset.show === state.show) tab.setAttribute("aria-current", "page");
      else tab.removeAttribute("aria-current");
    }
    root.dataset.show = state.show;
    if (state.show === "table") table.plan(true);
    else shown[state.show].show();
  };
  const show = (name) => {
    state.set({ show: name }, { isStep: true });
    if (name === "table") table.grid.focus({ preventScroll: true });
  };
  state.when(["show"], draw);
  for (const tab of root.querySelectorAll(".tabs a[data-show]")) {
    tab.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      show(tab.dataset.show);
    });
  }
  listen(table, state, show);
  follow(table, state, charts);
  table.open();
  draw();
}
