"""A server of its own for each figure: started, asked, measured from outside, stopped."""

import http.client
import json
import os
import pathlib
import signal
import socket
import subprocess
import time

TICKS = os.sysconf("SC_CLK_TCK")
RATE = "1000000"
"""The limit on how often one caller may ask stays on, out of reach."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """`mainstay up` on a data directory. `started` is the time from its start to the first answer of
    /health, in seconds."""

    def __init__(self, binary, data, trace=None, options=()):
        self.data = pathlib.Path(data)
        # A port that is known before it listens: the clock stops at the first answer, not at a message.
        self.port = free_port()
        command = [binary, "up", "--listen", f"127.0.0.1:{self.port}", "--data", str(data), "--rate-limit", RATE]
        command += options
        traced = trace.command() if trace else []
        begun = time.perf_counter()
        self.process = subprocess.Popen([*traced, *command], stderr=subprocess.PIPE, text=True)
        while not self._answers():
            if self.process.poll() is not None:
                raise RuntimeError(f"the server ended before it listened: {self.process.stderr.read()}")
            time.sleep(0.001)
        self.started = time.perf_counter() - begun
        self.pid = children(self.process.pid)[0] if trace else self.process.pid

    def _answers(self):
        try:
            return self.call("GET", "/health", raw=True) is not None
        except OSError:
            return False

    def call(self, method, path, body=None, kind="application/json", raw=False):
        """One request on a connection of its own; the answer's JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            if body is not None and not isinstance(body, (bytes, str)):
                body = json.dumps(body)
            connection.request(method, path, body, {"content-type": kind} if body is not None else {})
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {text[:500]}")
        return text if raw else json.loads(text or b"null")

    def wait_for(self, path, seconds=60):
        """Waits until a path answers well."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                return self.call("GET", path, raw=True)
            except RuntimeError:
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.01)

    def metric(self, name):
        """A counter of /metrics that has no labels."""
        for line in self.call("GET", "/metrics", raw=True).decode().splitlines():
            if line.startswith(name + " "):
                return float(line.split()[1])
        raise KeyError(name)

    def cpu(self):
        """User and system time of the server and of all processes that it started, in seconds."""
        return sum(cpu_ticks(pid) for pid in tree(self.pid)) / TICKS

    def spent(self):
        """What each of their threads has spent so far: to the nanosecond, but without those that have ended."""
        return Spent({thread: nanoseconds for pid in tree(self.pid) for thread, nanoseconds in threads(pid)})

    def resident_mb(self, kind="VmRSS"):
        """Resident memory of the server's process: all of it, or `RssAnon`, or `RssFile`."""
        return status_kib(self.pid, kind) * 1024 / 1e6

    def spawner_mb(self):
        """Resident memory of the process that starts its steps; most of it are the same pages of the program."""
        return sum(status_kib(pid, "VmRSS") for pid in children(self.pid)) * 1024 / 1e6

    def stop(self):
        os.kill(self.pid, signal.SIGTERM)
        _, rest = self.process.communicate(timeout=60)
        # A server that is asked to stop in its first instant may not listen for that yet.
        if self.process.returncode not in (0, -signal.SIGTERM) or "panicked" in rest:
            raise RuntimeError(f"the server ended with {self.process.returncode}: {rest}")

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.stop()
        else:
            self.process.kill()


class Spent(dict):
    """Nanoseconds by thread; the difference of two is in seconds."""

    def __sub__(self, earlier):
        return sum(spent - earlier.get(thread, 0) for thread, spent in self.items()) / 1e9


def threads(pid):
    """The threads of a process, each with the nanoseconds that it ran (the kernel's sched-stats.rst)."""
    for task in pathlib.Path(f"/proc/{pid}/task").glob("*"):
        try:
            yield task.name, int((task / "schedstat").read_text().split()[0])
        except OSError:
            continue


def children(pid):
    """The processes that one started, from the parents in /proc."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            fields = stat(int(entry.name))
            if fields and int(fields[1]) == pid:
                found.append(int(entry.name))
    return found


def tree(pid):
    return [pid] + [below for child in children(pid) for below in tree(child)]


def stat(pid):
    """The fields of /proc/PID/stat from the third on (proc(5)); none if the process is gone."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return None


def cpu_ticks(pid):
    """Its own time, and that of children that ended and were waited for (fields 14 to 17)."""
    fields = stat(pid)
    return sum(int(ticks) for ticks in fields[11:15]) if fields else 0


def status_kib(pid, name):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1])
    return 0
