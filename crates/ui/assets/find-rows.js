// A field that finds rows of a long table by their names: of `data-find="metric"` the header gets it.

import { make } from "./dom.js";
import { count, counted } from "./figure.js";

// Rows that one reads without looking for them.
const FEW = 12;

for (const card of document.querySelectorAll("[data-find]")) {
  const rows = [...card.querySelectorAll("tbody tr")];
  if (rows.length <= FEW) continue;
  const what = card.dataset.find;
  const field = make("input", { type: "search", placeholder: `Find a ${what}`, "aria-label": `Find a ${what}`, autocomplete: "off" });
  const says = make("span", { class: "key", role: "status" }, counted(rows.length, what, `${what}s`));
  field.addEventListener("input", () => {
    const typed = field.value.trim().toLowerCase();
    let found = 0;
    for (const row of rows) {
      row.hidden = !row.cells[0].textContent.toLowerCase().includes(typed);
      found += row.hidden ? 0 : 1;
    }
    says.textContent = typed === "" ? counted(rows.length, what, `${what}s`) : `${count(found)} of ${count(rows.length)}`;
  });
  card.querySelector("header").append(make("span", { class: "find" }, says, field));
}
