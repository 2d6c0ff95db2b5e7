"""Searches of registered models and of their versions."""

import pytest
from pair import pages, texts

MODELS = [
    "name = '{}a'", "name LIKE '{}%'", "name ILIKE '{}A%'", "name LIKE '{}A%'", "name LIKE '{}%' AND name != '{}a'",
    "tags.team = 'x'",
    "tags.team ILIKE 'X'", "tags.team != 'x'", "tags.team LIKE '%'", "tags.`team` = 'X'", "tag.team = 'x'", "foo = 'x'",
    "name > 'a'", "name = a", "name", "attribute.name = '{}a'", "description = 'd'", "name LIKE '%\\_%'",
    "tags.team = 'x' AND tags.team = 'y'", "name = '{}a' AND tags.team = 'x'",
]
VERSIONS = [
    "name = '{}a'", "name ILIKE '{}A%'", "run_id = 'x'", "run_id != 'x'", "run_id = ''", "run_id LIKE '%'", "run_id IN ('x')", "source_path = 's3://b/0'",
    "source_path LIKE 's3://B/%'", "source_path ILIKE 's3://B/%'",
    "version_number = 1", "version_number > 1", "version_number >= 2", "version_number != 1", "version_number = '1'",
    "version_number LIKE '1'", "version = 1", "tags.n = '1'", "tags.n != '1'", "tags.n LIKE '%'", "tags.nothing != 'x'",
    "stage = 'Production'", "aliases = 'a'", "user_id = 'x'", "status = 'READY'", "name = 'x' AND name = 'y'",
    "foo = 'x'",
    "name = abc", "creation_timestamp > 0", "last_updated_timestamp > 0", "tags.n = '1' AND version_number = 2",
]
ORDERS = [
    "name", "name DESC", "version_number", "version_number DESC",
    "last_updated_timestamp DESC", "timestamp", "foo", "tags.n", "run_id", "source_path", "stage", "status", "",
]


@pytest.fixture(scope="module")
def models(named_pair):
    pair = named_pair("sought")
    for number, name in enumerate(["a", "A", "b", "B", "c"]):
        name = pair.name + name
        tags = texts({"team": ["x", "X", "y"][number % 3]}) if number else []
        pair.post("registered-models/create", name=name, tags=tags, description="d")
        for version in range(1 + number % 3):
            more = texts({"n": str(version)}) if version else []
            pair.post("model-versions/create", name=name, source=f"s3://b/{version}", tags=more)
    return pair


@pytest.mark.parametrize("filter", MODELS)
def test_filters_of_models(models, filter):
    filter = filter.replace("{}", models.name)
    models.get("registered-models/search", filter=filter, order_by="name ASC", max_results=1000)


@pytest.mark.parametrize("filter", VERSIONS)
def test_filters_of_versions(models, filter):
    order = ["name ASC", "version_number ASC"]
    models.get("model-versions/search", filter=filter.replace("{}", models.name), order_by=order, max_results=1000)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("kind", ["registered-models", "model-versions"])
def test_orders(models, kind, order):
    models.get(f"{kind}/search", filter=f"name LIKE '{models.name}%'", order_by=order)


@pytest.mark.parametrize("size", [1, 2, 5, 1000, 1001, 200_000, 200_001, "abc"])
@pytest.mark.parametrize("kind", ["registered-models", "model-versions"])
def test_pages(models, kind, size):
    mine = {"filter": f"name LIKE '{models.name}%'", "max_results": size}
    pages(lambda **page: models.get(f"{kind}/search", **mine, **page))
