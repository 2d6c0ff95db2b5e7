// Numbers, instants and spans as the server writes them (crates/ui/src/show).

export function asNumber(value) {
  if (typeof value === "number") return value;
  return { NaN: NaN, Infinity: Infinity, "-Infinity": -Infinity }[value] ?? null;
}

export function number(value) {
  const known = asNumber(value);
  if (known === null) return "";
  if (Number.isNaN(known)) return "NaN";
  if (!Number.isFinite(known)) return known > 0 ? "∞" : "−∞";
  const size = Math.abs(known);
  if (size === 0) return "0";
  if (size < 1e-4 || size >= 1e12) return known.toExponential(2).replace(/^-/, "−").replace("e+", "e");
  if (size >= 1000) return grouped(known.toFixed(0));
  const digits = size >= 100 ? 1 : size >= 10 ? 2 : size >= 1 ? 3 : 4;
  const text = known.toFixed(digits);
  return (text.includes(".") ? text.replace(/\.?0+$/, "") : text).replace("-", "−");
}

export function exact(value) {
  const known = asNumber(value);
  return known === null ? "" : String(known).replace("-", "−");
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
