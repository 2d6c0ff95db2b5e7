// Ctrl-K: pages, experiments, runs, models and prompts by name, traces by name and id, from everywhere.

import { later, make } from "./dom.js";
import { ask } from "./run-api.js";

const EACH = 6;
let dialog = null;

document.addEventListener("keydown", (event) => {
  if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey) || event.shiftKey || event.altKey) return;
  event.preventDefault();
  open();
});

const quoted = (text) => `'%${text.replaceAll("'", "_").replaceAll("%", "_")}%'`;

async function found(text, signal) {
  const pages = [...document.querySelectorAll("nav.main a")].map((link) => ({ kind: "page", name: link.textContent, href: link.getAttribute("href") }))
    .filter(({ name }) => name.toLowerCase().includes(text.toLowerCase()));
  if (text === "") return pages;
  const like = quoted(text);
  const quiet = (asked) => asked.catch((error) => {
    if (error.name === "AbortError") throw error;
    return null;
  });
  const registered = (filter) => ask(`/api/2.0/mlflow/registered-models/search?max_results=${EACH}&filter=${encodeURIComponent(filter)}`, undefined, { method: "GET", signal });
  const [experiments, runs, models, prompts, traces] = await Promise.all([
    quiet(ask("/api/2.0/mlflow/experiments/search", { filter: `name ILIKE ${like}`, max_results: EACH }, { signal })),
    quiet(ask("/api/v1/runs/search", { filter: `run_name ILIKE ${like}`, columns: ["run_name"], limit: EACH }, { signal })),
    quiet(registered(`name ILIKE ${like}`)),
    quiet(registered(`name ILIKE ${like} AND tags.\`mlflow.prompt.is_prompt\` = 'true'`)),
    quiet(ask("/api/v1/traces/search", { filter: `request_id ILIKE ${like} OR name ILIKE ${like}`, limit: EACH }, { signal })),
  ]);
  return [
    ...pages,
    ...(experiments?.experiments ?? []).map((one) => ({ kind: "experiment", name: one.name, href: `/experiments/${one.experiment_id}` })),
    ...(models?.registered_models ?? []).map((one) => ({ kind: "model", name: one.name, href: `/models/${encodeURIComponent(one.name)}` })),
    ...(prompts?.registered_models ?? []).map((one) => ({ kind: "prompt", name: one.name, href: `/prompts/${encodeURIComponent(one.name)}` })),
    ...(traces?.traces ?? []).map((one) => ({ kind: "trace", name: one.name ? `${one.name} ${one.trace_id}` : one.trace_id, href: `/traces/${encodeURIComponent(one.trace_id)}` })),
    ...(runs?.runs ?? []).map((one) => ({ kind: "run", name: one.run_name, href: `/runs/${one.run_id}` })),
  ];
}

export function open() {
  if (dialog) return;
  const field = make("input", { type: "search", role: "combobox", "aria-expanded": "true", "aria-controls": "palette-list", "aria-label": "Go to", placeholder: "Go to a page, experiment, model, prompt, trace or run", autocomplete: "off" });
  const list = make("ul", { id: "palette-list", role: "listbox", class: "offers still", "aria-label": "Found" });
  dialog = make("dialog", { class: "dialog palette", "aria-label": "Go to" }, field, list);
  let [chosen, leaving] = [0, new AbortController()];

  const choose = (at) => {
    const lines = [...list.querySelectorAll("[role=option]")];
    if (lines.length === 0) return field.removeAttribute("aria-activedescendant");
    chosen = (at + lines.length) % lines.length;
    lines.forEach((line, place) => line.setAttribute("aria-selected", String(place === chosen)));
    field.setAttribute("aria-activedescendant", lines[chosen].id);
    lines[chosen].scrollIntoView({ block: "nearest" });
  };
  const look = async () => {
    leaving.abort();
    leaving = new AbortController();
    try {
      const all = await found(field.value.trim(), leaving.signal);
      const lines = all.map(({ kind, name, href }, at) => make("li", { role: "option", id: `palette-${at}`, "aria-selected": "false", "data-href": href, onclick: () => location.assign(href) },
        make("span", {}, name), make("span", { class: "soft" }, kind)));
      list.replaceChildren(...(lines.length > 0 ? lines : [make("li", { class: "soft" }, "Nothing has this name.")]));
      choose(0);
    } catch {
      // A newer question is under way.
    }
  };
  field.addEventListener("input", later(120, look));
  field.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) choose(chosen + step);
    else if (event.key === "Enter") {
      const line = list.querySelectorAll("[role=option]")[chosen];
      if (line) location.assign(line.dataset.href);
    } else return;
    event.preventDefault();
  });
  dialog.addEventListener("close", () => {
    dialog.remove();
    dialog = null;
  });
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  document.body.append(dialog);
  dialog.showModal();
  look();
}
