// Numbers, instants and spans as the server writes them (crates/ui/src/show).

export function asNumber(value) {
  if (typeof value === "number") return value;
  return { NaN: NaN, Infinity: Infinity, "-Infinity": -Infinity }[value] ?? null;
}

// A logged number: whole ones as they are, others to six significant digits, and to more where they would pass for a
// whole one. What is longer than `room` characters is written with an exponent.
export function number(value, { room = 30, digits = 6 } = {}) {
  const known = asNumber(value);
  if (known === null) return "";
  if (Number.isNaN(known)) return "NaN";
  if (!Number.isFinite(known)) return known > 0 ? "∞" : "−∞";
  const text = plain(known, digits);
  return text !== null && text.length <= room ? text : scientific(known, digits, room);
}

function plain(value, digits) {
  const size = Math.abs(value);
  if (Number.isInteger(value)) return size < 1e15 ? groupedFraction(String(value)) : null;
  if (size < 1e-4 || size >= 1e15) return null;
  let [rounded, more] = [Number(value.toPrecision(digits)), digits];
  while (Number.isInteger(rounded) && more < Math.max(12, digits)) rounded = Number(value.toPrecision(more += 1));
  return groupedFraction(String(rounded));
}

// With as many digits as there is room for, two at least.
function scientific(value, digits, room) {
  const [mantissa, power] = value.toExponential(digits - 1).split("e");
  const text = `${Number(mantissa)}e${Number(power)}`.replace(/^-/, "−");
  return text.length > room && digits > 2 ? scientific(value, digits - 1, room) : text;
}

// Numbers beside each other: where two differ, so do their texts.
export function apart(values) {
  const different = new Set(values.map(String)).size;
  for (let digits = 6; digits <= 17; digits += 1) {
    const texts = values.map((value) => number(value, { digits }));
    if (new Set(texts).size === different) return texts;
  }
  return values.map(exact);
}

export function exact(value) {
  const known = asNumber(value);
  return known === null ? "" : String(known).replace(/^-/, "−").replace("e+", "e");
}

export function groupedFraction(text) {
  const [whole, fraction] = text.split(".");
  return fraction === undefined ? grouped(whole) : `${grouped(whole)}.${fraction}`;
}

export function grouped(text) {
  const [sign, digits] = text.startsWith("-") ? ["−", text.slice(1)] : ["", text];
  return sign + digits.replace(/\B(?=(\d{3})+$)/g, ",");
}

export const count = (value) => grouped(String(value));
export const counted = (value, one, many) => `${count(value)} ${value === 1 ? one : many}`;

const UNITS = [[86_400_000, "d"], [3_600_000, "h"], [60_000, "min"], [1000, "s"]];

// A span in its two largest units: `2 min 14 s`.
export function span(milliseconds) {
  if (milliseconds < 1000) return `${Math.max(0, Math.round(milliseconds))} ms`;
  if (milliseconds < 10_000) return `${Math.floor(milliseconds / 100) / 10} s`.replace(/\.0 s$/, ".0 s");
  let rest = milliseconds;
  const parts = [];
  for (const [length, unit] of UNITS) {
    if (rest >= length) {
      parts.push(`${Math.floor(rest / length)} ${unit}`);
      rest %= length;
    } else if (parts.length > 0) break;
    if (parts.length === 2) break;
  }
  return parts.join(" ");
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

export function ago(milliseconds, now = Date.now()) {
  const past = now - milliseconds;
  if (past < 10_000) return "just now";
  if (past < 60_000) return `${Math.floor(past / 1000)} s ago`;
  if (past < 3_600_000) return `${Math.floor(past / 60_000)} min ago`;
  if (past < 86_400_000) return `${Math.floor(past / 3_600_000)} h ago`;
  const at = new Date(milliseconds);
  const day = `${MONTHS[at.getUTCMonth()]} ${at.getUTCDate()}`;
  return at.getUTCFullYear() === new Date(now).getUTCFullYear() ? day : `${day}, ${at.getUTCFullYear()}`;
}

export const instant = (milliseconds) => new Date(milliseconds).toISOString();

const STATES = {
  RUNNING: ["running", "now"], SCHEDULED: ["scheduled", "idle"], FINISHED: ["finished", "ok"],
  FAILED: ["failed", "bad"], KILLED: ["killed", "bad"],
};

export const state = (status) => STATES[status] ?? [String(status).toLowerCase(), "idle"];
