"""Chromium without a window, driven over its debugging pipe (Chrome DevTools Protocol): messages are JSON
that ends with a zero byte, on file descriptors 3 and 4. Nothing but the standard library is needed."""

import base64
import json
import os
import queue
import shutil
import subprocess
import tempfile
import threading

WAIT = 30.0


class Browser:
    def __init__(self):
        program = next(filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])))
        self.profile = tempfile.TemporaryDirectory(prefix="console-profile-")
        to_read, self.write = os.pipe()
        self.read, to_write = os.pipe()

        def take_pipes():
            # Not 3 or 4 themselves, which dup2 is about to overwrite.
            ours, theirs = os.dup2(to_read, 10), os.dup2(to_write, 11)
            os.dup2(ours, 3)
            os.dup2(theirs, 4)

        arguments = [
            "--headless=new", "--remote-debugging-pipe", f"--user-data-dir={self.profile.name}", "--no-first-run",
            "--hide-scrollbars", "--disable-extensions", "--disable-background-networking", "--disable-gpu",
            "--disable-dev-shm-usage", "--force-color-profile=srgb",
        ]
        if os.geteuid() == 0:
            # Chromium refuses its sandbox to root; the pages are our own.
            arguments.append("--no-sandbox")
        self.process = subprocess.Popen(
            [program, *arguments, "about:blank"], preexec_fn=take_pipes, close_fds=False,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        os.close(to_read)
        os.close(to_write)
        self.last = 0
        self.answers = {}
        self.sessions = {}
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        rest = b""
        while chunk := os.read(self.read, 1 << 16):
            *messages, rest = (rest + chunk).split(b"\0")
            for message in map(json.loads, messages):
                if "id" in message:
                    self.answers[message["id"]].put(message)
                elif page := self.sessions.get(message.get("sessionId")):
                    page.events.put(message)

    def call(self, method, session=None, **params):
        self.last += 1
        answer = self.answers[self.last] = queue.Queue()
        message = {"id": self.last, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        os.write(self.write, json.dumps(message).encode() + b"\0")
        result = answer.get(timeout=WAIT)
        if "error" in result:
            raise RuntimeError(f"{method}: {result['error']}")
        return result["result"]

    def page(self, width, theme):
        return Page(self, width, theme)

    def close(self):
        try:
            self.call("Browser.close")
        finally:
            self.process.wait(WAIT)
            self.profile.cleanup()


class Page:
    """One tab: a width in CSS pixels and a theme. `faults` gathers whatever a developer would see in red."""

    def __init__(self, browser, width, theme):
        self.browser = browser
        self.events = queue.Queue()
        self.faults = []
        self.target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        attached = browser.call("Target.attachToTarget", targetId=self.target, flatten=True)
        self.session = attached["sessionId"]
        browser.sessions[self.session] = self
        for domain in ["Page", "Runtime", "Log", "Network"]:
            self.call(f"{domain}.enable")
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1,
                  mobile=width < 600)
        features = [{"name": "prefers-color-scheme", "value": theme},
                    {"name": "prefers-reduced-motion", "value": "reduce"}]
        self.call("Emulation.setEmulatedMedia", features=features)

    def call(self, method, **params):
        return self.browser.call(method, self.session, **params)

    def open(self, url):
        self.faults.clear()
        while not self.events.empty():
            self.events.get()
        self.call("Page.navigate", url=url)
        self.until("Page.loadEventFired")
        self.evaluate("document.fonts.ready.then(() => true)")

    def until(self, method):
        while True:
            event = self.events.get(timeout=WAIT)
            self._note(event)
            if event["method"] == method:
                return event

    def _note(self, event):
        method, params = event["method"], event["params"]
        if method == "Runtime.exceptionThrown":
            self.faults.append(params["exceptionDetails"].get("exception", {}).get("description", "exception"))
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            self.faults.append(" ".join(str(part.get("value")) for part in params["args"]))
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.faults.append(f"{params['entry']['text']} {params['entry'].get('url', '')}".strip())

    def evaluate(self, expression):
        answer = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise AssertionError(answer["exceptionDetails"])
        return answer["result"].get("value")

    def follow(self, expression):
        """Evaluates what leads to another page, and waits for it."""
        self.evaluate(expression)
        self.until("Page.loadEventFired")

    def wait_for(self, expression):
        """Waits until an expression holds, as the browser's own frames go by."""
        frame = f"new Promise((done) => {{ const look = () => ({expression}) ? done(true) : requestAnimationFrame(look); look(); }})"
        deadline = "new Promise((done) => setTimeout(done, 15000, false))"
        assert self.evaluate(f"Promise.race([{frame}, {deadline}])"), f"never: {expression}"

    def settle(self):
        """Takes in what the page has said so far."""
        self.evaluate("new Promise((done) => setTimeout(done, 0))")
        while not self.events.empty():
            self._note(self.events.get())
        return self.faults

    def screenshot(self, path):
        height = self.evaluate("Math.min(document.documentElement.scrollHeight, 6000)")
        clip = {"x": 0, "y": 0, "width": self.evaluate("innerWidth"), "height": height, "scale": 1}
        picture = self.call("Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "wb") as file:
            file.write(base64.b64decode(picture["data"]))

    def close(self):
        self.browser.call("Target.closeTarget", targetId=self.target)
        self.browser.sessions.pop(self.session, None)
