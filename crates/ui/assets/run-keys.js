// The keyboard of the table. The grid has the focus; one of its rows is the present one.

import { make } from "./dom.js";
import { ROW } from "./run-table.js";

const keys = ({ one, many, isSelectable, keys: own }) => [
  ["↑ ↓", `the ${one} above, the ${one} below`],
  ["Page ↑ ↓", "a window up, a window down"],
  ["Home, End", `the first ${one}, the last ${one}`],
  ...(isSelectable ? [["Space", "select it, or not; with Shift and ↑ ↓ a stretch"]] : []),
  ["Enter", "open its page, or its group"],
  ...own,
  ["/", `search ${many}`],
  ["Ctrl K", "find experiments, runs, traces, models, prompts and pages"],
  ["?", "these keys"],
];

export function help(all) {
  const rows = all.map(([key, words]) => make("tr", {}, make("th", { scope: "row" }, make("kbd", {}, key)), make("td", { class: "wrap" }, words)));
  const dialog = make("dialog", { class: "dialog", "aria-label": "Keys" },
    make("header", {}, make("h2", {}, "Keys"), make("button", { type: "button", class: "btn small", onclick: () => dialog.close() }, "Close")),
    make("table", { class: "keys" }, make("tbody", {}, ...rows)));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

export function listen(table, state, show) {
  const { grid } = table;
  grid.addEventListener("keydown", (event) => {
    if (event.target !== grid || event.ctrlKey || event.metaKey || event.altKey) return;
    if (step(table, event)) event.preventDefault();
  });
  grid.addEventListener("focus", () => table.go(table.cursor, { scroll: false }));
  document.addEventListener("keydown", (event) => {
    const busy = event.target.closest?.("input, textarea, select, dialog, [popover]");
    if (busy || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const tab = { t: "table", c: "charts", v: "compare" }[event.key];
    if (event.key === "?") help(keys(state.subject));
    else if (tab && show) show(tab);
    else return;
    event.preventDefault();
  });
}

// What a key does to the table; whether it did.
function step(table, event) {
  const { grid, rows } = table;
  const window = Math.max(1, Math.floor(grid.clientHeight / ROW) - 2);
  const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: window, PageUp: -window, Home: -Infinity, End: Infinity };
  if (event.key in moves) {
    const from = table.cursor;
    const to = moves[event.key] === -Infinity ? 0 : moves[event.key] === Infinity ? table.total - 1 : from + moves[event.key];
    table.go(to);
    if (event.shiftKey && table.subject.isSelectable) table.selectBetween(from, table.cursor, true);
    return true;
  }
  const item = rows?.at(table.cursor);
  if (!item) return false;
  if (event.key === " ") {
    if (item.thing && table.subject.isSelectable) table.state.select([table.subject.id(item.thing)]);
    else table.turn(table.cursor);
    return true;
  }
  if (event.key === "Enter") {
    if (item.thing) location.assign(table.subject.href(item.thing));
    else table.turn(table.cursor);
    return true;
  }
  if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
    const opens = event.key === "ArrowRight";
    if (!table.turn(table.cursor, opens)) grid.scrollLeft += opens ? 80 : -80;
    return true;
  }
  return false;
}
