// Texts with markup, as the server shows those of its pages (POST /markdown): it escapes what is HTML and links nowhere but
// to the web. Without its answer they stay texts.

import { ask } from "./run-api.js";

// What the server takes at once, in characters, and the least that may be markup.
const MOST = 120_000;
const SIGNS = /[*_`#>|~[\]]|^\s*(?:[-+]|\d+[.)])\s|https?:|\\/m;

let waiting = [];

// Shows the block's text as Markdown beside it, if it is that, as long as `isWanted` says so.
export function markdown(block, text) {
  if (text.length > MOST || !SIGNS.test(text)) return;
  waiting.push({ block, text });
  if (waiting.length === 1) queueMicrotask(flush);
}

async function flush() {
  const all = waiting;
  waiting = [];
  while (all.length > 0) {
    const part = [];
    for (let size = 0; all.length > 0 && part.length < 100 && (part.length === 0 || size + all[0].text.length <= MOST);) {
      size += all[0].text.length;
      part.push(all.shift());
    }
    try {
      const { html } = await ask("/markdown", { texts: part.map(({ text }) => text) });
      part.forEach(({ block }, at) => html[at] !== null && put(block, html[at]));
    } catch {
      return;
    }
  }
}

function put(block, html) {
  if (!block.isConnected) return;
  const read = document.createElement("div");
  read.className = "md";
  read.innerHTML = html;
  block.classList.add("source");
  block.before(read);
}
