// What is logged meanwhile: values of runs in sight change in their places; new runs and another order wait until the
// person asks for them.

import { counted } from "./figure.js";

const PAUSE = 1000;

export function follow(table, state, charts) {
  const bar = table.root.querySelector('[data-part="live"]');
  const says = bar.querySelector(".says");
  const button = bar.querySelector("button");
  let [fresh, changed, planned, isFollowing] = [new Set(), new Set(), null, null];
  const stale = new Set();
  // Its place is taken from the start, so that nothing moves when it speaks.
  bar.hidden = false;
  bar.classList.add("lost");
  const usual = () => (isFollowing === null ? "not following the record" : isFollowing ? "following the record" : "the server does not answer");
  says.textContent = usual();

  const tell = () => {
    const parts = [];
    if (fresh.size > 0) parts.push(counted(fresh.size, `new ${state.subject.one}`, `new ${state.subject.many}`));
    const byValue = state.orderTexts.some((text) => !text.startsWith(state.subject.order.split(" ")[0]));
    if (stale.size > 0 && (byValue || state.filter !== "")) parts.push(`${counted(stale.size, `${state.subject.one} has`, `${state.subject.many} have`)} changed`);
    const waits = parts.length > 0;
    button.hidden = !waits;
    says.textContent = waits ? `${parts.join(", ")}: the list may be another now` : usual();
  };

  const look = async () => {
    planned = null;
    const ids = [...changed];
    changed = new Set();
    ids.forEach((id) => stale.add(id));
    tell();
    try {
      await table.refresh(ids);
      charts?.changed(ids);
    } catch {
      says.textContent = "the server does not answer";
    }
  };

  document.addEventListener("mainstay:event", ({ detail }) => {
    const heard = state.subject.heard(detail, state, table);
    if (!heard) return;
    for (const id of heard.ids) {
      if (heard.isNew && !table.rows?.holds(id)) fresh.add(id);
      else if (!fresh.has(id) && (table.rows?.holds(id) || state.selected.includes(id))) changed.add(id);
    }
    if (fresh.size > 0 || changed.size > 0) planned ??= setTimeout(look, PAUSE);
  });
  document.addEventListener("mainstay:following", ({ detail }) => {
    isFollowing = detail;
    bar.classList.toggle("lost", !detail);
    if (button.hidden) says.textContent = usual();
  });
  const seen = () => {
    fresh = new Set();
    stale.clear();
    tell();
  };
  button.addEventListener("click", () => table.open());
  table.root.addEventListener("opened", seen);
}
