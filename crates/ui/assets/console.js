// What every page can use: commands are copied with one press, "/" finds, links that MLflow's clients print
// lead to the same thing here, and pages that ask for it hear the events of the record as "mainstay:event" on
// the document.

// MLflow's own console stands at "/" and keeps what it shows behind the "#", which no server hears of.
const PLACES = [
  [/^#\/compare-runs\?runs=([^&]*)/, (ids) => `/runs?show=compare&${(decodeURIComponent(ids).match(/[0-9a-f]{32}/g) ?? []).map((id) => `run=${id}`).join("&")}`],
  [/^#\/experiments\/[^/?]+\/runs\/([^/?]+)/, (run) => `/runs/${run}`],
  [/^#\/experiments\/[^/?]+\/(?:traces|evaluation-runs|chat-sessions)\?(?:.*&)?(?:selectedEvaluationId|selectedTraceId|traceId)=([^&]+)/, (trace) => `/traces/${trace}`],
  [/^#\/experiments\/([^/?]+)\/traces/, (id) => `/experiments/${id}/traces`],
  [/^#\/experiments\/([^/?]+)\/models\/([^/?]+)/, (id, model) => `/experiments/${id}/models/${model}`],
  [/^#\/experiments\/([^/?]+)\/models/, (id) => `/experiments/${id}/models`],
  [/^#\/experiments\/[^/?]+\/prompts\/([^/?]+)/, (name) => `/prompts/${name}`],
  [/^#\/prompts\/([^/?]+)/, (name) => `/prompts/${name}`],
  [/^#\/experiments\/([^/?]+)/, (id) => `/experiments/${id}`],
  [/^#\/models\/([^/?]+)\/versions\/([^/?]+)/, (name, version) => `/models/${name}/${version}`],
  [/^#\/models\/([^/?]+)/, (name) => `/models/${name}`],
  [/^#\/(experiments|models|prompts)\/?$/, (list) => `/${list}`],
];

function goThere() {
  if (location.pathname !== "/") return;
  for (const [pattern, place] of PLACES) {
    const found = location.hash.match(pattern);
    if (found) return location.replace(place(...found.slice(1)));
  }
}

goThere();
window.addEventListener("hashchange", goThere);

for (const block of document.querySelectorAll("pre.copy")) {
  if (!navigator.clipboard) break;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "btn small";
  button.textContent = "Copy";
  button.setAttribute("aria-label", "Copy the command");
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(block.querySelector("code").textContent.trim());
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
  block.append(button);
}

// Where the navigation is wider than the window, the present entry is in sight.
document.querySelector(".main [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

document.addEventListener("keydown", (event) => {
  const field = event.target.closest?.("input, textarea");
  if (event.key === "/" && !field && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    (document.querySelector("[data-find]") ?? document.querySelector("form.finder input") ?? document.querySelector(".search input"))?.focus();
  } else if (event.key === "Escape" && field) {
    field.blur();
  }
});

// Server-sent events (HTML standard, "Interpreting an event stream"). An EventSource hears only the kinds
// that it names; this hears all, and goes on after the last one it heard.
const PAUSE = 3000;

async function follow(leaving) {
  let last = null;
  while (!leaving.aborted) {
    try {
      const headers = last === null ? {} : { "last-event-id": last };
      const answer = await fetch("/api/v1/events/stream", { headers, signal: leaving });
      if (!answer.ok) return;
      tell("mainstay:following", true);
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      let rest = "";
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        const parts = (rest + value).split(/\r?\n\r?\n/);
        rest = parts.pop();
        for (const part of parts) {
          const id = part.split(/\r?\n/).find((line) => line.startsWith("id:"));
          if (id) last = id.slice(3).trim();
          const data = part.split(/\r?\n/).filter((line) => line.startsWith("data:"));
          if (data.length === 0) continue;
          const event = JSON.parse(data.map((line) => line.slice(5)).join("\n"));
          tell("mainstay:event", event);
        }
      }
    } catch (error) {
      if (leaving.aborted) return;
    }
    tell("mainstay:following", false);
    await new Promise((resume) => setTimeout(resume, PAUSE));
  }
}

function tell(name, detail) {
  document.dispatchEvent(new CustomEvent(name, { detail }));
}

if (document.querySelector("[data-follow]")) {
  const leaving = new AbortController();
  window.addEventListener("pagehide", () => leaving.abort());
  follow(leaving.signal);
}
