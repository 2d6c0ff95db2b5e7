// Ticks of axes: where they lie and what stands at them. Their digits follow from how far apart they are, so that no
// two ticks of an axis say the same.

import { groupedFraction, instant, span } from "./figure.js";
import { part } from "./run-api.js";

const powers = (from, to) => Array.from({ length: to - from }, (_, at) => from + at).flatMap((power) => [1, 2, 5].map((times) => Number(`${times}e${power}`)));
// How far ticks may be apart: 1, 2 or 5 times a power of ten.
export const STEPS = powers(-28, 24);
export const WHOLE = powers(0, 18);
const [SECOND, MINUTE, HOUR, DAY] = [1000, 60_000, 3_600_000, 86_400_000];
// The same for spans and instants, in milliseconds.
export const SPANS = [...powers(0, 3), ...[1, 2, 5, 10, 15, 30].map((n) => n * SECOND), ...[1, 2, 5, 10, 15, 30].map((n) => n * MINUTE),
  ...[1, 2, 3, 6, 12].map((n) => n * HOUR), ...powers(0, 6).map((n) => n * DAY)];
const UNITS = [[15, "P"], [12, "T"], [9, "G"], [6, "M"], [3, "k"]];

const powerOf = (value) => Number(value.toExponential().split("e")[1]);
const ten = (power) => Number(`1e${power}`);
const signed = (text) => text.replace(/^-/, "−");

// What stands at ticks that are `step` apart.
export function tickTexts(values, step = apartBy(values)) {
  const greatest = values.reduce((most, value) => Math.max(most, Math.abs(value ?? 0)), 0);
  if (greatest === 0) return values.map((value) => (value === null ? "" : "0"));
  const last = lastDigit(step);
  const text = formOf(greatest, last);
  return values.map((value) => (value === null ? "" : Math.abs(value) < step / 1e6 ? "0" : signed(text(value))));
}

// A tick that is told by itself: those of a logarithmic axis.
export const alone = (value) => tickTexts([value], ten(powerOf(value)))[0];

function formOf(greatest, last) {
  const power = powerOf(greatest);
  if (power >= 18 || power < -3) return (value) => `${(value / ten(power)).toFixed(Math.min(20, Math.max(0, power - last)))}e${power}`;
  const [unit, letter] = UNITS.find(([size]) => power >= Math.max(4, size)) ?? [0, ""];
  if (letter && last > 0 && unit - last <= 3) return (value) => `${(value / ten(unit)).toFixed(Math.max(0, unit - last))}${letter}`;
  const text = (value) => value.toFixed(Math.min(20, Math.max(0, -last)));
  return power >= 4 ? (value) => groupedFraction(text(value)) : text;
}

// The power of ten of the last digit that a multiple of it needs.
function lastDigit(apart) {
  // Without what adding left behind.
  const step = Number(apart.toPrecision(3));
  const digits = step.toExponential().replace(/e.*$/, "").replace(".", "");
  return powerOf(step) - Math.max(0, digits.length - 1);
}

function apartBy(values) {
  const known = values.filter((value) => value !== null).sort((one, other) => one - other);
  const steps = known.slice(1).map((value, at) => value - known[at]).filter((step) => step > 0);
  return steps.length > 0 ? Math.min(...steps) : Math.abs(known[0] ?? 0) || 1;
}

// Round values between two others, `most` at most.
export function ticks(low, high, most, steps = null) {
  const least = (high / most) - (low / most);
  const power = ten(powerOf(least));
  const step = steps?.find((one) => one >= least) ?? ([1, 2, 5].find((times) => times * power >= least) ?? 10) * power;
  const [first, last] = [Math.ceil(low / step - 1e-9), Math.floor(high / step + 1e-9)];
  return { step, values: Array.from({ length: Math.max(0, last - first + 1) }, (_, at) => (first + at) * step) };
}

// Decades of a logarithmic axis.
function decades(low, high, most) {
  const [first, last] = [Math.ceil(Math.log10(low) - 1e-9), Math.floor(Math.log10(high) + 1e-9)];
  const every = Math.ceil((last - first + 1) / most);
  return Array.from({ length: Math.floor((last - first) / every) + 1 }, (_, at) => ten(first + at * every));
}

const isSpan = (name) => name === "duration";
const isInstant = (name) => part(name).kind === "attributes" && name.endsWith("_time");

function instants(values, step) {
  const [from, to] = step >= DAY ? [0, 10] : step >= MINUTE ? [5, 16] : step >= SECOND ? [11, 19] : [11, 23];
  return values.map((value) => instant(value).slice(from, to).replace("T", " "));
}

// Marks along a column's scale (run-compare.js): what they say, and where they lie between 0 and 1.
export function marksOf(name, scale, most = 6) {
  if (scale.words) {
    const every = Math.ceil(scale.words.length / (most * 2.5));
    return scale.words.filter((_, place) => place % every === 0).map((word) => [word, scale.at(word)]);
  }
  const { low, high } = scale;
  if (!Number.isFinite(low)) return [];
  if (low === high) return [[isSpan(name) ? span(low) : isInstant(name) ? instant(low).slice(0, 19).replace("T", " ") : tickTexts([low], scale.isWhole ? 1 : ten(powerOf(low || 1) - 5))[0], 0.5]];
  if (scale.isLog) return decades(low, high, most).map((value) => [alone(value), scale.at(value)]);
  const clock = isSpan(name) || isInstant(name);
  const { step, values } = ticks(low, high, most, clock ? SPANS : scale.isWhole ? WHOLE : null);
  const texts = isSpan(name) ? values.map(span) : isInstant(name) ? instants(values, step) : tickTexts(values, step);
  return values.map((value, at) => [texts[at], scale.at(value)]);
}
