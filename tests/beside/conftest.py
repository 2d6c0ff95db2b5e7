"""A stock server and ours, started once, each over an empty SQLite database."""

import itertools
import sys
from pathlib import Path

import pytest

# The stock server of the tests of the import, and ours of those of the loop.
sys.path += [str(Path(__file__).parents[1] / "import"), str(Path(__file__).parents[1] / "loop")]

from on_purpose import TOLERATED  # noqa: E402
from pair import Pair  # noqa: E402
from server import Server  # noqa: E402
from stock import Stock  # noqa: E402

FRESH = itertools.count(1)


@pytest.fixture(scope="session")
def servers(tmp_path_factory):
    root = tmp_path_factory.mktemp("beside")
    artifacts = root / "artifacts"
    artifacts.mkdir()
    stock = Stock(f"sqlite:///{root}/mlflow.db", artifacts, root / "stock.log")
    try:
        ours = Server(root / "data")
        try:
            yield ours.url, stock.url
        finally:
            ours.stop()
    finally:
        stock.stop()


@pytest.fixture(scope="session")
def named_pair(servers):
    return lambda name: Pair(*servers, TOLERATED, name)


@pytest.fixture
def pair(named_pair):
    """Both servers to a test, and a name that no other test has."""
    return named_pair(f"test{next(FRESH)}x")


@pytest.fixture
def experiment(pair):
    return pair.post("experiments/create", name=pair.name)["experiment_id"]


@pytest.fixture
def run(pair, experiment):
    return pair.post("runs/create", experiment_id=experiment, start_time=1, run_name="one")["run"]["info"]["run_id"]
