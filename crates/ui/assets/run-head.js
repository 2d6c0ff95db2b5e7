// The heads of the columns: a press orders by them, an edge is drawn to resize, a head is drawn to another place;
// the menu of each does the same for the keyboard.

import { below, make } from "./dom.js";

export function drawHead(table) {
  const { state } = table;
  const all = [{ name: state.subject.first, pinned: true }, ...state.columns];
  const heads = all.map((column, at) => head(table, column, at - 1));
  table.head.replaceChildren(make("tr", { "aria-rowindex": "1" }, ...heads, make("td", { class: "rest", "aria-hidden": "true" })));
}

function wayOf(state, column) {
  const name = state.subject.orderOf(column);
  const found = state.orderTexts.findIndex((text) => text.replace(/ (ASC|DESC)$/, "") === name);
  if (found < 0) return null;
  return { at: found, descending: state.orderTexts[found].endsWith(" DESC") };
}

// Orders by a column, up and then down; with others before it if it is added.
export function order(state, column, { descending, add = false } = {}) {
  const way = wayOf(state, column);
  const { subject } = state;
  const name = subject.orderOf(column);
  if (name === null) return;
  const down = descending ?? (way ? !way.descending : subject.isTime(column));
  const text = `${name} ${down ? "DESC" : "ASC"}`;
  const others = state.orders.filter((other) => other.replace(/ (ASC|DESC)$/, "") !== name);
  state.set({ orders: add ? [...others, text] : [text] }, { isStep: true });
}

function head(table, column, at) {
  const { state } = table;
  const way = wayOf(state, column.name);
  const { title, isNumber, orderOf } = state.subject;
  const isOrdered = orderOf(column.name) !== null;
  const mark = way ? (way.descending ? " ↓" : " ↑") : "";
  const sort = make("button", { type: "button", class: "sort", tabindex: "-1", title: isOrdered ? `Order by ${column.name}; with Shift as a further order` : column.name, disabled: !isOrdered },
    make("span", { class: "what" }, title(column.name)), make("span", { class: "way", "aria-hidden": "true" }, mark));
  sort.addEventListener("click", (event) => order(state, column.name, { add: event.shiftKey }));
  const more = make("button", { type: "button", class: "more", tabindex: "-1", "aria-label": `Column ${title(column.name)}: more` }, "⋮");
  more.addEventListener("click", () => menu(table, column, at, more));
  const edge = make("span", { class: "edge", "aria-hidden": "true" });
  edge.addEventListener("pointerdown", (event) => resize(table, column, at, event));
  const cell = make("th", {
    scope: "col", "data-column": column.name, class: isNumber(column.name) ? "num" : "", title: column.name,
    "aria-sort": way ? (way.descending ? "descending" : "ascending") : null, "aria-colindex": at + 2,
  }, sort, more, edge);
  if (at >= 0) movable(table, cell, at);
  return cell;
}

export function change(state, at, changed) {
  state.set({ columns: state.columns.map((column, place) => (place === at ? { ...column, ...changed } : column)) });
}

// Pinned columns stand before the others.
export function moved(columns, from, to) {
  const next = columns.filter((_, at) => at !== from);
  next.splice(to, 0, columns[from]);
  return [...next.filter(({ pinned }) => pinned), ...next.filter(({ pinned }) => !pinned)];
}

function resize(table, column, at, event) {
  event.preventDefault();
  event.stopPropagation();
  const cell = event.target.parentElement;
  const [start, width] = [event.clientX, cell.offsetWidth];
  const target = event.target;
  target.setPointerCapture(event.pointerId);
  const widthAt = (clientX) => Math.round(Math.min(1200, Math.max(48, width + clientX - start)));
  const follow = ({ clientX }) => {
    column.width = widthAt(clientX);
    if (at < 0) table.state.nameWidth = column.width;
    else table.state.columns[at].width = column.width;
    table.measure();
  };
  target.addEventListener("pointermove", follow);
  target.addEventListener("pointerup", () => {
    target.removeEventListener("pointermove", follow);
    if (at < 0) table.state.set({ nameWidth: table.state.nameWidth });
    else change(table.state, at, { width: table.state.columns[at].width });
  }, { once: true });
}

function movable(table, cell, at) {
  const { state } = table;
  cell.draggable = true;
  cell.addEventListener("dragstart", (event) => {
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/x-column", String(at));
  });
  cell.addEventListener("dragover", (event) => {
    if (!event.dataTransfer.types.includes("text/x-column")) return;
    event.preventDefault();
    cell.classList.add("aim");
  });
  cell.addEventListener("dragleave", () => cell.classList.remove("aim"));
  cell.addEventListener("drop", (event) => {
    event.preventDefault();
    cell.classList.remove("aim");
    const from = Number(event.dataTransfer.getData("text/x-column"));
    state.set({ columns: moved(state.columns, from, at) });
  });
}

function menu(table, column, at, owner) {
  const { state } = table;
  const { name } = column;
  const { title, isGrouped, orderOf } = state.subject;
  const entries = orderOf(name) === null ? [] : [
    ["Order upwards", () => order(state, name, { descending: false })],
    ["Order downwards", () => order(state, name, { descending: true })],
  ];
  if (at >= 0) {
    const columns = state.columns;
    const pin = () => state.set({ columns: moved(columns.map((one, place) => (place === at ? { ...one, pinned: !one.pinned } : one)), at, at) });
    entries.push([column.pinned ? "Unpin" : "Pin", pin]);
    if (at > 0) entries.push(["Move left", () => state.set({ columns: moved(columns, at, at - 1) })]);
    if (at < columns.length - 1) entries.push(["Move right", () => state.set({ columns: moved(columns, at, at + 1) })]);
    entries.push(["Wider", () => change(state, at, { width: (column.width ?? owner.parentElement.offsetWidth) + 40 })]);
    entries.push(["Narrower", () => change(state, at, { width: Math.max(48, (column.width ?? owner.parentElement.offsetWidth) - 40) })]);
    entries.push(["Hide", () => state.set({ columns: columns.filter((_, place) => place !== at) })]);
  }
  if (isGrouped(name)) {
    const grouped = state.groups.includes(name);
    const groups = grouped ? state.groups.filter((other) => other !== name) : [...state.groups, name].slice(0, 4);
    entries.push([grouped ? "Do not group by it" : "Group by it", () => state.set({ groups }, { isStep: true })]);
  }
  const list = make("div", { class: "panel menu", popover: "auto", role: "menu", "aria-label": `Column ${title(name)}` });
  for (const [words, work] of entries) {
    list.append(make("button", { type: "button", role: "menuitem", onclick: () => { list.hidePopover(); work(); } }, words));
  }
  list.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const items = [...list.children];
    items[(items.indexOf(document.activeElement) + step + items.length) % items.length].focus();
  });
  list.addEventListener("toggle", ({ newState }) => {
    if (newState === "closed") list.remove();
  });
  table.root.append(list);
  list.showPopover();
  below(list, owner);
  list.firstElementChild.focus();
}
