"""Prompts and models, and what differs between two versions of them."""

import json
import pathlib

import pytest

from conftest import PICTURES, Server

CHECKS = (pathlib.Path(__file__).parent / "page_checks.js").read_text()
IS_PROMPT = {"key": "mlflow.prompt.is_prompt", "value": "true"}
MLMODEL = """flavors:
  sklearn: {{sklearn_version: {sklearn}}}
mlflow_version: 3.18.0
signature:
  inputs: '[{{"type": "{kind}", "name": "distance"}}]'
"""


def prompt(server, name, kind, *texts):
    server.mlflow("registered-models/create", name=name, tags=[IS_PROMPT])
    for text in texts:
        server.mlflow("model-versions/create", name=name, source="prompt-template", description="a <b>change</b>",
                      tags=[IS_PROMPT, {"key": "_mlflow_prompt_type", "value": kind}, {"key": "mlflow.prompt.text", "value": text}])


def version(server, experiment, depth, loss, sklearn, kind):
    """A version as a training script leaves it."""
    run = server.mlflow("runs/create", experiment_id=experiment, run_name=f"depth-{depth}", start_time=1)["run"]["info"]["run_id"]
    server.mlflow("runs/log-batch", run_id=run, params=[{"key": "depth", "value": str(depth)}, {"key": "rate", "value": "0.1"}],
                  metrics=[{"key": "loss", "value": loss, "timestamp": 1, "step": 0}])
    folder = f"{experiment}/{run}/artifacts/model"
    server.upload(f"{folder}/MLmodel", MLMODEL.format(sklearn=sklearn, kind=kind).encode())
    server.upload(f"{folder}/requirements.txt", f"scikit-learn=={sklearn}\nnumpy\n".encode())
    server.upload(f"{folder}/model.pkl", b"x" * depth)
    server.mlflow("model-versions/create", name="delay", source=f"runs:/{run}/model", run_id=run)


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("kept"))
    prompt(server, "greet", "text", "Say hello to {{name}}.\nBe kind.\n<script>x</script>", "Say hello to {{ name }} in {{language}}.\nBe terse.\n<script>x</script>")
    chats = [[{"role": "system", "content": f"Be {word}."}, {"role": "user", "content": "{{question}}"}] for word in ("kind", "brief")]
    prompt(server, "talk", "chat", *map(json.dumps, chats))
    server.mlflow("registered-models/alias", name="greet", alias="production", version="1")
    server.mlflow("registered-models/create", name="delay")
    version(server, "0", 4, 0.5, "1.5.0", "double")
    version(server, "0", 6, 0.4, "1.6.0", "string")
    for number in range(120):
        server.mlflow("registered-models/create", name=f"many-{number:03}")
    yield server
    assert server.stop() == 0


@pytest.fixture
def page(browser, kept):
    page = browser.page(1440, "light")
    yield page
    assert page.settle() == []
    page.close()


def text(page):
    return page.evaluate("document.querySelector('main').innerText")


def test_prompts_are_no_models(page, kept):
    page.open(kept.url + "/prompts")
    assert "greet" in text(page) and "production → v1" in text(page) and "delay" not in text(page)
    page.open(kept.url + "/models")
    assert "delay" in text(page) and "greet" not in text(page) and "121 models" in text(page)
    page.open(kept.url + "/models/greet")
    assert page.evaluate("location.pathname") == "/prompts/greet"
    page.open(kept.url + "/models/greet/1")
    assert page.evaluate("location.pathname + location.search") == "/prompts/greet?version=1"


def test_models_are_searched_and_paged(page, kept):
    page.open(kept.url + "/models?search=many-11")
    assert page.evaluate("document.querySelectorAll('tbody tr').length") == 10
    page.open(kept.url + "/models")
    assert page.evaluate("document.querySelectorAll('tbody tr').length") == 100
    page.follow("document.querySelector('.pager a').click()")
    assert page.evaluate("document.querySelectorAll('tbody tr').length") == 21


def test_a_prompt_shows_its_variables(page, kept):
    page.open(kept.url + "/prompts/greet")
    marked = page.evaluate("[...document.querySelectorAll('.prompttext mark')].map((one) => one.textContent)")
    assert marked == ["{{ name }}", "{{language}}"]
    assert "<script>x</script>" in text(page)
    page.open(kept.url + "/prompts/greet?version=production")
    assert "Version 1" in text(page)
    page.open(kept.url + "/prompts/talk")
    assert page.evaluate("[...document.querySelectorAll('.message h3')].map((one) => one.textContent)")[:2] == ["system", "user"]


def test_what_differs_between_prompts_is_told_by_words(page, kept):
    page.open(kept.url + "/prompts/greet/compare")
    told = page.evaluate("[...document.querySelectorAll('.difftext ins')].map((one) => one.textContent)")
    assert any("language" in one for one in told) and "terse" in told
    assert "kind" in page.evaluate("[...document.querySelectorAll('.difftext del')].map((one) => one.textContent)")
    page.open(kept.url + "/prompts/talk/compare?from=1&to=2")
    assert page.evaluate("[...document.querySelectorAll('h2')].map((one) => one.textContent)") == ["Message 1: system"]
    page.open(kept.url + "/prompts/talk/compare?from=2&to=2")
    assert "They say the same." in text(page)


def test_what_differs_between_versions_stands_side_by_side(page, kept):
    page.open(kept.url + "/models/delay/2")
    page.follow("document.querySelector('.actions a').click()")
    rows = page.evaluate("[...document.querySelectorAll('tr.differs')].map((row) => [...row.children].map((cell) => cell.textContent))")
    known = {row[0]: row[1:] for row in rows}
    assert known["depth"] == ["4", "6"] and known["loss"] == ["0.5", "0.4"]
    assert known["scikit-learn"] == ["==1.5.0", "==1.6.0"] and known["input: distance"] == ["double", "string"]
    assert known["sklearn"] == ["sklearn_version 1.5.0", "sklearn_version 1.6.0"] and known["model.pkl"] == ["4 B", "6 B"]
    assert "rate" not in text(page)
    page.follow("document.querySelector('.sub a:last-child').click()")
    assert "rate" in text(page) and "numpy" in text(page)


def test_prompts_and_models_are_found_from_everywhere(page, kept):
    page.open(kept.url + "/")
    options = json.dumps({"key": "k", "ctrlKey": True, "bubbles": True, "cancelable": True})
    page.evaluate(f"document.dispatchEvent(new KeyboardEvent('keydown', {options})) && true")
    page.evaluate("(() => { const field = document.querySelector('.palette input'); field.value = 'gree'; field.dispatchEvent(new Event('input')); })()")
    page.wait_for("[...document.querySelectorAll('#palette-list [role=option]')].some((line) => line.dataset.href === '/prompts/greet')")


PAGES = ["/models", "/models/delay", "/models/delay/2", "/models/delay/compare", "/models/delay/compare?all=1", "/prompts",
         "/prompts/greet", "/prompts/talk", "/prompts/greet/compare", "/prompts/talk/compare"]


@pytest.mark.parametrize("width, theme", [(1440, "light"), (1440, "dark"), (390, "light"), (390, "dark")])
@pytest.mark.parametrize("path", PAGES)
def test_pages_of_versions_hold_to_what_pages_hold_to(browser, kept, path, width, theme):
    page = browser.page(width, theme)
    page.open(kept.url + path)
    faults = page.evaluate(CHECKS) + page.settle()
    if PICTURES:
        name = path.strip("/").replace("/", "_").replace("?", "_")
        page.screenshot(pathlib.Path(PICTURES) / f"versions-{name}-{width}-{theme}.png")
    page.close()
    assert faults == []


@pytest.mark.parametrize("path, status", [
    ("/prompts/delay", 404), ("/prompts/none", 404), ("/prompts/greet?version=9", 404), ("/prompts/greet?version=x", 400),
    ("/prompts/greet/compare?from=9", 404), ("/models/none/compare", 404), ("/models/delay/compare?from=x", 400),
])
def test_what_is_not_there_is_said(kept, path, status):
    assert kept.get(path)[0] == status
