// The choice of columns: what there is, by kind, the most common first.

import { button, later, make, popover } from "./dom.js";
import { count } from "./figure.js";
import { part } from "./run-api.js";
import { moved } from "./run-head.js";

const MOST = 300;

export function chooser(state, api, tools) {
  const { subject } = state;
  const { title } = subject;
  const kinds = [["attributes", subject.about], ...subject.kinds];
  const owner = button("Columns", () => {});
  tools.append(owner);
  const field = make("input", { type: "search", "aria-label": "Find a column", placeholder: "Find a column", autocomplete: "off" });
  const list = make("div", { class: "choices" });
  const all = button("Usual columns", () => {
    state.set({ columns: state.usual.map((column) => ({ ...column })) });
    read();
  });
  const panel = popover(owner, make("div", { class: "chooser" }, field, list, all), "Columns");
  let leaving = new AbortController();

  const read = async () => {
    leaving.abort();
    leaving = new AbortController();
    const prefix = field.value.trim();
    try {
      const found = await api.columns({ prefix, limit: MOST }, leaving.signal);
      const own = subject.attributes.filter((name) => name !== subject.first && title(name).toLowerCase().startsWith(prefix.toLowerCase()));
      fill([...own.map((column) => ({ column, kind: "attributes" })), ...found.columns], found);
    } catch (error) {
      if (error.name !== "AbortError") list.replaceChildren(make("p", { class: "soft" }, error.message));
    }
  };

  const fill = (columns, found) => {
    const parts = kinds.map(([kind, words]) => {
      const those = columns.filter((one) => one.kind === kind);
      if (those.length === 0) return null;
      return make("fieldset", {}, make("legend", {}, words), ...those.map(choice));
    });
    const more = found.total > MOST ? [make("p", { class: "soft" }, `${count(found.total - MOST)} more: type to find them`)] : [];
    list.replaceChildren(...parts.filter((one) => one !== null), ...more);
  };

  const choice = ({ column, [subject.many]: known }) => {
    const box = make("input", { type: "checkbox" });
    box.checked = state.columns.some(({ name }) => name === column);
    box.addEventListener("change", () => {
      const others = state.columns.filter(({ name }) => name !== column);
      const columns = box.checked ? [...others, { name: column, pinned: false, width: null }] : others;
      state.set({ columns: moved(columns, 0, 0) });
    });
    const said = known === undefined ? null : make("span", { class: "soft mono" }, count(known));
    return make("label", { class: "choice" }, box, make("span", { title: column }, part(column).kind === "attributes" ? title(column) : part(column).key), said);
  };

  field.addEventListener("input", later(150, read));
  panel.addEventListener("toggle", ({ newState }) => {
    if (newState !== "open") return;
    read();
    field.focus();
  });
}

// By what the runs are grouped: chips that go away when pressed.
export function grouping(state, tools) {
  const { title } = state.subject;
  const place = make("span", { class: "chips" });
  tools.append(place);
  const drawn = () => {
    place.replaceChildren(...state.groups.map((name) => make("button", {
      type: "button", class: "chip", "aria-label": `Do not group by ${title(name)}`,
      onclick: () => state.set({ groups: state.groups.filter((other) => other !== name) }, { isStep: true }),
    }, `by ${title(name)} ×`)));
  };
  state.when(["groups"], drawn);
  drawn();
}
