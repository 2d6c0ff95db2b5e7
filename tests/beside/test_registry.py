"""Registered models, their versions, stages, aliases and tags; and prompts, which are kept as such."""

import pytest
from pair import texts

PROMPT = {"mlflow.prompt.is_prompt": "true"}


def read(pair, name):
    pair.get("registered-models/get", name=name)
    pair.post("registered-models/get-latest-versions", name=name)
    pair.get("model-versions/search", filter=f"name='{name}'", order_by="version_number ASC")
    pair.get("registered-models/search", filter=f"name='{name}'")


@pytest.fixture
def model(pair):
    """A model of four versions."""
    pair.post("registered-models/create", name=pair.name, description="d", tags=texts({"a": "1"}))
    for number in range(4):
        pair.post("model-versions/create", name=pair.name, source=f"s3://b/{number}", tags=texts({"n": str(number)}))
    return pair.name


def test_a_model_is_made_changed_and_removed(pair):
    pair.post("registered-models/create", name=pair.name, tags=texts({"a": "1"}), description="d")
    pair.post("registered-models/create", name=pair.name)
    for change in [{"description": "new"}, {"description": ""}, {}]:
        pair.patch("registered-models/update", name=pair.name, **change)
        pair.get("registered-models/get", name=pair.name)
    for _ in range(2):
        pair.delete("registered-models/delete", name=pair.name)
    pair.get("registered-models/get", name=pair.name)
    pair.post("registered-models/create", name=pair.name)
    read(pair, pair.name)


@pytest.mark.parametrize("name", ["", "a/b", "a:b", ".", "..", "a b", "é", "x" * 256, "it's", "a%b", "123", "a\\b"])
def test_names_of_models(pair, name):
    name = name and (name if name in (".", "..") else name[:240] + pair.name)
    pair.post("registered-models/create", name=name)
    pair.get("registered-models/get", name=name)
    pair.post("model-versions/create", name=name, source="s3://b/x")


def test_a_model_is_renamed(pair, model):
    pair.post("registered-models/alias", name=model, alias="best", version="2")
    pair.post("registered-models/create", name=model + "taken")
    for new in ["", model + "taken", model, "a/b", model + "new"]:
        pair.post("registered-models/rename", name=model, new_name=new)
    for name in [model, model + "new"]:
        read(pair, name)
    pair.get("registered-models/alias", name=model + "new", alias="best")
    pair.get("model-versions/get", name=model + "new", version="1")


def test_a_model_that_there_is_not(pair):
    name = pair.name + "none"
    pair.get("registered-models/get", name=name)
    pair.post("registered-models/get-latest-versions", name=name)
    pair.post("registered-models/rename", name=name, new_name=name + "b")
    pair.patch("registered-models/update", name=name, description="x")
    pair.delete("registered-models/delete", name=name)
    pair.post("registered-models/set-tag", name=name, key="a", value="b")
    pair.post("registered-models/alias", name=name, alias="best", version="1")
    pair.post("model-versions/create", name=name, source="s3://b/x")
    pair.get("model-versions/get", name=name, version="1")


@pytest.mark.parametrize("source", [
    "s3://b/x", "dbfs:/x", "gs://b/x", "abfss://c@h/x", "hdfs://x", "ftp://x/y", "", "/etc/passwd", "file:///etc",
    "../x",
    "models:/nothing/1", "models:/", "relative/path", "s3://b/../x", "s3://b/%2e%2e/x", "s3://b/a b", "dummy",
    "runs:/0123/model", "mlflow-artifacts:/x",
])
def test_sources_of_versions(pair, run, source):
    pair.post("registered-models/create", name=pair.name)
    for id in ["", run]:
        pair.post("model-versions/create", name=pair.name, source=source, run_id=id)
    read(pair, pair.name)


def test_a_version_of_a_run(pair, experiment, run):
    pair.post("registered-models/create", name=pair.name)
    root = pair.get("runs/get", run_id=run)["run"]["info"]["artifact_uri"]
    for source in [root + "/model", root, root + "/../x", f"runs:/{run}/model"]:
        pair.post("model-versions/create", name=pair.name, source=source, run_id=run, run_link="http://x/1")
    for version in ["1", "2", "3"]:
        pair.get("model-versions/get-download-uri", name=pair.name, version=version)
    pair.get("model-versions/search", filter=f"run_id='{run}'")


@pytest.mark.parametrize("version", ["1", "99", "0", "-1", "abc", "", "01"])
def test_a_version_is_asked_for_changed_and_removed(pair, model, version):
    of = {"name": model, "version": version}
    for call in ["get", "get-download-uri"]:
        pair.get(f"model-versions/{call}", **of)
    pair.patch("model-versions/update", **of, description="new")
    pair.post("model-versions/set-tag", **of, key="a", value="b")
    pair.get("model-versions/get", **of)
    pair.delete("model-versions/delete-tag", **of, key="a")
    for _ in range(2):
        pair.delete("model-versions/delete", **of)
    pair.get("model-versions/get", **of)
    read(pair, model)


def test_the_number_of_a_removed_version(pair, model):
    pair.delete("model-versions/delete", name=model, version="4")
    pair.post("model-versions/create", name=model, source="s3://b/again")
    pair.delete("model-versions/delete", name=model, version="2")
    pair.post("model-versions/create", name=model, source="s3://b/again")
    read(pair, model)


def test_stages(pair, model):
    for stage in ["Staging", "staging", "PRODUCTION", "None", "Archived", "none"]:
        move = {"version": "2", "stage": stage, "archive_existing_versions": False}
        pair.post("model-versions/transition-stage", name=model, **move)
        read(pair, model)
    for version in ["1", "3", "4"]:
        move = {"version": version, "stage": "Production", "archive_existing_versions": version == "4"}
        pair.post("model-versions/transition-stage", name=model, **move)
    read(pair, model)
    for stages in [[], ["Production"], ["production", "None"], ["Production", "Production"]]:
        pair.post("registered-models/get-latest-versions", name=model, stages=stages)


def test_the_latest_versions_come_by_their_number(pair, model):
    for version, stage in [("1", "Production"), ("2", "Archived"), ("3", "Staging")]:
        move = {"version": version, "stage": stage, "archive_existing_versions": False}
        pair.post("model-versions/transition-stage", name=model, **move)
    read(pair, model)


@pytest.mark.parametrize("alias", [
    "best", "Best", "v", "12", "a-b", "a b", "é", "a.b", "x" * 255, "x" * 256, "", "a/b", "latest", "LATEST", "v1",
])
def test_names_of_aliases(pair, model, alias):
    pair.post("registered-models/alias", name=model, alias=alias, version="1")
    pair.get("registered-models/alias", name=model, alias=alias)
    pair.delete("registered-models/alias", name=model, alias=alias)


def test_aliases_move_and_go_with_their_version(pair, model):
    for alias, version in [("a", "1"), ("b", "1"), ("a", "2"), ("c", "3"), ("a", "99"), ("a", "abc"), ("a", "")]:
        pair.post("registered-models/alias", name=model, alias=alias, version=version)
    read(pair, model)
    pair.delete("model-versions/delete", name=model, version="2")
    pair.get("registered-models/alias", name=model, alias="a")
    for alias in ["b", "b", "nothing"]:
        pair.delete("registered-models/alias", name=model, alias=alias)
    read(pair, model)


def test_tags_of_models_and_versions(pair, model):
    long = [("k" * 251, "v"), ("k" * 250, "v" * 5001), ("big", "v" * 100_001)]
    for key, value in [("t", "v"), ("t", ""), ("", ""), *long]:
        pair.post("registered-models/set-tag", name=model, key=key, value=value)
        pair.post("model-versions/set-tag", name=model, version="1", key=key, value=value)
    for key in ["t", "t", "nothing"]:
        pair.delete("registered-models/delete-tag", name=model, key=key)
        pair.delete("model-versions/delete-tag", name=model, version="1", key=key)
    read(pair, model)


def test_prompts_are_apart_from_models(pair, model):
    prompt = pair.name + "prompt"
    pair.post("registered-models/create", name=prompt, tags=texts(PROMPT))
    for text in ["Hello {{name}}", "Dear {{name}}"]:
        tags = texts(PROMPT | {"mlflow.prompt.text": text, "_mlflow_prompt_type": "text"})
        pair.post("model-versions/create", name=prompt, source="prompt-template", tags=tags, description="why")
    pair.post("registered-models/alias", name=prompt, alias="best", version="1")
    pair.get("registered-models/alias", name=prompt, alias="best")
    read(pair, prompt)
    mine = f"name LIKE '{pair.name}%'"
    for more in ["", " AND tags.`mlflow.prompt.is_prompt` = 'true'", " AND tags.`mlflow.prompt.is_prompt` != 'true'"]:
        pair.get("registered-models/search", filter=mine + more, order_by="name ASC")
        pair.get("model-versions/search", filter=mine + more, order_by=["name ASC", "version_number ASC"])
    pair.post("registered-models/create", name=prompt)
    pair.post("registered-models/create", name=model, tags=texts(PROMPT))
    pair.delete("registered-models/delete", name=prompt)
    read(pair, prompt)
