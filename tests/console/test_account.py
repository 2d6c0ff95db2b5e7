"""Who looks at the console where people sign in, and how somebody else does: by the browser's own dialog."""

import pathlib
import threading
import urllib.error
import urllib.request

import pytest

from browser import WAIT, Browser
from conftest import CHECKS, PICTURES, basic, serving, sign_up

PASSWORDS = {"ada": "a long password of hers", "bob": "a long password of his"}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    data = tmp_path_factory.mktemp("guarded")
    for name, more in [("ada", ["--admin"]), ("bob", [])]:
        sign_up(data, name, PASSWORDS[name], *more)
    with serving(data, "--auth", "required") as server:
        yield server


def header(name):
    return basic(name, PASSWORDS[name])


class Dialog:
    """Answers the browser's dialog: with a name and its password, or by Cancel."""

    def __init__(self, page):
        self.page = page
        self.asked = []
        page.call("Fetch.enable", handleAuthRequests=True)

    def during(self, work, *answers):
        """Does what leads to another page, and answers what is asked on the way."""
        answers = list(answers)
        doing = threading.Thread(target=work)
        doing.start()
        while True:
            event = self.page.events.get(timeout=WAIT)
            request = event["params"].get("requestId")
            if event["method"] == "Fetch.requestPaused":
                self.page.call("Fetch.continueRequest", requestId=request)
            elif event["method"] == "Fetch.authRequired":
                name = answers.pop(0)
                answer = {"response": "ProvideCredentials", "username": name, "password": PASSWORDS[name]} if name else {"response": "CancelAuth"}
                self.page.call("Fetch.continueWithAuth", requestId=request, authChallengeResponse=answer)
            elif event["method"] == "Page.loadEventFired" and not answers:
                break
        doing.join(WAIT)


@pytest.fixture(params=[(1440, "light"), (390, "dark")], ids=lambda look: f"{look[0]}-{look[1]}")
def page(request):
    # A browser of its own: all pages of one share who is signed in.
    browser = Browser()
    page = browser.page(*request.param)
    page.look = "-".join(map(str, request.param))
    yield page
    browser.close()


def pictured(page, name):
    # The challenge itself is told of by the browser.
    faults = [fault for fault in page.evaluate(CHECKS) + page.settle() if "status of 401" not in fault]
    page.faults.clear()
    if PICTURES:
        page.screenshot(pathlib.Path(PICTURES) / f"account-{name}-{page.look}.png")
    return faults


def test_one_leaves_and_another_comes(page, guarded):
    dialog = Dialog(page)
    who = "document.querySelector('header .who')?.getAttribute('aria-label') ?? ''"
    heading = "document.querySelector('h1').textContent"
    leave = "document.querySelector('main form button').click()"
    dialog.during(lambda: page.call("Page.navigate", url=guarded.url + "/"), "ada")
    assert page.evaluate(who) == "Signed in as ada"
    dialog.during(lambda: page.evaluate("document.querySelector('header .who').click()"))
    assert page.evaluate(heading) == "ada" and "admin everywhere" in page.evaluate("document.querySelector('main').innerText")
    assert pictured(page, "signed-in") == []
    # Another name in the dialog goes on.
    dialog.during(lambda: page.evaluate(leave), "bob")
    assert page.evaluate("location.pathname") == "/account" and page.evaluate(who) == "Signed in as bob"
    dialog.during(lambda: page.call("Page.navigate", url=guarded.url + "/account"))
    assert page.evaluate(who) == "Signed in as bob", "the browser keeps it"
    # Cancel leaves nobody signed in: the next page asks.
    dialog.during(lambda: page.evaluate(leave), None)
    assert page.evaluate(heading) == "You are signed out" and page.evaluate(who) == ""
    assert pictured(page, "signed-out") == []
    dialog.during(lambda: page.evaluate("document.querySelector('main a.btn').click()"), "bob")
    assert page.evaluate(heading) == "bob"


def test_who_signed_in_stands_on_every_page(guarded):
    for path in ["/", "/datasets", "/features", "/experiments", "/experiments/0", "/runs", "/traces", "/experiments/0/traces", "/experiments/0/models", "/models",
                 "/prompts", "/endpoints", "/pipelines", "/approvals", "/audit", "/retention", "/account"]:
        status, _, text = guarded.get(path, **header("ada"))
        assert status == 200 and 'aria-label="Signed in as ada"' in text, path
    status, _, text = guarded.get("/audit", **header("bob"))
    assert status == 403 and 'href="/account"' in text
    assert guarded.get("/account", **header("bob"))[0] == 200, "also of whoever may do nothing else"
    assert guarded.get("/account")[0] == 401


def test_no_page_from_elsewhere_signs_anybody_out(guarded):
    form = {"Content-Type": "application/x-www-form-urlencoded", **header("ada")}
    for more in [{}, {"Origin": "https://evil.example"}, {"Origin": "null"}]:
        assert posted(guarded, "who=user%3Aada", {**form, **more}) == 403
    assert posted(guarded, "who=user%3Aada", {**form, "Origin": guarded.url}) == 401
    assert guarded.get("/sign-out", **header("ada"))[2].count("Signed in as ada") > 0, "a link does nothing but lead to the account"


def test_where_nobody_signs_in_nobody_is_named(browser, empty):
    page = browser.page(390, "light")
    page.look = "390-light"
    page.open(empty.url + "/account")
    assert page.evaluate("document.querySelector('.who')") is None
    assert "need no name" in page.evaluate("document.querySelector('h1').textContent")
    assert pictured(page, "local") == []
    page.close()


def posted(server, body, headers):
    try:
        with urllib.request.urlopen(urllib.request.Request(server.url + "/sign-out", body.encode(), headers)) as answer:
            return answer.status
    except urllib.error.HTTPError as refused:
        return refused.code
