"""Reference figures for quality metrics and jackknife intervals: scikit-learn and scipy.

python3 -m pip install numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1 && python3 performance.py
"""

import json
from pathlib import Path

import numpy as np
from scipy import stats
from sklearn import metrics

rng = np.random.default_rng(3)


def ece(label, score):
    bins = np.minimum((score * 10).astype(int), 9)
    total = 0.0
    for b in range(10):
        inside = bins == b
        if inside.any():
            total += inside.mean() * abs(score[inside].mean() - label[inside].mean())
    return float(total)


def figures(label, score):
    return {
        "log_loss": float(metrics.log_loss(label, score, labels=[0, 1])),
        "brier": float(metrics.brier_score_loss(label, score)),
        "accuracy": float(metrics.accuracy_score(label, score >= 0.4)),
        "auc": float(metrics.roc_auc_score(label, score)),
        "ece": ece(label, score),
    }


def jackknife(day, figure, level):
    days = np.unique(day)
    left_out = np.array([figure(day != d) for d in days])
    centre = figure(day == day)
    spread = np.sqrt((len(days) - 1) / len(days) * np.sum((left_out - centre) ** 2))
    half = stats.t.ppf((1 + level) / 2, len(days) - 1) * spread
    return [float(centre - half), float(centre + half)]


cases = []
for n, digits in ((60, 1), (200, 3), (120, 5)):
    score = np.round(rng.beta(1.5, 3, n), digits)
    score[:2] = [0.0, 1.0]
    label = (rng.random(n) < score).astype(int)
    label[:2] = [0, 0]
    day = rng.integers(0, 5, n)
    cases.append(
        {
            "score": score.tolist(),
            "label": label.tolist(),
            "day": day.tolist(),
            "figures": figures(label, score),
            "jackknife": {
                name: jackknife(day, lambda keep, name=name: figures(label[keep], score[keep])[name], 0.9)
                for name in ("brier", "auc", "ece")
            },
        }
    )

label, score = np.round(rng.normal(0, 3, 40), 3), np.round(rng.normal(0, 3, 40), 3)
numbers = {
    "score": score.tolist(),
    "label": label.tolist(),
    "mean_absolute_error": float(metrics.mean_absolute_error(label, score)),
    "mean_squared_error": float(metrics.mean_squared_error(label, score)),
}
text = json.dumps({"classes": cases, "numbers": numbers}, separators=(",", ":"))
Path(__file__).with_suffix(".json").write_text(text + "\n")
