// What went into a span and came out of it: texts as texts, which the server reads where they are Markdown, chats as chats,
// the rest as JSON. Nothing becomes markup here.

import { button, make } from "./dom.js";
import { markdown } from "./markdown.js";
import { dataOf, picture } from "./picture.js";

// Characters that are shown at first.
const SHOWN = 20_000;
const DEEPEST = 3;
const MOST = 200;

// A text of which there may be much.
function text(value, name = "code", isRead = true) {
  const block = make("pre", { class: name }, value.slice(0, SHOWN));
  if (value.length <= SHOWN) {
    // What somebody said may be Markdown: it is read as that, and its source is a press away.
    if (name === "said" && isRead) markdown(block, value);
    return block;
  }
  const more = button(`Show all ${value.length.toLocaleString("en")} characters`, () => {
    block.textContent = value;
    more.remove();
  });
  return make("div", {}, block, more);
}

const asJson = (value) => JSON.stringify(value, null, 2);
const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
const isMessage = (value) => isObject(value) && typeof value.role === "string" && ("content" in value || "tool_calls" in value || "parts" in value);

// The messages of a chat, as the protocols of OpenAI, Anthropic and Gemini write them; null if it is none.
export function messagesOf(value) {
  if (Array.isArray(value)) return value.length > 0 && value.every(isMessage) ? value : null;
  if (!isObject(value)) return null;
  if (isMessage(value)) return [value];
  for (const name of ["messages", "input", "contents"]) {
    if (!Array.isArray(value[name])) continue;
    const found = messagesOf(value[name]);
    if (found) return typeof value.system === "string" ? [{ role: "system", content: value.system }, ...found] : found;
  }
  if (Array.isArray(value.choices)) {
    const found = value.choices.map((choice) => choice?.message).filter(isMessage);
    return found.length > 0 ? found : null;
  }
  return null;
}

function part(value) {
  if (typeof value === "string") return text(value, "said");
  if (!isObject(value)) return text(asJson(value) ?? "");
  if (typeof value.text === "string") return text(value.text, "said");
  if (value.type === "thinking" || value.type === "reasoning") return make("details", {}, make("summary", {}, "thoughts"), text(String(value.thinking ?? value.text ?? asJson(value)), "said"));
  if (value.type === "tool_use" || value.type === "function_call" || value.functionCall) return call(value.functionCall ?? value);
  if (value.type === "tool_result") return make("div", { class: "call" }, make("b", {}, "result "), valueView(value.content, 1));
  if (/image|audio|file/.test(value.type ?? "") || value.inline_data || value.inlineData) return media(value);
  return text(asJson(value));
}

// Images that the message itself holds are drawn. What lies elsewhere is named and not loaded.
function media(value) {
  const found = dataOf(value);
  const { mime, address } = found;
  const kind = value.type ?? mime ?? "data";
  if (found.data || found.path) return picture(found, kind);
  const named = address && !address.startsWith("data:") ? ` not loaded: ${address.slice(0, 300)}` : mime ? ` ${mime}, not shown` : "";
  return make("p", { class: "soft break" }, `[${kind}]${named}`);
}

function call(value) {
  const { name, arguments: given = value.input ?? value.args } = value.function ?? value;
  return make("div", { class: "call" }, make("b", {}, `calls ${name ?? "a tool"}`), text(typeof given === "string" ? pretty(given) : asJson(given) ?? ""));
}

function pretty(json) {
  try {
    return asJson(JSON.parse(json));
  } catch {
    return json;
  }
}

function chat(messages) {
  return make("ol", { class: "chat" }, ...messages.slice(0, MOST).map((message) => {
    const content = message.content ?? message.parts;
    const parts = Array.isArray(content) ? content : content === null || content === undefined ? [] : [content];
    return make("li", { class: `by-${["user", "assistant", "system", "tool"].includes(message.role) ? message.role : "other"}` },
      make("b", { class: "role" }, message.name ? `${message.role} · ${message.name}` : message.role),
      ...parts.map(part), ...(message.tool_calls ?? []).map(call));
  }), messages.length > MOST ? make("li", { class: "by-other soft" }, `${messages.length - MOST} more: see it as JSON`) : null);
}

// A value by its shape, so deep and no deeper; `isRead` if its texts may be Markdown.
export function valueView(value, depth = 0, isRead = true) {
  if (value === null || value === undefined) return make("p", { class: "soft" }, "nothing");
  if (typeof value === "string") return text(value, "said", isRead);
  if (typeof value !== "object") return make("p", { class: "mono" }, String(value));
  const messages = messagesOf(value);
  if (messages) {
    const others = isObject(value) && !isMessage(value) ? Object.entries(value).filter(([name]) => !["messages", "input", "contents", "choices", "system"].includes(name)) : [];
    return make("div", {}, chat(messages), others.length > 0 ? make("details", {}, make("summary", {}, "beside the messages"), text(asJson(Object.fromEntries(others)))) : null);
  }
  if (depth >= DEEPEST || Array.isArray(value) && value.every((one) => typeof one !== "object")) return text(asJson(value));
  const entries = Object.entries(value);
  if (entries.length === 0) return make("p", { class: "mono" }, Array.isArray(value) ? "[]" : "{}");
  const list = make("dl", { class: "tree" }, ...entries.slice(0, MOST).flatMap(([name, one]) => [make("dt", {}, Array.isArray(value) ? `${name}` : name), make("dd", {}, valueView(one, depth + 1, isRead))]));
  return entries.length > MOST ? make("div", {}, list, make("p", { class: "soft" }, `${entries.length - MOST} more: see it as JSON`)) : list;
}

// A titled value that is turned into JSON and back.
export function titled(title, value) {
  const place = make("div", {});
  let isRaw = false;
  const turn = button("JSON", () => {
    isRaw = !isRaw;
    turn.textContent = isRaw ? "Read" : "JSON";
    draw();
  }, { "aria-label": `${title}: as JSON, or to read` });
  const source = button("Source", () => {
    const isSource = place.classList.toggle("assource");
    source.textContent = isSource ? "Formatted" : "Source";
  }, { class: "btn small sourced", "aria-label": `${title}: formatted, or as it was written` });
  const copy = navigator.clipboard ? button("Copy", async () => {
    await navigator.clipboard.writeText(typeof value === "string" ? value : asJson(value));
    copy.textContent = "Copied";
  }, { "aria-label": `Copy ${title}` }) : null;
  const draw = () => place.replaceChildren(isRaw ? text(asJson(value) ?? "") : valueView(value));
  draw();
  return make("section", { class: "value" }, make("header", {}, make("h3", {}, title), make("span", { class: "acts" }, source, turn, copy)), place);
}
