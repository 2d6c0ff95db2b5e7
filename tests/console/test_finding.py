"""How things are found: the palette, the home page, and the list of experiments, among thousands of runs."""

import json
import time
import urllib.error
import urllib.request

import pytest

from conftest import train

MANY = 1_200


@pytest.fixture(scope="module")
def crowd(own):
    """Many experiments, one of them busy: its run logs hundreds of metrics one by one."""
    for number in range(MANY):
        own.mlflow("experiments/create", name=f"study-{number:04}")
    own.long = own.mlflow("experiments/create", name="x" * 400)["experiment_id"]
    own.busy = own.mlflow("experiments/create", name="busy study")["experiment_id"]
    start = 1_700_000_000_000
    own.children = [
        own.mlflow("runs/create", experiment_id=own.busy, run_name=f"child-{number}", start_time=start + number)
        ["run"]["info"]["run_id"] for number in range(9)]
    for run in own.children:
        own.mlflow("runs/update", run_id=run, status="FINISHED", end_time=start + 500)
    own.run = train(own, own.busy, "noisy", start - 5, 3, None)
    own.mlflow("registered-models/create", name="a-model")
    own.mlflow("registered-models/create", name="a-prompt", tags=[{"key": "mlflow.prompt.is_prompt", "value": "true"}])
    for step in range(450):
        own.mlflow("runs/log-metric", run_id=own.run, key="val/loss", value=1 / (step + 1), step=step, timestamp=start + step)
    return own


OPTIONS = "[...document.querySelectorAll('#palette-list [role=option]')]"


def typed(page, text):
    page.evaluate(f"(() => {{ const field = document.querySelector('.palette input'); field.value = {json.dumps(text)}; "
                  "field.dispatchEvent(new Event('input')); })()")


@pytest.mark.parametrize("width", [1440, 390])
def test_the_field_of_every_page_opens_the_palette(browser, crowd, width):
    page = browser.page(width, "light")
    page.open(crowd.url + "/models")
    assert page.evaluate("document.querySelector('form.search input').getBoundingClientRect().width") > 40
    page.evaluate("document.querySelector('form.search input').focus()")
    assert page.evaluate("document.querySelector('.palette')") is None, "passing by opens nothing"
    page.evaluate("(() => { const field = document.querySelector('form.search input'); field.value = 'b'; field.dispatchEvent(new Event('input', {bubbles: true})); })()")
    assert page.evaluate("document.querySelector('.palette input').value") == "b"
    page.wait_for(f"{OPTIONS}.some((line) => line.textContent.includes('busy study'))")
    page.evaluate("document.querySelector('.palette').close()")
    page.evaluate("document.querySelector('form.search').click()")
    page.wait_for(f"{OPTIONS}.length > 5")
    assert page.settle() == []
    page.close()


def test_runs_are_found_by_id_with_their_experiment_and_all_of_them(page, crowd):
    page.open(crowd.url + "/audit")
    page.evaluate("document.querySelector('form.search').click()")
    for text in [crowd.run, crowd.run[:8]]:
        typed(page, text)
        page.wait_for(f"{OPTIONS}[0]?.dataset.href === '/runs/{crowd.run}'")
        assert "run in busy study" in page.evaluate(f"{OPTIONS}[0].textContent")
    typed(page, "child")
    page.wait_for(f"{OPTIONS}.some((line) => line.textContent.includes('All 9 runs like this'))")
    page.follow(f"{OPTIONS}.find((line) => line.textContent.includes('All 9')).click()")
    page.wait_for("document.querySelectorAll('tr[data-run]').length === 9")


def test_home_shows_what_runs_whatever_is_logged(page, crowd):
    page.open(crowd.url + "/")
    runs = page.evaluate("[...document.querySelectorAll('[data-part=runs] tbody tr')].map((row) => row.innerText)")
    assert len(runs) == 8 and runs[0].startswith("noisy") and "running" in runs[0] and "busy study" in runs[0]
    assert runs[1].startswith("child-8")
    experiments = page.evaluate("document.querySelector('[data-part=experiments]').innerText")
    assert "busy study" in experiments and "10" in experiments
    text = page.evaluate("document.querySelector('main').innerText")
    assert "nothing yet, log a run" not in text and "No run, table or model yet" not in text
    assert page.evaluate("document.querySelectorAll('ol.events li').length") >= 10
    assert "a-model" in text and page.evaluate("document.querySelector('.cols').innerText.includes('a-prompt v') === false")
    models = page.evaluate("[...document.querySelectorAll('section.card')].find((card) => card.querySelector('h2')?.textContent === 'Models').innerText")
    assert "a-model" in models and "a-prompt" not in models


def test_experiments_are_searched_ordered_and_paged(page, crowd):
    began = time.monotonic()
    status, _, text = crowd.get("/experiments")
    assert status == 200 and len(text) < 150_000 and time.monotonic() - began < 2
    page.open(crowd.url + "/experiments")
    names = "[...document.querySelectorAll('table.experiments tbody th')].map((name) => name.innerText)"
    assert len(page.evaluate(names)) == 100
    first = page.evaluate("document.querySelector('table.experiments tbody tr').innerText")
    assert first.split("\t")[1:3] == ["busy study", "10"] and "finished" in first and "child-8" in first
    page.follow("document.querySelector('.pager a').click()")
    assert len(page.evaluate(names)) == 100 and "page=1" in page.evaluate("location.search")
    page.open(crowd.url + "/experiments?order=name&search=study-11")
    assert page.evaluate(names) == [f"study-{number}" for number in range(1100, 1200)]
    assert page.evaluate("document.querySelector('th[aria-sort]').innerText").startswith("Experiment")
    page.open(crowd.url + "/experiments?search=xxxx")
    assert page.evaluate("document.querySelector('table.experiments').scrollWidth <= document.querySelector('.scroll').clientWidth")
    page.open(crowd.url + "/experiments?search=nothing-like-it")
    assert "No experiment has this name" in page.evaluate("document.querySelector('main').innerText")


def test_plain_words_search_names(page, crowd):
    page.open(f"{crowd.url}/experiments/{crowd.busy}?filter=child-3")
    page.wait_for("document.querySelectorAll('tr[data-run]').length === 1")
    assert page.evaluate("document.querySelector('#run-filter').value") == "run_name ILIKE '%child-3%'"
    page.evaluate("document.querySelector('#run-filter').value = 'noisy'")
    page.evaluate("document.querySelector('form.finder').requestSubmit()")
    page.wait_for("document.querySelector('tr[data-run]')?.innerText.includes('noisy')")
    assert page.evaluate("document.querySelector('#run-filter').value") == "run_name ILIKE '%noisy%'"
    # On the wire the words of the search language alone count.
    body = json.dumps({"filter": "child-3"}).encode()
    request = urllib.request.Request(crowd.url + "/api/v1/runs/search", body, {"Content-Type": "application/json"})
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request)
    assert refused.value.code == 400
