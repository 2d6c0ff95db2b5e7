"""Kills a server over and over: half of the time at random moments, else as it enters a state, each in turn. Where
a state is not entered so often, they are at random instead."""

import collections
import itertools
import json
import random
import threading
import time

import lives

APART = 0.04
"""So much of the life lies between two kills that are drawn toward one state."""
LATE = 0.9
"""From this part of the life on, what is missing is made up for."""
HESITATION = 1.0
"""Seconds, at most, between a random moment and its kill, as moments are only seen when a segment is sealed."""


def logged(data):
    """Bytes of sealed segments in the prediction log."""
    log = data / "segments/predictions/default"
    return sum(file.stat().st_size for file in log.glob("*.seg"))


class Reaper(threading.Thread):
    """Kills `kills` times until `length` bytes of predictions have been logged."""

    def __init__(self, immortal, kills, seed, length):
        super().__init__(daemon=True)
        self.immortal, self.length = immortal, length
        self.draws = random.Random(seed)
        self.quota = collections.Counter(itertools.islice(itertools.cycle(lives.STATES), kills // 2))
        self.moments = sorted(self.draws.random() for _ in range(kills - self.quota.total()))
        self.drawn, self.random = collections.Counter(), collections.Counter()
        self.over, self.fault = threading.Event(), None

    @property
    def kills(self):
        return self.drawn.total() + self.random.total()

    def run(self):
        try:
            self.reap()
        except Exception as fault:
            self.fault = fault

    def reap(self):
        sight, last = lives.Sight(self.immortal), {}
        while (self.moments or self.quota) and not self.over.is_set():
            now = logged(self.immortal.data) / self.length
            if self.quota and now >= LATE:
                missing, self.quota = self.quota.total(), collections.Counter()
                self.moments = sorted(self.moments + [now + (0.99 - now) * self.draws.random() for _ in range(missing)])
            wanted = [state for state in self.quota if now - last.get(state, -1) >= APART]
            state = sight.enters(wanted)
            if state:
                time.sleep(self.draws.random() * lives.DELAY.get(state, 0.005))
                self.immortal.kill()
                self.drawn[state] += 1
                self.quota -= collections.Counter([state])
                last[state] = now
                sight.forget()
            elif self.moments and now >= self.moments[0]:
                self.moments.pop(0)
                time.sleep(self.draws.random() * HESITATION)
                self.random[self.found(sight)] += 1
                self.immortal.kill()
                sight.forget()
            else:
                time.sleep(0.001)

    def found(self, sight):
        """What the server is at."""
        record = sight.record.connection
        if record.execute("SELECT count(*) FROM pipeline_steps WHERE state = 'running'").fetchone()[0]:
            return "step running"
        query = "SELECT kind, body FROM events WHERE kind LIKE 'rollout.%' ORDER BY seq DESC LIMIT 1"
        kind, body = record.execute(query).fetchone() or (None, None)
        if kind == "rollout.started":
            return "shadow"
        if kind == "rollout.advanced":
            return f"canary {json.loads(body)['state'].get('step', 0) + 1}"
        return "serving"

    def histogram(self):
        """A line for each state: kills drawn toward it, and random ones that found it."""
        for state in [*lives.STATES, "serving"]:
            yield f"killed in {state:16} {self.drawn[state]:3} drawn {self.random[state]:3} at random"
