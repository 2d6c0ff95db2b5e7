"""The table of what differs on purpose holds nothing that is not told to users, and nothing that is not so."""

from pathlib import Path

import pytest
from on_purpose import TABLE

PAGE = Path(__file__).parents[2] / "docs/mlflow-compatibility.md"


def told():
    """What users are told that differs."""
    return PAGE.read_text().split("\n## What differs on purpose\n", 1)[1].split("\n## ", 1)[0]


@pytest.mark.parametrize("entry", TABLE, ids=lambda entry: entry.shown.__name__)
def test_what_differs_on_purpose_is_told_and_so(pair, experiment, run, entry):
    assert entry.sentence in told()
    assert entry.shown(pair, experiment, run) == entry.differences
