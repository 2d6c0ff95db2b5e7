"""The folder that the tutorial leaves, made once by doing what it says, and the tutorial's faults."""

from pathlib import Path

import pytest
from pages import read
from terminal import Reader

DOCS = Path(__file__).parents[2] / "docs"


def follow(path: Path, folder: Path) -> list[str]:
    """Does what a page says, and gives what it shows otherwise than it was printed."""
    reader = Reader(folder)
    try:
        reader.read(read(path))
    finally:
        reader.close()
    return reader.faults


@pytest.fixture(scope="session")
def after_tutorial(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tutorial") / "shop"
    folder.mkdir()
    return folder, follow(DOCS / "tutorial.md", folder)
