// A line between two parts of a page that one moves with the mouse, a finger or the arrow keys, in percent of the width that
// both share. Where it stands is kept in this browser.

import { make } from "./dom.js";

const STEP = 2;

function kept(key) {
  try {
    return Number(localStorage.getItem(`divider:${key}`)) || null;
  } catch {
    return null;
  }
}

function keep(key, percent) {
  try {
    if (percent === null) localStorage.removeItem(`divider:${key}`);
    else localStorage.setItem(`divider:${key}`, String(percent));
  } catch {
    // It stands where it was put until the page is left.
  }
}

export function divider({ label, key, least, most, usual, width, set }) {
  const line = make("div", { class: "divider", role: "separator", tabindex: "0", "aria-orientation": "vertical", "aria-label": label, "aria-valuemin": least, "aria-valuemax": most, title: "Move it with the mouse or with ← →; press twice for the usual width" });
  let now;
  const put = (percent, isKept = true) => {
    now = Math.round(10 * Math.max(least, Math.min(most, percent))) / 10;
    line.setAttribute("aria-valuenow", String(Math.round(now)));
    set(now);
    if (isKept) keep(key, now === usual ? null : now);
  };
  line.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    line.focus();
    line.setPointerCapture(event.pointerId);
    const [from, start, whole] = [event.clientX, now, width()];
    const move = ({ clientX }) => put(start + (100 * (clientX - from)) / Math.max(1, whole));
    line.addEventListener("pointermove", move);
    line.addEventListener("lostpointercapture", () => line.removeEventListener("pointermove", move), { once: true });
  });
  line.addEventListener("dblclick", () => put(usual));
  line.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const places = { ArrowLeft: now - STEP, ArrowRight: now + STEP, Home: least, End: most };
    if (!(event.key in places)) return;
    event.preventDefault();
    event.stopPropagation();
    put(places[event.key]);
  });
  put(kept(key) ?? usual, false);
  return line;
}
