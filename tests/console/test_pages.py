"""Every page of the console in Chromium: wide and narrow, light and dark, empty and full."""

import pathlib

import pytest

from conftest import CHECKS, PICTURES

EMPTY = ["/", "/datasets", "/features", "/experiments", "/experiments/0", "/runs", "/traces", "/experiments/0/traces", "/models", "/prompts", "/endpoints", "/pipelines",
         "/approvals", "/audit", "/retention"]
FULL = ["/", "/datasets", "/datasets/flights", "/features", "/experiments", "/experiments/{experiment}",
        "/experiments/{experiment}?filter=metrics.nope%20%3E%201", "/runs/{run}", "/runs", "/runs?experiment=0&experiment={experiment}", "/runs/{run}/artifacts", "/models", "/models/flight-delay",
        "/models/flight-delay/1", "/models/flight-delay/1/why", "/endpoints", "/endpoints/delays",
        "/endpoints/by-hand", "/endpoints/by-hand/rollback", "/endpoints/delays/monitor", "/pipelines", "/pipelines/pipeline",
        "/pipeline-runs/{pipeline_run}", "/pipeline-runs/{pipeline_run}?step=train", "/approvals", "/audit",
        "/audit?kind=gates.evaluated", "/audit?subject=model_version%3Aflight-delay%2F1",
        "/retention", "/retention/preview?kind=runs&older_than_days=1&keep_last=1"]


@pytest.fixture(params=[(1440, "light"), (1440, "dark"), (390, "light"), (390, "dark")],
                ids=lambda look: f"{look[0]}-{look[1]}", scope="module")
def page(request, browser):
    page = browser.page(*request.param)
    page.look = "-".join(map(str, request.param))
    yield page
    page.close()


def look_at(page, server, path, kind):
    concrete = path.format(**{name: getattr(server, name, "") for name in ["experiment", "run", "pipeline_run"]})
    page.open(server.url + concrete)
    faults = page.evaluate(CHECKS) + page.settle()
    if PICTURES:
        name = path.strip("/").replace("/", "_").replace("{", "").replace("}", "") or "overview"
        page.screenshot(pathlib.Path(PICTURES) / f"{kind}-{name}-{page.look}.png")
    return faults


@pytest.mark.parametrize("path", EMPTY)
def test_an_empty_page_holds_to_what_pages_hold_to(page, empty, path):
    assert look_at(page, empty, path, "empty") == []


@pytest.mark.parametrize("path", FULL)
def test_a_full_page_holds_to_what_pages_hold_to(page, full, path):
    assert look_at(page, full, path, "full") == []


ALIVE = ["/", "/endpoints", "/endpoints/purchases", "/endpoints/purchases/rollback", "/endpoints/purchases/monitor",
         "/models/purchase/2/why", "/pipelines", "/audit?kind=alarm.raised"]


@pytest.mark.parametrize("path", ALIVE)
def test_a_page_of_a_living_model_holds_to_what_pages_hold_to(page, alive, path):
    assert look_at(page, alive, path, "alive") == []


@pytest.mark.parametrize("path, status, code", [
    ("/no/such/page", 404, "not-found"),
    ("/runs/zz", 400, "invalid-argument"),
    ("/runs/" + "0" * 32, 404, "not-found"),
    ("/models/none", 404, "not-found"),
    ("/traces/none", 404, "not-found"),
    ("/prompts/none", 404, "not-found"),
    ("/endpoints/none", 404, "not-found"),
    ("/retention/preview?kind=runs", 400, "invalid-argument"),
])
def test_a_failure_is_a_page_with_a_way_out(page, full, path, status, code):
    faults = look_at(page, full, path, "error")
    # Chromium itself notes that the document's status is an error.
    assert [fault for fault in faults if f"status of {status}" not in fault] == []
    text = page.evaluate("document.querySelector('main').innerText")
    assert code in text and "Overview" in text


@pytest.mark.parametrize("path, field, status", [
    ("/traces?filter=(", "filter", 400),
    ("/experiments/0?filter=(", "filter", 400),
    ("/runs?filter=metrics.val/acc%20%3E%200.9", "filter", 400),
    ("/runs?order=nonsense%20order", "filter", 400),
    ("/audit?subject=nothing", "subject", 200),
])
def test_a_search_that_cannot_be_read_keeps_its_field(page, full, path, field, status):
    faults = look_at(page, full, path, "fault")
    assert [fault for fault in faults if f"status of {status}" not in fault] == []
    assert full.get(path)[0] == status
    asked = page.evaluate(f"new URLSearchParams(location.search).get('{field}') ?? ''")
    assert page.evaluate(f"document.querySelector('main input[name={field}]').value") == asked
    assert page.evaluate("document.querySelector('.fault').offsetHeight") > 0
    if "val/acc" in asked:
        assert "metrics.`val/acc`" in page.evaluate("document.querySelector('.fault').textContent")


@pytest.mark.parametrize("path", EMPTY)
def test_an_empty_page_teaches(empty, path):
    _, _, text = empty.get(path)
    assert '<pre class="copy"><code>' in text, "one command to copy"
    # What it says to do can be done: here, and with the program alone.
    assert "127.0.0.1:5000" not in text and "demo/flights" not in text


def test_what_to_tell_a_script_is_the_address_of_the_request(empty):
    for path in ["/", "/experiments", "/runs", "/traces"]:
        assert empty.url in empty.get(path)[2], path
    _, _, text = empty.get("/experiments/0", **{"X-Forwarded-Proto": "https"})
    assert "https://127.0.0.1:" in text and "export MLFLOW_EXPERIMENT_NAME=&#39;Default&#39;" in text
