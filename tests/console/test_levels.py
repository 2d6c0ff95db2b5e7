"""The console of somebody who holds a level on one experiment and no role."""

import pathlib

import pytest

from conftest import CHECKS, PICTURES, basic, serving, sign_up

ROOT, ANN = ("root", "a long password of theirs"), ("ann", "a long password of hers")


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    data = tmp_path_factory.mktemp("shared")
    sign_up(data, *ROOT, "--admin")
    sign_up(data, *ANN)
    with serving(data, "--auth", "required") as server:
        server.credential = basic(*ROOT)
        server.experiments = {name: server.mlflow("experiments/create", name=name)["experiment_id"] for name in ["hers", "theirs"]}
        server.runs = {}
        for name, experiment in server.experiments.items():
            run = server.mlflow("runs/create", experiment_id=experiment, run_name=f"{name}-run", start_time=1_700_000_000_000)["run"]["info"]["run_id"]
            points = [{"key": "loss", "value": 1 / (step + 1), "timestamp": 1_700_000_000_000 + step, "step": step} for step in range(30)]
            server.mlflow("runs/log-batch", run_id=run, metrics=points, params=[{"key": "rate", "value": "0.1"}])
            server.runs[name] = run
        level = {"username": "ann", "resource_type": "experiment", "resource_id": server.experiments["hers"], "permission": "EDIT"}
        server.call("/api/3.0/mlflow/users/permissions/grant", level)
        yield server


@pytest.fixture(params=[(1440, "light"), (390, "dark")], ids=lambda look: f"{look[0]}-{look[1]}")
def page(browser, request):
    page = browser.page(*request.param)
    page.call("Network.setExtraHTTPHeaders", headers=basic(*ANN))
    page.look = "-".join(map(str, request.param))
    yield page
    page.close()


def looked_at(page, name):
    if PICTURES:
        page.screenshot(pathlib.Path(PICTURES) / f"levels-{name}-{page.look}.png")
    return page.evaluate(CHECKS) + page.settle()


def test_what_a_level_opens_is_shown_and_can_be_changed(page, shared):
    page.open(shared.url + "/")
    assert page.evaluate("location.pathname") == "/experiments", "where somebody without a role begins"
    rows = "[...document.querySelectorAll('main tbody tr')].map((row) => row.innerText)"
    assert ["hers" in row for row in page.evaluate(rows)] == [True]
    entries = page.evaluate("[...document.querySelectorAll('nav.main a')].map((entry) => entry.textContent)")
    assert entries == ["Experiments", "Traces", "Models", "Prompts"]
    assert looked_at(page, "experiments") == []

    page.open(f"{shared.url}/experiments/{shared.experiments['hers']}")
    # The list that the script asked for itself: what it holds already is not news.
    page.wait_for("document.querySelector('[data-island=runs]').dataset.total !== undefined")
    assert page.evaluate("document.querySelector('.runs').innerText.includes('hers-run')")
    page.wait_for("document.querySelector('[data-part=live] .says').textContent === 'following the record'")
    more = shared.mlflow("runs/create", experiment_id=shared.experiments["hers"], run_name="meanwhile")["run"]["info"]["run_id"]
    shared.mlflow("runs/create", experiment_id=shared.experiments["theirs"], run_name="elsewhere")
    page.wait_for("document.querySelector('[data-part=live] .says').textContent.startsWith('1 new run')")
    assert looked_at(page, "experiment") == []
    shared.mlflow("runs/delete", run_id=more)

    page.open(f"{shared.url}/runs/{shared.runs['hers']}")
    page.wait_for("document.querySelector('canvas') !== null")
    assert page.evaluate("document.querySelector('[data-may]').dataset.may") == "write"
    assert looked_at(page, "run") == []


def test_what_it_does_not_open_is_refused_with_a_way_out(page, shared):
    for path in [f"/runs/{shared.runs['theirs']}", f"/experiments/{shared.experiments['theirs']}", "/pipelines"]:
        page.open(shared.url + path)
        said = page.evaluate("document.querySelector('main').innerText")
        assert "permission-denied" in said and "for a level on it" in said
        assert "theirs" not in said
    assert [fault for fault in looked_at(page, "refused") if "status of 403" not in fault] == []
