// Parallel coordinates: an axis for each column, a line for each run. Drawing along an axis keeps the runs between.

import { draw, make } from "./dom.js";
import { title, valueOf } from "./run-api.js";
import { marksOf } from "./run-axis.js";
import { scaleOf } from "./run-compare.js";

const HEIGHT = 300;
const TOP = 34;
const BOTTOM = 14;
// Width of a letter of a mark, and most letters of one.
const LETTER = 6.7;
const MOST = 16;

export function drawParallel(comparison, axes) {
  const { parallel: place, runs, state } = comparison;
  const head = comparison.heading("Parallel coordinates", ...axes.map((name) => comparison.dropAxis(axes, name)), comparison.addAxis(axes));
  if (axes.length < 2 || runs.length === 0) {
    place.replaceChildren(head, make("p", { class: "soft" }, runs.length === 0 ? "No run to compare." : "Two axes at least: add one. Only what differs between the runs is worth one."));
    return;
  }
  const width = Math.max(110 * axes.length, place.clientWidth - 34, 280);
  const [left, right] = [70, width - 70];
  const scales = axes.map((name) => scaleOf(runs, name));
  const xOf = (at) => left + (at * (right - left)) / (axes.length - 1);
  const yOf = (at) => HEIGHT - BOTTOM - at * (HEIGHT - TOP - BOTTOM);
  const shade = comparison.shades(axes.at(-1));
  const kept = axes.map(() => null);
  const lines = runs.map((run) => {
    const places = axes.map((name, at) => scales[at].at(valueOf(run, name)));
    const line = draw("path", { class: `runline ${comparison.look(run, shade)}`, d: pathOf(places, xOf, yOf) }, draw("title", {}, document.createTextNode(run.run_name)));
    line.addEventListener("click", () => state.select([run.run_id]));
    return { run, places, line };
  });
  const says = make("p", { class: "soft", role: "status" });
  const look = () => {
    let inside = 0;
    for (const { places, line } of lines) {
      const fits = kept.every((range, at) => range === null || (places[at] !== null && places[at] >= range[0] && places[at] <= range[1]));
      line.classList.toggle("out", !fits);
      inside += fits ? 1 : 0;
    }
    says.textContent = kept.every((range) => range === null) ? "Draw along an axis, or use its arrow keys, to keep only the runs between; press a line to select its run."
      : `${inside} of ${runs.length} runs are kept. Press an axis to let all in again.`;
  };
  const drawn = axes.map((name, at) => axisOf({ name, scale: scales[at], x: xOf(at), yOf, at, kept, look }));
  const picture = draw("svg", { class: "parallel", viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT, role: "img", "aria-label": `${runs.length} runs on the axes ${axes.map(title).join(", ")}` },
    draw("g", {}, ...lines.map(({ line }) => line)), ...drawn);
  place.replaceChildren(head, make("div", { class: "scroll" }, picture), comparison.key(axes.at(-1)), says);
  look();
}

// A missing value is a gap in the line.
function pathOf(places, xOf, yOf) {
  let [path, isOn] = ["", false];
  places.forEach((place, at) => {
    if (place === null) isOn = false;
    else {
      path += `${isOn ? "L" : "M"}${xOf(at).toFixed(1)} ${yOf(place).toFixed(1)}`;
      isOn = true;
    }
  });
  return path;
}

function axisOf({ name, scale, x, yOf, at, kept, look }) {
  const labels = marksOf(name, scale).map(([text, place]) => {
    const short = text.length > MOST ? `${text.slice(0, MOST - 1)}…` : text;
    // On a plate, so that no line goes through the letters.
    return draw("g", {}, draw("path", { d: `M${x - 3} ${yOf(place)}h6` }), draw("rect", { class: "plate", x: x + 5, y: yOf(place) - 7, width: short.length * LETTER + 5, height: 14, rx: 3 }),
      draw("text", { class: "mark", x: x + 7, y: yOf(place) + 4 }, document.createTextNode(short)));
  });
  const range = draw("rect", { class: "kept", x: x - 8, width: 16, y: 0, height: 0, rx: 3 });
  const reach = draw("rect", { class: "reach", tabindex: "0", role: "group", "aria-label": `Axis ${name}: arrow keys move the lower end of what is kept, with Shift the upper end; Escape lets all in`, x: x - 14, width: 28, y: yOf(1), height: yOf(0) - yOf(1) });
  const short = title(name).length > 18 ? `${title(name).slice(0, 17)}…` : title(name);
  const group = draw("g", { class: "axis" }, draw("path", { d: `M${x} ${yOf(1)}V${yOf(0)}` }), range, ...labels,
    draw("text", { class: "name", x, y: 16 }, document.createTextNode(short + (scale.isLog ? " (log)" : ""))), reach);
  const keep = (ends) => {
    kept[at] = ends && ends[1] - ends[0] > 0.01 && (ends[0] > 0 || ends[1] < 1) ? ends : null;
    range.setAttribute("y", kept[at] ? yOf(ends[1]) : 0);
    range.setAttribute("height", kept[at] ? yOf(ends[0]) - yOf(ends[1]) : 0);
    look();
  };
  // Arrows move the lower end, with Shift the upper one.
  reach.addEventListener("keydown", (event) => {
    const step = { ArrowUp: 0.05, ArrowDown: -0.05 }[event.key];
    if (event.key === "Escape") keep(null);
    else if (step) {
      const [low, high] = kept[at] ?? [0, 1];
      const within = (place) => Math.min(1, Math.max(0, place));
      keep(event.shiftKey ? [low, Math.max(low, within(high + step))] : [Math.min(high, within(low + step)), high]);
    } else return;
    event.preventDefault();
  });
  const placeOf = (event) => {
    const box = group.ownerSVGElement.getBoundingClientRect();
    const y = ((event.clientY - box.top) * HEIGHT) / box.height;
    return Math.min(1, Math.max(0, (yOf(0) - y) / (yOf(0) - yOf(1))));
  };
  reach.addEventListener("pointerdown", (down) => {
    const start = placeOf(down);
    reach.setPointerCapture(down.pointerId);
    const follow = (event) => {
      keep([start, placeOf(event)].sort((one, other) => one - other));
    };
    follow(down);
    reach.addEventListener("pointermove", follow);
    reach.addEventListener("pointerup", () => reach.removeEventListener("pointermove", follow), { once: true });
  });
  return group;
}
