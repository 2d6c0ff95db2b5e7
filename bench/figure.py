"""A figure: what was measured several times, beside its target."""

import statistics
from dataclasses import dataclass, field


@dataclass
class Figure:
    """One line of the table. The smaller, the better."""

    name: str
    unit: str
    values: list[float]
    n: str
    """What one repeat counts."""
    target: float | None = None
    beside: list[str] = field(default_factory=list)
    """What was seen with it: wall time, the peer, the disk."""

    @property
    def median(self):
        return statistics.median(self.values)

    @property
    def holds(self):
        return self.target is None or self.median <= self.target

    def cells(self):
        """Name, figure, spread, target, verdict, what one repeat counts, what was beside it."""
        lowest, highest = min(self.values), max(self.values)
        return [
            self.name,
            f"{number(self.median)} {self.unit}",
            f"{number(lowest)} – {number(highest)}",
            "" if self.target is None else f"≤ {number(self.target)}",
            "" if self.target is None else ("yes" if self.holds else "**no**"),
            f"{len(self.values)} × {self.n}",
            "; ".join(self.beside),
        ]


CALM = 4
"""One of so many repeats is kept where only the calmest count."""


def calmest(values):
    """The least of them, a quarter of all, and what all were, said. Whoever shares a core can make a repeat cost
    more, and nobody can make it cost less."""
    said = f"all {len(values)} repeats: median {number(statistics.median(values))}, most {number(max(values))}"
    return sorted(values)[: max(1, len(values) // CALM)], said


def number(value):
    """Three significant digits, never in exponents."""
    if value == 0 or abs(value) >= 100:
        return f"{value:.0f}"
    digits = 2 if abs(value) >= 1 else 3
    text = f"{value:.{digits}f}" if abs(value) < 10 else f"{value:.1f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def percentile(sorted_values, share):
    """The value below which that share of them lies (nearest rank)."""
    return sorted_values[min(len(sorted_values) - 1, int(share * len(sorted_values)))]


def median_of(rows, key):
    """The median of a field over the repeats."""
    return statistics.median(row[key] for row in rows)
