// The charts of one run: those of the table of runs, in the place of the server's drawings. Without this module
// the drawings stay.

import { RunApi } from "./run-api.js";
import { RunCharts } from "./run-charts.js";
import { RunState } from "./run-state.js";

// The address names the run already.
class OneRun extends RunState {
  read() {
    super.read();
    this.selected = [this.root.dataset.run];
  }

  query() {
    const { selected } = this;
    this.selected = [];
    const query = super.query();
    this.selected = selected;
    return query;
  }
}

const PAUSE = 1000;
const root = document.querySelector('[data-island="run-page"]');
if (root && window.uPlot) {
  const state = new OneRun(root);
  // The server has left out what is one number only, unless there was too much to tell.
  const keys = [...root.querySelectorAll("figure[data-key]")].map((figure) => figure.dataset.key);
  const only = root.dataset.more === "0" ? new Set(keys) : null;
  const charts = new RunCharts(root, state, new RunApi(state), { isOne: true, only });
  charts.show();
  let planned = null;
  document.addEventListener("mainstay:event", ({ detail }) => {
    if (planned || detail.subject !== `run:${root.dataset.run}`) return;
    planned = setTimeout(() => {
      planned = null;
      charts.changed(state.selected);
    }, PAUSE);
  });
}
