"""The tutorial and the how-tos do what they say: every block is run, and prints what the page shows."""

import shutil

import pytest
from conftest import DOCS, follow
from pages import misses, read

HOW_TOS = sorted((DOCS / "how-to").glob("*.md"))


def test_what_is_shown_must_be_printed():
    printed = "one\ntwo 2 2\nthree\nfour\n"
    for shown in ["one", "two … 2", "one\n…\nfour", "three\nfour", "…\nthree", ""]:
        assert misses(shown, printed) is None, shown
    for shown, missed in [("five", "five"), ("one\nthree", "three"), ("three\n…\none", "one"), ("tw", "tw"), ("a…", "a…")]:
        assert misses(shown, printed) == missed


def test_the_tutorial(after_tutorial):
    folder, faults = after_tutorial
    assert not faults, "\n".join(faults)
    assert (folder / "mainstay-data/mainstay.db").exists()


@pytest.mark.parametrize("path", HOW_TOS, ids=lambda path: path.stem)
def test_how_to(path, tmp_path, request):
    page, folder = read(path), tmp_path / "shop"
    assert page.blocks, "nothing of it is run"
    if page.goes_on:
        left, _ = request.getfixturevalue("after_tutorial")
        shutil.copytree(left, folder)
    else:
        folder.mkdir()
    faults = follow(path, folder)
    assert not faults, "\n".join(faults)
