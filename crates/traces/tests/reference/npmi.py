#!/usr/bin/env python3
"""Reference values of normalised pointwise mutual information, from its definition with probabilities as exact
fractions and logarithms of 50 digits: npmi = ln(p(xy) / (p(x) p(y))) / -ln p(xy). Writes npmi.json beside it."""
import json
import pathlib
from decimal import Decimal, getcontext
from fractions import Fraction

getcontext().prec = 50


def ln(x):
    return (Decimal(x.numerator) / Decimal(x.denominator)).ln()


def npmi(both, first, second, neither):
    total = both + first + second + neither
    xy, x, y = both / total, (both + first) / total, (both + second) / total
    return float(ln(xy / (x * y)) / -ln(xy))


def row(total, f1, f2, joint):
    cells = [Fraction(c) for c in (joint, f1 - joint, f2 - joint, total - f1 - f2 + joint)]
    if total == 0 or f1 == 0 or f2 == 0 or min(cells) < 0:
        return [total, f1, f2, joint, None, None]
    if cells[1] == cells[2] == cells[3] == 0:
        return [total, f1, f2, joint, 1.0, 1.0]
    plain = -1.0 if joint == 0 else npmi(*cells)
    return [total, f1, f2, joint, plain, npmi(*(c + Fraction(1, 2) for c in cells))]


cases = [(10, 6, 7, 6), (10, 4, 3, 3), (10, 0, 7, 0), (0, 0, 0, 0), (10, 10, 10, 10), (1, 1, 1, 1), (10, 5, 5, 0),
         (10, 5, 5, 5), (100, 10, 10, 1), (100, 50, 50, 25), (100, 20, 15, 10), (100, 99, 99, 98), (3, 2, 2, 1),
         (3, 2, 2, 0), (5, 3, 2, 3), (1000000, 3, 2, 1), (1000000, 999999, 1, 1), (7, 7, 3, 3), (7, 1, 1, 1),
         (2, 1, 1, 0), (123456, 7890, 45678, 5000), (10**12, 10**6, 10**6, 10**6), (4, 2, 2, 2), (9, 8, 1, 0)]
rows = [row(*case) for case in cases]
path = pathlib.Path(__file__).with_name("npmi.json")
path.write_text("[\n" + ",\n".join(json.dumps(r) for r in rows) + "\n]\n")
