"""The table of runs, their charts and comparison, in Chromium against the real binary. CONSOLE_RUNS says how many runs
there are, CONSOLE_POINTS how many points the longest metric has."""

import csv
import io
import json
import os
import pathlib

import pytest

import seed
from conftest import CHECKS, PICTURES

RUNS = int(os.environ.get("CONSOLE_RUNS", "2000"))
POINTS = int(os.environ.get("CONSOLE_POINTS", "50000"))
ROWS = "document.querySelectorAll('.runtable tr[data-run]')"


@pytest.fixture(scope="module")
def swept(own):
    own.experiment, own.runs = seed.sweep(own.url, RUNS)
    own.page = f"{own.url}/experiments/{own.experiment}"
    return own


@pytest.fixture(scope="module")
def marathon(swept):
    return seed.long_metric(swept.url, swept.experiment, POINTS)


def opened(page, address):
    page.open(address)
    page.wait_for("document.querySelector('[data-island=runs]').dataset.total !== undefined")


def key(page, name, target="document.querySelector('.runs .grid')", **more):
    options = json.dumps({"key": name, "bubbles": True, "cancelable": True, **more})
    page.evaluate(f"{target}.dispatchEvent(new KeyboardEvent('keydown', {options})) && true")


def names(page):
    return page.evaluate(f"[...{ROWS}].map((row) => row.querySelector('a').textContent)")


def column(page, name):
    """The cells of a column that are drawn, without those on their way."""
    at = page.evaluate(f"[...document.querySelectorAll('.runtable thead th')].findIndex((head) => head.dataset.column === {json.dumps(name)})")
    return page.evaluate(f"[...{ROWS}].map((row) => row.children[{at}].title || row.children[{at}].textContent)")


def total(page):
    return int(page.evaluate("document.querySelector('[data-island=runs]').dataset.total"))


def test_the_first_rows_need_no_javascript(browser, swept):
    page = browser.page(1440, "light")
    page.call("Emulation.setScriptExecutionDisabled", value=True)
    page.open(swept.page + "?filter=params.depth%20%3D%20%274%27&order=metrics.accuracy%20ASC&col=metrics.accuracy&col=params.depth")
    rows = page.evaluate(f"[...{ROWS}].map((row) => [...row.children].map((cell) => cell.textContent))")
    assert len(rows) == 50 and {row[2] for row in rows} == {"4"}
    assert [row[1] for row in rows] == sorted(row[1] for row in rows)
    page.follow("document.querySelector('.pager a').click()")
    assert not {row[0] for row in rows} & set(page.evaluate(f"[...{ROWS}].map((row) => row.children[0].textContent)"))
    page.follow("document.querySelector('thead th[data-column=\"metrics.accuracy\"] a').click()")
    assert "metrics.accuracy%20DESC" in page.evaluate("location.search")
    page.close()


def test_every_run_is_there_and_few_are_drawn(page, swept):
    opened(page, swept.page)
    assert total(page) == RUNS
    assert page.evaluate("document.querySelector('.runtable').getAttribute('aria-rowcount')") == str(RUNS + 1)
    assert names(page)[0] == f"trial-{RUNS - 1}", "the last started first"
    page.evaluate("document.querySelector('.runs .grid').scrollTop = 1e9")
    page.wait_for(f"[...{ROWS}].some((row) => row.textContent.startsWith('trial-0'))")
    assert page.evaluate(f"{ROWS}.length") < 80
    last = page.evaluate(f"[...{ROWS}].at(-1).getAttribute('aria-rowindex')")
    assert last == str(RUNS + 1)
    middle = RUNS // 2
    page.evaluate(f"document.querySelector('.runs .grid').scrollTop = {middle * 32}")
    page.wait_for(f"document.querySelector('[aria-rowindex=\"{middle + 2}\"][data-run]') !== null")
    assert page.evaluate(f"document.querySelector('[aria-rowindex=\"{middle + 2}\"] a').textContent") == f"trial-{RUNS - 1 - middle}"


def test_a_search_an_order_and_columns_stand_in_the_address(page, swept):
    opened(page, swept.page)
    page.evaluate("document.querySelector('#run-filter').value = \"params.optimizer = 'sgd' OR params.optimizer IS NULL\"")
    page.evaluate("document.querySelector('form.finder').requestSubmit()")
    expected = [seed.values(number) for number in range(RUNS)]
    wanted = sum(params.get("optimizer") in ("sgd", None) for _, params in expected)
    page.wait_for(f"document.querySelector('[data-island=runs]').dataset.total === '{wanted}'")
    page.evaluate("document.querySelector('th[data-column=\"metrics.accuracy\"] .sort').click()")
    page.wait_for("document.querySelector('th[data-column=\"metrics.accuracy\"]').getAttribute('aria-sort') === 'ascending'")
    page.wait_for("document.querySelector('.runs').getAttribute('aria-busy') === null")
    least = sorted(metrics["accuracy"] for metrics, params in expected if params.get("optimizer") in ("sgd", None))
    shown = [float(value) for value in column(page, "metrics.accuracy")]
    assert shown == least[:len(shown)]
    menu(page, "metrics.accuracy", "Pin")
    menu(page, "params.depth", "Hide")
    menu(page, "metrics.accuracy", "Wider")
    address = page.evaluate("location.href")
    heads = page.evaluate("[...document.querySelectorAll('.runtable th[data-column]')].map((head) => head.dataset.column)")
    assert heads[:2] == ["run_name", "metrics.accuracy"] and "params.depth" not in heads
    opened(page, address)
    assert total(page) == wanted
    assert page.evaluate("[...document.querySelectorAll('.runtable th[data-column]')].map((head) => head.dataset.column)") == heads
    assert [float(value) for value in column(page, "metrics.accuracy")] == shown


def menu(page, name, entry):
    page.evaluate(f"document.querySelector('th[data-column=' + CSS.escape({json.dumps(name)}) + '] .more').click()")
    page.evaluate(f"[...document.querySelectorAll('[role=menuitem]')].find((one) => one.textContent === {json.dumps(entry)}).click()")


def test_a_wrong_search_says_where(page, swept):
    opened(page, swept.page)
    page.evaluate("document.querySelector('#run-filter').value = 'metrics.accuracy >'")
    page.evaluate("document.querySelector('form.finder').requestSubmit()")
    page.wait_for("!document.querySelector('[data-part=fault]').hidden")
    assert "filter" in page.evaluate("document.querySelector('[data-part=fault]').textContent")
    assert total(page) == RUNS, "what was there stays"
    faults = page.settle()
    # Chromium itself notes that an answer was a refusal.
    assert all("400" in fault for fault in faults)
    page.faults.clear()


def test_the_field_offers_names_comparators_and_values(page, swept):
    opened(page, swept.page)
    offers = "[...document.querySelectorAll('#run-offers [role=option] span:first-child')].map((one) => one.textContent)"

    def typed(text):
        page.evaluate("document.querySelector('#run-filter').focus()")
        page.evaluate(f"(() => {{ const field = document.querySelector('#run-filter'); field.value = {json.dumps(text)}; field.setSelectionRange(field.value.length, field.value.length); field.dispatchEvent(new Event('input')); }})()")

    typed("metrics.acc")
    page.wait_for(f"{offers}.includes('metrics.accuracy')")
    typed("params.optimizer ")
    page.wait_for(f"{offers}.includes('IS NOT NULL')")
    typed("status = 'FINISHED' AND params.optimizer = 'ad")
    page.wait_for(f"{offers}.length === 2 && {offers}.includes('adamw')")
    key(page, "ArrowDown", "document.querySelector('#run-filter')")
    key(page, "Enter", "document.querySelector('#run-filter')")
    chosen = page.evaluate("document.querySelector('#run-filter').value")
    assert chosen.startswith("status = 'FINISHED' AND params.optimizer = 'adam") and chosen.endswith("' ")


def test_groups_open_to_their_runs(page, swept):
    opened(page, swept.page + "?group=params.optimizer&col=params.optimizer&col=metrics.accuracy")
    groups = page.evaluate("[...document.querySelectorAll('tr.group')].map((row) => [row.querySelector('b').textContent, Number(row.querySelector('.count').textContent.replace(',', ''))])")
    assert sum(runs for _, runs in groups) == RUNS
    assert dict(groups)["optimizer: none"] == len(range(0, RUNS, 11)), "those without it are a group"
    page.evaluate("document.querySelector('tr.group .turn').click()")
    page.wait_for("document.querySelector('tr[aria-level=\"2\"][data-run]') !== null")
    says = groups[0][0].split(": ")[1]
    assert set(column(page, "params.optimizer")) == {says}
    assert page.evaluate("document.querySelector('.runtable').getAttribute('role')") == "treegrid"


def test_the_keyboard_does_what_the_mouse_does(page, swept):
    opened(page, swept.page)
    key(page, "/", "document.body")
    assert page.evaluate("document.activeElement.id") == "run-filter"
    page.evaluate("document.querySelector('.runs .grid').focus()")
    for name in ["ArrowDown", " ", "ArrowDown", "ArrowDown", " "]:
        key(page, name)
    chosen = page.evaluate("new URLSearchParams(location.search).getAll('run')")
    assert chosen == [swept.runs[-2], swept.runs[-4]]
    assert page.evaluate("document.querySelectorAll('tr[aria-selected=true]').length") == 2
    active = page.evaluate("document.getElementById(document.querySelector('.runs .grid').getAttribute('aria-activedescendant')).dataset.run")
    assert active == swept.runs[-4]
    key(page, "End")
    page.wait_for(f"document.querySelector('tr.current')?.dataset.run === '{swept.runs[0]}'")
    key(page, "?", "document.body")
    assert "search runs" in page.evaluate("document.querySelector('dialog').innerText")
    page.evaluate("document.querySelector('dialog').close()")
    key(page, "Home")
    page.follow("document.querySelector('.runs .grid').dispatchEvent(new KeyboardEvent('keydown', {key: 'Enter', bubbles: true}))")
    assert page.evaluate("location.pathname") == f"/runs/{swept.runs[-1]}"


def test_a_view_is_kept_for_everybody(page, swept):
    opened(page, swept.page + "?filter=params.depth%20%3D%20%278%27&col=!metrics.accuracy&order=metrics.accuracy%20DESC")
    page.evaluate("document.querySelector('[data-part=actions] button').click()")
    page.evaluate("document.querySelector('form.keep input').value = 'deep ones'")
    page.evaluate("document.querySelector('form.keep').requestSubmit()")
    page.wait_for("document.querySelector('.views [role=status]').textContent.includes('is saved')")
    opened(page, swept.url + "/views/deep%20ones")
    assert page.evaluate("location.pathname") == f"/experiments/{swept.experiment}"
    assert set(column(page, "metrics.accuracy")) and "view=deep%20ones" in page.evaluate("location.search")
    assert total(page) == sum(seed.values(number)[1]["depth"] == 8 for number in range(RUNS))
    events = swept.call("/api/v1/events?subject=saved_view:deep%20ones")["events"]
    assert [event["kind"] for event in events] == ["saved_view.saved"], "it is on the record"


def test_the_whole_search_is_given_out_as_a_file(page, swept):
    opened(page, swept.page + "?col=metrics.accuracy&col=params.optimizer&col=metrics.%60val%2Floss%60")
    page.evaluate("""(window.given = new Promise((done) => {
      URL.createObjectURL = (blob) => { blob.text().then(done); return '#'; };
    })) && true""")
    page.evaluate("[...document.querySelectorAll('[data-part=actions] button')].find((one) => one.textContent === 'Export').click()")
    page.evaluate("[...document.querySelectorAll('.links button')].find((one) => one.textContent === 'CSV').click()")
    rows = list(csv.DictReader(io.StringIO(page.evaluate("window.given"))))
    assert len(rows) == RUNS
    for at in [0, RUNS // 2, RUNS - 1]:
        metrics, params = seed.values(RUNS - 1 - at)
        assert float(rows[at]["metrics.accuracy"]) == metrics["accuracy"]
        assert rows[at]["params.optimizer"] == params.get("optimizer", "")


def test_what_is_logged_meanwhile_moves_nothing(page, swept):
    opened(page, swept.page)
    page.wait_for("!document.querySelector('[data-part=live]').classList.contains('lost')")
    before = names(page)
    seen = swept.runs[-3]
    swept.mlflow("runs/log-metric", run_id=seen, key="accuracy", value=0.123456, timestamp=seed.START, step=1)
    new = swept.mlflow("runs/create", experiment_id=swept.experiment, run_name="late", start_time=seed.START * 2)
    page.wait_for(f"document.querySelector('tr[data-run=\"{seen}\"]').textContent.includes('0.123456')")
    page.wait_for("!document.querySelector('[data-part=live] button').hidden")
    assert names(page) == before, "nothing moved"
    page.evaluate("document.querySelector('[data-part=live] button').click()")
    page.wait_for(f"[...{ROWS}][0].textContent.startsWith('late')")
    swept.mlflow("runs/delete", run_id=new["run"]["info"]["run_id"])


def test_what_each_run_has_once_is_bars_until_one_goes_on(page, swept):
    runs = swept.runs[4:7]
    opened(page, f"{swept.page}?show=charts&{'&'.join(f'run={run}' for run in runs)}")
    figure = "document.querySelector('figure[data-metric=accuracy]')"
    page.wait_for(f"{figure}?.querySelectorAll('.bars li').length === 3")
    shown = page.evaluate(f"[...{figure}.querySelectorAll('.bars b')].map((value) => Number(value.title))")
    assert shown == [seed.values(at)[0]["accuracy"] for at in range(4, 7)]
    widths = page.evaluate(f"[...{figure}.querySelectorAll('.bar')].map((bar) => bar.getBoundingClientRect().width)")
    scale = max(widths) / max(shown)
    assert all(abs(width - value * scale) < 1 for width, value in zip(widths, shown)), "bars can be compared"
    swept.mlflow("runs/log-metric", run_id=runs[0], key="accuracy", value=0.5, timestamp=seed.START, step=1)
    page.wait_for(f"{figure}.querySelector('canvas') !== null && {figure}.querySelector('.bars') === null")


def test_charts_draw_the_selected_runs_and_ask_again_for_a_range(page, swept, marathon):
    opened(page, f"{swept.page}?show=charts&run={marathon}&run={swept.runs[0]}")
    page.wait_for("document.querySelector('figure[data-metric=loss] canvas') !== null")
    figure = "document.querySelector('figure[data-metric=loss]')"
    assert page.evaluate(f"{figure}.dataset.points") == str(POINTS)
    wide = int(page.evaluate(f"{figure}.dataset.width"))
    assert wide > 1
    dots = page.evaluate("[...document.querySelectorAll('.legend .dot')].map((dot) => getComputedStyle(dot).backgroundColor)")
    assert len(set(dots)) == 2, "a colour for each run"
    third = POINTS // 3
    page.evaluate(f"""(() => {{ const address = new URL(location); address.searchParams.set('zoom', '{third - 50}:{third + 50}');
      history.pushState(null, '', address); dispatchEvent(new PopStateEvent('popstate')); }})()""")
    page.wait_for(f"{figure}.dataset.width === '1'")
    page.evaluate(f"{figure}.querySelector('.plot').focus()")
    reads = []
    for _ in range(140):
        key(page, "ArrowRight", f"{figure}.querySelector('.plot')")
        reads.append(page.evaluate(f"{figure}.querySelector('.tip').innerText"))
        if f"step {third:,}\n" in reads[-1]:
            break
    assert "\n9\n" in reads[-1] + "\n" or reads[-1].rstrip().endswith("9"), reads[-1]
    key(page, "Escape", f"{figure}.querySelector('.plot')")
    page.wait_for(f"{figure}.dataset.width === '{wide}'")


def test_a_chart_grows_while_its_run_logs(page, swept):
    run = swept.runs[5]
    opened(page, f"{swept.page}?show=charts&run={run}&metric=accuracy")
    figure = "document.querySelector('figure[data-metric=accuracy]')"
    page.wait_for(f"{figure}?.dataset.points === '1'")
    swept.mlflow("runs/log-metric", run_id=run, key="accuracy", value=0.5, timestamp=seed.START + 5, step=7)
    page.wait_for(f"{figure}.dataset.points === '2'")


def test_two_runs_are_told_apart(page, swept):
    first, second = swept.runs[1], swept.runs[2]
    opened(page, f"{swept.page}?show=compare&run={first}&run={second}")
    page.wait_for("document.querySelector('.diff tbody tr') !== null")
    rows = dict(page.evaluate("[...document.querySelectorAll('.diff tbody tr:not(.kind)')].map((row) => [row.querySelector('th').title, [...row.querySelectorAll('td')].map((cell) => cell.title || cell.textContent)])"))
    one, other = seed.values(1)[1], seed.values(2)[1]
    for name in one.keys() | other.keys():
        differs = one.get(name) != other.get(name)
        assert (name in rows) == differs, name
        if differs:
            assert rows[name][:2] == [str(one.get(name, "not there")), str(other.get(name, "not there"))]
    page.evaluate("document.querySelector('.diff').closest('.card').querySelector('input[type=checkbox]').click()")
    page.wait_for("document.querySelectorAll('.diff tbody tr:not(.kind)').length > 40")
    assert page.evaluate("document.querySelectorAll('.runline').length") == 2
    assert page.evaluate("document.querySelectorAll('.scatter .point').length") == 2


def test_runs_are_compared_on_axes(page, swept):
    opened(page, swept.page + "?show=compare&axis=params.learning_rate&axis=params.optimizer&axis=metrics.accuracy")
    drawn = min(500, RUNS)
    page.wait_for(f"document.querySelectorAll('.runline').length === {drawn}")
    assert "(log)" in page.evaluate("document.querySelector('.parallel').textContent")


def test_the_palette_finds_things_from_everywhere(page, swept):
    page.open(swept.url + "/models")
    key(page, "k", "document", ctrlKey=True)
    page.evaluate("document.querySelector('.palette input').value = 'trial-17'")
    page.evaluate("document.querySelector('.palette input').dispatchEvent(new Event('input'))")
    page.wait_for("[...document.querySelectorAll('.palette [role=option]')].some((one) => one.textContent.startsWith('trial-17'))")
    page.evaluate("document.querySelector('.palette input').value = 'swee'")
    page.evaluate("document.querySelector('.palette input').dispatchEvent(new Event('input'))")
    page.wait_for("document.querySelector('.palette [role=option]')?.textContent.startsWith('sweep')")
    page.follow("document.querySelector('.palette input').dispatchEvent(new KeyboardEvent('keydown', {key: 'Enter', bubbles: true}))")
    assert page.evaluate("location.pathname") == f"/experiments/{swept.experiment}"


@pytest.mark.parametrize("width, theme", [(1440, "light"), (1440, "dark"), (390, "light"), (390, "dark")])
@pytest.mark.parametrize("show", ["table", "charts", "compare"])
def test_pages_of_runs_hold_to_what_pages_hold_to(browser, swept, marathon, width, theme, show):
    page = browser.page(width, theme)
    chosen = "&".join(f"run={run}" for run in [marathon, *swept.runs[-7:-4]])
    opened(page, f"{swept.page}?show={show}&{chosen}&col=status&col=metrics.accuracy&col=params.optimizer")
    ready = {"table": f"{ROWS}.length > 10", "charts": "document.querySelector('canvas') !== null",
             "compare": "document.querySelector('.scatter') !== null"}
    page.wait_for(ready[show])
    assert page.evaluate(CHECKS) + page.settle() == []
    if PICTURES:
        page.screenshot(pathlib.Path(PICTURES) / f"runs-{show}-{width}-{theme}.png")
    page.close()


def test_smoothing_is_the_average_that_the_page_about_it_defines(page, swept):
    opened(page, swept.page)
    values, weight = [3.0, None, 1.0, -2.0, 0.5, 8.0], 0.7
    smooth = page.evaluate(f"""import(document.querySelector('script[src$="/runs.js"]').src.replace('/runs.js', '/run-series.js'))
      .then((module) => module.smoothed({json.dumps(values)}, {weight}))""")
    known = [value for value in values if value is not None]
    expected = []
    for at in range(len(known)):
        # The weighted mean itself, not the recurrence.
        weights = [weight ** (at - earlier) for earlier in range(at + 1)]
        expected.append(sum(w * value for w, value in zip(weights, known)) / sum(weights))
    assert smooth[1] is None
    assert [value for value in smooth if value is not None] == pytest.approx(expected)
