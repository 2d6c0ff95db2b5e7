"""What is changed of runs and experiments in the console, what is deleted, and runs below runs."""

import json
import pathlib

import pytest

from conftest import CHECKS, PICTURES, train

ROWS = "[...document.querySelectorAll('.runtable tr[data-run]')]"
START = 1_700_000_000_000
LONG = "first line\n" + "x" * 6_000


def experiment(server, name):
    return server.mlflow("experiments/create", name=name)["experiment_id"]


def run(server, experiment, name, start=START, **tags):
    tags = [{"key": key, "value": value} for key, value in tags.items()]
    made = server.mlflow("runs/create", experiment_id=experiment, run_name=name, start_time=start, tags=tags)
    return made["run"]["info"]["run_id"]


def of(server, run):
    return server.call(f"/api/2.0/mlflow/runs/get?run_id={run}")["run"]


def tags_of(server, run):
    return {tag["key"]: tag["value"] for tag in of(server, run)["data"].get("tags", [])}


def opened(page, address):
    page.open(address)
    page.wait_for("document.querySelector('[data-island=runs]').dataset.total !== undefined")


def press(page, words, within="document"):
    button = f"[...{within}.querySelectorAll('button')].find((one) => one.textContent === {json.dumps(words)})"
    page.wait_for(f"{button} !== undefined")
    return f"{button}.click()"


def fill(page, **fields):
    page.wait_for("document.querySelector('dialog form') !== null")
    for label, value in fields.items():
        field = f"[...document.querySelectorAll('dialog label')].find((one) => one.textContent.startsWith({json.dumps(label)})).querySelector('input, textarea, select')"
        page.evaluate(f"{field}.value = {json.dumps(value)}")


SUBMIT = "document.querySelector('dialog form').requestSubmit()"


def test_a_run_is_renamed_described_and_tagged(page, own):
    one = run(own, experiment(own, "edited"), "before", team="ops")
    page.open(f"{own.url}/runs/{one}")
    page.evaluate(press(page, "Rename"))
    fill(page, Name="after <b>")
    page.follow(SUBMIT)
    assert page.evaluate("document.querySelector('h1').textContent") == "after <b>"
    page.evaluate(press(page, "Describe"))
    fill(page, Description="what it\nis for")
    page.follow(SUBMIT)
    assert page.evaluate("document.querySelector('.note').innerText") == "what it\nis for"
    page.evaluate(press(page, "Set a tag"))
    fill(page, Name="stage", Value="final")
    page.follow(SUBMIT)
    page.evaluate("document.querySelector('[aria-label=\"Change the tag stage\"]').click()")
    fill(page, Value="draft")
    page.follow(SUBMIT)
    page.evaluate("document.querySelector('[aria-label=\"Remove the tag team\"]').click()")
    page.wait_for("document.querySelector('dialog form') !== null")
    page.follow(SUBMIT)
    page.evaluate(press(page, "Describe"))
    fill(page, Description="")
    page.follow(SUBMIT)
    assert page.evaluate("document.querySelector('.note')") is None
    assert tags_of(own, one) == {"mlflow.runName": "after <b>", "stage": "draft"}


def test_a_deleted_run_says_so_and_comes_back(page, own):
    one = run(own, experiment(own, "lost and found"), "lost")
    page.open(f"{own.url}/runs/{one}")
    page.evaluate(press(page, "Delete the run"))
    page.wait_for("document.querySelector('dialog form') !== null")
    page.follow(SUBMIT)
    assert of(own, one)["info"]["lifecycle_stage"] == "deleted"
    assert "This run is deleted." in page.evaluate("document.querySelector('[data-part=deleted]').innerText")
    assert page.evaluate("[...document.querySelectorAll('button')].some((one) => one.textContent === 'Edit')") is False
    assert page.evaluate(CHECKS) == []
    page.follow(press(page, "Restore"))
    assert of(own, one)["info"]["lifecycle_stage"] == "active"
    assert page.evaluate("document.querySelector('[data-part=deleted]')") is None


def test_an_experiment_is_renamed_tagged_deleted_and_restored(page, own):
    number = experiment(own, "group")
    run(own, number, "in it")
    opened(page, f"{own.url}/experiments/{number}")
    page.evaluate(press(page, "Rename"))
    fill(page, Name="edited")
    page.evaluate(SUBMIT)
    page.wait_for("!document.querySelector('dialog .fault').hidden")
    assert "already exists" in page.evaluate("document.querySelector('dialog .fault').textContent"), "in the server's words"
    assert all("400" in fault for fault in page.settle())
    page.faults.clear()
    fill(page, Name="renamed group")
    page.follow(SUBMIT)
    assert page.evaluate("document.querySelector('h1').textContent") == "renamed group"
    page.evaluate(press(page, "Set a tag"))
    fill(page, Name="owner", Value="ada")
    page.follow(SUBMIT)
    assert page.evaluate("document.querySelector('[data-tag=owner]').innerText").startswith("owner ada")
    page.evaluate(press(page, "Delete the experiment"))
    page.wait_for("document.querySelector('dialog form') !== null")
    page.follow(SUBMIT)
    assert "This experiment is deleted" in page.evaluate("document.querySelector('[data-part=deleted]').innerText")
    page.wait_for("document.querySelector('tr.deleted[data-run]') !== null")
    page.follow(press(page, "Restore"))
    page.wait_for(f"{ROWS}.length === 1 && document.querySelector('tr.deleted') === null")


def test_selected_runs_are_tagged_deleted_and_restored_together(page, own):
    number = experiment(own, "many")
    runs = [run(own, number, f"run-{at}", START + at) for at in range(5)]
    opened(page, f"{own.url}/experiments/{number}?run={runs[0]}&run={runs[1]}&run={runs[2]}")
    page.evaluate(press(page, "Set a tag", "document.querySelector('.acts-of-many')"))
    fill(page, Name="batch", Value="one")
    assert "3 runs" in page.evaluate("document.querySelector('dialog').innerText")
    page.evaluate(SUBMIT)
    page.wait_for("document.querySelector('dialog') === null")
    assert [tags_of(own, one).get("batch") for one in runs] == ["one"] * 3 + [None] * 2
    page.evaluate(press(page, "Remove a tag"))
    page.wait_for("document.querySelector('dialog form') !== null")
    page.evaluate(SUBMIT)
    page.wait_for("document.querySelector('dialog') === null")
    assert not any("batch" in tags_of(own, one) for one in runs)
    page.evaluate(press(page, "Delete"))
    page.wait_for("document.querySelector('dialog h2')?.textContent === 'Delete 3 runs?'")
    page.evaluate(SUBMIT)
    page.wait_for(f"{ROWS}.length === 2")
    assert page.evaluate("new URLSearchParams(location.search).getAll('run')") == []
    page.evaluate("(() => { const choice = document.querySelector('select[name=stage]'); choice.value = 'deleted'; choice.dispatchEvent(new Event('change')); })()")
    page.wait_for(f"{ROWS}.length === 3 && {ROWS}.every((row) => row.classList.contains('deleted'))")
    address = page.evaluate("location.href")
    assert "stage=deleted" in address
    opened(page, address)
    assert page.evaluate(f"{ROWS}.length") == 3, "the address holds the choice"
    page.evaluate(f"{ROWS}.slice(0, 2).forEach((row) => row.querySelector('input').click())")
    page.evaluate(press(page, "Restore"))
    page.wait_for("document.querySelector('dialog h2')?.textContent === 'Restore 2 runs?'")
    page.evaluate(SUBMIT)
    page.wait_for(f"{ROWS}.length === 1")
    assert [of(own, one)["info"]["lifecycle_stage"] for one in runs].count("deleted") == 1


@pytest.fixture(scope="module")
def nested(own):
    number = experiment(own, "nested")
    own.parent = run(own, number, "parent")
    parent = {"mlflow.parentRunId": own.parent}
    own.children = [run(own, number, f"child-{at}", START + 1 + at, **parent) for at in range(40)]
    for at, child in enumerate(own.children):
        own.mlflow("runs/log-metric", run_id=child, key="loss", value=at / 40, timestamp=START, step=0)
    own.grandchild = run(own, number, "grandchild", START + 100, **{"mlflow.parentRunId": own.children[0]})
    own.alone = run(own, number, "alone", START + 200)
    return number


def names(page):
    return page.evaluate(f"{ROWS}.map((row) => row.querySelector('a').textContent)")


def key(page, name):
    page.evaluate(f"document.querySelector('.runs .grid').dispatchEvent(new KeyboardEvent('keydown', {{key: {json.dumps(name)}, bubbles: true, cancelable: true}})) && true")


def test_children_stand_below_their_parent(page, own, nested):
    opened(page, f"{own.url}/experiments/{nested}")
    assert names(page) == ["alone", "parent"]
    assert "43 runs, 41 of them below 2 parents" in page.evaluate("document.querySelector('.tally').textContent")
    page.evaluate("document.querySelector('.grid').focus()")
    key(page, "End")
    key(page, "ArrowRight")
    page.wait_for(f"{ROWS}.length > 12")
    assert names(page)[:3] == ["alone", "parent", "child-39"]
    key(page, "End")
    page.wait_for("document.querySelector('tr.current a')?.textContent === 'child-0'")
    key(page, "ArrowRight")
    page.wait_for("document.querySelector('.runtable').getAttribute('aria-rowcount') === '44'")
    key(page, "End")
    page.wait_for("document.querySelector('tr.current a')?.textContent === 'grandchild'")
    assert page.evaluate("document.querySelector('tr.current').getAttribute('aria-level')") == "3"
    key(page, "Home")
    key(page, "ArrowDown")
    key(page, "ArrowLeft")
    page.wait_for(f"{ROWS}.length === 2")
    page.evaluate(press(page, "Nested"))
    page.wait_for("document.querySelector('[data-island=runs]').dataset.total === '43'")
    assert "nest=0" in page.evaluate("location.search")


def test_children_of_a_deleted_parent_are_not_lost(page, own, nested):
    own.mlflow("runs/delete", run_id=own.children[0])
    opened(page, f"{own.url}/experiments/{nested}")
    assert names(page) == ["alone", "grandchild", "parent"]
    own.mlflow("runs/restore", run_id=own.children[0])


def test_children_of_many_parents_that_are_gone_are_at_the_top(page, own):
    number = experiment(own, "orphans")
    parent = run(own, number, "parent", START + 500)
    run(own, number, "child", START + 501, **{"mlflow.parentRunId": parent})
    for at, gone in enumerate(["it's \\ \"one\"", *(f"{at:032x}" for at in range(120))]):
        run(own, number, f"orphan-{at}", START + at, **{"mlflow.parentRunId": gone})
    opened(page, f"{own.url}/experiments/{number}")
    assert page.evaluate("document.querySelector('[data-island=runs]').dataset.total") == "122"
    assert names(page)[:2] == ["parent", "orphan-120"]


def test_parents_that_are_opened_together_are_open_together(page, own):
    number = experiment(own, "together")
    for at in range(2):
        parent = run(own, number, f"parent-{at}", START + at)
        run(own, number, f"child-{at}", START + at, **{"mlflow.parentRunId": parent})
    opened(page, f"{own.url}/experiments/{number}")
    page.evaluate("[0, 1].forEach((at) => document.querySelectorAll('.runtable button.turn')[at].click())")
    page.wait_for(f"{ROWS}.length === 4")
    assert names(page) == ["parent-1", "child-1", "parent-0", "child-0"]


def test_a_group_of_children_goes_by_its_parents_name(page, own, nested):
    opened(page, f"{own.url}/experiments/{nested}?group=tags.mlflow.parentRunId")
    groups = page.evaluate("[...document.querySelectorAll('tr.group b')].map((one) => one.textContent)")
    assert sorted(groups) == ["Parent run: child-0", "Parent run: none", "Parent run: parent"]


def test_pages_of_parent_and_child_lead_to_each_other(page, own, nested):
    page.open(f"{own.url}/runs/{own.parent}")
    card = "document.querySelector('[aria-label=\"Child runs\"]')"
    assert page.evaluate(f"{card}.querySelectorAll('tbody tr').length") == 25
    assert "the 25 that started last" in page.evaluate(f"{card}.innerText")
    assert "running" in page.evaluate(f"{card}.querySelector('tbody tr').innerText")
    page.follow(f"{card}.querySelector('header a').click()")
    page.wait_for("document.querySelector('[data-island=runs]').dataset.total === '40'")
    page.open(f"{own.url}/runs/{own.grandchild}")
    assert page.evaluate("[...document.querySelectorAll('.crumbs a')].map((one) => one.textContent)") == ["Experiments", "nested", "child-0"]
    page.follow("document.querySelector('.sub a').click()")
    assert page.evaluate("location.pathname") == f"/runs/{own.children[0]}"


def test_a_run_tells_where_it_came_from_and_folds_what_is_long(page, own):
    source = {"mlflow.source.name": "train.py", "mlflow.source.git.commit": "abc123", "mlflow.source.git.dirty": "True"}
    one = run(own, experiment(own, "سلسلة"), "تجربة", **source, **{"mlflow.log-model.history": "[]"}, notes=LONG)
    own.mlflow("runs/log-parameter", run_id=one, key="prompt", value=LONG[:5_900])
    page.open(f"{own.url}/runs/{one}")
    text = page.evaluate("document.querySelector('main').innerText")
    assert "train.py" in text and "abc123 with changes" in text and "1 that its client keeps" in text
    assert page.evaluate("document.documentElement.scrollHeight") < 2_000
    cell = "document.querySelector('td details.long')"
    assert page.evaluate(f"{cell}.querySelector('summary').innerText").startswith("first line\nxxx")
    page.evaluate(f"{cell}.querySelector('summary').click()")
    assert page.evaluate(f"{cell}.innerText.length") > 5_800
    page.open(f"{own.url}/runs/{one}/artifacts")
    assert page.evaluate("[...document.querySelectorAll('.crumbs a')].map((one) => one.textContent)")[1] == "سلسلة"


def test_a_run_tells_of_the_data_that_went_in(page, own):
    group = experiment(own, "fed")
    columns = [{"type": "double", "name": "<b>distance", "required": True}, {"type": "string", "name": "carrier", "required": False}]
    dataset = {"name": "flights <i>", "digest": "0a1b2c3d", "source_type": "s3", "source": json.dumps({"uri": "s3://bucket/flights.csv"}),
               "schema": json.dumps({"mlflow_colspec": columns}), "profile": json.dumps({"num_rows": 1502})}
    runs = [run(own, group, name) for name in ["one", "two", "other"]]
    for one in runs[:2]:
        tags = [{"key": "mlflow.data.context", "value": "training"}]
        own.mlflow("runs/log-inputs", run_id=one, datasets=[{"dataset": dataset, "tags": tags}])
    page.open(f"{own.url}/runs/{runs[0]}")
    card = "document.querySelector('[aria-label=Datasets]')"
    assert page.evaluate(f"{card}.querySelector('summary').innerText").split() == ["flights", "<i>", "training", "0a1b2c3d"]
    page.evaluate(f"{card}.querySelector('details').open = true")
    said = page.evaluate(f"{card}.innerText")
    assert all(text in said for text in ["s3://bucket/flights.csv", "num rows", "1502", "<b>distance", "double", "carrier"]), said
    if PICTURES:
        page.screenshot(pathlib.Path(PICTURES) / "edit-datasets.png")
    assert page.evaluate(CHECKS) + page.settle() == []
    page.follow(f"{card}.querySelector('.links a').click()")
    page.wait_for("document.querySelector('[data-island=runs]').dataset.total === '2'")
    page.open(f"{own.url}/runs/{runs[2]}")
    assert page.evaluate(f"{card} === null")


def test_no_row_looks_chosen_before_it_is(page, own, nested):
    opened(page, f"{own.url}/experiments/{nested}")
    assert page.evaluate("document.querySelectorAll('tr.current').length") == 0


@pytest.mark.parametrize("width, theme", [(1440, "light"), (1440, "dark"), (390, "light"), (390, "dark")])
def test_pages_hold_to_what_pages_hold_to(browser, own, nested, width, theme):
    page = browser.page(width, theme)
    own.mlflow("runs/delete", run_id=own.alone)
    for name, path in [("parent", f"/runs/{own.parent}"), ("child", f"/runs/{own.grandchild}"), ("deleted-run", f"/runs/{own.alone}"),
                       ("nested", f"/experiments/{nested}?stage=all&run={own.parent}&run={own.alone}")]:
        page.open(own.url + path)
        if name == "nested":
            page.wait_for("document.querySelector('.acts-of-many button') !== null")
            page.wait_for("document.querySelector('tr .turn') !== null")
            page.evaluate("document.querySelector('tr .turn').click()")
            page.wait_for(f"{ROWS}.length > 5")
        assert page.evaluate(CHECKS) + page.settle() == [], name
        if PICTURES:
            page.screenshot(pathlib.Path(PICTURES) / f"edit-{name}-{width}-{theme}.png")
    own.mlflow("runs/restore", run_id=own.alone)
    page.close()
