// Tells that what a page shows has changed, and lets the person load it again when they want to.

const watched = [...document.querySelectorAll('[data-island="live-page"]')].map((one) => one.dataset.subject);
let notice = null;

document.addEventListener("mainstay:event", ({ detail }) => {
  if (notice || !watched.includes(detail.subject)) return;
  notice = document.createElement("div");
  notice.className = "notice";
  notice.setAttribute("role", "status");
  const text = document.createElement("span");
  text.textContent = "This has changed meanwhile.";
  const button = document.createElement("button");
  button.type = "button";
  button.className = "btn small primary";
  button.textContent = "Load again";
  button.addEventListener("click", () => location.reload());
  notice.append(text, button);
  document.body.append(notice);
});
