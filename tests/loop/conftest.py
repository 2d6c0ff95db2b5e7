import os

import lives
import pytest


@pytest.fixture(scope="session")
def born(tmp_path_factory):
    return lives.bear(tmp_path_factory.mktemp("born"))


@pytest.fixture(scope="session")
def postgres():
    """The address of a PostgreSQL server that may be used freely."""
    server = os.environ.get("MAINSTAY_TEST_POSTGRES")
    if not server:
        assert not os.environ.get("CI"), "run with scripts/with-postgres.sh"
        pytest.skip("no PostgreSQL: run with scripts/with-postgres.sh")
    return server
