"""Stock servers that were filled, asked and stopped, on SQLite and on PostgreSQL; and what was imported of them."""

import os
import sys
import time
import uuid
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))

from queries import ask, questions  # noqa: E402
from stock import KEYS, Stock  # noqa: E402
from world import fill  # noqa: E402


# The import opens what was sealed, and both it and the server seal by the passphrase.
os.environ.update(KEYS)


class Source:
    """A stock server's leavings, and what it had answered."""

    def __init__(self, root, database):
        self.artifacts = root / "artifacts"
        self.artifacts.mkdir()
        self.database = database
        self.seconds = 1.0
        stock = Stock(database, self.artifacts, root / "stock.log")
        try:
            self.ids = fill(stock.url)
            self.answers = [(question, ask(stock.url, question)) for question in questions(self.ids)]
        finally:
            stock.stop()


def fresh_database():
    """An empty database of the PostgreSQL server that the tests run beside."""
    import psycopg2

    url = os.environ["MAINSTAY_TEST_POSTGRES"]
    name = "x" + uuid.uuid4().hex
    connection = psycopg2.connect(url)
    connection.autocommit = True
    connection.cursor().execute(f"CREATE DATABASE {name}")
    connection.close()
    return url.rsplit("/", 1)[0] + "/" + name


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def source(request, tmp_path_factory):
    if request.param == "postgresql" and "MAINSTAY_TEST_POSTGRES" not in os.environ:
        pytest.skip("run it by scripts/with-postgres.sh")
    root = tmp_path_factory.mktemp(request.param)
    # A stock server is told which driver to use.
    there = fresh_database().replace("postgresql", "postgresql+psycopg2", 1) if request.param == "postgresql" else ""
    return Source(root, there or f"sqlite:///{root}/mlflow.db")


@pytest.fixture
def target(source, tmp_path):
    """Where to: a data directory, and a database of the kind that the source has."""
    return tmp_path / "data", None if source.database.startswith("sqlite") else fresh_database()


@pytest.fixture(scope="session")
def imported_once(source, tmp_path_factory):
    """What an import says that nobody disturbed, its data directory and its database."""
    from test_import import brought, copied

    data = tmp_path_factory.mktemp("once") / "data"
    into = None if source.database.startswith("sqlite") else fresh_database()
    began = time.monotonic()
    summary = brought(source, data, into, *copied(source))
    source.seconds = time.monotonic() - began
    return summary, data, into


@pytest.fixture
def imported(source, target):
    """The same for a test that goes on to work with it."""
    from test_import import brought, copied

    data, into = target
    return brought(source, data, into, *copied(source)), data, into
