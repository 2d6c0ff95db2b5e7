// A point for each run: two columns as places, a third as colour.

import { draw, make } from "./dom.js";
import { number, span } from "./figure.js";
import { title, valueOf } from "./run-api.js";
import { scaleOf } from "./run-compare.js";

const HEIGHT = 320;
const [LEFT, RIGHT, TOP, BOTTOM] = [72, 16, 24, 40];

function said(name, value) {
  if (name === "duration") return span(value);
  if (name.endsWith("_time")) return new Date(value).toISOString().slice(0, 10);
  return number(value);
}

function marks(name, scale) {
  if (scale.words) return scale.words.slice(0, 12).map((word) => [word.length > 12 ? `${word.slice(0, 11)}…` : word, scale.at(word)]);
  if (scale.low === scale.high) return [[said(name, scale.low), 0.5]];
  return [0, 0.25, 0.5, 0.75, 1].map((place) => [said(name, scale.back(place)), place]);
}

export function drawScatter(comparison, x, y, colour) {
  const { scatter: place, runs, state } = comparison;
  const head = comparison.heading("Scatter", comparison.choose("Across", x, (sx) => state.set({ sx })),
    comparison.choose("Up", y, (sy) => state.set({ sy })), comparison.choose("Colour", colour, (sc) => state.set({ sc }), { none: "by run" }));
  if (!x || !y) {
    place.replaceChildren(head, make("p", { class: "soft" }, "These runs have no metric that differs between them."));
    return;
  }
  const width = Math.max(280, place.clientWidth - 34);
  const [across, up] = [scaleOf(runs, x), scaleOf(runs, y)];
  const xOf = (at) => LEFT + 8 + at * (width - LEFT - RIGHT - 16);
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
    ...marks(x, across).map(([text, at]) => draw("g", {}, draw("path", { d: `M${xOf(at)} ${TOP}V${HEIGHT - BOTTOM}` }), draw("text", { class: "below", x: xOf(at), y: HEIGHT - BOTTOM + 16 }, document.createTextNode(text)))),
    ...marks(y, up).map(([text, at]) => draw("g", {}, draw("path", { d: `M${LEFT} ${yOf(at)}H${width - RIGHT}` }), draw("text", { class: "beside", x: LEFT - 8, y: yOf(at) + 4 }, document.createTextNode(text)))),
  ];
  const names = [draw("text", { class: "below", x: (LEFT + width) / 2, y: HEIGHT - 6 }, document.createTextNode(title(x) + (across.isLog ? " (log)" : ""))),
    draw("text", { class: "first", x: 4, y: 12 }, document.createTextNode(title(y) + (up.isLog ? " (log)" : "")))];
  const picture = draw("svg", { class: "scatter", viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT, role: "group", "aria-label": `${points.length} runs by ${title(x)} and ${title(y)}` },
    draw("g", { class: "lattice" }, ...grid, ...names), ...points);
  const missing = runs.length - points.length;
  place.replaceChildren(head, picture, make("p", { class: "soft" }, missing > 0 ? `${missing} of ${runs.length} runs lack one of the two.` : ""));
}

function shown(run, name) {
  const value = valueOf(run, name);
  if (value === undefined) return "none";
  return name === "duration" || name.endsWith("_time") || typeof value === "number" ? said(name, value) : String(value);
}
