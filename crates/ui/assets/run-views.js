// What people keep of a table, for everybody in the workspace; and the table as a file.

import { button, make, popover, saveAs } from "./dom.js";
import { counted } from "./figure.js";
import { ask } from "./run-api.js";

export function savedViews(state, place) {
  const owner = button(state.view ? `View: ${state.view}` : "Views", () => {});
  place.append(owner);
  const list = make("ul", { class: "plainlist" });
  const says = make("p", { class: "soft", role: "status" });
  const name = make("input", { type: "text", name: "name", required: true, maxlength: "250", value: state.view, autocomplete: "off" });
  const form = make("form", { class: "keep" }, make("label", {}, "Keep what you see as", name), button("Save", undefined, { type: "submit", class: "btn small primary" }));
  const panel = popover(owner, make("div", { class: "views" }, list, form, says), "Saved views");

  const read = async () => {
    const { items } = await ask("/api/v1/saved-views", undefined, { method: "GET" });
    const ids = (state.experiments ?? []).join(" ");
    // Those of this table first.
    const sorted = items.sort((one, other) => Number(other.experiments.join(" ") === ids) - Number(one.experiments.join(" ") === ids));
    const lines = sorted.map((view) => make("li", {},
      make("a", { href: `/views/${encodeURIComponent(view.name)}`, "aria-current": view.name === state.view ? "true" : null }, view.name),
      make("span", { class: "soft" }, view.author),
      button("Delete", () => remove(view.name), { "aria-label": `Delete ${view.name}` })));
    list.replaceChildren(...lines);
    says.textContent = lines.length === 0 ? "Nothing is kept yet. A view holds the search, the columns, the order, the groups and the charts." : "";
  };

  const tell = async (work, done) => {
    try {
      await work();
      await read();
      if (done) says.textContent = done;
    } catch (error) {
      says.textContent = error.message;
    }
  };

  const remove = (which) => tell(async () => {
    await ask(`/api/v1/saved-views/${encodeURIComponent(which)}`, undefined, { method: "DELETE" });
    if (which === state.view) state.set({ view: "" });
  }, `${which} is deleted.`);

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const which = name.value.trim();
    tell(async () => {
      const asked = new URLSearchParams(state.query());
      for (const other of ["view", "experiment"]) asked.delete(other);
      if (state.subject.views) asked.set("of", state.subject.views);
      const query = asked.toString().replaceAll("+", "%20");
      await ask(`/api/v1/saved-views/${encodeURIComponent(which)}`, { experiments: state.experiments ?? [], query }, { method: "PUT" });
      state.set({ view: which });
      owner.textContent = `View: ${which}`;
    }, `${which} is saved: everybody here finds it at /views/${encodeURIComponent(which)}.`);
  });
  panel.addEventListener("toggle", ({ newState }) => {
    if (newState === "open") tell(async () => {});
  });
}

export function exporting(table, state, api, place) {
  const owner = button("Export", () => {});
  place.append(owner);
  const says = make("p", { class: "soft", role: "status" }, `Every ${state.subject.one} of the search, with the columns that you see, in this order.`);
  const panel = popover(owner, make("div", { class: "views" }, says,
    make("p", { class: "links" }, button("CSV", () => give("csv")), button("JSON", () => give("json")))), "Export");

  const give = async (format) => {
    const { subject } = state;
    const key = subject.key ?? "run_id";
    const names = [key, ...table.wanted().filter((name) => name !== key)];
    const parts = format === "csv" ? [`${names.map(field).join(",")}\n`] : ["["];
    let told = 0;
    try {
      for await (const { things, total } of api.all({ order_by: state.orderTexts, columns: names })) {
        const lines = things.map((thing) => (format === "csv" ? line(subject, names, thing) : JSON.stringify(thing)));
        parts.push(format === "csv" ? lines.map((text) => `${text}\n`).join("") : (told > 0 && lines.length > 0 ? ",\n" : "\n") + lines.join(",\n"));
        told += things.length;
        says.textContent = `${counted(told, subject.one, subject.many)}${total === undefined ? "" : ` of ${total}`}`;
        if (!panel.matches(":popover-open")) return;
      }
      if (format === "json") parts.push("\n]\n");
      saveAs(`${subject.many}.${format}`, format === "csv" ? "text/csv" : "application/json", parts);
    } catch (error) {
      says.textContent = error.message;
    }
  };
}

function line(subject, names, thing) {
  return names.map((name) => field(subject.valueOf(thing, name) ?? "")).join(",");
}

// RFC 4180. What a spreadsheet would take for a formula is kept from it by a leading apostrophe.
export function field(value) {
  const text = String(value);
  const guarded = typeof value === "string" && /^[=+@\t\r]|^-(?![\d.])/.test(text) && !/^-?Infinity$/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(guarded) ? `"${guarded.replaceAll('"', '""')}"` : guarded;
}
