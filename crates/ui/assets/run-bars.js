// One metric of which each selected run has a single point: bars from nought instead of a line's lone dots.

import { make } from "./dom.js";
import { apart, exact } from "./figure.js";

// Whether there is nothing to draw a line through.
export const areSingle = (lines) => lines.length > 0 && lines.every((line) => line.total === 1 && line.y.length === 1);

export function bars(lines, panel) {
  const values = lines.map((line) => line.y[0] ?? 0);
  const low = Math.min(0, ...values);
  const reach = Math.max(0, ...values) - low || 1;
  const texts = apart(lines.map((line) => line.shown[0]));
  const rows = lines.map((line, at) => {
    const name = panel.nameOf(line.run);
    const bar = make("i", { class: `bar c${panel.pen(line.run).at}`, "aria-hidden": "true" });
    bar.style.left = `${((Math.min(0, values[at]) - low) / reach) * 100}%`;
    bar.style.width = `${(Math.abs(values[at]) / reach) * 100}%`;
    return make("li", {}, make("span", { class: "who", title: name }, name), make("span", { class: "rail" }, bar), make("b", { class: "mono", title: exact(line.shown[0]) }, texts[at]));
  });
  return make("ol", { class: "bars" }, ...rows);
}
