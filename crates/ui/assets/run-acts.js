// What is done to all selected runs together: set or remove a tag, delete, restore. The count is named before, and
// what was refused is told after, in the server's words.

import { labelled, question } from "./dialog.js";
import { button, make } from "./dom.js";
import { counted } from "./figure.js";
import { ask } from "./run-api.js";

// Calls that are under way at once.
const AT_ONCE = 4;
const runs = (number) => counted(number, "run", "runs");

export function acting(state, table, api, place) {
  const may = (state.root.dataset.may ?? "").split(" ");
  const bar = make("span", { class: "acts-of-many", role: "group", "aria-label": "Of the selected runs" });
  place.append(bar);

  const draw = () => {
    const { selected, lifecycle } = state;
    const acts = [];
    if (selected.length > 0 && state.show === "table") {
      acts.push(make("b", {}, `${runs(selected.length)} selected`));
      if (may.includes("write") && lifecycle !== "deleted") acts.push(button("Set a tag", tag), button("Remove a tag", untag));
      if (may.includes("delete") && lifecycle !== "deleted") acts.push(button("Delete", () => turn("deleted"), { class: "btn small danger" }));
      if (may.includes("delete") && lifecycle !== "active") acts.push(button("Restore", () => turn("active")));
      acts.push(button("Select none", () => state.set({ selected: [] })));
    }
    bar.replaceChildren(...acts);
  };

  // One call for each run; the table then shows what is.
  const all = async (ids, words, each) => {
    const [left, refused, done] = [[...ids], [], []];
    const next = async () => {
      for (let id = left.shift(); id !== undefined; id = left.shift()) {
        try {
          await each(id);
          done.push(id);
        } catch (error) {
          refused.push(error);
        }
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, next));
    await table.open({ keepPlace: true });
    if (refused.length === 0) return done;
    throw new Error(`${words} ${runs(done.length)}, not ${runs(refused.length)}: ${refused[0].message}`);
  };

  // Of those selected, the ones that are alive, or that are deleted.
  const chosen = async (lifecycle) => {
    const known = await api.byId(state.selected, ["status"]);
    return known.filter((run) => run.lifecycle === lifecycle).map((run) => run.run_id);
  };

  const aside = (ids, words) => (ids.length === state.selected.length ? [] : [`${runs(state.selected.length - ids.length)} of the selected ${words}.`]);

  async function turn(into) {
    const isDeleting = into === "deleted";
    const ids = await chosen(isDeleting ? "active" : "deleted");
    const [path, word] = isDeleting ? ["runs/delete", "Delete"] : ["runs/restore", "Restore"];
    const says = aside(ids, isDeleting ? "are deleted already" : "are not deleted");
    if (ids.length === 0) {
      question({ title: `Nothing to ${word.toLowerCase()}`, says });
      return;
    }
    if (isDeleting) says.push("They are left out of lists and searches. Choose “Deleted runs” beside the search to find them, and to restore them, until they are deleted for good.");
    question({
      title: `${word} ${runs(ids.length)}?`, says, action: `${word} ${runs(ids.length)}`, isDanger: isDeleting,
      work: async () => {
        const done = await all(ids, isDeleting ? "Deleted" : "Restored", (id) => ask(`/api/2.0/mlflow/${path}`, { run_id: id }));
        state.select(done, false);
      },
    });
  }

  async function tag() {
    const ids = await chosen("active");
    if (ids.length === 0) {
      question({ title: "Nothing to tag", says: aside(ids, "are deleted, and stay as they are") });
      return;
    }
    const key = make("input", { type: "text", required: true, maxlength: "250", autocomplete: "off" });
    const value = make("input", { type: "text", maxlength: "5000", autocomplete: "off", dir: "auto" });
    question({
      title: `Set a tag of ${runs(ids.length)}`, says: [...aside(ids, "are deleted, and stay as they are"), "A tag of this name that a run has already gets the new value."],
      fields: [labelled("Name", key), labelled("Value", value)], action: `Set it on ${runs(ids.length)}`,
      work: () => all(ids, "Set on", (id) => ask("/api/2.0/mlflow/runs/set-tag", { run_id: id, key: key.value.trim(), value: value.value })),
    });
  }

  async function untag() {
    const known = (await api.byId(state.selected, ["tags.*", "status"])).filter((run) => run.lifecycle === "active");
    const keys = [...new Set(known.flatMap((run) => Object.keys(run.tags ?? {})))].filter((key) => !key.startsWith("mlflow.")).sort();
    const choice = make("select", {}, ...keys.map((key) => make("option", { value: key }, `${key} (${runs(known.filter((run) => key in run.tags).length)})`)));
    if (keys.length === 0) {
      question({ title: "Remove a tag", says: ["None of the selected runs that are not deleted has a tag of its own."] });
      return;
    }
    question({
      title: `Remove a tag of ${runs(known.length)}`, fields: [labelled("Tag", choice)], action: "Remove", isDanger: true,
      work: () => all(known.filter((run) => choice.value in run.tags).map((run) => run.run_id), "Removed from",
        (id) => ask("/api/2.0/mlflow/runs/delete-tag", { run_id: id, key: choice.value })),
    });
  }

  state.when(["selected", "show", "stage"], draw);
  draw();
}
