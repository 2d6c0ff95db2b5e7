"""The same requests to two servers, ours and a stock one, and what differs in their answers."""

import http.client
import json
import re
import time
import urllib.parse
from datetime import datetime

API = "/api/2.0/mlflow/"
AJAX = "/ajax-api/2.0/mlflow/"
NEW = "/api/3.0/mlflow/"
PROXY = "/api/2.0/mlflow-artifacts/artifacts"

#: What servers make up: ids, names of runs, and the numbers of experiments in addresses of artifacts.
MADE_UP = re.compile(
    r"(?:[a-z]{1,3}-)?\b[0-9a-f]{32}\b|\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"
    r"|\b[a-z]+-[a-z]+-\d{1,4}\b|(?<=mlflow-artifacts:/)\d+"
)
#: Stands in a request for what each server told.
TOLD = re.compile("⟨(\\d+)⟩")
#: Lists that a stock server tells in the order of its database: by their names, or where others of the name have one.
UNORDERED = ("tags", "params", "aliases", "request_metadata", "dataset_inputs")
UNORDERED_THERE = (".data.metrics", ".registered_models[].latest_versions")
#: What tells the things in them apart.
APART = ("key", "alias", "name", "version", "digest", "timestamp", "step", "value")
#: What is this close to the clock is the time of a request, in milliseconds.
RECENT = 3_600_000
ABSENT = object()


class Told:
    """An answer of both servers, or the same part of both."""

    def __init__(self, pair, ours, stock):
        self.pair, self.ours, self.stock = pair, ours, stock

    def __getitem__(self, key):
        """A thing in it; of a text or number, what stands for it in requests."""
        ours, stock = self.ours[key], self.stock[key]
        if isinstance(ours, (dict, list)):
            return Told(self.pair, ours, stock)
        return self.pair.named(ours, stock)

    def __contains__(self, key):
        return key in self.ours


class Pair:
    """Both servers, and which id of the one is which of the other."""

    def __init__(self, ours, stock, tolerated, name):
        self.urls = (ours, stock)
        self.tolerated, self.name = tolerated, name
        self.told = []
        self.there, self.here = {}, {}
        self.requests = 0

    def named(self, ours, stock):
        self.told.append((ours, stock))
        return f"⟨{len(self.told) - 1}⟩"

    def get(self, path, /, **query):
        return self.ask("GET", API + path, query=query)

    def post(self, path, /, **body):
        return self.ask("POST", API + path, body)

    def patch(self, path, /, **body):
        return self.ask("PATCH", API + path, body)

    def delete(self, path, /, **body):
        return self.ask("DELETE", API + path, body)

    def ask(self, method, path, body=None, query=None, headers=None):
        """The answers, which must not differ but in what the table tolerates."""
        answers, found = self.compared(method, path, body, query, headers)
        left = [difference for difference in found if difference not in self.tolerated]
        assert not left, f"{method} {path} {query or ''} {body or ''}\n" + "\n".join(left)
        return answers

    def differing(self, method, path, body=None, query=None, headers=None):
        """What differs, as the table of what differs on purpose writes it."""
        return set(self.compared(method, path, body, query, headers)[1])

    def compared(self, method, path, body=None, query=None, headers=None):
        self.requests += 1
        (status, ours), (stock_status, stock) = (
            self._sent(at, method, path, body, query, headers) for at in range(2)
        )
        call = f"{method} {MADE_UP.sub('{id}', TOLD.sub('{id}', path)).removeprefix(API).removeprefix(NEW)}"
        if (status, code(ours)) != (stock_status, code(stock)):
            found = [f"{status} {code(ours)}, stock {stock_status} {code(stock)}"]
        elif code(ours):
            found = []
        else:
            found = list(self._differences(ours, stock, ""))
        return Told(self, ours, stock), [f"{call} {difference}" for difference in found]

    def _sent(self, at, method, path, body, query, headers):
        """Status and JSON of one server's answer, or its text."""
        path = urllib.parse.quote(self._resolved(path, at), safe="/%")
        if query:
            path += "?" + urllib.parse.urlencode(self._resolved(query, at), doseq=True)
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(self._resolved(body, at)).encode()
        headers = {"Content-Type": "application/json", **self._resolved(headers or {}, at)}
        connection = http.client.HTTPConnection(urllib.parse.urlsplit(self.urls[at]).netloc, timeout=30)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            text = answer.read().decode(errors="replace")
        finally:
            connection.close()
        try:
            # Nothing at all says as little as an empty answer.
            return answer.status, json.loads(text or "{}")
        except ValueError:
            return answer.status, text

    def _resolved(self, value, at):
        """The same with what that server told."""
        if isinstance(value, dict):
            return {key: self._resolved(one, at) for key, one in value.items()}
        if isinstance(value, list):
            return [self._resolved(one, at) for one in value]
        if not isinstance(value, str):
            return value
        if whole := TOLD.fullmatch(value):
            return self.told[int(whole[1])][at]
        return TOLD.sub(lambda told: str(self.told[int(told[1])][at]), value)

    def _differences(self, ours, stock, path):
        if isinstance(ours, dict) and isinstance(stock, dict):
            for key in sorted(ours.keys() | stock.keys()):
                yield from self._of_field(ours.get(key, ABSENT), stock.get(key, ABSENT), path, key)
        elif isinstance(ours, list) and isinstance(stock, list):
            if len(ours) != len(stock):
                yield f"{path}: {len(ours)} things, stock {len(stock)}"
            else:
                for one, other in zip(in_order(ours, path), in_order(stock, path)):
                    yield from self._differences(one, other, path + "[]")
        elif not self._same(ours, stock, path):
            yield f"{path}: {shown(ours)}, stock {shown(stock)}"

    def _of_field(self, ours, stock, path, key):
        path = f"{path}.{key}"
        if ours is ABSENT:
            yield f"{path}: stock alone"
        elif stock is ABSENT:
            yield f"{path}: here alone"
        elif key != "next_page_token" or not (ours and stock):
            # The text of a page token is a server's own.
            yield from self._differences(ours, stock, path)

    def _same(self, ours, stock, path):
        if type(ours) is not type(stock):
            return False
        if isinstance(ours, str):
            return self._same_text(ours, stock, path)
        return ours == stock or (isinstance(ours, int) and recent(ours) and recent(stock))

    def _same_text(self, ours, stock, path):
        if re.search(r"experiment_ids?(\[\])?$", path):
            return self._same_id(ours, stock)
        if ours[:1] in "{[" and ours != stock:
            try:
                return not list(self._differences(json.loads(ours), json.loads(stock), path))
            except ValueError:
                pass
        ours, stock = ours.replace(self.urls[0], "HOST"), stock.replace(self.urls[1], "HOST")
        if MADE_UP.sub("", ours) == MADE_UP.sub("", stock):
            ids, others = MADE_UP.findall(ours), MADE_UP.findall(stock)
            return len(ids) == len(others) and all(map(self._same_id, ids, others))
        return recent(instant(ours)) and recent(instant(stock))

    def _same_id(self, ours, stock):
        return self.there.setdefault(ours, stock) == stock and self.here.setdefault(stock, ours) == ours


def texts(values):
    """Tags or parameters as they are sent."""
    return [{"key": key, "value": value} for key, value in values.items()]


def pages(ask, most=50):
    """Goes from page to page until there is none."""
    page = {}
    for _ in range(most):
        answer = ask(**page)
        if "next_page_token" not in answer:
            return
        page = {"page_token": answer["next_page_token"]}
    raise AssertionError("the pages do not end")


def code(answer):
    return answer.get("error_code") if isinstance(answer, dict) else None


def in_order(things, path):
    if path.rsplit(".", 1)[-1] in UNORDERED or path.endswith(UNORDERED_THERE):
        return sorted(things, key=apart)
    return things


def apart(thing):
    thing = thing.get("dataset", thing) if isinstance(thing, dict) else {"value": thing}
    return json.dumps([thing.get(key) for key in APART])


def shown(value):
    if isinstance(value, int) and recent(value):
        return "now"
    return json.dumps(value, ensure_ascii=False)[:200]


def recent(milliseconds):
    return milliseconds is not None and abs(milliseconds - time.time() * 1000) < RECENT


def instant(text):
    """Milliseconds since 1970 of a time that is written out, or nothing."""
    try:
        return datetime.fromisoformat(text).timestamp() * 1000
    except ValueError:
        return None
