"""Betting e-processes and confidence sequences by plain products and a grid: numpy only, slow on purpose.

python3 -m pip install numpy==2.4.6 && python3 sequential.py
"""

import json
from pathlib import Path

import numpy as np

GAMBLERS = [(0.95 / 2**k, 1 / 2 ** min(k + 1, 5)) for k in range(6)]
assert sum(share for _, share in GAMBLERS) == 1
rng = np.random.default_rng(11)


def wealth(values, null, lower, upper, above):
    """The mean wealth of the six gamblers after each observation."""
    path = []
    for t in range(1, len(values) + 1):
        total = 0.0
        for stake, share in GAMBLERS:
            product = 1.0
            for x in np.clip(values[:t], lower, upper):
                bet = stake / (null - lower) if above else -stake / (upper - null)
                product *= 1 + bet * (x - null)
            total += share * product
        path.append(total)
    return path


def ends(values, lower, upper, alpha):
    """Means that no one-sided test rejected at any time, by halving on the slow wealth."""
    found = []
    for above in (True, False):
        low, high = lower, upper
        for _ in range(40):
            middle = (low + high) / 2
            out = max(wealth(values, middle, lower, upper, above)) >= 1 / alpha
            if out == above:
                low = middle
            else:
                high = middle
        found.append((low + high) / 2)
    return found


cases = []
for values, null, lower, upper, alpha in (
    (rng.normal(0.3, 0.4, 30), 0.0, -1.0, 1.0, 0.05),
    (rng.normal(-0.001, 0.002, 40), 0.001, -0.004, 0.004, 0.05),
    ((rng.random(50) < 0.4).astype(float), 0.1, 0.0, 1.0, 0.01),
    (rng.normal(0, 5, 12), -0.2, -1.0, 0.5, 0.1),
):
    cases.append(
        {
            "values": [float(v) for v in values],
            "null": null,
            "bounds": [lower, upper],
            "alpha": alpha,
            "above": wealth(values, null, lower, upper, True),
            "below": wealth(values, null, lower, upper, False),
            "interval": ends(values, lower, upper, alpha),
        }
    )
Path(__file__).with_suffix(".json").write_text(json.dumps(cases, separators=(",", ":")) + "\n")
