// What one may change of a model, of a version of it, or make of a logged model: the routes of MLflow's clients, which ask
// again whether one may, and whose refusals are told as they are.

import { labelled, question } from "./dialog.js";
import { button, make } from "./dom.js";
import { ask } from "./run-api.js";

const API = "/ajax-api/2.0/mlflow";
const place = document.querySelector('[data-island="model-edit"]');
if (place) start();

function start() {
  const { model, version, logged, may } = place.dataset;
  const rights = may.split(" ");
  const named = version ? { name: model, version } : { name: model };
  const kind = version ? "model-versions" : "registered-models";
  if (logged) return void place.append(button("Register…", register, { class: "btn" }));
  if (rights.includes("write")) {
    place.append(button("Describe…", () => describe(kind, named), { class: "btn" }));
    if (version) place.append(button("Aliases…", () => aliases(named, rights), { class: "btn" }));
    place.append(button("Tags…", () => tags(kind, named, rights), { class: "btn" }));
  }
  if (version && rights.includes("delete")) place.append(button("Delete…", () => remove(named), { class: "btn danger" }));
}

const send = (path, body, method = "POST") => ask(`${API}/${path}`, body, { method });

const again = () => location.reload();

function describe(kind, named) {
  const text = make("textarea", { rows: "10", autofocus: true });
  text.value = place.dataset.description;
  question({
    title: "Describe it",
    fields: [labelled("Markdown", text)],
    action: "Save",
    work: async () => {
      await send(`${kind}/update`, { ...named, description: text.value }, "PATCH");
      again();
    },
  });
}

// What there is, each with a way to take it away.
const removable = (texts, take, attempt) => make("ul", { class: "editlist" }, ...texts.map(({ name, shown }) => make("li", {}, make("span", {}, shown),
  take ? button("Remove", () => attempt(async () => {
    await take(name);
    again();
  }), { "aria-label": `Remove ${name}` }) : null)));

function aliases({ name, version }, rights) {
  const known = [...place.querySelectorAll("[data-alias]")].map(({ value }) => ({ name: value, shown: value }));
  const field = make("input", { type: "text", required: true, autofocus: true, maxlength: "255", placeholder: "champion", autocomplete: "off", spellcheck: "false" });
  const take = rights.includes("delete") ? (alias) => send("registered-models/alias", { name, alias }, "DELETE") : null;
  question({
    title: `Aliases of version ${version}`,
    fields: (attempt) => [removable(known, take, attempt), labelled("Point this alias here, wherever it points now", field)],
    action: "Set",
    work: async () => {
      await send("registered-models/alias", { name, alias: field.value.trim(), version });
      again();
    },
  });
}

function tags(kind, named, rights) {
  const known = [...place.querySelectorAll("[data-tag]")].map(({ dataset, value }) => ({ name: dataset.tag, shown: `${dataset.tag}: ${value}` }));
  const key = make("input", { type: "text", required: true, autofocus: true, maxlength: "250", autocomplete: "off", spellcheck: "false" });
  const value = make("input", { type: "text", maxlength: "5000", autocomplete: "off", spellcheck: "false" });
  const take = rights.includes("delete") ? (tag) => send(`${kind}/delete-tag`, { ...named, key: tag }, "DELETE") : null;
  question({
    title: "Tags",
    fields: (attempt) => [removable(known, take, attempt), labelled("Tag", key), labelled("Value", value)],
    action: "Set",
    work: async () => {
      await send(`${kind}/set-tag`, { ...named, key: key.value.trim(), value: value.value });
      again();
    },
  });
}

function remove(named) {
  const sentence = `Version ${named.version} of ${named.name} goes from all lists, with its aliases. The record keeps that it was there, and its number is not given again.`;
  question({
    title: `Delete version ${named.version}?`,
    says: [sentence],
    action: "Delete",
    isDanger: true,
    work: async () => {
      await send("model-versions/delete", named, "DELETE");
      location.assign(`/models/${encodeURIComponent(named.name)}`);
    },
  });
}

async function register() {
  const { logged, name, run } = place.dataset;
  const models = make("datalist", { id: "known-models" });
  const field = make("input", { type: "text", required: true, autofocus: true, maxlength: "256", list: "known-models", autocomplete: "off", spellcheck: "false" });
  field.value = name;
  question({
    title: "Register a version",
    fields: [labelled("Of this model, which is made if there is none", field), models],
    action: "Register",
    work: async () => {
      const model = field.value.trim();
      try {
        await send("registered-models/create", { name: model });
      } catch (error) {
        if (error.code !== "RESOURCE_ALREADY_EXISTS") throw error;
      }
      const made = await send("model-versions/create", { name: model, source: `models:/${logged}`, model_id: logged, ...(run ? { run_id: run } : {}) });
      location.assign(`/models/${encodeURIComponent(model)}/${made.model_version.version}`);
    },
  });
  try {
    const { registered_models: known = [] } = await ask(`${API}/registered-models/search?max_results=200`, undefined, { method: "GET" });
    models.append(...known.map((one) => make("option", { value: one.name })));
  } catch {
    // Names can be typed.
  }
}
