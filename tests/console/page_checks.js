// What a page must hold to, seen from inside it. Gives the list of faults.
(() => {
  const faults = [];
  const shown = (element) => element.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true });
  const says = (element) => element.outerHTML.slice(0, 120).replace(/\s+/g, " ");

  if (document.documentElement.lang === "") faults.push("the page names no language");
  if (document.title.trim() === "") faults.push("the page has no title");
  const headings = document.querySelectorAll("h1");
  if (headings.length !== 1) faults.push(`${headings.length} h1`);
  const wide = document.documentElement.scrollWidth;
  if (wide > innerWidth) faults.push(`it scrolls sideways: ${wide} px in a window of ${innerWidth}`);

  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  for (const id of new Set(ids.filter((id, at) => ids.indexOf(id) !== at))) faults.push(`the id ${id} stands twice`);
  for (const field of document.querySelectorAll("input:not([type=hidden]), textarea, select")) {
    const named = field.labels.length > 0 || field.getAttribute("aria-label");
    if (!named) faults.push(`no label: ${says(field)}`);
  }
  for (const control of document.querySelectorAll("a[href], button, summary")) {
    const pictured = [...control.querySelectorAll("img")].map((image) => image.alt).join("");
    const name = control.getAttribute("aria-label") ?? control.textContent + pictured;
    if (shown(control) && name.trim() === "") faults.push(`no name: ${says(control)}`);
  }
  for (const picture of document.querySelectorAll("svg")) {
    const known = picture.getAttribute("aria-hidden") === "true" || picture.getAttribute("aria-label")
      || picture.querySelector("a, title, text");
    if (!known) faults.push(`a picture without words: ${says(picture)}`);
  }
  for (const cell of document.querySelectorAll("thead th")) {
    if (cell.scope !== "col") faults.push(`a head without scope: ${says(cell)}`);
  }
  // Islands lay out by script (CSSOM), which the policy allows.
  for (const element of document.querySelectorAll("[style]:not(.plot *):not(.plot):not([data-island] *)")) {
    faults.push(`an inline style: ${says(element)}`);
  }

  // Contrast (WCAG 2.2, 1.4.3): 4.5 for text, 3 for large text. Colours are drawn, so any notation is read.
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  canvas.canvas.width = canvas.canvas.height = 1;
  const over = (colours) => {
    canvas.clearRect(0, 0, 1, 1);
    for (const colour of colours) {
      canvas.fillStyle = colour;
      canvas.fillRect(0, 0, 1, 1);
    }
    return canvas.getImageData(0, 0, 1, 1).data;
  };
  const light = ([red, green, blue]) => {
    const part = (value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
    return 0.2126 * part(red) + 0.7152 * part(green) + 0.0722 * part(blue);
  };
  const behind = (element) => {
    const grounds = [];
    for (let at = element; at; at = at.parentElement) grounds.unshift(getComputedStyle(at).backgroundColor);
    return grounds;
  };
  const reported = new Set();
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const element = walk.currentNode.parentElement;
    if (walk.currentNode.data.trim() === "" || !shown(element) || element.closest("svg, script, .unseen, [aria-hidden=true]")) continue;
    const style = getComputedStyle(element);
    const grounds = behind(element);
    const [ink, ground] = [light(over([...grounds, style.color])), light(over(grounds))];
    const ratio = (Math.max(ink, ground) + 0.05) / (Math.min(ink, ground) + 0.05);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const key = `${style.color} on ${grounds.at(-1)} ${element.className}`;
    if (ratio < (large ? 3 : 4.5) && !reported.has(key)) {
      reported.add(key);
      faults.push(`contrast ${ratio.toFixed(2)}: ${says(element)}`);
    }
  }
  return faults;
})()
