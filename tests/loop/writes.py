"""Writes of all kinds at once, as clients make them, and what the record may say of each of them afterwards.

A request that was answered is in the record, whole, once. One whose answer never came is in it whole and once, or
not at all. Nothing else is there. What was purged is gone for good, all that one purge named or none of it, and in the
end its files too.
"""

import hashlib
import http.client
import json
import random
import threading
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

API = "/api/2.0/mlflow"
API3 = "/api/3.0/mlflow"
FILES = "/api/2.0/mlflow-artifacts/artifacts"
LARGEST = 1 << 20
"""Longest artifact, in bytes."""


class Gone(Exception):
    """The server went away before it had answered: nobody knows what became of the request."""


class Line:
    """One connection, kept as long as the server lives."""

    def __init__(self, url):
        self.address = urlsplit(url).netloc
        self.connection = http.client.HTTPConnection(self.address, timeout=60)

    def ask(self, method, path, body=None, **headers):
        """The status of the answer, and what it says."""
        if body is not None and not isinstance(body, bytes):
            body, headers["content-type"] = json.dumps(body).encode(), "application/json"
        try:
            self.connection.request(method, path, body, headers)
            answer = self.connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise Gone from error

    def call(self, method, path, body=None, good=200, **headers):
        """What the answer says, which must be a good one."""
        status, text = self.ask(method, path, body, **headers)
        assert status == good, f"{method} {path}: {status} {text[:500]}"
        return json.loads(text) if text else {}

    def has(self, path):
        """Whether there is something at an address."""
        status, text = self.ask("GET", path)
        assert status in (200, 404), f"GET {path}: {status} {text[:500]}"
        return status == 200


def content(name, version):
    """The bytes of a version of a file: as many as its name says, and no others."""
    seed = hashlib.sha256(f"{name} {version}".encode()).digest()
    length = int.from_bytes(seed[:4], "big") % LARGEST
    return (seed * (length // len(seed) + 1))[:length]


@dataclass
class Writer:
    """One client with an experiment and a model of its own. What it was told is in `sure`, what it asked for without
    being told in `open`."""

    name: str
    rng: random.Random
    experiment: str = ""
    runs: list = field(default_factory=list)
    count: int = 0
    sure: dict = field(default_factory=lambda: defaultdict(dict))
    open: dict = field(default_factory=lambda: defaultdict(dict))
    fresh: set = field(default_factory=set)
    """Runs that were written to since they were last checked."""
    marks: dict = field(default_factory=dict)
    """Under which mark each run was created."""
    bare: set = field(default_factory=set)
    """Runs whose artifacts were purged."""
    spare: dict = field(default_factory=dict)
    """An experiment beside the own one, to be purged with all that is in it: its id, and its trace and file."""
    gone: list = field(default_factory=list)
    """What was purged: kind, id, and the paths of its files. From `checked` on it was not yet looked whether it is."""
    checked: int = 0

    def begin(self, line):
        """Makes the experiments and the model, undisturbed."""
        self.experiment = line.call("POST", f"{API}/experiments/create", {"name": self.name})["experiment_id"]
        line.call("POST", f"{API}/registered-models/create", {"name": self.name})
        self._create_run(line)
        self._experiment(line)

    def live(self, url, stop):
        """Writes until the server is gone, or it is told to stop."""
        line = Line(url)
        kinds = [self._create_run, self._batch, self._metric, self._file, self._version, self._trace]
        kinds += [self._assessment, self._issue, self._experiment, self._purge]
        while not stop.is_set():
            try:
                self.rng.choices(kinds, weights=[1, 6, 6, 3, 1, 2, 2, 1, 1, 2])[0](line)
            except Gone:
                return

    def _noted(self, kind, key, what, ask):
        """Asks, and keeps what came of it."""
        try:
            answer = ask()
        except Gone:
            self.open[kind][key] = what
            raise
        self.sure[kind][key] = what
        return answer

    def _next(self):
        self.count += 1
        return self.count

    def _run(self):
        run = self.rng.choice(self.runs[-4:])
        self.fresh.add(run)
        return run

    def _create_run(self, line):
        mark = f"{self.name}-{self._next()}"
        body = {"experiment_id": self.experiment, "start_time": 1, "tags": [{"key": "mark", "value": mark}]}
        answer = self._noted("run", mark, True, lambda: line.call("POST", f"{API}/runs/create", body))
        self._know(mark, answer["run"]["info"]["run_id"])

    def _know(self, mark, run):
        self.marks[run] = mark
        self.runs.append(run)

    def _batch(self, line):
        run, number = self._run(), self._next()
        metrics = [{"key": key, "value": number, "timestamp": number, "step": number} for key in "ab"]
        params = [{"key": f"p{number}", "value": str(number)}]
        tags = [{"key": f"t{number}", "value": str(number)}]
        body = {"run_id": run, "metrics": metrics, "params": params, "tags": tags}
        self._noted("batch", (run, number), True, lambda: line.call("POST", f"{API}/runs/log-batch", body))

    def _metric(self, line):
        run, number = self._run(), self._next()
        body = {"run_id": run, "key": "single", "value": number, "timestamp": number, "step": number}
        self._noted("metric", (run, number), True, lambda: line.call("POST", f"{API}/runs/log-metric", body))

    def _file(self, line):
        run, name = self._run(), f"f{self.rng.randrange(6)}.bin"
        path = f"{self.experiment}/{run}/artifacts/{name}"
        before = self.sure["file"].get(path, [None]) + self.open["file"].pop(path, [])
        version = self._next()
        try:
            line.call("PUT", f"{FILES}/{path}", content(name, version))
        except Gone:
            # It may still be any that it may have been before, or this one.
            self.sure["file"].pop(path, None)
            self.open["file"][path] = before + [version]
            raise
        self.sure["file"][path] = [version]

    def _version(self, line):
        mark = f"v{self._next()}"
        body = {"name": self.name, "source": f"s3://elsewhere/{mark}", "description": mark}
        answer = self._noted("version", mark, True, lambda: line.call("POST", f"{API}/model-versions/create", body))
        number = answer["model_version"]["version"]
        alias = {"name": self.name, "alias": "newest", "version": number}
        before = self.sure["alias"].get("newest", []) + self.open["alias"].get("newest", [])
        self.open["alias"]["newest"] = before + [number]
        line.call("POST", f"{API}/registered-models/alias", alias)
        self.open["alias"].clear()
        self.sure["alias"]["newest"] = [number]

    def _trace(self, line):
        trace, send = self._spans(line, self.experiment)
        self._noted("trace", trace, True, send)

    def _spans(self, line, experiment):
        """The name of a new trace, and what sends it."""
        trace = hashlib.sha256(f"{self.name} {self._next()}".encode()).hexdigest()[:32]
        span = {"traceId": trace, "startTimeUnixNano": "1", "endTimeUnixNano": "2"}
        spans = [span | {"spanId": f"{n:016x}", "name": f"span {n}"} for n in (1, 2)]
        spans[1]["parentSpanId"] = spans[0]["spanId"]
        body = {"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}
        headers = {"x-mlflow-experiment-id": experiment}
        return f"tr-{trace}", lambda: line.call("POST", "/v1/traces", body, **headers)

    def _assessment(self, line):
        traces = list(self.sure["trace"])
        if not traces:
            return
        trace, name = self.rng.choice(traces[-4:]), f"a{self._next()}"
        said = {"assessment_name": name, "source": {"source_type": "HUMAN", "source_id": self.name}, "feedback": {"value": 1}}
        ask = lambda: line.call("POST", f"{API3}/traces/{trace}/assessments", {"assessment": said})
        self._noted("assessment", (trace, name), True, ask)

    def _issue(self, line):
        name = f"i{self._next()}"
        body = {"experiment_id": self.experiment, "name": name, "description": name, "severity": "low"}
        self._noted("issue", name, True, lambda: line.call("POST", f"{API3}/issues", body))

    def _experiment(self, line):
        """An experiment with a run, a file and a trace. It is called as the one before, whose name is free again when it
        is purged."""
        if self.spare:
            return
        name = f"{self.name} spare"
        self.open["spare"][name] = True
        self.spare = {"id": line.call("POST", f"{API}/experiments/create", {"name": name})["experiment_id"]}
        self.open["spare"].clear()
        body = {"experiment_id": self.spare["id"], "start_time": 1}
        run = line.call("POST", f"{API}/runs/create", body)["run"]["info"]["run_id"]
        path, version = f"{self.spare['id']}/{run}/artifacts/spare.bin", self._next()
        line.call("PUT", f"{FILES}/{path}", content("spare.bin", version))
        self.spare |= {"path": path, "version": version}
        trace, send = self._spans(line, self.spare["id"])
        send()
        self.spare["trace"] = trace

    def _purge(self, line):
        """Purges some things at once, to which nobody writes any longer."""
        runs, traces = self.runs[:-4], list(self.sure["trace"])[:-4]
        bare = [run for run in runs if run not in self.bare]
        named = [("run", runs), ("run_artifacts", bare), ("trace", traces)]
        named += [("experiment", [self.spare["id"]] if "trace" in self.spare else [])]
        targets = [(kind, self.rng.choice(ids)) for kind, ids in named if ids and self.rng.random() < 0.5]
        if not targets:
            return
        body = {"targets": [{"kind": kind, "id": of} for kind, of in targets], "reason": "writes"}
        self._noted("purge", self._next(), targets, lambda: line.call("POST", "/api/v1/purges", body, good=202))
        self._forget(targets)

    def _forget(self, targets):
        """Takes what was purged for gone."""
        for kind, of in targets:
            paths = [path for path in {**self.sure["file"], **self.open["file"]} if path.split("/")[1] == of]
            if kind == "experiment":
                self.gone.append(("trace", self.spare["trace"], []))
                paths, self.spare = [self.spare["path"]], {}
            elif kind == "trace":
                del self.sure["trace"][of]
            elif kind == "run":
                self.runs.remove(of)
                self.fresh.discard(of)
                del self.sure["run"][self.marks[of]]
            else:
                self.bare.add(of)
            for path in paths:
                self.sure["file"].pop(path, None)
                self.open["file"].pop(path, None)
            self.gone.append((kind, of, paths))

    def check(self, line, everything):
        """Compares the record with what was told: of the runs that were written to since, or of all."""
        self._check_purges(line, everything)
        runs = set(self.runs) if everything else self.fresh
        self._check_runs(line)
        for run in runs:
            self._check_run(line, run)
        self.fresh = set()
        self._check_files(line, runs)
        self._check_versions(line)
        self._check_traces(line, everything)
        self._check_issues(line)

    def _settle(self, kind, found):
        """Whoever's answer never came is in the record once and for all, or never will be."""
        for key in list(self.open[kind]):
            what = self.open[kind].pop(key)
            if key in found:
                self.sure[kind][key] = what

    def _is_gone(self, line, kind, of):
        if kind == "run_artifacts":
            # The run may be gone itself by now.
            status, text = line.ask("GET", f"{API}/runs/get?run_id={of}")
            tags = json.loads(text)["run"]["data"].get("tags", []) if status == 200 else []
            return status == 404 or any(tag["key"] == "mainstay.artifacts_purged" for tag in tags)
        address = {
            "run": f"{API}/runs/get?run_id={of}",
            "trace": f"{API3}/traces/get?trace_id={of}&allow_partial=true",
            "experiment": f"{API}/experiments/get?experiment_id={of}",
        }
        return not line.has(address[kind])

    def _check_purges(self, line, everything):
        for number in list(self.open["purge"]):
            targets = self.open["purge"].pop(number)
            gone = [self._is_gone(line, kind, of) for kind, of in targets]
            assert all(gone) or not any(gone), f"a purge is torn: {list(zip(targets, gone, strict=True))}"
            if all(gone):
                self.sure["purge"][number] = targets
                self._forget(targets)
        self._check_spare(line)
        for kind, of, paths in self.gone[0 if everything else self.checked :]:
            assert self._is_gone(line, kind, of), f"the {kind} {of} was purged and is there"
            # Files go in the background.
            left = [path for path in paths if everything and line.has(f"{FILES}/{quote(path)}")]
            assert not left, f"of the {kind} {of}, which was purged, is left: {left}"
        self.checked = len(self.gone)

    def _check_spare(self, line):
        if self.open["spare"]:
            [name] = self.open["spare"]
            self.open["spare"].clear()
            status, text = line.ask("GET", f"{API}/experiments/get-by-name?experiment_name={quote(name)}")
            assert status in (200, 404), f"{name}: {status} {text[:500]}"
            self.spare = {"id": json.loads(text)["experiment"]["experiment_id"]} if status == 200 else {}
        if self.spare:
            found = line.call("GET", f"{API}/experiments/get?experiment_id={self.spare['id']}")["experiment"]
            assert found["name"] == f"{self.name} spare"
        if "path" in self.spare:
            status, text = line.ask("GET", f"{FILES}/{quote(self.spare['path'])}")
            assert (status, text) == (200, content("spare.bin", self.spare["version"])), "a file is lost"
        if "trace" in self.spare:
            assert not self._is_gone(line, "trace", self.spare["trace"]), "a trace is lost"

    def _check_runs(self, line):
        found, token = [], None
        while True:
            body = {"experiment_ids": [self.experiment], "max_results": 1000, "page_token": token}
            page = line.call("POST", f"{API}/runs/search", body)
            for run in page.get("runs", []):
                tags = {tag["key"]: tag["value"] for tag in run["data"].get("tags", [])}
                found.append((tags["mark"], run["info"]["run_id"]))
            token = page.get("next_page_token")
            if not token:
                break
        marks = [mark for mark, _ in found]
        assert len(set(marks)) == len(marks), "a run is there twice"
        assert self.sure["run"].keys() <= set(marks), "a run is lost"
        assert set(marks) <= self.sure["run"].keys() | self.open["run"].keys(), "a run that nobody created"
        for mark, run in found:
            if run not in self.marks:
                self._know(mark, run)
        self._settle("run", set(marks))

    def _check_run(self, line, run):
        data = line.call("GET", f"{API}/runs/get?run_id={run}")["run"]["data"]
        params = {param["key"]: param["value"] for param in data.get("params", [])}
        tags = {tag["key"]: tag["value"] for tag in data.get("tags", [])}
        histories = {key: self._history(line, run, key) for key in ("a", "b", "single")}
        whole = {
            int(key[1:])
            for key, value in params.items()
            if tags.get("t" + key[1:]) == value and all(int(key[1:]) in histories[of] for of in "ab")
        }
        torn = {int(key[1:]) for key in params} | {int(key[1:]) for key in tags if key[1:].isdigit()}
        torn |= histories["a"] | histories["b"]
        assert torn == whole, f"batches of {run} are torn: {sorted(torn - whole)}"
        for kind, there in (("batch", whole), ("metric", histories["single"])):
            sure = {number for of, number in self.sure[kind] if of == run}
            may = {number for of, number in self.open[kind] if of == run}
            assert sure <= there, f"{kind} of {run}: lost {sorted(sure - there)}"
            assert there <= sure | may, f"{kind} of {run}: from nowhere {sorted(there - sure - may)}"
            for number in may:
                self.open[kind].pop((run, number))
                if number in there:
                    self.sure[kind][run, number] = True

    def _history(self, line, run, key):
        points = line.call("GET", f"{API}/metrics/get-history?run_id={run}&metric_key={key}").get("metrics", [])
        steps = [int(point.get("step", 0)) for point in points]
        assert all(point["value"] == step for point, step in zip(points, steps, strict=True))
        assert len(set(steps)) == len(steps), f"points of {key} of {run} are there twice"
        return set(steps)

    def _check_files(self, line, runs):
        known = {**{path: one for path, one in self.sure["file"].items()}, **self.open["file"]}
        for path, versions in known.items():
            if path.split("/")[1] not in runs:
                continue
            status, text = line.ask("GET", f"{FILES}/{quote(path)}")
            assert status in (200, 404), f"{path}: {status}"
            name = path.rsplit("/", 1)[1]
            fits = [one for one in versions if (text == content(name, one) if one and status == 200 else one is None)]
            if status == 404:
                fits = [one for one in versions if one is None]
            assert fits, f"{path}: {status}, {len(text)} bytes, none of the versions {versions}"
            self.open["file"].pop(path, None)
            self.sure["file"][path] = fits[:1]

    def _check_versions(self, line):
        found, token = [], ""
        while True:
            filters = quote(f"name='{self.name}'")
            page = line.call("GET", f"{API}/model-versions/search?filter={filters}&max_results=1000&page_token={token}")
            found += page.get("model_versions", [])
            token = page.get("next_page_token", "")
            if not token:
                break
        marks = [one["description"] for one in found]
        numbers = sorted(int(one["version"]) for one in found)
        assert len(set(marks)) == len(marks) and numbers == list(range(1, len(found) + 1)), "versions have gaps"
        assert self.sure["version"].keys() <= set(marks), "a version is lost"
        assert set(marks) <= self.sure["version"].keys() | self.open["version"].keys()
        self._settle("version", set(marks))
        told = self.sure["alias"].get("newest", []) + self.open["alias"].get("newest", [])
        if told:
            path = f"{API}/registered-models/alias?name={self.name}&alias=newest"
            status, text = line.ask("GET", path)
            number = json.loads(text)["model_version"]["version"] if status == 200 else None
            # Before the first one was told of there may be none.
            assert number in told or (number is None and not self.sure["alias"]), f"{number} is none of {told}"
            self.open["alias"].clear()
            self.sure["alias"]["newest"] = [number] if number else []

    def _check_traces(self, line, everything):
        asked = list(self.open["trace"]) + (list(self.sure["trace"]) if everything else list(self.sure["trace"])[-20:])
        for trace in asked:
            status, text = line.ask("GET", f"{API3}/traces/get?trace_id={trace}&allow_partial=true")
            found = json.loads(text)["trace"] if status == 200 else {}
            spans = len(found.get("spans", []))
            assert spans == 2 or (spans == 0 and trace in self.open["trace"]), f"{trace}: {status}, {spans} spans"
            if self.open["trace"].pop(trace, None) and spans:
                self.sure["trace"][trace] = True
            self._check_assessments(trace, found.get("trace_info", {}).get("assessments", []))

    def _check_assessments(self, trace, found):
        names = [one["assessment_name"] for one in found]
        sure = {name for of, name in self.sure["assessment"] if of == trace}
        may = {name for of, name in self.open["assessment"] if of == trace}
        assert len(set(names)) == len(names), f"{trace}: said twice"
        assert sure <= set(names) <= sure | may, f"{trace}: {names}, told {sorted(sure)}"
        for name in may:
            self.open["assessment"].pop((trace, name))
            if name in names:
                self.sure["assessment"][trace, name] = True

    def _check_issues(self, line):
        names, token = [], None
        while True:
            page = line.call("POST", f"{API3}/issues/search", {"experiment_id": self.experiment, "page_token": token})
            names += [one["name"] for one in page.get("issues", [])]
            token = page.get("next_page_token")
            if not token:
                break
        assert len(set(names)) == len(names), "an issue is there twice"
        assert self.sure["issue"].keys() <= set(names) <= self.sure["issue"].keys() | self.open["issue"].keys()
        self._settle("issue", set(names))


def swept(line):
    """Waits until all that was purged is removed."""
    states, token = set(), ""
    for _ in range(20_000):
        page = line.call("GET", f"/api/v1/purges?limit=500{token}")
        states |= {purge["state"] for purge in page["items"]}
        if page["next_page_token"]:
            token = f"&page_token={page['next_page_token']}"
        elif states <= {"finished"}:
            return
        else:
            states, token = set(), ""
            time.sleep(0.001)
    raise AssertionError("what was purged is not removed")


def write_until(writers, url, end):
    """All write at once until the server is gone, or `end` has set the event that it is given."""
    stop = threading.Event()
    with ThreadPoolExecutor(len(writers)) as pool:
        living = [pool.submit(writer.live, url, stop) for writer in writers]
        end(stop)
    for life in living:
        life.result()
