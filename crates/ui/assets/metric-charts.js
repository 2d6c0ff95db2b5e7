// Replaces the server's drawings of a run's metrics with ones that show exact values under the pointer,
// share their cursor, and grow while the run logs. Without this module the drawings stay.

const section = document.querySelector('[data-island="metric-charts"]');
const sync = "metrics";
const HEIGHT = 190;

// Canvas wants colours resolved for the theme that is on.
function colour(name) {
  const probe = document.createElement("span");
  probe.style.color = `var(${name})`;
  section.append(probe);
  const resolved = getComputedStyle(probe).color;
  probe.remove();
  return resolved;
}

function value(point) {
  return typeof point.value === "number" ? point.value : null;
}

function columns(points) {
  return [points.map((point) => point.step), points.map(value)];
}

async function read(key) {
  const query = new URLSearchParams({ key });
  const answer = await fetch(`/api/v1/runs/${section.dataset.run}/metrics?${query}`);
  if (!answer.ok) throw new Error(`metric ${key}: ${answer.status}`);
  return answer.json();
}

function options(width, latest) {
  const axis = { stroke: colour("--soft"), font: "11px Mono, monospace", grid: { stroke: colour("--line"), width: 1 },
    ticks: { show: false } };
  const shown = latest.textContent;
  return {
    width,
    height: HEIGHT,
    padding: [8, 8, 0, 0],
    legend: { show: false },
    cursor: { sync: { key: sync }, points: { size: 7 } },
    scales: { x: { time: false } },
    axes: [{ ...axis, size: 28 }, { ...axis, size: 56 }],
    series: [{}, { stroke: colour("--accent"), width: 1.75, points: { size: 4, fill: colour("--accent") } }],
    hooks: {
      setCursor: [(plot) => {
        const at = plot.cursor.idx;
        const seen = at === null || at === undefined ? null : plot.data[1][at];
        latest.textContent = seen === null ? shown : `step ${plot.data[0][at]} · ${Number(seen.toPrecision(6))}`;
      }],
    },
  };
}

class MetricChart {
  constructor(figure) {
    this.figure = figure;
    this.place = figure.querySelector(".plot");
    this.latest = figure.querySelector(".latest");
    this.count = figure.querySelector(".links span");
  }

  async load() {
    const { points, count } = await read(this.figure.dataset.key);
    this.data = columns(points);
    this.count.textContent = `${count} points`;
    this.figure.dataset.points = String(count);
    if (this.plot) this.plot.setData(this.data);
    else this.draw();
  }

  draw() {
    this.plot?.destroy();
    const width = this.place.clientWidth;
    this.place.replaceChildren();
    this.plot = new window.uPlot(options(width, this.latest), this.data, this.place);
    this.place.setAttribute("role", "img");
    this.place.setAttribute("aria-label", `${this.figure.dataset.key} by step`);
  }

  resize() {
    this.plot?.setSize({ width: this.place.clientWidth, height: HEIGHT });
  }
}

if (section && window.uPlot) {
  const charts = [...section.querySelectorAll("figure")].map((figure) => new MetricChart(figure));
  const load = () => Promise.all(charts.map((chart) => chart.load()));
  load();
  new ResizeObserver(() => charts.forEach((chart) => chart.resize())).observe(section);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => charts.forEach((chart) => chart.draw()));
  let planned = null;
  document.addEventListener("mainstay:event", ({ detail }) => {
    if (planned || detail.subject !== `run:${section.dataset.run}`) return;
    planned = setTimeout(() => { planned = null; load(); }, 1000);
  });
}
