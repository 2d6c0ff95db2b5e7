"""The gateway's administration through the unmodified MLflow client."""

import json

import mlflow
import pytest
from conftest import Server
from mlflow import MlflowClient
from mlflow.entities import (
    FallbackConfig,
    FallbackStrategy,
    GatewayEndpointModelConfig,
    GatewayModelLinkageType,
    GatewayResourceType,
    RoutingStrategy,
)
from mlflow.exceptions import MlflowException
from mlflow.tracking._tracking_service.utils import _get_store

PASSPHRASE = "a passphrase of more than thirty-two characters"
VALUE = "sk-a-value-that-nobody-reads-1234"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_CRYPTO_KEK_PASSPHRASE", PASSPHRASE)
        running = Server(tmp_path_factory.mktemp("data"))
    yield running
    assert running.stop() == 0


@pytest.fixture(scope="module")
def store(server):
    mlflow.set_tracking_uri(server.url)
    return _get_store(server.url)


@pytest.fixture(scope="module")
def model(store):
    secret = store.create_gateway_secret("shared", {"api_key": VALUE}, provider="openai")
    return store.create_gateway_model_definition("shared", secret.secret_id, "openai", "gpt-4")


def config(model, linkage=GatewayModelLinkageType.PRIMARY, **more):
    return GatewayEndpointModelConfig(model.model_definition_id, linkage, **more)


def test_a_secret_is_shown_masked(store, server):
    values = {"aws_access_key_id": "AKIATEST1234", "aws_secret_access_key": VALUE}
    made = store.create_gateway_secret("aws", values, provider="bedrock", auth_config={"aws_region_name": "eu"})
    assert made.masked_values == {"aws_access_key_id": "AKI...1234", "aws_secret_access_key": "sk-...1234"}
    assert made.auth_config == {"aws_region_name": "eu"}
    assert store.get_secret_info(secret_id=made.secret_id) == made
    changed = store.update_gateway_secret(made.secret_id, secret_value={"api_key": "sk-another-long-one"})
    assert changed.masked_values == {"api_key": "sk-...-one"} and changed.auth_config == made.auth_config
    with pytest.raises(MlflowException, match="Secret with name 'aws' already exists"):
        store.create_gateway_secret("aws", {"api_key": VALUE})
    with pytest.raises(MlflowException, match="api_base is not accepted"):
        store.create_gateway_secret("inside", {"api_key": VALUE}, auth_config={"api_base": "https://127.0.0.1"})
    store.delete_gateway_secret(made.secret_id)
    assert "aws" not in {secret.secret_name for secret in store.list_secret_infos()}
    assert not (server.data / "keys" / "gateway.key").exists(), "the passphrase is the key"
    files = [path for path in server.data.rglob("*") if path.is_file()]
    assert files and not any(VALUE.encode() in path.read_bytes() for path in files)


def test_an_endpoint_has_models_tags_and_an_experiment(store, model):
    other = store.create_gateway_model_definition("other", model.secret_id, "anthropic", "claude")
    made = store.create_gateway_endpoint(
        "chat",
        [config(model, weight=0.5), config(other, GatewayModelLinkageType.FALLBACK, fallback_order=1)],
        routing_strategy=RoutingStrategy.REQUEST_BASED_TRAFFIC_SPLIT,
        fallback_config=FallbackConfig(FallbackStrategy.SEQUENTIAL, 2),
    )
    first, second = made.model_mappings
    assert (first.weight, first.model_definition.secret_name, second.fallback_order) == (0.5, "shared", 1)
    assert made.fallback_config == FallbackConfig(FallbackStrategy.SEQUENTIAL, 2)
    assert MlflowClient().get_experiment(made.experiment_id).name == "gateway/chat"
    found = store.get_gateway_endpoint(name="chat")
    assert found.endpoint_id == made.endpoint_id
    with pytest.raises(MlflowException, match="is already attached to endpoint"):
        store.attach_model_to_endpoint(made.endpoint_id, config(model))
    store.detach_model_from_endpoint(made.endpoint_id, other.model_definition_id)
    quiet = store.create_gateway_endpoint("quiet", [config(model)], usage_tracking=False)
    assert (quiet.experiment_id, quiet.usage_tracking, quiet.fallback_config) == (None, False, None)
    listed = {endpoint.name: len(endpoint.model_mappings) for endpoint in store.list_gateway_endpoints()}
    assert listed == {"chat": 1, "quiet": 1}
    binding = store.create_endpoint_binding(quiet.endpoint_id, GatewayResourceType.SCORER, "job")
    assert store.list_endpoint_bindings(resource_id="job") == [binding]
    store.delete_gateway_endpoint(quiet.endpoint_id)
    assert store.list_endpoint_bindings(resource_id="job") == []


def test_a_scorer_is_judged_by_an_endpoint(store, model):
    experiment = MlflowClient().create_experiment("judged")
    store.create_gateway_endpoint("judge", [config(model)], usage_tracking=False)
    scorer = json.dumps({"instructions_judge_pydantic_data": {"model": "gateway:/judge"}})
    registered = store.register_scorer(experiment, "tone", scorer)
    stored = store.upsert_online_scoring_config(experiment, "tone", 0.5, "status = 'OK'")
    assert (stored.scorer_id, stored.sample_rate) == (registered.scorer_id, 0.5)
    endpoint = store.get_gateway_endpoint(name="judge")
    [binding] = store.list_endpoint_bindings(endpoint_id=endpoint.endpoint_id)
    assert (binding.resource_id, binding.display_name) == (registered.scorer_id, "tone")
    store.update_gateway_endpoint(endpoint.endpoint_id, name="umpire")
    assert "gateway:/umpire" in json.dumps(store.get_scorer(experiment, "tone")._serialized_scorer)
