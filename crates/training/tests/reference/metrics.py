"""Writes metrics.json: small inputs with the figures that scikit-learn computes for them.

Usage: python metrics.py > metrics.json      (numpy, scipy, scikit-learn)
"""

import json

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit
from sklearn import metrics
from sklearn.linear_model import LogisticRegression, Ridge


def expected_calibration_error(y, p, bins):
    index = np.minimum((p * bins).astype(int), bins - 1)
    total = 0.0
    for b in range(bins):
        inside = index == b
        if inside.any():
            total += inside.mean() * abs(p[inside].mean() - y[inside].mean())
    return float(total)


def binary_case(name, y, p):
    return {
        "name": name,
        "positive": [bool(v) for v in y],
        "probability": [float(v) for v in p],
        "log_loss": float(metrics.log_loss(y, p, labels=[0, 1])),
        "auc": float(metrics.roc_auc_score(y, p)) if len(set(y)) == 2 else None,
        "brier": float(metrics.brier_score_loss(y, p)),
        "ece": expected_calibration_error(np.asarray(y, float), np.asarray(p), 10),
    }


def platt(margins, y):
    """Maximum likelihood on Platt's smoothed targets, by a general optimiser."""
    hits, misses = y.sum(), (1 - y).sum()
    target = np.where(y == 1, (hits + 1) / (hits + 2), 1 / (misses + 2))

    def loss(ab):
        z = ab[0] * margins + ab[1]
        return np.sum(np.logaddexp(0, z) - target * z)

    def gradient(ab):
        d = expit(ab[0] * margins + ab[1]) - target
        return np.array([np.sum(d * margins), np.sum(d)])

    def hessian(ab):
        p = expit(ab[0] * margins + ab[1])
        w = p * (1 - p)
        return np.array([[np.sum(w * margins**2), np.sum(w * margins)], [np.sum(w * margins), np.sum(w)]])

    fit = minimize(loss, np.zeros(2), jac=gradient, hess=hessian, method="trust-exact", options={"gtol": 1e-11})
    return {
        "margins": margins.tolist(),
        "positive": [bool(v) for v in y],
        "slope": float(fit.x[0]),
        "intercept": float(fit.x[1]),
    }


def linear(rng):
    """Two numbers (the second with missing values) and one category, in the design that the crate documents."""
    n = 400
    a = rng.normal(50, 20, n).astype(np.float32)
    b = rng.exponential(3, n).astype(np.float32)
    b[rng.random(n) < 0.2] = np.nan
    c = rng.choice(["x", "y", "z"], n, p=[0.5, 0.3, 0.2])
    z = 0.04 * (a - 50) + np.where(np.isnan(b), 0.8, -0.3 * b) + np.select([c == "x", c == "y"], [0.5, -0.7], 0.0)
    y = (rng.random(n) < expit(z)).astype(int)
    number = (z + rng.normal(0, 0.5, n)).astype(np.float32)

    def standardised(v):
        mean = np.float32(np.nanmean(v.astype(np.float64)))
        deviation = np.float32(np.nanstd(v.astype(np.float64)))
        scale = np.float32(1) / deviation
        return np.where(np.isnan(v), 0.0, (v.astype(np.float64) - np.float64(mean)) * np.float64(scale))

    missing = np.isnan(b).astype(float)
    onehot = np.stack([c == level for level in ["x", "y", "z"]], axis=1).astype(float)
    design = np.column_stack([standardised(a), standardised(b), missing, onehot])
    logistic = LogisticRegression(C=1 / 2.0, solver="newton-cholesky", tol=1e-12, max_iter=1000).fit(design, y)
    ridge = Ridge(alpha=2.0, solver="cholesky").fit(design, number)
    return {
        "a": a.tolist(),
        "b": [None if np.isnan(v) else float(v) for v in b],
        "c": c.tolist(),
        "y": y.tolist(),
        "number": number.tolist(),
        "l2": 2.0,
        "logistic": {"intercept": float(logistic.intercept_[0]), "weights": logistic.coef_[0].tolist()},
        "ridge": {"intercept": float(ridge.intercept_), "weights": ridge.coef_.tolist()},
    }


def main():
    rng = np.random.default_rng(20130101)
    y = rng.integers(0, 2, 200)
    smooth = np.clip(0.3 * y + 0.7 * rng.random(200), 0, 1)
    binary = [
        binary_case("smooth", y, smooth),
        binary_case("ties", y, np.round(smooth, 1)),
        binary_case("all tied", y, np.full(200, 0.25)),
        binary_case("certain and sometimes wrong", y, np.where(smooth > 0.5, 1.0, 0.0)),
        binary_case("edges of the bins", y, rng.integers(0, 11, 200) / 10),
        binary_case("one row a class", np.array([0, 1]), np.array([0.9, 0.2])),
        binary_case("one class", np.ones(5, int), np.linspace(0.1, 0.9, 5)),
    ]
    actual = rng.normal(10, 3, 150)
    predicted = actual + rng.normal(0, 1, 150)
    regression = {
        "actual": actual.tolist(),
        "predicted": predicted.tolist(),
        "rmse": float(metrics.root_mean_squared_error(actual, predicted)),
        "mae": float(metrics.mean_absolute_error(actual, predicted)),
        "r2": float(metrics.r2_score(actual, predicted)),
    }
    margins = rng.normal(0, 2, 300)
    overconfident = platt(margins, (rng.random(300) < expit(0.4 * margins - 0.5)).astype(int))
    separable = platt(np.linspace(-3, 3, 40), (np.linspace(-3, 3, 40) > 0.5).astype(int))
    print(
        json.dumps(
            {
                "binary": binary,
                "regression": regression,
                "platt": [overconfident, separable],
                "linear": linear(rng),
            }
        )
    )


if __name__ == "__main__":
    main()
