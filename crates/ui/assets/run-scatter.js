// A point for each run: two columns as places, a third as colour.

import { draw, make } from "./dom.js";
import { number, span } from "./figure.js";
import { part, title, valueOf } from "./run-api.js";
import { marksOf } from "./run-axis.js";
import { scaleOf } from "./run-compare.js";

const HEIGHT = 320;
const [RIGHT, TOP, BOTTOM] = [24, 24, 40];

function said(name, value) {
  if (name === "duration") return span(value);
  if (isInstant(name)) return new Date(value).toISOString();
  return number(value);
}

const isInstant = (name) => part(name).kind === "attributes" && name.endsWith("_time");
// Letters of a mark, and their width.
const MOST = 12;
const LETTER = 6.7;
const marks = (name, scale, most) => marksOf(name, scale, most).map(([text, at]) => [text.length > MOST ? `${text.slice(0, MOST - 1)}…` : text, at]);

export function drawScatter(comparison, x, y, colour) {
  const { scatter: place, runs, state } = comparison;
  const head = comparison.heading("Scatter", comparison.choose("Across", x, (sx) => state.set({ sx })),
    comparison.choose("Up", y, (sy) => state.set({ sy })), comparison.choose("Colour", colour, (sc) => state.set({ sc }), { none: state.selected.length > 0 ? "by run" : "all the same" }));
  if (!x || !y) {
    place.replaceChildren(head, make("p", { class: "soft" }, "These runs have no metric that differs between them."));
    return;
  }
  const width = Math.max(280, place.clientWidth - 34);
  const [across, up] = [scaleOf(runs, x), scaleOf(runs, y)];
  const beside = marks(y, up, 5);
  const left = Math.max(44, ...beside.map(([text]) => text.length * LETTER + 16));
  const xOf = (at) => left + 8 + at * (width - left - RIGHT - 16);
  const yOf = (at) => HEIGHT - BOTTOM - 8 - at * (HEIGHT - TOP - BOTTOM - 16);
  const shade = comparison.shades(colour);
  const points = [];
  for (const run of runs) {
    const [a, b] = [across.at(valueOf(run, x)), up.at(valueOf(run, y))];
    if (a === null || b === null) continue;
    const look = colour ? shade(run) : comparison.look(run, shade);
    const words = `${run.run_name}: ${title(x)} ${shown(run, x)}, ${title(y)} ${shown(run, y)}${colour ? `, ${title(colour)} ${shown(run, colour)}` : ""}`;
    points.push(draw("a", { href: `/runs/${run.run_id}`, class: "point", "aria-label": words },
      draw("circle", { class: look, cx: xOf(a).toFixed(1), cy: yOf(b).toFixed(1), r: 4.5 }), draw("title", {}, document.createTextNode(words))));
  }
  const grid = [
    ...marks(x, across, width < 500 ? 3 : 6).map(([text, at]) => draw("g", {}, draw("path", { d: `M${xOf(at)} ${TOP}V${HEIGHT - BOTTOM}` }), draw("text", { class: "below", x: xOf(at), y: HEIGHT - BOTTOM + 16 }, document.createTextNode(text)))),
    ...beside.map(([text, at]) => draw("g", {}, draw("path", { d: `M${left} ${yOf(at)}H${width - RIGHT}` }), draw("text", { class: "beside", x: left - 8, y: yOf(at) + 4 }, document.createTextNode(text)))),
  ];
  const names = [draw("text", { class: "below", x: (left + width) / 2, y: HEIGHT - 6 }, document.createTextNode(title(x) + (across.isLog ? " (log)" : ""))),
    draw("text", { class: "first", x: 4, y: 12 }, document.createTextNode(title(y) + (up.isLog ? " (log)" : "")))];
  const picture = draw("svg", { class: "scatter", viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT, role: "group", "aria-label": `${points.length} runs by ${title(x)} and ${title(y)}` },
    draw("g", { class: "lattice" }, ...grid, ...names), ...points);
  const missing = runs.length - points.length;
  place.replaceChildren(head, picture, comparison.key(colour, colour ? { isOwn: false } : {}), make("p", { class: "soft" }, missing > 0 ? `${missing} of ${runs.length} runs lack one of the two.` : ""));
}

function shown(run, name) {
  const value = valueOf(run, name);
  if (value === undefined) return "none";
  return name === "duration" || isInstant(name) || typeof value === "number" ? said(name, value) : String(value);
}
