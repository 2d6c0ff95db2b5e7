// A question to a person: a form in a dialog. What was refused is said in it; what was done closes it. Without an action
// it only says something. Fields that do something by themselves are made by a function of what attempts it.

import { button, make } from "./dom.js";

export function question({ title, says = [], fields = [], action, isDanger = false, work }) {
  const fault = make("p", { class: "fault", role: "alert", hidden: true });
  const attempt = async (doing) => {
    fault.hidden = true;
    try {
      await doing();
      dialog.close();
    } catch (error) {
      fault.textContent = error.message;
      fault.hidden = false;
    }
  };
  const go = action ? button(action, undefined, { type: "submit", class: `btn ${isDanger ? "danger" : "primary"}` }) : null;
  const cancel = button(action ? "Cancel" : "Close", () => dialog.close(), { class: "btn", autofocus: isDanger || !action });
  const parts = typeof fields === "function" ? fields(attempt) : fields;
  const form = make("form", { class: "question" }, ...says.map((text) => make("p", { dir: "auto" }, text)), ...parts, fault, make("p", { class: "actions" }, go, cancel));
  const dialog = make("dialog", { class: "dialog", "aria-label": title }, make("header", {}, make("h2", { dir: "auto" }, title)), form);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    go.disabled = true;
    await attempt(work);
    go.disabled = false;
  });
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

export const labelled = (words, control) => make("label", {}, words, control);
