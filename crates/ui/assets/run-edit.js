// What may be changed of a run or an experiment, on its own page: name, description, tags, and whether it is deleted.
// Each change goes by MLflow's API, as its clients make it; then the page is loaded again, so that it shows what is.

import { labelled, question } from "./dialog.js";
import { button, make, popover } from "./dom.js";
import { ask } from "./run-api.js";

const NOTE = "mlflow.note.content";
const call = (path, body) => ask(`/api/2.0/mlflow/${path}`, body);
const got = (path) => ask(`/api/2.0/mlflow/${path}`, undefined, { method: "GET" });

const KINDS = {
  run: (id) => ({
    tags: async () => (await got(`runs/get?run_id=${id}`)).run.data.tags ?? [],
    rename: (name) => call("runs/update", { run_id: id, run_name: name }),
    setTag: (key, value) => call("runs/set-tag", { run_id: id, key, value }),
    deleteTag: (key) => call("runs/delete-tag", { run_id: id, key }),
    remove: () => call("runs/delete", { run_id: id }),
    restore: () => call("runs/restore", { run_id: id }),
    removes: "It is left out of lists and searches. Its page stays, and brings it back, until it is deleted for good.",
  }),
  experiment: (id) => ({
    tags: async () => (await got(`experiments/get?experiment_id=${id}`)).experiment.tags ?? [],
    rename: (name) => call("experiments/update", { experiment_id: id, new_name: name }),
    setTag: (key, value) => call("experiments/set-experiment-tag", { experiment_id: id, key, value }),
    deleteTag: (key) => call("experiments/delete-experiment-tag", { experiment_id: id, key }),
    remove: () => call("experiments/delete", { experiment_id: id }),
    restore: () => call("experiments/restore", { experiment_id: id }),
    removes: "All its runs are deleted with it. They are left out of lists and searches. Its page stays, and brings them back, until they are deleted for good.",
  }),
};

const head = document.querySelector("[data-edit]");
if (head) offer();

function offer() {
  const { edit: one, id, name, may } = head.dataset;
  const thing = KINDS[one](id);
  const allowed = may.split(" ");
  // What is done is seen on the page as it is now.
  const done = (work) => async () => {
    await work();
    location.reload();
  };

  if ("deleted" in head.dataset) {
    if (!allowed.includes("delete")) return;
    const place = document.querySelector('[data-part="deleted"]');
    const fault = make("p", { class: "fault", role: "alert", hidden: true });
    const restore = button("Restore", async () => {
      restore.disabled = true;
      try {
        await done(thing.restore)();
      } catch (error) {
        fault.textContent = error.message;
        fault.hidden = false;
        restore.disabled = false;
      }
    }, { class: "btn primary" });
    place.append(restore, fault);
    return;
  }

  const valueOf = async (key) => (await thing.tags()).find((tag) => tag.key === key)?.value;

  const rename = () => {
    const field = make("input", { type: "text", required: true, value: name, maxlength: "500", autocomplete: "off", dir: "auto" });
    question({
      title: `Rename the ${one}`, fields: [labelled("Name", field)], action: "Rename",
      work: done(() => thing.rename(field.value.trim())),
    });
  };

  const describe = async () => {
    const before = await valueOf(NOTE);
    const field = make("textarea", { rows: "8", maxlength: "5000", dir: "auto" });
    field.value = before ?? "";
    question({
      title: `Describe the ${one}`, fields: [labelled("Description", field)], action: "Save",
      work: done(async () => {
        if (field.value.trim() !== "") await thing.setTag(NOTE, field.value);
        else if (before !== undefined) await thing.deleteTag(NOTE);
      }),
    });
  };

  const tag = async (known) => {
    const key = make("input", { type: "text", required: true, value: known ?? "", readonly: known !== undefined, maxlength: "250", autocomplete: "off" });
    const value = make("textarea", { rows: "3", maxlength: "5000", dir: "auto" });
    value.value = known === undefined ? "" : await valueOf(known) ?? "";
    const dialog = question({
      title: known === undefined ? "Set a tag" : `Set the tag ${known}`,
      says: known === undefined ? ["A tag of this name that is there already gets the new value."] : [],
      fields: [labelled("Name", key), labelled("Value", value)], action: "Save",
      work: done(() => thing.setTag(key.value.trim(), value.value)),
    });
    if (known !== undefined) dialog.querySelector("textarea").focus();
  };

  const untag = (key) => question({
    title: `Remove the tag ${key}?`, action: "Remove", isDanger: true, work: done(() => thing.deleteTag(key)),
  });

  const remove = () => question({
    title: `Delete the ${one} ${name}?`, says: [thing.removes], action: "Delete", isDanger: true, work: done(thing.remove),
  });

  const entries = [];
  if (allowed.includes("write")) entries.push(["Rename", rename], ["Describe", describe], ["Set a tag", () => tag()]);
  if (allowed.includes("delete")) entries.push([`Delete the ${one}`, remove]);
  if (entries.length === 0) return;
  const owner = button("Edit", () => {}, { class: "btn" });
  head.querySelector(".actions").append(owner);
  // What opens a dialog may first have to ask what is there now.
  const run = (work) => Promise.resolve(work()).catch((error) => question({
    title: "This could not be read", says: [error.message], action: "Load the page again", work: async () => location.reload(),
  }));
  const panel = popover(owner, make("div", { class: "menu" }, ...entries.map(([words, work]) => make("button", { type: "button", onclick: () => { panel.hidePopover(); run(work); } }, words))), "Edit");

  if (!allowed.includes("write")) return;
  for (const place of document.querySelectorAll("[data-tag]")) {
    const key = place.dataset.tag;
    place.append(make("span", { class: "tagacts" },
      make("button", { type: "button", class: "mini", "aria-label": `Change the tag ${key}`, title: "Change", onclick: () => run(() => tag(key)) }, "✎"),
      make("button", { type: "button", class: "mini", "aria-label": `Remove the tag ${key}`, title: "Remove", onclick: () => untag(key) }, "×")));
  }
}
