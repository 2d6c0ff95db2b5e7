// Series as the server decimates them (POST /api/v1/runs/series), made into what a chart draws.

import { asNumber } from "./figure.js";
import { ask } from "./run-api.js";

// Most points of one answer, over all of its series.
const MOST = 400_000;

export const AXES = { step: "step", time: "time", relative: "relative_time" };

export function askSeries({ runs, metric, axis, from, to, points, known }, signal) {
  const each = Math.max(2, Math.min(2000, points, Math.floor(MOST / runs.length)));
  const asked = { runs, metrics: [metric], axis: AXES[axis], points: each };
  if (from !== null) Object.assign(asked, { from, to });
  if (known) asked.known = known;
  return ask("/api/v1/runs/series", asked, { signal });
}

// One run's line: x, what is drawn, what it came from, and how far it reaches where it stands for many points.
export function lineOf(series, width) {
  if (series.kind === "points") {
    const y = series.value.map(finite);
    return { run: series.run, x: series.x, y, shown: series.value, low: null, high: null, count: null, total: series.total };
  }
  const middle = (width - 1) / 2;
  return {
    run: series.run,
    x: series.x.map((x) => x + middle),
    y: series.mean.map(finite),
    shown: series.mean,
    low: series.min.map(finite),
    high: series.max.map(finite),
    count: series.count,
    total: series.total,
    begins: series.x,
  };
}

function finite(value) {
  const known = asNumber(value);
  return known === null || !Number.isFinite(known) ? null : known;
}

// An exponential moving average without the bias of its start, as TensorBoard draws it
// (vz_line_chart2/line-chart.ts, "resmoothDataset"): sₙ = w·sₙ₋₁ + (1 − w)·yₙ from s₀ = 0, drawn as sₙ / (1 − wⁿ).
// What is no number is left out. Where the server has decimated, y are the means of the buckets.
export function smoothed(values, weight) {
  if (weight <= 0) return values;
  let [sum, power] = [0, 1];
  return values.map((value) => {
    if (value === null || value === undefined) return value;
    sum = weight * sum + (1 - weight) * value;
    power *= weight;
    return sum / (1 - power);
  });
}

// All lines over the union of their x, as uPlot wants them: undefined where a line has no point of its own (it runs
// through), null where what it has is no number (it breaks).
export function aligned(lines, columnsOf) {
  const all = new Set();
  for (const line of lines) for (const x of line.x) all.add(x);
  const x = Float64Array.from(all).sort();
  const place = new Map();
  x.forEach((value, at) => place.set(value, at));
  const data = [Array.from(x)];
  for (const line of lines) {
    for (const column of columnsOf(line)) {
      const values = new Array(x.length);
      line.x.forEach((value, at) => { values[place.get(value)] = column[at]; });
      data.push(values);
    }
  }
  return data;
}
