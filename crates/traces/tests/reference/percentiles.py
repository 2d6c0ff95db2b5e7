#!/usr/bin/env python3
"""Reference sums, means and percentiles (linear interpolation at p/100 * (n - 1), numpy's "linear"), with exact
fractions, rounded once at the end. Writes percentiles.json beside it."""
import json
import pathlib
import random
from fractions import Fraction


def percentile(numbers, percent):
    numbers = sorted(Fraction(n) for n in numbers)
    place = Fraction(percent) / 100 * (len(numbers) - 1)
    at = place.numerator // place.denominator
    low, high = numbers[at], numbers[min(at + 1, len(numbers) - 1)]
    return float(low + (high - low) * (place - at))


random.seed(7)
lists = [[5.0], [1.0, 2.0], [3.0, 1.0, 2.0, 10.0], [0.1] * 10, [1e16, 1.0, -1e16],
         [float(random.randrange(10**6)) for _ in range(101)], [random.expovariate(1) for _ in range(1000)]]
cases = []
for numbers in lists:
    total = sum(Fraction(n) for n in numbers)
    cases.append({"numbers": numbers, "sum": float(total), "mean": float(total / len(numbers)),
                  "percentiles": [[p, percentile(numbers, p)] for p in (0.0, 12.5, 50.0, 75.0, 90.0, 99.0, 100.0)]})
path = pathlib.Path(__file__).with_name("percentiles.json")
path.write_text("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")
