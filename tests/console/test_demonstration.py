"""The demonstration, recorded by the button of an empty page, and the pages of what it recorded."""

import pathlib

import pytest

from conftest import CHECKS, PICTURES

BUTTON = "[...document.querySelectorAll('form[action=\"/demonstration\"] button')].at(-1)"


@pytest.fixture(scope="module")
def recorded(browser, own):
    page = browser.page(1440, "light")
    page.open(own.url + "/experiments")
    assert page.evaluate(f"{BUTTON}.textContent") == "Record a demonstration"
    page.open(own.url + "/traces")
    page.follow(f"{BUTTON}.click()")
    page.wait_for("document.querySelector('[data-island=traces]').dataset.total !== undefined")
    own.page = page.evaluate("location.pathname")
    assert page.settle() == []
    page.close()
    own.experiment = own.page.split("/")[2]
    found = own.call("/api/v1/traces/search", {"experiments": [own.experiment], "count": True})
    own.total, own.trace = found["total"], found["traces"][0]["trace_id"]
    runs = own.mlflow("runs/search", experiment_ids=[own.experiment])["runs"]
    own.runs = {run["info"]["run_name"]: run["info"]["run_id"] for run in runs}
    return own


def test_the_button_leads_to_its_traces(browser, recorded):
    page = browser.page(1440, "light")
    page.open(recorded.url + recorded.page)
    page.wait_for("document.querySelector('[data-island=traces]').dataset.total !== undefined")
    assert recorded.page == f"/experiments/{recorded.experiment}/traces"
    assert page.evaluate("document.querySelector('h1').textContent") == "Demonstration: questions to the documentation"
    assert recorded.total == 24 and page.evaluate("document.querySelectorAll('.runtable tr[data-trace]').length") == 24
    page.open(recorded.url + "/traces")
    assert page.evaluate(f"{BUTTON} === undefined")
    page.open(f"{recorded.url}/traces/{recorded.trace}")
    page.wait_for("document.querySelector('[data-island=trace]').dataset.spans === '3'")
    names = page.evaluate("[...document.querySelectorAll('.wfrow .name')].map((name) => name.textContent)")
    assert sorted(names) == ["answer a question", "quote", "search"]
    assert page.settle() == []
    page.close()


def judged(page, recorded):
    """Where the page of an evaluation's run leads for its traces."""
    page.open(f"{recorded.url}/runs/{recorded.runs['BM25']}")
    return page.evaluate("[...document.querySelectorAll('.title a.btn')].find((one) => one.textContent === 'Traces').getAttribute('href')")


def test_the_traces_of_an_evaluation_have_a_column_for_each_judgement(browser, recorded):
    page = browser.page(1440, "light")
    page.open(recorded.url + judged(page, recorded))
    page.wait_for("document.querySelector('[data-island=traces]').dataset.total !== undefined")
    heads = page.evaluate("[...document.querySelectorAll('.runtable thead th')].map((head) => head.textContent)")
    names = {one["assessment_name"] for trace in recorded.call("/api/3.0/mlflow/traces/search", {"locations": [
        {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": recorded.experiment}}]})["traces"] for one in trace["assessments"]}
    assert names and all(any(name in head for head in heads) for name in names), heads
    page.wait_for("document.querySelectorAll('.runtable .said.tag').length > 0")
    chips = page.evaluate("[...document.querySelectorAll('.runtable .said.tag')].map((chip) => chip.textContent)")
    assert not any(":" in chip for chip in chips), "the column says what is judged"
    assert page.settle() == []
    page.close()


@pytest.mark.parametrize("width, theme", [(1440, "light"), (1440, "dark"), (390, "light"), (390, "dark")])
def test_its_pages_hold_to_what_pages_hold_to(browser, recorded, width, theme):
    page = browser.page(width, theme)
    both = "&".join(f"run={run}" for run in recorded.runs.values())
    for name, path in {
        "experiment": f"/experiments/{recorded.experiment}",
        "traces": recorded.page,
        "trace": f"/traces/{recorded.trace}",
        "run": f"/runs/{recorded.runs['BM25']}",
        "judged": judged(page, recorded),
        "comparison": f"/experiments/{recorded.experiment}?show=compare&{both}",
    }.items():
        page.open(recorded.url + path)
        assert page.evaluate(CHECKS) + page.settle() == [], path
        if PICTURES:
            page.screenshot(pathlib.Path(PICTURES) / f"demonstration-{name}-{width}-{theme}.png")
    page.close()
