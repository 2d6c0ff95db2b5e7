"""Charts, their axes and figures, in Chromium against the real binary: what differs is never drawn or written the same."""

import json
import pathlib
import urllib.parse

import pytest

from conftest import CHECKS, PICTURES, train

START = 1_700_000_000_000
# Metrics whose ticks and figures are easily taken for each other: the value at a step of a run.
CLOSE = {
    "auc": lambda step, run: 0.99990 + step * 4e-6 + run * 1e-6,
    "tokens": lambda step, run: 1_000_000 + step * 3 + run,
    "neg": lambda step, run: -1e6 - step,
    "bytes": lambda step, run: 1.5e12 + step * 1e9,
    "micro": lambda step, run: 3e-7 + step * 1e-9,
    "huge": lambda step, run: 1e301 * (step + 1),
    "least": lambda step, run: 1e-299 * (step + 1),
    "train/loss": lambda step, run: 1 / (step + 1 + run),
    "train/acc": lambda step, run: step / 20,
    "system/cpu": lambda step, run: 50 + step,
}
ONCE = {"n_params": lambda run: 7_241_732_096 + run, "wide": lambda run: 123_456_789_012.0, "third": lambda run: 1 / 3,
        "almost": lambda run: 99.99999, "small": lambda run: 0.000123456789, "endless": lambda run: "-Infinity"}
NORMS = [f"layer{at:02}/norm" for at in range(12)]
# Remembers what stands at the axes of a canvas: texts drawn since it was last cleared, with how they are aligned.
LISTEN = """(() => {
  const { fillText, clearRect } = CanvasRenderingContext2D.prototype;
  CanvasRenderingContext2D.prototype.clearRect = function (...given) { this.canvas.said = []; return clearRect.apply(this, given); };
  CanvasRenderingContext2D.prototype.fillText = function (text, ...rest) {
    (this.canvas.said ??= []).push([this.textAlign, text]);
    return fillText.call(this, text, ...rest);
  };
})()"""


@pytest.fixture(scope="module")
def close(own):
    own.experiment = own.mlflow("experiments/create", name="close")["experiment_id"]
    own.page = f"{own.url}/experiments/{own.experiment}"
    own.runs = [one_run(own, number) for number in range(12)]
    return own


def one_run(server, number):
    run = server.mlflow("runs/create", experiment_id=server.experiment, run_name=f"r{number}", start_time=START + number)
    run = run["run"]["info"]["run_id"]
    points = [(key, value(step, number), step) for key, value in CLOSE.items() for step in range(20)]
    points += [(key, value(number), 0) for key, value in ONCE.items()]
    points += [(key, number / 7, step) for key in NORMS for step in range(2)]
    metrics = [{"key": key, "value": value, "timestamp": START, "step": step} for key, value, step in points]
    server.mlflow("runs/log-batch", run_id=run, metrics=metrics, params=[{"key": "batch", "value": str(134 + 40 * number)}])
    server.mlflow("runs/update", run_id=run, status="FINISHED", end_time=START + 5_000)
    return run


@pytest.fixture
def page(page):
    page.call("Page.addScriptToEvaluateOnNewDocument", source=LISTEN)
    return page


def chosen(close, *numbers):
    return "&".join(f"run={close.runs[number]}" for number in numbers)


def ticks(page, metric, side):
    """What stands at an axis of a chart: "right" of the upright one, "center" of the one below."""
    figure = f"document.querySelector('figure[data-metric={json.dumps(metric)}]')"
    page.evaluate(f"{figure}.scrollIntoView()")
    page.wait_for(f"{figure}.querySelector('canvas')?.said?.length > 4")
    return [text for align, text in page.evaluate(f"{figure}.querySelector('canvas').said") if align == side and text]


def test_ticks_of_an_axis_say_different_things(page, close):
    page.open(f"{close.page}?show=charts&{chosen(close, 0, 1)}")
    page.wait_for("document.querySelectorAll('figure[data-metric]').length > 10")
    for metric in CLOSE:
        texts = ticks(page, metric, "right")
        assert len(texts) >= 3 and len(set(texts)) == len(texts), (metric, texts)
        assert len({len(text.partition(".")[2].rstrip("eTk-0123456789")) for text in texts if text != "0"}) <= 1, texts
        below = ticks(page, metric, "center")
        assert all(text.isdigit() for text in below), f"steps are whole: {below}"
    assert all(text.startswith("0.9999") for text in ticks(page, "auc", "right"))
    assert all(text.endswith("T") for text in ticks(page, "bytes", "right"))
    assert all(text.endswith("e-7") for text in ticks(page, "micro", "right"))
    assert any(text.endswith("e302") for text in ticks(page, "huge", "right"))
    assert any(text.endswith("e-298") for text in ticks(page, "least", "right"))


def test_axes_of_a_comparison_have_round_marks(page, close):
    page.open(f"{close.page}?show=compare&axis=params.batch&axis=metrics.n_params&axis=metrics.auc")
    page.wait_for("document.querySelectorAll('.runline').length === 12")
    axes = page.evaluate("[...document.querySelectorAll('.parallel .axis')].map((axis) => [...axis.querySelectorAll('.mark')].map((mark) => mark.textContent))")
    assert axes[0] == ["200", "300", "400", "500"]
    assert axes[1][0] == "7,241,732,096" and len(set(axes[1])) == len(axes[1])
    assert len(axes[2]) >= 3 and len(set(axes[2])) == len(axes[2])
    key = page.evaluate("document.querySelector('.parallel').closest('.card').querySelector('.colourkey').innerText")
    assert key.startswith("auc") and page.evaluate("document.querySelectorAll('.colourkey .swatch').length") == 8


def test_a_scatter_says_what_its_colours_are(page, close):
    scatter = "document.querySelector('.scatter').closest('.card')"
    dots = f"[...new Set([...{scatter}.querySelectorAll('circle')].map((dot) => dot.getAttribute('class')))]"
    key = f"{scatter}.querySelector('.colourkey')?.innerText ?? ''"
    colour = f"{scatter}.querySelector('select[aria-label=Colour]').selectedOptions[0].textContent"
    page.open(f"{close.page}?show=compare")
    page.wait_for("document.querySelectorAll('.scatter circle').length === 12")
    assert (page.evaluate(dots), page.evaluate(key), page.evaluate(colour)) == (["gn"], "", "all the same")
    page.open(f"{close.page}?show=compare&{chosen(close, 0, 1, 2)}")
    page.wait_for("document.querySelectorAll('.scatter circle').length === 3")
    names = page.evaluate(f"[...{scatter}.querySelectorAll('.colourkey li:not(.what)')].map((one) => one.textContent)")
    assert len(page.evaluate(dots)) == 3 and len(set(names)) == 3 and page.evaluate(colour) == "by run"
    page.open(f"{close.page}?show=compare&sc=metrics.auc&{chosen(close, 0, 1, 2)}")
    page.wait_for("document.querySelectorAll('.scatter circle').length === 3")
    assert page.evaluate(key).startswith("auc") and all(look.startswith("g") for look in page.evaluate(dots))


def test_figures_are_the_same_on_every_page_and_whole_on_hover(page, close):
    cells = "Object.fromEntries([...document.querySelectorAll('[data-find=metric] tbody tr')].map((row) => [row.cells[0].textContent, [row.cells[1].textContent, row.cells[1].title]]))"
    page.open(f"{close.url}/runs/{close.runs[0]}")
    drawn = page.evaluate(cells)
    assert drawn["auc"] == ["0.999976", "0.999976"]
    assert drawn["third"] == ["0.333333", "0.3333333333333333"]
    assert drawn["almost"] == ["99.99999", "99.99999"]
    assert drawn["wide"] == ["123,456,789,012", "123456789012"]
    assert drawn["small"][0] == "0.000123457"
    assert drawn["endless"][0] == "−∞"
    logged = {**{key: value(19, 0) for key, value in CLOSE.items()}, **{key: value(0) for key, value in ONCE.items()}}
    island = page.evaluate(f"""import(document.querySelector('script[src$="/run-page.js"]').src.replace('/run-page.js', '/figure.js'))
      .then(({{ number, exact }}) => Object.fromEntries(Object.entries({json.dumps(logged)}).map(([key, value]) => [key, [number(value), exact(value)]])))""")
    assert {key: drawn[key] for key in island} == island, "the island writes what the server writes"
    page.open(f"{close.page}?col=metrics.wide&col=metrics.third&col=metrics.n_params&order=start_time%20ASC")
    page.wait_for("document.querySelector('[data-island=runs]').dataset.total === '12'")
    row = page.evaluate("[...document.querySelector('.runtable tr[data-run]').querySelectorAll('td.num')].map((cell) => [cell.textContent, cell.title, cell.scrollWidth <= cell.clientWidth])")
    assert row == [["1.23457e11", "123456789012", True], ["0.333333", "0.3333333333333333", True], ["7.24173e9", "7241732096", True]]


def test_what_differs_never_looks_the_same(page, close):
    page.open(f"{close.page}?show=compare&{chosen(close, 0, 1, 2)}")
    page.wait_for("document.querySelector('.diff tbody tr') !== null")
    rows = page.evaluate("[...document.querySelectorAll('.diff tr.differs')].map((row) => [row.cells[0].title, [...row.querySelectorAll('td')].slice(0, 3).map((cell) => cell.textContent)])")
    named = dict(rows)
    assert named["auc"] == ["0.999976", "0.999977", "0.999978"]
    assert named["n_params"] == ["7,241,732,096", "7,241,732,097", "7,241,732,098"]
    assert "neg" not in named and all(len(set(texts)) > 1 for _, texts in rows), rows
    texts = page.evaluate("""import(document.querySelector('script[src$="/runs.js"]').src.replace('/runs.js', '/figure.js'))
      .then(({ apart }) => [apart([0.99999999, 0.999999991]), apart([0.1 + 0.2, 0.3]), apart([1e-9, undefined, 1e-9])])""")
    assert texts == [["0.99999999", "0.999999991"], ["0.30000000000000004", "0.3"], ["1e-9", "", "1e-9"]]


def test_the_first_runs_are_drawn_where_none_is_selected(page, close):
    page.open(f"{close.page}?show=charts")
    page.wait_for("document.querySelector('figure[data-metric=auc]')?.dataset.lines === '10'")
    assert "None is selected: the first 10 runs" in page.evaluate("document.querySelector('[data-part=charts] .says').textContent")
    assert page.evaluate("document.querySelectorAll('.legend a').length") == 10
    assert "run=" not in page.evaluate("location.search")
    page.evaluate("document.querySelector('.legend .drop').click()")
    page.wait_for("new URLSearchParams(location.search).getAll('run').length === 9")
    page.wait_for("document.querySelector('figure[data-metric=auc]').dataset.lines === '9'")
    assert page.evaluate("document.querySelector('[data-part=charts] .says').hidden")


def groups(page):
    return page.evaluate("[...document.querySelectorAll('.chartpart')].map((part) => [part.dataset.prefix, part.querySelectorAll('figure').length])")


def test_charts_stand_in_groups_that_the_address_remembers(page, close):
    page.open(f"{close.page}?show=charts&{chosen(close, 0)}")
    page.wait_for("document.querySelectorAll('figure[data-metric]').length > 10")
    plain = len([key for key in [*CLOSE, *ONCE] if "/" not in key])
    assert groups(page) == [["", plain], ["train", 2], ["*/norm", 12], ["system", 1]]
    page.evaluate("document.querySelector('[data-prefix=\"*/norm\"] .turn').click()")
    page.wait_for("document.querySelectorAll('[data-prefix=\"*/norm\"] figure').length === 0")
    assert urllib.parse.parse_qs(page.evaluate("location.search.slice(1)"))["fold"] == ["-*/norm"]
    page.open(page.evaluate("location.href"))
    page.wait_for("document.querySelectorAll('figure[data-metric]').length > 10")
    assert ["*/norm", 0] in groups(page)
    page.evaluate("[...document.querySelectorAll('figure[data-metric=\"train/acc\"] button')].find((one) => one.textContent === 'Pin').click()")
    page.wait_for("document.querySelector('.chartpart').dataset.prefix === 'pinned'")
    assert groups(page)[:3] == [["pinned", 1], ["", plain], ["train", 1]]


def test_a_metric_is_found_by_name_without_a_history(page, close):
    run = close.mlflow("runs/create", experiment_id="0", run_name="wide", start_time=START)["run"]["info"]["run_id"]
    close.mlflow("runs/log-batch", run_id=run, metrics=[{"key": f"m{at}", "value": at, "timestamp": START, "step": 0} for at in range(300)])
    page.open(f"{close.url}/runs/{run}")
    field = "document.querySelector('[data-find=metric] input[type=search]')"
    page.evaluate(f"(() => {{ {field}.value = 'M29'; {field}.dispatchEvent(new Event('input')); }})()")
    shown = page.evaluate("[...document.querySelectorAll('[data-find=metric] tbody tr')].filter((row) => !row.hidden).map((row) => row.cells[0].textContent)")
    assert shown == ["m29", *[f"m{at}" for at in range(290, 300)]]
    assert "11 of 300" in page.evaluate("document.querySelector('[data-find=metric] header').innerText")


def test_usual_columns_are_those_that_most_runs_have(close):
    lone = close.mlflow("experiments/create", name="usual")["experiment_id"]
    for keys in [["a/x", "a/y", "b/z", "loss", "acc", "q", "r"], ["loss", "b/z"]]:
        run = close.mlflow("runs/create", experiment_id=lone, start_time=START)["run"]["info"]["run_id"]
        close.mlflow("runs/log-batch", run_id=run, metrics=[{"key": key, "value": 1, "timestamp": START, "step": 0} for key in keys])
    _, _, text = close.get(f"/experiments/{lone}")
    heads = [part.split('"')[0] for part in text.split('data-column="')[1:]]
    metrics = [head.removeprefix("metrics.").strip("`") for head in heads if head.startswith("metrics.")]
    assert metrics == ["loss", "b/z", "acc", "q", "r"]


@pytest.mark.parametrize("width, theme", [(1440, "light"), (390, "dark")])
@pytest.mark.parametrize("show", ["charts", "compare"])
def test_where_none_is_selected_pages_hold_to_what_pages_hold_to(browser, close, show, width, theme):
    page = browser.page(width, theme)
    page.open(f"{close.page}?show={show}")
    page.wait_for({"charts": "document.querySelector('canvas') !== null", "compare": "document.querySelector('.colourkey') !== null"}[show])
    assert page.evaluate(CHECKS) + page.settle() == []
    if PICTURES:
        page.screenshot(pathlib.Path(PICTURES) / f"close-{show}-{width}-{theme}.png")
    page.close()
