"""Traces in Chromium against the real binary: their table, and single ones of any size. CONSOLE_SPANS says how many spans
the largest has."""

import json
import os
import pathlib

import pytest

import seed_traces
from conftest import CHECKS, PICTURES

COUNT = 450
SPANS = int(os.environ.get("CONSOLE_SPANS", "30000"))
ROWS = "document.querySelectorAll('.runtable tr[data-trace]')"
SEEN = "[...document.querySelectorAll('.wfrow')].sort((a, b) => a.dataset.place - b.dataset.place)"


@pytest.fixture(scope="module")
def traced(own):
    own.experiment = own.mlflow("experiments/create", name="chats <i>")["experiment_id"]
    seed_traces.small(own.url, own.experiment, COUNT)
    own.chat = seed_traces.chat(own.url, own.experiment, 0xC4A7)
    own.deep = seed_traces.deep(own.url, own.experiment, 0xDEE9, 60)
    own.answer = seed_traces.answer(own.url, own.experiment, 0xA115)
    own.huge = seed_traces.huge(own.url, own.experiment, 0xB16, SPANS)
    own.page = f"{own.url}/experiments/{own.experiment}/traces"
    return own


def opened(page, address):
    page.open(address)
    page.wait_for("document.querySelector('[data-island=traces]').dataset.total !== undefined")


def shown(page, server, trace, query=""):
    page.open(f"{server.url}/traces/{trace}{query}")
    page.wait_for("document.querySelector('[data-island=trace]').dataset.spans !== undefined")
    page.wait_for("document.querySelector('[data-part=span] h2').textContent !== 'In and out'")


def key(page, name, target="document.querySelector('.wfgrid')", **more):
    options = json.dumps({"key": name, "bubbles": True, "cancelable": True, **more})
    page.evaluate(f"{target}.dispatchEvent(new KeyboardEvent('keydown', {options})) && true")


def typed(page, selector, text):
    page.evaluate(f"""(() => {{ const field = document.querySelector({json.dumps(selector)}); field.focus();
        field.value = {json.dumps(text)}; field.dispatchEvent(new Event('input', {{ bubbles: true }})); }})()""")


def test_the_first_rows_need_no_javascript(browser, traced):
    page = browser.page(1440, "light")
    page.call("Emulation.setScriptExecutionDisabled", value=True)
    page.open(traced.page + "?filter=tags.team%20%3D%20%27ops%27&order=execution_time_ms%20ASC&col=execution_time_ms&col=tags.team")
    rows = page.evaluate(f"[...{ROWS}].map((row) => [...row.children].map((cell) => cell.textContent))")
    assert len(rows) == 50 and {row[2] for row in rows} == {"ops"}
    page.follow("document.querySelector('.pager a').click()")
    assert page.evaluate(f"{ROWS}.length") == 50
    page.open(f"{traced.url}/traces/{traced.huge}")
    assert page.evaluate("document.querySelectorAll('tr[data-span]').length") == 200
    assert f"{SPANS - 200} more spans" in page.evaluate("document.querySelector('.tally').textContent")
    page.close()


def test_every_trace_is_there_and_few_are_drawn(page, traced):
    opened(page, traced.page)
    assert page.evaluate(f"{ROWS}[0].dataset.trace") == f"tr-{COUNT:032x}", "the latest began last"
    assert f"{COUNT + 4} traces" in page.evaluate("document.querySelector('.tally').textContent")
    page.evaluate("document.querySelector('.runs .grid').scrollTop = 1e9")
    page.wait_for("Number(document.querySelector('[data-island=traces]').dataset.total) > 201")
    page.evaluate("document.querySelector('.runs .grid').scrollTop = 1e9")
    page.wait_for(f"Number(document.querySelector('[data-island=traces]').dataset.total) === {COUNT + 4}")
    page.evaluate("document.querySelector('.runs .grid').scrollTop = 1e9")
    page.wait_for(f"[...{ROWS}].some((row) => row.dataset.trace === '{traced.huge}')")
    assert page.evaluate(f"{ROWS}.length") < 80


def test_previews_of_texts_have_no_quotes(page, traced):
    address = traced.page + "?col=response&filter=tags.team%20%3D%20%27ops%27"
    _, _, text = traced.get(address.removeprefix(traced.url))
    assert ">it is " in text and "&#34;it is" not in text
    opened(page, address)
    cells = page.evaluate(f"[...{ROWS}].map((row) => row.querySelectorAll('td')[0].textContent)")
    assert cells and all(cell.startswith("it is ") for cell in cells), cells
    previews = ['"a \\"b\\""', '"cut \\ud83d...…', '"whole...', '{"a": 1}', '"a" and "b"', ""]
    module = "document.querySelector('script[src$=\"/traces.js\"]').src.replace('/traces.js', '/trace-subject.js')"
    read = page.evaluate(f"import({module}).then(({{ spoken }}) => {json.dumps(previews)}.map(spoken))")
    assert read == ['a "b"', "cut …", "whole…", '{"a": 1}', '"a" and "b"', ""]


def test_tags_and_metadata_stand_apart_from_the_user(page, traced):
    made = seed_traces.span(0x05E2, 0, None, "ask", 1_763_769_600_000, 10, attributes={"user.id": "ada", "mlflow.traceTag.user": "bob", "mlflow.spanOutputs": "hello"})
    seed_traces.export(traced.url, traced.experiment, [made])
    trace = seed_traces.named(0x05E2)
    facts = "[...document.querySelectorAll('.tracefacts dl.facts')].map((list) => [...list.querySelectorAll('dt')].filter((one) => one.textContent === 'user').map((one) => one.nextElementSibling.textContent))"
    page.call("Emulation.setScriptExecutionDisabled", value=True)
    page.open(f"{traced.url}/traces/{trace}")
    assert page.evaluate(facts) == [["ada"], ["bob"]]
    assert page.evaluate("document.querySelector('.tracefacts h3').textContent") == "Tags"
    assert page.evaluate("document.querySelector('.pane pre').textContent") == "hello"
    page.call("Emulation.setScriptExecutionDisabled", value=False)


def test_a_search_is_completed_and_kept_in_the_address(page, traced):
    opened(page, traced.page)
    typed(page, "#trace-filter", "tags.te")
    page.wait_for("[...document.querySelectorAll('.offers [role=option]')].some((offer) => offer.textContent.startsWith('tags.team'))")
    typed(page, "#trace-filter", "span.type = ")
    page.wait_for("[...document.querySelectorAll('.offers [role=option]')].some((offer) => offer.textContent === 'RETRIEVER')")
    typed(page, "#trace-filter", "tags.team = ")
    page.wait_for("[...document.querySelectorAll('.offers [role=option]')].some((offer) => offer.textContent.startsWith('research'))")
    typed(page, "#trace-filter", "status = 'ERROR' AND tags.team = 'ops'")
    page.evaluate("document.querySelector('form.finder button').click()")
    errors = len([number for number in range(COUNT) if number % 14 == 0])
    page.wait_for(f"document.querySelector('.tally').textContent.startsWith('{errors} traces')")
    assert "status%20%3D%20%27ERROR%27" in page.evaluate("location.search")
    page.evaluate("(() => { const since = document.querySelector('[name=since]'); since.value = '15m'; since.dispatchEvent(new Event('change')); })()")
    page.wait_for("location.search.includes('since=15m')")
    page.wait_for(f"!document.querySelector('.tally').textContent.startsWith('{errors} ')")
    typed(page, "#trace-filter", "span.name = 'ask")
    page.evaluate("document.querySelector('form.finder button').click()")
    page.wait_for("!document.querySelector('[data-part=fault]').hidden")
    # The refusal itself, which the browser tells of, too.
    assert all("status of 400" in fault for fault in page.settle())
    page.faults.clear()


def test_columns_are_chosen_and_views_kept(page, traced):
    opened(page, traced.page)
    page.evaluate("[...document.querySelectorAll('[data-part=tools] button')].find((one) => one.textContent === 'Columns').click()")
    page.wait_for("[...document.querySelectorAll('.choice span')].some((one) => one.title === 'tags.team')")
    page.evaluate("[...document.querySelectorAll('.choice')].find((one) => one.querySelector('span').title === 'tags.team').querySelector('input').click()")
    page.wait_for("[...document.querySelectorAll('.runtable thead th')].some((head) => head.dataset.column === 'tags.team')")
    page.wait_for(f"[...{ROWS}].some((row) => row.lastElementChild.previousElementSibling.textContent === 'ops')")
    query = page.evaluate("location.search.slice(1).replaceAll('+', '%20')")
    traced.call("/api/v1/saved-views/of-teams", {"experiments": [traced.experiment], "query": query + "&of=traces"}, "PUT")
    opened(page, traced.url + "/views/of-teams")
    assert page.evaluate("location.pathname") == f"/experiments/{traced.experiment}/traces"
    assert "of=traces" not in page.evaluate("location.search")


def test_a_trace_of_any_size_opens(page, traced):
    shown(page, traced, traced.huge)
    assert page.evaluate("document.querySelector('[data-island=trace]').dataset.spans") == str(SPANS)
    assert page.evaluate("document.querySelectorAll('.wfrow').length") < 100
    assert page.evaluate(f"{SEEN}[0].querySelector('.name').textContent") == "marathon"
    key(page, "End")
    page.wait_for(f"{SEEN}.at(-1).querySelector('.name').textContent === 'call {SPANS - 1}'")
    key(page, "ArrowLeft")
    page.wait_for("document.querySelector('.wfrow.current .name').textContent.startsWith('step')")
    key(page, "ArrowLeft")
    page.wait_for("document.querySelector('.wfrow.current').ariaExpanded === 'false'")
    assert "in closed ones" in page.evaluate("document.querySelector('.wf .tally').textContent")
    key(page, "Home")
    key(page, "e")
    page.wait_for(f"document.querySelector('.wfrow.current .name').textContent === 'call {SPANS - 5}'")
    page.wait_for("document.querySelector('[data-part=span] .fault')?.textContent === 'it broke'")
    assert "span=" in page.evaluate("location.search")


def test_spans_are_found_by_name_and_by_what_they_hold(page, traced):
    shown(page, traced, traced.huge)
    typed(page, "[data-find]", "step 7")
    page.wait_for("document.querySelector('.wfrow.current .name').textContent.startsWith('step 7')")
    typed(page, "[data-find]", "needle")
    page.wait_for("document.querySelector('.wfbar [role=status]').textContent === 'nothing'")
    page.evaluate("document.querySelector('.wfbar input[type=checkbox]').click()")
    page.wait_for(f"document.querySelector('.wfrow.current .name').textContent === 'call {SPANS // 2}'")
    page.wait_for("document.querySelector('[data-part=span]').textContent.includes('a needle in here')")
    page.evaluate("document.querySelector('.wfgrid').focus()")
    key(page, "/", "document.activeElement")
    assert page.evaluate("document.activeElement.dataset.find") is not None


def test_what_people_wrote_stays_text(page, traced):
    shown(page, traced, traced.chat)
    pane = "document.querySelector('[data-part=span]')"
    page.wait_for(f"{pane}.textContent.includes('<img src=x')")
    key(page, "ArrowDown")
    page.wait_for(f"{pane}.querySelector('h2').textContent === 'tiny-1'")
    roles = page.evaluate(f"[...{pane}.querySelectorAll('.role')].map((role) => role.textContent)")
    assert roles == ["system", "user", "assistant", "assistant"]
    text = page.evaluate(f"{pane}.textContent")
    assert "[image_url]" in text and "calls weather" in text and "17 tokens" in text and "Sunny." in text
    key(page, "ArrowDown")
    page.wait_for(f"{pane}.querySelector('.failed h3')?.textContent === 'TimeoutError'")
    assert "Traceback" in page.evaluate(f"{pane}.textContent")
    assert page.evaluate("document.body.dataset.ran") is None
    assert page.evaluate(f"{pane}.querySelectorAll('img, script').length") == 0


def test_answers_are_read_as_markdown_and_pictures_within_are_drawn(page, traced):
    shown(page, traced, traced.answer)
    pane = "document.querySelector('[data-part=span]')"
    page.wait_for(f"{pane}.querySelector('.md table') !== null && {pane}.querySelector('canvas') !== null")
    assert page.evaluate(f"{pane}.querySelector('.md h4').textContent") == "Answer"
    links = page.evaluate(f"[...{pane}.querySelectorAll('.md a')].map((link) => [link.href, link.rel])")
    assert links == [["https://example.org/?a=1&b=2", "noopener noreferrer nofollow"]]
    assert "<img src=x" in page.evaluate(f"{pane}.querySelector('.md').textContent")
    assert page.evaluate(f"{pane}.querySelectorAll('img, script, .md [style]').length") == 0
    assert page.evaluate("document.body.dataset.ran") is None
    page.wait_for(f"{pane}.textContent.includes('which cannot be read')")
    text = page.evaluate(f"{pane}.textContent")
    assert "not loaded: https://example.org/x.png" in text
    pixel = f"[...{pane}.querySelector('canvas').getContext('2d').getImageData(0, 0, 1, 1).data.slice(0, 3)]"
    assert page.evaluate(pixel)[0] > 200
    page.evaluate(f"[...{pane}.querySelectorAll('button.sourced')].at(-1).click()")
    assert page.evaluate(f"getComputedStyle({pane}.querySelector('.md')).display") == "none"
    assert page.evaluate(f"{pane}.querySelector('pre.source').checkVisibility()")


def test_deep_spans_keep_their_names_and_widths_are_moved_by_keys(page, traced):
    shown(page, traced, traced.deep)
    key(page, "End")
    name = f"{SEEN}.at(-1).querySelector('.name')"
    page.wait_for(f"{name}.textContent === 'level 59'")
    assert page.evaluate(f"{name}.scrollWidth <= {name}.clientWidth"), "its name is not cut"
    assert page.evaluate("document.querySelectorAll('.wfrow .kind, [data-part=span] .kind').length") == 0
    for line, part in [("Width of the spans", "document.querySelector('.wfhead .names')"), ("Width of the tree", "document.querySelector('.wf')")]:
        divider = f"document.querySelector('[role=separator][aria-label^=\"{line}\"]')"
        before = page.evaluate(f"{part}.offsetWidth")
        for _ in range(3):
            key(page, "ArrowLeft", divider)
        assert page.evaluate(f"{part}.offsetWidth") < before - 10
        moved = page.evaluate(f"{divider}.ariaValueNow")
        shown(page, traced, traced.deep)
        assert page.evaluate(f"{divider}.ariaValueNow") == moved, "it is kept"
        page.evaluate(f"{divider}.dispatchEvent(new MouseEvent('dblclick')) && true")
        assert page.evaluate(f"{part}.offsetWidth") == before
    shown(page, traced, traced.chat)
    assert page.evaluate("document.querySelector('.wfgrid').offsetHeight") < 150, "no taller than its three spans"


def test_what_is_said_is_changed_and_texts_stay_texts(page, traced):
    trace = f"tr-{7:032x}"
    source = {"source_type": "LLM_JUDGE", "source_id": "judge"}
    said = {"assessment_name": "polite", "source": source, "feedback": {"value": "yes"}}
    traced.call(f"/api/3.0/mlflow/traces/{trace}/assessments", {"assessment": said})
    shown(page, traced, trace)

    def change(field, text):
        page.wait_for("document.querySelector('[aria-label=\"Change polite\"]') !== null")
        page.evaluate("document.querySelector('[aria-label=\"Change polite\"]').click()")
        page.evaluate(f"document.querySelectorAll('.sayform textarea')[{field}].value = {json.dumps(text)}")
        page.evaluate("document.querySelector('.sayform').requestSubmit()")
        page.wait_for(f"[...document.querySelectorAll('.saidlist .mono, .saidlist p')].some((one) => one.textContent === {json.dumps(text)})")
        all = traced.call(f"/api/3.0/mlflow/traces/{trace}")["trace"]["trace_info"]["assessments"]
        now = next(one for one in all if one["assessment_name"] == "polite")
        return now["feedback"]["value"], now.get("rationale")

    assert change(1, "it said please") == ("yes", "it said please")
    assert change(0, "no") == ("no", "it said please"), "as its judge writes it"


def test_expectations_have_no_colour_and_errors_their_message(page, traced):
    path = f"/api/3.0/mlflow/traces/tr-{COUNT:032x}/assessments"
    source = {"source_type": "CODE", "source_id": "judge"}
    for name, judged in [("wished", {"expectation": {"value": "no"}}), ("right", {"feedback": {"value": "no"}}),
                         ("broken", {"feedback": {"error": {"error_code": "ValueError", "error_message": "judge failed"}}})]:
        traced.call(path, {"assessment": {"assessment_name": name, "source": source, **judged}})
    opened(page, traced.page + "?col=assessments")
    chips = "[...document.querySelectorAll('.said.tag')]"
    page.wait_for(f"{chips}.length === 3")
    looks = dict(page.evaluate(f"{chips}.map((chip) => [chip.textContent, chip.classList.contains('bad')])"))
    assert looks == {"wished: no": False, "right: no": True, "broken: failed: ValueError: judge failed": True}
    shown(page, traced, f"tr-{COUNT:032x}")
    page.wait_for("document.querySelector('[data-part=said]').textContent.includes('failed: ValueError: judge failed')")


def test_a_person_says_something_changes_it_and_takes_it_back(page, traced):
    shown(page, traced, traced.chat)
    said = "document.querySelector('[data-part=said]')"
    page.evaluate(f"""(() => {{ const [name] = {said}.querySelectorAll('input'); const [value, why] = {said}.querySelectorAll('textarea');
        name.value = 'correct'; value.value = 'no'; why.value = 'it is <b>wrong</b>'; {said}.querySelector('button[type=submit]').click(); }})()""")
    page.wait_for(f"{said}.querySelector('li .mono')?.textContent === 'false'")
    assert "it is <b>wrong</b>" in page.evaluate(f"{said}.textContent")
    assert "human user:local" in page.evaluate(f"{said}.textContent")
    page.evaluate(f"{said}.querySelector('li button').click()")
    page.evaluate(f"{said}.querySelector('textarea').value = '4.5'; {said}.querySelector('button[type=submit]').click()")
    page.wait_for(f"{said}.querySelector('li .mono')?.textContent === '4.5'")
    found = traced.call("/api/v1/traces/search", {"filter": "feedback.correct > 4"})
    assert [one["trace_id"] for one in found["traces"]] == [traced.chat]
    page.evaluate(f"[...{said}.querySelectorAll('li button')].at(-1).click()")
    page.wait_for(f"{said}.querySelector('li') === null")


def test_traces_are_found_from_everywhere(page, traced):
    page.open(traced.url + "/models")
    key(page, "k", "document", ctrlKey=True)
    typed(page, ".palette input", traced.huge[-6:])
    line = f"[...document.querySelectorAll('#palette-list [role=option]')].find((line) => line.textContent.includes('{traced.huge}'))"
    page.wait_for(f"{line} !== undefined")
    page.follow(f"{line}.click()")
    assert page.evaluate("location.pathname") == f"/traces/{traced.huge}"


def test_addresses_of_mlflow_lead_here(page, traced):
    page.open(f"{traced.url}/#/experiments/{traced.experiment}/traces?selectedEvaluationId={traced.chat}")
    page.wait_for(f"location.pathname === '/traces/{traced.chat}'")


@pytest.mark.parametrize("width, theme", [(1440, "light"), (1440, "dark"), (390, "light"), (390, "dark")])
@pytest.mark.parametrize("path", ["/traces", "/experiments/{experiment}/traces", "/traces/{chat}", "/traces/{answer}", "/traces/{deep}", "/traces/{huge}", "/traces/none"])
def test_pages_of_traces_hold_to_what_pages_hold_to(browser, traced, path, width, theme):
    page = browser.page(width, theme)
    page.open(traced.url + path.format(**vars(traced)))
    page.wait_for("document.querySelector('[data-total], [data-spans], .trouble, .empty, h1') !== null")
    if "none" not in path:
        page.wait_for("document.querySelector('[data-island]').dataset.total !== undefined || document.querySelector('[data-island]').dataset.spans !== undefined")
    faults = [fault for fault in page.evaluate(CHECKS) + page.settle() if "status of 404" not in fault]
    if PICTURES:
        page.screenshot(pathlib.Path(PICTURES) / f"traces-{path.strip('/').replace('/', '_')}-{width}-{theme}.png")
    page.close()
    assert faults == []
