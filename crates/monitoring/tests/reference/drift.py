"""Reference figures for profiles and drift: numpy and scipy. Writes drift.json beside this file.

python3 -m pip install numpy==2.4.6 scipy==1.17.1 && python3 drift.py
"""

import json
from pathlib import Path

import numpy as np
from scipy import stats

rng = np.random.default_rng(7)


def floats(values):
    return [float(v) for v in values]


def psi(reference, current):
    p = np.maximum(np.array(reference) / np.sum(reference), 1e-4)
    q = np.maximum(np.array(current) / np.sum(current), 1e-4)
    value = float(np.sum((q - p) * np.log(q / p)))
    noise = 1 / np.sum(reference) + 1 / np.sum(current)
    degrees = len(reference) - 1
    return {
        "value": value,
        "expected": float(degrees * noise),
        "p_value": float(stats.chi2.sf(value / noise, degrees)),
    }


def deciles():
    cases = []
    for sample in (
        np.round(rng.normal(40, 12, 301), 3),
        np.round(rng.exponential(2, 300)) / 10,
        np.where(rng.random(200) < 0.93, 0.0, np.round(rng.random(200), 3)),
        np.full(20, 3.25),
    ):
        edges = np.unique(np.quantile(sample, np.arange(1, 10) / 10).astype(np.float32))
        fresh = np.round(np.concatenate([rng.choice(sample, 50), rng.normal(sample.mean(), 3 * sample.std() + 1, 50)]), 3)
        bins = np.searchsorted(edges, fresh.astype(np.float32), side="left")
        outside = (fresh.astype(np.float32) < np.float32(sample.min())) | (
            fresh.astype(np.float32) > np.float32(sample.max())
        )
        cases.append(
            {
                "sample": floats(sample),
                "edges": floats(edges),
                "fresh": floats(fresh),
                "counts": np.bincount(bins, minlength=len(edges) + 1).tolist(),
                "outside": int(outside.sum()),
                "mean": float(fresh.mean()),
                "variance": float(fresh.var(ddof=1)),
            }
        )
    return cases


def tables():
    cases = []
    for reference, current in (
        ([100] * 10, [90, 110, 95, 105, 100, 100, 130, 70, 101, 99]),
        ([500, 300, 200, 0], [50, 10, 30, 7]),
        ([10, 0, 20], [5, 0, 5]),
        ([1000, 1], [5000, 0]),
        (rng.poisson(800, 10).tolist(), rng.poisson(200, 10).tolist()),
    ):
        kept = [i for i in range(len(reference)) if reference[i] + current[i] > 0]
        table = [[reference[i] for i in kept], [current[i] for i in kept]]
        chi = stats.chi2_contingency(table, correction=False)
        p, q = np.array(reference) / np.sum(reference), np.array(current) / np.sum(current)
        cases.append(
            {
                "reference": reference,
                "current": current,
                "psi": psi(reference, current),
                "chi_square": [float(chi.statistic), int(chi.dof), float(chi.pvalue)],
                "total_variation": float(np.abs(p - q).sum() / 2),
            }
        )
    return cases


def kolmogorov_smirnov():
    cases = []
    for n, m, shift, digits in (
        (8, 11, 0.0, None),
        (30, 30, 0.9, None),
        (60, 45, 0.2, None),
        (200, 150, 0.1, None),
        (200, 150, 0.8, None),
        (180, 250, 0.03, None),
        (180, 250, 0.5, None),
        (120, 130, 0.3, 1),
        (1, 5, 0.0, None),
        (4, 4, 50.0, None),
        (150, 151, 0.0, None),
    ):
        a, b = np.round(rng.normal(0, 1, n), 5), np.round(rng.normal(shift, 1, m), 5)
        if digits is not None:
            a, b = np.round(a, digits), np.round(b, digits)
        exact = stats.ks_2samp(a, b, method="exact")
        asymptotic = stats.ks_2samp(a, b, method="asymp")
        cases.append(
            {
                "reference": floats(a),
                "current": floats(b),
                "statistic": float(exact.statistic),
                "exact": float(exact.pvalue),
                "asymptotic": float(asymptotic.pvalue),
            }
        )
    return cases


def kstwo():
    """Pairs of sizes and integer distances whose tail probabilities cover every branch."""
    cases = []
    for n in (10, 50, 140, 141, 300, 2000, 40000):
        for z in (0.3, 0.5, 0.7, 0.9, 1.2, 1.45, 1.5, 1.9, 2.1, 3.0):
            d = z / np.sqrt(n)
            cases.append([n, float(d), float(stats.kstwo.sf(d, n))])
    return cases


def proportions():
    cases = []
    for r, n, c, m in ((20, 1000, 45, 900), (0, 50, 0, 70), (500, 1000, 480, 1000), (0, 400, 3, 100)):
        pooled = (r + c) / (n + m)
        variance = pooled * (1 - pooled) * (1 / n + 1 / m)
        z = (c / m - r / n) / np.sqrt(variance) if variance > 0 else 0.0
        chi = stats.chi2_contingency([[r, n - r], [c, m - c]], correction=False) if variance > 0 else None
        if chi is not None:
            assert abs(chi.statistic - z * z) < 1e-9
        cases.append([r, n, c, m, float(z), float(2 * stats.norm.sf(abs(z)))])
    return cases


def multiplicity():
    cases = []
    for p in ([0.01, 0.02, 0.03, 0.5], [0.04, 0.04, 0.001], rng.uniform(0, 1, 25) ** 3, [0.3]):
        p = np.array(p)
        order = np.argsort(p, kind="stable")
        stepped = np.minimum(np.maximum.accumulate((len(p) - np.arange(len(p))) * p[order]), 1)
        holm = np.empty(len(p))
        holm[order] = stepped
        cases.append(
            {
                "p": floats(p),
                "bh": floats(stats.false_discovery_control(p, method="bh")),
                "holm": floats(holm),
            }
        )
    return cases


figures = {
    "deciles": deciles(),
    "tables": tables(),
    "ks": kolmogorov_smirnov(),
    "kstwo": kstwo(),
    "proportions": proportions(),
    "multiplicity": multiplicity(),
}
Path(__file__).with_suffix(".json").write_text(json.dumps(figures, separators=(",", ":")) + "\n")
