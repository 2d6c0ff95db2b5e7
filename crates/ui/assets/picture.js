// Images of messages, drawn on a canvas: the page's policy loads none but from the server itself. A message holds them in
// base64, or MLflow's clients took them out and left them beside the trace.

import { make } from "./dom.js";

const TYPES = ["image/png", "image/jpeg", "image/webp", "image/gif"];
// Characters of base64, and pixels of the longer side.
const MOST = 14_000_000;
const WIDE = 640;

// What a part of a message says of an image, in the forms of OpenAI, Anthropic and Gemini.
export function dataOf(value) {
  const address = [value.image_url?.url, value.image_url, value.source?.url, value.url, value.image].find((one) => typeof one === "string");
  const [, mime, data] = /^data:([\w.+/-]+);base64,([\w+/=\s]+)$/.exec(address?.slice(0, MOST + 100) ?? "") ?? [];
  if (data) return TYPES.includes(mime) ? { mime, data, address } : { mime, address };
  const left = attachment(address);
  if (left) return TYPES.includes(left.mime) ? left : { mime: left.mime };
  const held = value.source ?? value.inline_data ?? value.inlineData ?? {};
  const type = held.media_type ?? held.mime_type ?? held.mimeType;
  if (typeof held.data === "string") return TYPES.includes(type) ? { mime: type, data: held.data } : { mime: type };
  return { address };
}

// `mlflow-attachment://ID?content_type=…&trace_id=…`
function attachment(address) {
  const [, id, query] = /^mlflow-attachment:\/\/([0-9a-f-]{36})\?(.*)$/.exec(address ?? "") ?? [];
  if (!id) return null;
  const said = new URLSearchParams(query);
  const path = `/ajax-api/2.0/mlflow/get-trace-artifact?request_id=${encodeURIComponent(said.get("trace_id"))}&path=${id}`;
  return { mime: said.get("content_type") ?? "data", path };
}

export function picture({ mime, data, path }, kind) {
  const place = make("p", { class: "pictured soft" }, `[${kind}] ${mime}`);
  (path ? loaded(path) : decoded(data)).then((bytes) => drawn(mime, bytes)).then((canvas) => place.replaceChildren(canvas), () => {
    place.textContent = `[${kind}] ${mime}, which cannot be read`;
  });
  return place;
}

async function loaded(path) {
  const answer = await fetch(path);
  if (!answer.ok || Number(answer.headers.get("content-length")) > MOST) throw new RangeError("not there, or too large");
  return answer.arrayBuffer();
}

async function decoded(data) {
  if (data.length > MOST) throw new RangeError("too large");
  return Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
}

async function drawn(mime, bytes) {
  const image = await createImageBitmap(new Blob([bytes], { type: mime }));
  const scale = Math.min(1, WIDE / Math.max(image.width, image.height));
  const [width, height] = [image.width, image.height].map((side) => Math.max(1, Math.round(side * scale)));
  const canvas = make("canvas", { width, height, role: "img", "aria-label": `an image in the message, ${image.width} by ${image.height} pixels` });
  canvas.getContext("2d").drawImage(image, 0, 0, width, height);
  image.close();
  return canvas;
}
