// The page of one trace: the waterfall takes the place of the server's first spans, the pane beside it shows one.

import { divider } from "./divider.js";
import { ask } from "./run-api.js";
import { help } from "./run-keys.js";
import { Said } from "./trace-said.js";
import { SpanPane } from "./trace-span.js";
import { SpanTree } from "./trace-tree.js";
import { Waterfall } from "./trace-waterfall.js";

const KEYS = [
  ["↑ ↓", "the span above, the span below"], ["Page ↑ ↓", "a window up, a window down"], ["Home, End", "the first span, the last span"],
  ["→ ←", "open a span, or go into it; close it, or go to what it is part of"], ["Enter", "to what the span holds"],
  ["Tab", "to the lines between names, times and the pane, which ← → move"],
  ["/", "find in this trace; Enter and Shift Enter to the next and the one before"], ["n N", "the next and the previous found"], ["e", "the next error"],
  ["Esc", "back to the spans"], ["Ctrl K", "find experiments, runs, traces, models, prompts and pages"], ["?", "these keys"],
];
const root = document.querySelector('[data-island="trace"]');
if (root) start();

async function start() {
  const { trace, who } = root.dataset;
  const place = (name) => document.querySelector(`[data-part="${name}"]`);
  let chosen;
  new Said(place("said"), { trace, who, spanId: () => chosen });
  let list;
  try {
    list = await ask(`/api/v1/traces/${encodeURIComponent(trace)}/spans`, undefined, { method: "GET" });
  } catch {
    // The server's drawing stays.
    return;
  }
  if (list.count === 0) {
    root.dataset.spans = "0";
    return;
  }
  const tree = new SpanTree(list);
  const waterfall = new Waterfall(place("waterfall"), trace, tree);
  const pane = place("span");
  // The tree and what a span holds share the width as one likes.
  pane.before(divider({
    label: "Width of the tree", key: "trace-tree", least: 25, most: 80, usual: 60,
    width: () => root.clientWidth,
    set: (percent) => place("waterfall").style.setProperty("flex-basis", `${percent}%`),
  }));
  const shown = new SpanPane(pane, trace, tree);
  waterfall.addEventListener("chosen", ({ detail: at }) => {
    chosen = tree.ids[at];
    const address = new URL(location.href);
    address.searchParams.set("span", chosen);
    history.replaceState(null, "", address);
    shown.show(at);
  });
  waterfall.addEventListener("entered", () => pane.focus());
  pane.addEventListener("keydown", (event) => {
    if (event.key === "Escape") waterfall.grid.focus();
  });
  waterfall.find.addEventListener("keydown", (event) => {
    if (event.key === "Escape") waterfall.grid.focus();
  });
  document.addEventListener("keydown", (event) => {
    const busy = event.target.closest?.("input, textarea, select, dialog, [popover]");
    if (busy || event.ctrlKey || event.metaKey || event.altKey || event.key !== "?") return;
    event.preventDefault();
    help(KEYS);
  });
  const asked = new URLSearchParams(location.search).get("span");
  const at = asked === null ? -1 : tree.ids.indexOf(asked);
  if (at >= 0) waterfall.show(at);
  else waterfall.choose(tree.order[0]);
  root.dataset.spans = String(tree.count);
}
