// Images that a run logged under one key: one at a time, chosen by its step. Without this module they are a strip.

import { make } from "./dom.js";
import { count } from "./figure.js";

for (const strip of document.querySelectorAll('[data-island="run-images"]')) {
  const shots = [...strip.querySelectorAll("li")];
  if (shots.length < 2) continue;
  const key = strip.querySelector("h2").textContent;
  const says = make("output", { class: "mono" });
  const slider = make("input", { type: "range", min: "0", max: String(shots.length - 1), value: String(shots.length - 1), "aria-label": `Step of ${key}` });
  const show = () => {
    const at = Number(slider.value);
    shots.forEach((shot, index) => { shot.hidden = index !== at; });
    const step = `step ${count(Number(shots[at].dataset.step))}`;
    says.textContent = `${step} · ${count(at + 1)} of ${count(shots.length)}`;
    slider.setAttribute("aria-valuetext", step);
  };
  slider.addEventListener("input", show);
  strip.querySelector("header").append(make("label", { class: "check" }, slider, says));
  strip.classList.add("single");
  show();
}
