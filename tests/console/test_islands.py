"""What pages do beyond their first paint, and that they need nothing for that paint."""

import re


def test_pages_are_whole_without_javascript(browser, full):
    page = browser.page(1440, "light")
    page.call("Emulation.setScriptExecutionDisabled", value=True)
    page.open(full.url + f"/runs/{full.run}")
    drawn = page.evaluate("document.querySelectorAll('.plot svg.chart > path').length")
    assert drawn == 2, "the server draws the charts"
    assert "val/log_loss" in page.evaluate("document.body.innerText")
    page.close()


def test_charts_read_the_points_of_the_api(browser, full):
    page = browser.page(1440, "light")
    page.open(full.url + f"/runs/{full.run}")
    page.wait_for("document.querySelectorAll('figure[data-points] canvas').length === 2")
    assert page.evaluate("document.querySelector('[data-metric=\"val/auc\"]').dataset.points") == "600"
    start = 1_700_000_001_000
    full.mlflow("runs/log-metric", run_id=full.run, key="val/auc", value=0.9, timestamp=start, step=600)
    page.wait_for("document.querySelector('[data-metric=\"val/auc\"]').dataset.points === '601'")
    assert page.settle() == []
    page.close()


def test_points_come_as_json_and_csv(full):
    points = full.call(f"/api/v1/runs/{full.run}/metrics?key=val/log_loss&points=100")
    assert points["count"] == 600 and points["thinned"] and len(points["points"]) <= 104
    status, headers, text = full.get(f"/api/v1/runs/{full.run}/metrics?key=val/log_loss&format=csv")
    lines = text.splitlines()
    assert status == 200 and headers["Content-Type"].startswith("text/csv")
    assert lines[0] == "step,timestamp_ms,value" and len(lines) == 601
    assert full.get(f"/api/v1/runs/{full.run}/metrics?key=nope")[0] == 404


def test_news_wait_until_the_person_asks(browser, full):
    page = browser.page(1440, "light")
    page.open(full.url + "/")
    page.wait_for("!document.querySelector('.live').hidden")
    top = "document.querySelector('ol.events li').getBoundingClientRect().top"
    first = "document.querySelector('ol.events li p').innerText"
    before = page.evaluate(f"[{top}, {first}]")
    full.mlflow("registered-models/create", name="from-elsewhere")
    page.wait_for("!document.querySelector('.live button').hidden")
    assert page.evaluate(f"[{top}, {first}]") == before, "nothing moved"
    page.evaluate("document.querySelector('.live button').click()")
    assert "from-elsewhere" in page.evaluate(first)
    assert page.settle() == []
    page.close()


def test_links_that_mlflow_prints_lead_to_the_same_thing(browser, full):
    page = browser.page(1440, "light")
    for link, path in [
        (f"experiments/{full.experiment}/runs/{full.run}", f"/runs/{full.run}"),
        (f"experiments/{full.experiment}/runs/{full.run}/artifacts?x=1", f"/runs/{full.run}"),
        (f"experiments/{full.experiment}", f"/experiments/{full.experiment}"),
        ("models/flight-delay/versions/1", "/models/flight-delay/1"),
        ("models/flight-delay", "/models/flight-delay"),
        ("experiments", "/experiments"),
    ]:
        page.open(full.url + "/")
        page.follow(f"location.hash = '#/{link}'")
        assert page.evaluate("location.pathname") == path, link
        assert page.settle() == [], link
    # As a person opens it: in a page that shows nothing yet.
    page.open("about:blank")
    page.call("Page.navigate", url=full.url + f"/#/experiments/{full.experiment}/runs/{full.run}")
    while page.until("Page.frameNavigated")["params"]["frame"]["url"] != full.url + f"/runs/{full.run}":
        pass
    page.until("Page.loadEventFired")
    page.open(full.url + "/#content")
    assert page.evaluate("location.pathname") == "/"
    page.close()


def test_text_of_users_is_text(full):
    _, _, text = full.get(f"/experiments/{full.experiment}")
    assert "flight delay &#60;script&#62;" in text and "<b>gbm" not in text


def test_nothing_inline_and_nothing_from_elsewhere(full):
    for path in ["/", f"/runs/{full.run}", "/models/flight-delay/1", "/nowhere-like-this"]:
        _, headers, text = full.get(path)
        assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=|<style", text), path
        assert not re.search(r"(src|href)=\"(https?:)?//", text), path
    _, headers, _ = full.get("/")
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_assets_may_be_kept_for_good(full):
    _, _, text = full.get("/")
    sheet = re.search(r'href="(/assets/[^"]+\.css)"', text)[1]
    status, headers, _ = full.get(sheet)
    assert status == 200 and "immutable" in headers["Cache-Control"]


def test_forms_of_other_pages_are_refused(full):
    import urllib.error
    import urllib.request

    def send(**headers):
        request = urllib.request.Request(full.url + "/approvals/" + "0" * 32, b"answer=approve&digest=sha256:00",
                                         {"Content-Type": "application/x-www-form-urlencoded", **headers})
        try:
            return urllib.request.urlopen(request).status
        except urllib.error.HTTPError as refused:
            return refused.code

    assert send(Origin="http://evil.example") == 403
    assert send() == 403, "without an origin it may come from anywhere"
    assert send(Origin=full.url) == 400, "let in, and then its digest is none"


def test_a_rollback_is_asked_for_and_done_on_a_page_of_its_own(browser, full):
    _, _, text = full.get("/endpoints/by-hand/rollback")
    assert "nothing to go back to" in text and '<form method="post"' not in text
    arms = [{"version": 2, "role": "champion"}]
    full.call("/api/v1/endpoints/by-hand/revisions", {"expected": 2, "arms": arms})
    page = browser.page(390, "dark")
    page.open(full.url + "/endpoints/by-hand")
    page.follow("document.querySelector('a[href$=\"/rollback\"]').click()")
    assert "v1 answers again" in page.evaluate("document.body.innerText")
    page.evaluate("document.querySelector('textarea').value = 'it was <worse>'")
    page.follow("document.querySelector('form[method=post] button').click()")
    assert page.evaluate("location.pathname") == "/endpoints/by-hand"
    text = page.evaluate("document.body.innerText")
    assert "rolled back by hand: it was <worse>" in text and page.settle() == []
    page.close()
    newest = full.call("/api/v1/endpoints/by-hand/revisions")["items"][0]
    assert (newest["number"], newest["arms"][0]["version"]) == (4, 1)


def test_a_rollout_and_an_alarm_show_their_evidence(browser, alive):
    page = browser.page(1440, "light")
    page.open(alive.url + "/endpoints/purchases")
    text = page.evaluate("document.querySelector('main').innerText")
    assert "Rollout of v2 against v1" in text and "promoted" in text
    assert page.evaluate("document.querySelectorAll('.chart .dot.l1').length") >= 3, "e-values at each move"
    guards = page.evaluate("[...document.querySelectorAll('.cols th[scope=row]')].map((cell) => cell.innerText)")
    assert {"error rate", "latency ratio", "output shift"} <= set(guards)
    page.open(alive.url + "/endpoints/purchases/monitor")
    raised = alive.call("/api/v1/events?kind=alarm.raised")["events"][0]["body"]["cause"]["signals"]
    names = page.evaluate("[...document.querySelectorAll('.alarm th[scope=row]')].map((cell) => cell.innerText)")
    for signal in raised:
        assert any(name.startswith(signal["series"]["name"]) for name in names), signal
    assert page.evaluate("document.querySelectorAll('.cells .sig').length") > 0, "days on which an alarm stood"
    page.open(alive.url + "/models/purchase/2/why")
    text = page.evaluate("document.querySelector('main').innerText")
    assert "became champion of purchases" in text and "rollout of v2 on purchases started" in text
    page.close()


def start(server, name, text):
    server.call(f"/api/v1/pipelines/{name}", text, "PUT")
    return server.call(f"/api/v1/pipelines/{name}/runs", {})["run"]


def test_the_log_of_a_running_step_grows(browser, full, tmp_path):
    gate = tmp_path / "open"
    run = start(full, "chatty", f"""
stages:
  talk:
    cmd: "echo first word; while [ ! -e {gate} ]; do sleep 0.05; done; echo last word"
""")
    page = browser.page(1440, "dark")
    for _ in range(600):
        page.open(f"{full.url}/pipeline-runs/{run}?step=talk")
        if page.evaluate("document.querySelector('[data-island=\"step-log\"]') !== null"):
            break
    page.wait_for("document.querySelector('pre.log').textContent.includes('first word')")
    gate.touch()
    page.wait_for("document.querySelector('pre.log').textContent.includes('last word')")
    page.wait_for("document.querySelector('.notice') !== null")
    assert page.settle() == []
    page.close()


def test_a_person_approves_what_they_saw(browser, full):
    start(full, "careful", """
stages:
  prepare:
    cmd: echo prepared
  publish:
    cmd: echo published
    needs: [prepare]
    approve: {timeout: 1h}
""")
    page = browser.page(1440, "light")
    for _ in range(600):
        page.open(full.url + "/approvals")
        if page.evaluate("document.querySelector('.todo a.primary') !== null"):
            break
    page.follow("document.querySelector('.todo a.primary').click()")
    asked = page.evaluate("document.querySelector('input[name=digest]').value")
    assert asked in page.evaluate("document.body.innerText"), "the digest that is approved is shown"
    page.evaluate("document.querySelector('textarea').value = 'looks right'")
    page.follow("document.querySelector('button[value=approve]').click()")
    text = page.evaluate("document.body.innerText")
    assert "looks right" in text and "user:local" in text and "nothing is asked of you" in text
    assert page.settle() == []
    page.open(full.url + "/approvals")
    assert "looks right" in page.evaluate("document.body.innerText")
    page.close()
