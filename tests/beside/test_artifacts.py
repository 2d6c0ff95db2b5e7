"""Artifacts through the server: put, listed, fetched and removed."""

import pytest
from pair import AJAX, PROXY


@pytest.fixture
def root(pair, experiment, run):
    """Where a run's artifacts lie, with some files in it."""
    root = f"{PROXY}/{experiment}/{run}/artifacts"
    files = {"greeting.txt": b"hello", "deep/er/file.json": b'{"a": 1}', "empty": b"", "names/a b.txt": b"x"}
    for path, content in files.items():
        pair.ask("PUT", f"{root}/{path}", content, headers={"Content-Type": "application/octet-stream"})
    return root


def test_files_are_listed_by_run(pair, run, root):
    pair.get("artifacts/list", run_id=run)
    for path in ["deep", "deep/er", "deep/er/file.json", "nothing", "names", "..", "/etc", "deep/../..", "a#b"]:
        pair.get("artifacts/list", run_id=run, path=path)
    pair.get("artifacts/list", run_id="0" * 32)


def test_files_are_listed_by_address(pair, experiment, run, root):
    below = f"{experiment}/{run}/artifacts"
    for path in [below, below + "/deep", below + "/nothing", "..", "/etc"]:
        pair.ask("GET", PROXY, query={"path": path})


@pytest.mark.parametrize("path", ["greeting.txt", "deep/er/file.json", "names/a b.txt", "empty", "nothing"])
def test_files_are_fetched(pair, run, root, path):
    pair.ask("GET", f"{root}/{path}")
    pair.ask("GET", "/get-artifact", query={"run_id": run, "path": path})


@pytest.mark.parametrize("path", ["%2e%2e/%2e%2e/x", "a/%2e%2e/b", "%2e%2e"])
def test_paths_that_lead_elsewhere(pair, root, path):
    for method in ["GET", "PUT", "DELETE"]:
        pair.ask(method, f"{root}/{path}", b"x" if method == "PUT" else None)


def test_files_are_replaced_and_removed(pair, run, root):
    pair.ask("PUT", f"{root}/greeting.txt", b"good bye")
    pair.ask("GET", f"{root}/greeting.txt")
    for path in ["greeting.txt", "greeting.txt", "deep", "nothing"]:
        pair.ask("DELETE", f"{root}/{path}")
    pair.get("artifacts/list", run_id=run)


def test_a_file_is_sent_by_a_page(pair, run, root):
    pair.ask("POST", AJAX + "upload-artifact", b"hello", {"run_uuid": run, "path": "sent/by.txt"})
    pair.get("artifacts/list", run_id=run, path="sent")
    pair.ask("GET", f"{root}/sent/by.txt")
