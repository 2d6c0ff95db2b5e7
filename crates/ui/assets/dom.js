// Elements without markup in texts: whatever people named things, it stays text.

export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.className = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

export function draw(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

export function button(text, onclick, properties = {}) {
  return make("button", { type: "button", class: "btn small", onclick, ...properties }, text);
}

// What is asked for often is answered once, when it has been quiet for a while.
export function later(milliseconds, work) {
  let planned;
  return (...given) => {
    clearTimeout(planned);
    planned = setTimeout(() => work(...given), milliseconds);
  };
}

// A panel below a button: closed by Escape and by a press elsewhere, as the browser does for popovers.
export function popover(owner, content, label) {
  const panel = make("div", { class: "panel", popover: "auto", "aria-label": label, role: "dialog" });
  panel.append(content);
  owner.after(panel);
  owner.setAttribute("aria-haspopup", "dialog");
  owner.addEventListener("click", () => panel.togglePopover());
  panel.addEventListener("toggle", ({ newState }) => {
    owner.setAttribute("aria-expanded", String(newState === "open"));
    if (newState === "open") below(panel, owner);
  });
  return panel;
}

// Puts a fixed panel below an element, within the window.
export function below(panel, owner) {
  const { left, bottom } = owner.getBoundingClientRect();
  const width = panel.offsetWidth;
  panel.style.left = `${Math.max(8, Math.min(left, innerWidth - width - 8))}px`;
  panel.style.top = `${bottom + 4}px`;
  panel.style.maxHeight = `${Math.max(160, innerHeight - bottom - 16)}px`;
}

export function saveAs(name, type, parts) {
  const address = URL.createObjectURL(new Blob(parts, { type }));
  make("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
