// Ctrl-K and the field in the head of every page: pages, experiments, models and prompts by name, runs and traces by
// name and id, from everywhere.

import { later, make } from "./dom.js";
import { count } from "./figure.js";
import { ask } from "./run-api.js";
import { named, pattern } from "./run-named.js";

const EACH = 6;
// As much of a run's id as is hardly ever a part of a name by chance.
const ID = /^[0-9a-f]{6,32}$/i;
let dialog = null;

document.addEventListener("keydown", (event) => {
  if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey) || event.shiftKey || event.altKey) return;
  event.preventDefault();
  open();
});

// The field in the head: what is pressed or typed there goes on in the palette. Passing it by with Tab opens nothing.
const head = document.querySelector("form.search");
if (head) {
  const field = head.querySelector("input");
  const goOn = () => {
    open(field.value);
    field.value = "";
  };
  if (/Mac|iPhone|iPad/.test(navigator.platform)) head.querySelector("kbd").textContent = "⌘ K";
  head.addEventListener("click", goOn);
  field.addEventListener("input", goOn);
  head.addEventListener("submit", (event) => {
    event.preventDefault();
    goOn();
  });
}

const experiments = new Map();

// The name of an experiment; its id where that cannot be told.
function experimentOf(id, signal) {
  if (!experiments.has(id)) {
    const path = `/api/2.0/mlflow/experiments/get?experiment_id=${encodeURIComponent(id)}`;
    experiments.set(id, ask(path, undefined, { method: "GET", signal }).then(({ experiment }) => experiment.name).catch(() => {
      experiments.delete(id);
      return id;
    }));
  }
  return experiments.get(id);
}

async function runsFound(text, signal) {
  const byId = ID.test(text) ? `run_id LIKE '${text.toLowerCase()}%'` : null;
  const filter = [byId, named(text, "run_name")].filter(Boolean).join(" OR ");
  const answer = await ask("/api/v1/runs/search", { filter, columns: ["run_name"], limit: EACH, count: true }, { signal });
  const places = await Promise.all(answer.runs.map((run) => experimentOf(run.experiment_id, signal)));
  const isIt = (run) => byId !== null && run.run_id.startsWith(text.toLowerCase());
  const lines = answer.runs.map((run, at) => ({
    kind: `run in ${places[at]}`, name: isIt(run) ? `${run.run_name} ${run.run_id}` : run.run_name || run.run_id, href: `/runs/${run.run_id}`,
  }));
  return [...lines, ...all(answer.total > EACH, `All ${count(answer.total)} runs like this`, `/runs?filter=${encodeURIComponent(filter)}`)];
}

// The line that leads to what did not fit.
const all = (isMore, name, href) => (isMore ? [{ kind: "", name, href }] : []);

async function found(text, signal) {
  const pages = [...document.querySelectorAll("nav.main a")].map((link) => ({ kind: "page", name: link.textContent, href: link.getAttribute("href") }))
    .filter(({ name }) => name.toLowerCase().includes(text.toLowerCase()));
  if (text === "") return pages;
  const like = pattern(text);
  const quiet = (asked) => asked.catch((error) => {
    if (error.name === "AbortError") throw error;
    return null;
  });
  const registered = (filter) => ask(`/api/2.0/mlflow/registered-models/search?max_results=${EACH}&filter=${encodeURIComponent(filter)}`, undefined, { method: "GET", signal });
  const byTrace = `request_id ILIKE ${like} OR name ILIKE ${like}`;
  const [experiments, runs, models, prompts, traces] = await Promise.all([
    quiet(ask("/api/2.0/mlflow/experiments/search", { filter: `name ILIKE ${like}`, max_results: EACH }, { signal })),
    quiet(runsFound(text, signal)),
    quiet(registered(`name ILIKE ${like}`)),
    quiet(registered(`name ILIKE ${like} AND tags.\`mlflow.prompt.is_prompt\` = 'true'`)),
    quiet(ask("/api/v1/traces/search", { filter: byTrace, limit: EACH }, { signal })),
  ]);
  const [asked, searched] = [encodeURIComponent(text), encodeURIComponent(byTrace)];
  return [
    ...pages,
    ...(experiments?.experiments ?? []).map((one) => ({ kind: "experiment", name: one.name, href: `/experiments/${one.experiment_id}` })),
    ...all(experiments?.next_page_token, "All experiments like this", `/experiments?search=${asked}`),
    ...(models?.registered_models ?? []).map((one) => ({ kind: "model", name: one.name, href: `/models/${encodeURIComponent(one.name)}` })),
    ...all(models?.next_page_token, "All models like this", `/models?search=${asked}`),
    ...(prompts?.registered_models ?? []).map((one) => ({ kind: "prompt", name: one.name, href: `/prompts/${encodeURIComponent(one.name)}` })),
    ...all(prompts?.next_page_token, "All prompts like this", `/prompts?search=${asked}`),
    ...(runs ?? []),
    ...(traces?.traces ?? []).map((one) => ({ kind: "trace", name: one.name ? `${one.name} ${one.trace_id}` : one.trace_id, href: `/traces/${encodeURIComponent(one.trace_id)}` })),
    ...all(traces?.next_page_token, "All traces like this", `/traces?filter=${searched}`),
  ];
}

export function open(text = "") {
  if (dialog?.open) return;
  const field = make("input", { type: "search", role: "combobox", "aria-expanded": "true", "aria-controls": "palette-list", "aria-label": "Go to", placeholder: "A page, or a name or id", autocomplete: "off", spellcheck: "false" });
  const list = make("ul", { id: "palette-list", role: "listbox", class: "offers still", "aria-label": "Found" });
  const own = make("dialog", { class: "dialog palette", "aria-label": "Go to" }, field, list);
  dialog = own;
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
        make("span", {}, name), make("span", { class: "soft what" }, kind)));
      list.replaceChildren(...(lines.length > 0 ? lines : [make("li", { class: "soft" }, "Nothing has this name or id.")]));
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
    own.remove();
    if (dialog === own) dialog = null;
  });
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  document.body.append(dialog);
  dialog.showModal();
  field.value = text;
  look();
}
