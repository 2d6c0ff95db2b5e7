// The news of the overview. What is new is announced in a line of fixed height, and goes into the list only
// when the person asks: nothing moves under their eyes.

const bar = document.querySelector('[data-island="live-events"]');
const list = document.querySelector("ol.events");
const MOST = 50;

function lines(html) {
  return [...new DOMParser().parseFromString(`<ol>${html}</ol>`, "text/html").querySelectorAll("li")];
}

if (bar && list) {
  const says = bar.querySelector(".says");
  const button = bar.querySelector("button");
  let after = Number(bar.dataset.after);
  let fresh = [];
  let planned;

  const look = async () => {
    const answer = await fetch(`/audit/lines?after=${after}`);
    if (!answer.ok) return;
    fresh = lines(await answer.text());
    if (fresh.length === 0) return;
    const many = fresh.length >= MOST ? `${MOST} or more` : fresh.length;
    says.textContent = `${many} new · ${fresh[0].querySelector("p").textContent}`;
    button.hidden = false;
  };

  document.addEventListener("mainstay:event", () => {
    clearTimeout(planned);
    planned = setTimeout(look, 300);
  });
  document.addEventListener("mainstay:following", ({ detail }) => {
    bar.hidden = false;
    bar.classList.toggle("lost", !detail);
    if (button.hidden) says.textContent = detail ? "following the record" : "the server does not answer";
  });
  button.addEventListener("click", () => {
    list.prepend(...fresh);
    after = Math.max(after, ...fresh.map((line) => Number(line.dataset.seq)));
    fresh = [];
    says.textContent = "following the record";
    button.hidden = true;
  });
}
