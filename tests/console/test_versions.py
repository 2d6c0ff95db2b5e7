"""Prompts and models, and what differs between two versions of them."""

import json
import pathlib

import pytest

from conftest import CHECKS, PICTURES

IS_PROMPT = {"key": "mlflow.prompt.is_prompt", "value": "true"}
MLMODEL = """flavors:
  python_function: {{python_version: 3.12.1}}
  sklearn: {{sklearn_version: {sklearn}}}
mlflow_version: 3.18.0
saved_input_example_info: {{artifact_path: input_example.json, type: dataframe}}
signature:
  inputs: '[{{"type": "{kind}", "name": "distance", "required": false}}]'
  outputs: '[{{"type": "tensor", "tensor-spec": {{"dtype": "int64", "shape": [-1]}}}}]'
"""
EXAMPLE = {"columns": ["distance"], "data": [[1400.5]]}


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
    server.upload(f"{folder}/input_example.json", json.dumps(EXAMPLE).encode())
    server.upload(f"{folder}/requirements.txt", f"scikit-learn=={sklearn}\nnumpy\n".encode())
    server.upload(f"{folder}/model.pkl", b"x" * depth)
    server.mlflow("model-versions/create", name="delay", source=f"runs:/{run}/model", run_id=run)


def logged(server, experiment, auc):
    """A model as mlflow.sklearn.log_model leaves it."""
    run = server.mlflow("runs/create", experiment_id=experiment, run_name=f"fit-{auc}", start_time=1)["run"]["info"]["run_id"]
    model = server.mlflow("logged-models", experiment_id=experiment, name="clf", source_run_id=run,
                          params=[{"key": "depth", "value": "4"}])["model"]["info"]
    server.upload(f"{model['artifact_uri'].split(':/', 1)[1].strip('/')}/MLmodel", MLMODEL.format(sklearn="1.5.0", kind="double").encode())
    server.call(f"/api/2.0/mlflow/logged-models/{model['model_id']}", {"model_id": model["model_id"], "status": "LOGGED_MODEL_READY"}, "PATCH")
    server.mlflow("runs/outputs", run_id=run, models=[{"model_id": model["model_id"], "step": 0}])
    server.mlflow("runs/log-metric", run_id=run, key="auc", value=auc, timestamp=1, step=0, model_id=model["model_id"],
                  dataset_name="test-set", dataset_digest="d1")
    return run, model["model_id"]


@pytest.fixture(scope="module")
def kept(own):
    prompt(own, "greet", "text", "Say hello to {{name}}.\nBe kind.\n<script>x</script>", "Say hello to {{ name }} in {{language}}.\nBe terse.\n<script>x</script>")
    chats = [[{"role": "system", "content": f"Be {word}."}, {"role": "user", "content": "{{question}}"}] for word in ("kind", "brief")]
    prompt(own, "talk", "chat", *map(json.dumps, chats))
    own.mlflow("registered-models/alias", name="greet", alias="production", version="1")
    settings = {"_mlflow_prompt_response_format": json.dumps({"type": "object"}), "_mlflow_prompt_model_config": json.dumps({"temperature": 0.2})}
    prompt(own, "shaped", "text", "Say {{a}}")
    tags = [{"key": key, "value": value} for key, value in settings.items()]
    text = [IS_PROMPT, {"key": "_mlflow_prompt_type", "value": "text"}, {"key": "mlflow.prompt.text", "value": "Say {{a}}"}]
    own.mlflow("model-versions/create", name="shaped", source="prompt-template", tags=text + tags)
    own.experiment = own.mlflow("experiments/create", name="fits <i>")["experiment_id"]
    own.logged = [logged(own, own.experiment, auc) for auc in (0.8, 0.999976)]
    own.mlflow("registered-models/create", name="delay")
    version(own, "0", 4, 0.5, "1.5.0", "double")
    version(own, "0", 6, 0.4, "1.6.0", "string")
    for number in range(120):
        own.mlflow("registered-models/create", name=f"many-{number:03}")
    return own


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


def test_what_stands_beside_a_prompt_is_shown_and_compared(page, kept):
    page.open(kept.url + "/prompts/shaped?version=2")
    assert "Response format" in text(page) and '"type": "object"' in text(page) and '"temperature": 0.2' in text(page)
    page.open(kept.url + "/prompts/shaped/compare?from=1&to=2")
    assert page.evaluate("[...document.querySelectorAll('h2')].map((one) => one.textContent)") == ["Model settings", "Response format"]


def heads(page):
    return page.evaluate("[...document.querySelectorAll('.card h2')].map((one) => one.textContent)")


def test_a_version_says_what_it_is_made_of(page, kept):
    page.open(kept.url + "/models/delay/2")
    told = heads(page)
    assert told.index("Metrics") < told.index("Signature") < told.index("Input example") < told.index("Gates")
    rows = page.evaluate("[...document.querySelectorAll('.signature tbody tr')].map((row) => [...row.children].map((cell) => cell.textContent))")
    assert rows == [["distance", "string", "yes"], ["0", "int64 [-1]"]]
    assert "1400.5" in text(page) and "depth-6" in text(page)
    assert 'mlflow.pyfunc.load_model("models:/delay/2")' in text(page)
    href = page.evaluate("[...document.querySelectorAll('.modelfiles a')].find((one) => one.textContent === 'model.pkl').getAttribute('href')")
    assert kept.get(href)[2] == "xxxxxx"


def press(page, word, within="document"):
    page.evaluate(f"[...{within}.querySelectorAll('button')].find((one) => one.textContent === {json.dumps(word)}).click()")


def fill(page, **fields):
    for selector, value in fields.items():
        page.evaluate(f"document.querySelectorAll('dialog {selector.split('_')[0]}')[{selector.split('_')[1]}].value = {json.dumps(value)}")


def submitted(page):
    page.follow("document.querySelector('dialog button.btn.primary, dialog button.danger').click()")


def test_a_version_is_described_named_tagged_and_deleted(page, kept):
    version(kept, "0", 8, 0.3, "1.6.0", "double")
    page.open(kept.url + "/models/delay/3")
    press(page, "Describe…")
    fill(page, textarea_0="It is **deep** <b>")
    submitted(page)
    assert page.evaluate("document.querySelector('.md strong').textContent") == "deep" and "<b>" in text(page)
    press(page, "Aliases…")
    fill(page, input_0="latest")
    page.evaluate("document.querySelector('dialog button.btn.primary').click()")
    page.wait_for("!document.querySelector('dialog .fault').hidden")
    assert "latest" in page.evaluate("document.querySelector('dialog .fault').textContent")
    assert all("status of 400" in fault for fault in page.settle())
    page.faults.clear()
    fill(page, input_0="champion")
    submitted(page)
    assert "champion" in page.evaluate("document.querySelector('.sub').textContent")
    press(page, "Aliases…")
    page.follow("document.querySelector('dialog .editlist button').click()")
    assert "champion" not in page.evaluate("document.querySelector('.sub').textContent")
    press(page, "Tags…")
    fill(page, input_0="team", input_1="<i>ops</i>")
    submitted(page)
    assert "<i>ops</i>" in text(page)
    press(page, "Delete…")
    submitted(page)
    assert page.evaluate("location.pathname") == "/models/delay" and "v3" not in text(page)


def test_logged_models_are_listed_and_have_a_page(page, kept):
    (_, first), (run, model) = kept.logged
    page.open(f"{kept.url}/experiments/{kept.experiment}")
    page.follow("[...document.querySelectorAll('.tabs a')].find((tab) => tab.textContent === 'Models').click()")
    rows = page.evaluate("[...document.querySelectorAll('.loggedmodels tbody tr')].map((row) => row.innerText)")
    assert len(rows) == 2 and "test-set" in rows[0] and "fit-0.999976" in rows[0]
    page.follow("[...document.querySelectorAll('.loggedmodels thead a')].find((head) => head.textContent.startsWith('auc')).click()")
    assert page.evaluate("document.querySelector('.loggedmodels tbody a').title") == model
    page.open(f"{kept.url}/experiments/{kept.experiment}/models?filter=metrics.auc%20%3C%200.9")
    assert page.evaluate("document.querySelector('.loggedmodels tbody a').title") == first
    page.open(f"{kept.url}/experiments/{kept.experiment}/models?filter=nonsense")
    assert page.evaluate("document.querySelector('#model-filter').value") == "nonsense"
    assert page.evaluate("document.querySelector('.fault').textContent") != ""
    page.open(f"{kept.url}/runs/{run}")
    page.follow(f"document.querySelector('a[href$=\"{model}\"]').click()")
    assert page.evaluate("document.querySelector('td[title]').title") == "0.999976"
    assert f'load_model("models:/{model}")' in text(page) and "test-set" in text(page) and "fit-0.999976" in text(page)


def test_links_of_clients_lead_to_logged_models_which_can_be_registered(page, kept):
    _, model = kept.logged[1]
    page.open(f"{kept.url}/#/experiments/{kept.experiment}/models/{model}")
    page.wait_for(f"location.pathname === '/experiments/{kept.experiment}/models/{model}' && document.readyState === 'complete'")
    page.open(f"{kept.url}/experiments/{kept.experiment}/models/{model}")
    press(page, "Register…")
    fill(page, input_0="made of it")
    submitted(page)
    assert page.evaluate("location.pathname") == "/models/made%20of%20it/1"
    assert "0.999976" in page.evaluate("[...document.querySelectorAll('td[title]')].map((cell) => cell.title)")
    assert "Signature" in heads(page) and "Files" in heads(page), "those of the logged model are the version's"
    href = page.evaluate("document.querySelector('.modelfiles a').getAttribute('href')")
    assert "sklearn" in kept.get(href)[2]
    page.follow("[...document.querySelectorAll('.facts a')].find((link) => link.textContent === 'clf').click()")
    assert "made of it v1" in text(page)


def test_what_is_deleted_is_said_to_be_and_not_linked(page, kept):
    run, model = logged(kept, "0", 0.5)
    kept.mlflow("registered-models/create", name="short-lived")
    kept.mlflow("model-versions/create", name="short-lived", source=f"models:/{model}", run_id=run, model_id=model)
    pages = [f"/runs/{run}", f"/experiments/0/models/{model}", "/experiments/0/models"]
    link = 'href="/models/short-lived/1"'
    assert all(link in kept.get(path)[2] for path in pages)
    kept.call("/api/2.0/mlflow/model-versions/delete", {"name": "short-lived", "version": "1"}, "DELETE")
    for path in pages:
        _, _, text = kept.get(path)
        assert link not in text and "short-lived v1, deleted" in text, path
    kept.mlflow("model-versions/create", name="short-lived", source=f"models:/{model}", run_id=run, model_id=model)
    kept.call(f"/api/2.0/mlflow/logged-models/{model}", method="DELETE")
    for path in ["/models/short-lived/2", f"/runs/{run}"]:
        page.open(kept.url + path)
        assert "deleted" in page.evaluate(f"document.querySelector('.facts a[href$=\"{model}\"]').parentElement.innerText"), path
        hrefs = page.evaluate("[...document.querySelectorAll('main a')].map((link) => link.getAttribute('href'))")
        assert [href for href in hrefs if href.startswith("/") and kept.get(href)[0] == 404] == [], path


def test_what_differs_between_versions_stands_side_by_side(page, kept):
    page.open(kept.url + "/models/delay/2")
    page.follow("document.querySelector('.actions a').click()")
    rows = page.evaluate("[...document.querySelectorAll('tr.differs')].map((row) => [...row.children].map((cell) => cell.textContent))")
    known = {row[0]: row[1:] for row in rows}
    assert known["depth"] == ["4", "6"] and known["loss"] == ["0.5", "0.4"]
    assert known["scikit-learn"] == ["==1.5.0", "==1.6.0"] and known["input: distance"] == ["double, may be missing", "string, may be missing"]
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


PAGES = ["/experiments/{experiment}/models", "/experiments/{experiment}/models/{logged[1][1]}", "/models", "/models/delay", "/models/delay/2", "/models/delay/compare", "/models/delay/compare?all=1", "/prompts",
         "/prompts/greet", "/prompts/talk", "/prompts/greet/compare", "/prompts/talk/compare"]


@pytest.mark.parametrize("width, theme", [(1440, "light"), (1440, "dark"), (390, "light"), (390, "dark")])
@pytest.mark.parametrize("path", PAGES)
def test_pages_of_versions_hold_to_what_pages_hold_to(browser, kept, path, width, theme):
    page = browser.page(width, theme)
    page.open(kept.url + path.format(experiment=kept.experiment, logged=kept.logged))
    faults = page.evaluate(CHECKS) + page.settle()
    if PICTURES:
        name = path.strip("/").replace("/", "_").replace("?", "_").replace("{", "").replace("}", "")
        page.screenshot(pathlib.Path(PICTURES) / f"versions-{name}-{width}-{theme}.png")
    page.close()
    assert faults == []


@pytest.mark.parametrize("path, status", [
    ("/experiments/0/models/m-" + "0" * 32, 404), ("/experiments/0/models/x", 400), ("/experiments/99999/models", 404),
    ("/prompts/delay", 404), ("/prompts/none", 404), ("/prompts/greet?version=9", 404), ("/prompts/greet?version=x", 400),
    ("/prompts/greet/compare?from=9", 404), ("/models/none/compare", 404), ("/models/delay/compare?from=x", 400),
])
def test_what_is_not_there_is_said(kept, path, status):
    assert kept.get(path)[0] == status
