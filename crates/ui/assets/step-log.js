// Grows the log of a running step. Whoever scrolled up stays where they are.

const EVERY = 1000;
const log = document.querySelector('[data-island="step-log"]');

async function grow(next) {
  const answer = await fetch(`${log.dataset.href}&offset=${next}`);
  if (!answer.ok) return;
  const text = await answer.text();
  if (text !== "") {
    const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 24;
    log.append(text);
    if (atEnd) log.scrollTop = log.scrollHeight;
  }
  setTimeout(grow, EVERY, answer.headers.get("x-mainstay-next-offset") ?? next);
}

if (log) {
  log.scrollTop = log.scrollHeight;
  grow(log.dataset.next);
}
