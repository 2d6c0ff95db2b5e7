"""What a run left: as a tree, and looked at without trust."""

import base64
import json
import pathlib
import urllib.parse

import pytest

from conftest import CHECKS, PICTURES

PAGE = b"""<!doctype html><title>report</title><style>body{color:green}</style><p id=said>still</p>
<script>
  document.getElementById("said").textContent = "ran";
  fetch("/api/v1/events").then(() => { document.getElementById("said").textContent = "reached"; }, () => {});
</script>"""
PIXEL = bytes.fromhex("89504e470d0a1a0a0000000d4948445200000001000000010806000000" "1f15c4890000000d49444154789c6360f8ffff3f0005fe02fea7"
                      "35818400000000" "49454e44ae426082")


MARKUP = "<img src=x onerror=\"document.body.dataset.ran='yes'\"><script>document.body.dataset.ran='yes'</script>"
NOTEBOOK = {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": {"display_name": "Python 3", "name": "python3"}}, "cells": [
    {"cell_type": "markdown", "source": ["# A study\n", "of **delays**\n\n", MARKUP]},
    {"cell_type": "code", "execution_count": 7, "source": ["table.describe()"], "outputs": [
        {"output_type": "stream", "name": "stdout", "text": ["1,204 flights\n"]},
        {"output_type": "execute_result", "data": {"text/html": ["<table onclick=x>", MARKUP], "text/plain": ["   mean\n", "x  0.5"]}},
        {"output_type": "display_data", "data": {"image/png": base64.b64encode(PIXEL).decode(), "text/plain": "<Figure>"}},
        {"output_type": "display_data", "data": {"application/vnd.jupyter.widget-view+json": {}}},
        {"output_type": "error", "ename": "ZeroDivisionError", "evalue": "no", "traceback": ["\x1b[0;31mZeroDivisionError\x1b[0m: no"]}]},
]}


@pytest.fixture(scope="module")
def left(full):
    run = full.mlflow("runs/create", experiment_id=full.experiment, run_name="messy", start_time=1)["run"]["info"]["run_id"]
    files = {
        "plots/roc.png": PIXEL,
        "report.html": PAGE,
        "tables/scores.json": json.dumps({"columns": ["who", "score"], "data": [["<i>ada</i>", 0.5], ["bo", None]]}).encode(),
        "tables/rows.csv": b"a,b\n1,\"x, y\"\n2,z\n",
        "deep/er/note.txt": "grüße".encode(),
        "model/weights.bin": bytes(range(256)),
        "conf.json": b'{"a":{"b":[1,2]}}',
        "study.ipynb": json.dumps(NOTEBOOK).encode(),
        "broken.ipynb": b"[1",
        "paper.pdf": b"%PDF-1.4\n",
        "much.json": json.dumps(list(range(200_000))).encode(),
    }
    for path, content in files.items():
        full.upload(f"{full.experiment}/{run}/artifacts/{path}", content)
    return run


@pytest.mark.parametrize("width, theme", [(1440, "light"), (390, "dark")])
@pytest.mark.parametrize("path, says", [
    ("", "plots"), ("tables", "scores.json"), ("tables/scores.json", "<i>ada</i>"), ("tables/rows.csv", "x, y"), ("deep/er/note.txt", "grüße"),
    ("model/weights.bin", "no text, image or table"), ("conf.json", '"b": ['), ("report.html", "Its scripts do not run"), ("plots/roc.png", "roc.png"),
    ("study.ipynb", "1,204 flights"), ("broken.ipynb", "[1"), ("paper.pdf", "Open paper.pdf"), ("much.json", "only its beginning is shown"),
])
def test_each_kind_is_shown_in_its_way(browser, full, left, path, says, width, theme):
    page = browser.page(width, theme)
    page.open(f"{full.url}/runs/{left}/artifacts?path={path}")
    assert says in page.evaluate("document.querySelector('main').innerText")
    assert page.evaluate(CHECKS) + page.settle() == []
    if PICTURES:
        page.screenshot(pathlib.Path(PICTURES) / f"artifacts-{path.replace('/', '_') or 'top'}-{width}-{theme}.png")
    page.close()


def test_logged_images_are_shown_once_by_key_and_step(browser, full):
    run = full.mlflow("runs/create", experiment_id=full.experiment, run_name="painter", start_time=1)["run"]["info"]["run_id"]
    for step in range(3):
        stem = f"images/sample~gen+step+{step}+timestamp+170000000000{step}+0b1c-2d{step}"
        for ending in [".png", "+compressed.webp"]:
            full.upload(f"{full.experiment}/{run}/artifacts/{urllib.parse.quote(stem + ending)}", PIXEL)
    full.upload(f"{full.experiment}/{run}/artifacts/images/plain.png", PIXEL)
    page = browser.page(390, "dark")
    page.open(f"{full.url}/runs/{run}/artifacts?path=images")
    tree = page.evaluate("[...document.querySelectorAll('.tree .at2 a')].map((one) => one.textContent)")
    assert tree == [*[f"sample/gen, step {step}" for step in range(3)], "plain.png"] or tree[0] == "plain.png" and len(tree) == 4
    assert page.evaluate("document.querySelector('.strip h2').textContent") == "sample/gen"
    shown = "[...document.querySelectorAll('.strip li')].filter((one) => !one.hidden).map((one) => one.dataset.step)"
    assert page.evaluate(shown) == ["2"], "the last one"
    slider = "document.querySelector('.strip input[type=range]')"
    page.evaluate(f"(() => {{ {slider}.value = '0'; {slider}.dispatchEvent(new Event('input')); }})()")
    assert page.evaluate(shown) == ["0"]
    page.wait_for("document.querySelector('.strip li:not([hidden]) img').naturalWidth === 1")
    assert page.evaluate("document.querySelector('.strip output').textContent") == "step 0 · 1 of 3"
    assert page.evaluate(CHECKS) + page.settle() == []
    page.close()


def test_an_image_is_an_image(browser, full, left):
    page = browser.page(1440, "light")
    page.open(f"{full.url}/runs/{left}/artifacts?path=plots/roc.png")
    assert page.evaluate("document.querySelector('.picture img').naturalWidth") == 1
    page.close()


def test_a_notebook_is_read_and_nothing_in_it_becomes_markup(browser, full, left):
    page = browser.page(1440, "light")
    page.open(f"{full.url}/runs/{left}/artifacts?path=study.ipynb")
    text = page.evaluate("document.querySelector('.notebook').innerText")
    for said in ["A study", "In [7]", "table.describe()", "x  0.5", "ZeroDivisionError: no", "not shown: HTML, a widget, or another kind"]:
        assert said in text, said
    assert page.evaluate("document.querySelector('.notebook strong').textContent") == "delays"
    assert "<img src=x" in text and page.evaluate("document.querySelectorAll('.notebook script, .notebook table, .notebook [onerror]').length") == 0
    page.wait_for("document.querySelector('.notebook .picture img').naturalWidth === 1")
    assert page.evaluate("document.body.dataset.ran") is None and page.settle() == []
    page.close()
    here = f"/runs/{left}/artifact?path=study.ipynb"
    _, headers, _ = full.get(f"/runs/{left}/artifact?path=study.ipynb")
    assert headers["Content-Type"].startswith("text/plain")
    for place in ["1.1", "9.9", "x"]:
        assert full.get(f"{here}&image={place}")[0] == 404


def test_a_pdf_opens_in_a_sandbox_of_its_own(full, left):
    _, headers, _ = full.get(f"/runs/{left}/artifact?path=paper.pdf")
    assert headers["Content-Type"] == "application/pdf" and headers["Content-Disposition"].startswith("inline")
    assert headers["Content-Security-Policy"].startswith("sandbox;") and headers["X-Content-Type-Options"] == "nosniff"


def test_html_has_no_origin_no_network_and_scripts_only_when_asked(full, left):
    status, headers, _ = full.get(f"/runs/{left}/artifact?path=report.html")
    policy = headers["Content-Security-Policy"]
    assert status == 200 and policy.startswith("sandbox;") and "script-src" not in policy and "default-src 'none'" in policy
    _, headers, _ = full.get(f"/runs/{left}/artifact?path=report.html&scripts=true")
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("sandbox allow-scripts;") and "connect-src" not in policy and "same-origin" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_scripts_of_a_page_reach_nothing(browser, full, left):
    page = browser.page(1440, "light")
    said = "document.getElementById('said').textContent"
    page.open(f"{full.url}/runs/{left}/artifact?path=report.html")
    assert page.evaluate(said) == "still"
    page.open(f"{full.url}/runs/{left}/artifact?path=report.html&scripts=true")
    page.wait_for(f"{said} === 'ran'")
    page.evaluate("new Promise((done) => setTimeout(done, 0))")
    assert page.evaluate("fetch('/api/v1/events').then(() => 'reached', () => 'kept')") == "kept"
    assert page.evaluate(said) == "ran" and page.evaluate("window.origin") == "null"
    page.close()


def test_what_a_large_folder_leaves_out_is_told_and_can_be_opened(full):
    run = full.mlflow("runs/create", experiment_id=full.experiment, run_name="many", start_time=1)["run"]["info"]["run_id"]
    folder = full.data / "artifacts" / full.experiment / run / "artifacts/many"
    folder.mkdir(parents=True)
    for number in range(2_001):
        (folder / f"{number:04}.txt").write_text(f"this is number {number}")
    told = "A folder here holds more than is listed"
    _, _, text = full.get(f"/runs/{run}/artifacts?path=many")
    assert told in text and "1999.txt" in text and "2000.txt" not in text
    _, _, text = full.get(f"/runs/{run}/artifacts?path=many/2000.txt")
    assert told in text and "this is number 2000" in text
    (folder / "2000.txt").unlink()
    _, _, text = full.get(f"/runs/{run}/artifacts?path=many/2000.txt")
    assert told not in text and "Choose a file" in text


@pytest.mark.parametrize("path", ["../x", "a/../../b", "/etc/passwd", "%2e%2e/x", "nothing.txt"])
def test_nothing_beyond_the_run_is_read(full, left, path):
    assert full.get(f"/runs/{left}/artifact?path={path}")[0] in (400, 404)


def test_a_run_without_artifacts_teaches(full):
    run = full.mlflow("runs/create", experiment_id=full.experiment, run_name="tidy", start_time=1)["run"]["info"]["run_id"]
    _, _, text = full.get(f"/runs/{run}/artifacts")
    assert '<pre class="copy"><code>' in text
