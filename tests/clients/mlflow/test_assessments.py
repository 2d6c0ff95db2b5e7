"""What people and judges say of traces, through the unmodified client."""

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.entities import AssessmentError, AssessmentSource, Expectation, Feedback
from mlflow.exceptions import MlflowException

ANN = AssessmentSource(source_type="HUMAN", source_id="ann")
JUDGE = AssessmentSource(source_type="LLM_JUDGE", source_id="judge-1")


@pytest.fixture(scope="module")
def client(server):
    mlflow.set_tracking_uri(server.url)
    return MlflowClient(server.url)


@pytest.fixture(scope="module")
def experiment(client):
    return mlflow.set_experiment("assessments").experiment_id


@pytest.fixture
def trace(experiment):
    @mlflow.trace
    def answer(question):
        return question.upper()

    answer("why?")
    mlflow.flush_trace_async_logging()
    return mlflow.get_trace(mlflow.get_last_active_trace_id())


def said(trace):
    """All that is said of a trace, by name."""
    return {each.name: each for each in mlflow.get_trace(trace.info.trace_id).info.assessments}


def test_what_is_said_comes_back(trace):
    of = trace.info.trace_id
    span = trace.data.spans[0].span_id
    values = {"grade": 0.25, "is_good": True, "word": "fair", "parts": [1, "a"], "map": {"é": None}}
    for name, value in values.items():
        mlflow.log_feedback(trace_id=of, name=name, value=value, source=ANN, rationale="as read")
    mlflow.log_feedback(
        trace_id=of, name="cost", source=JUDGE, error=AssessmentError("QUOTA", "none left"), metadata={"k": "v"}, span_id=span
    )
    mlflow.log_expectation(trace_id=of, name="wanted", value={"answer": "WHY?"}, source=ANN)
    found = said(trace)
    assert {name: found[name].feedback.value for name in values} == values
    assert found["grade"].source == ANN and found["grade"].rationale == "as read"
    assert found["cost"].feedback.error.error_code == "QUOTA" and found["cost"].metadata == {"k": "v"}
    assert found["cost"].span_id == span and found["cost"].source == JUDGE
    assert found["wanted"].expectation.value == {"answer": "WHY?"}
    one = mlflow.get_assessment(of, found["wanted"].assessment_id)
    assert one.name == "wanted" and one.trace_id == of


def test_a_judgement_is_corrected_overridden_and_withdrawn(trace):
    of = trace.info.trace_id
    first = mlflow.log_feedback(trace_id=of, name="safe", value=False, source=JUDGE)
    mlflow.update_assessment(of, first.assessment_id, Feedback(name="safe", value=True, rationale="read again"))
    changed = said(trace)["safe"]
    assert changed.feedback.value is True and changed.rationale == "read again"
    second = mlflow.override_feedback(trace_id=of, assessment_id=first.assessment_id, value=False, source=ANN)
    of_both = {each.assessment_id: each for each in mlflow.get_trace(of).info.assessments}
    assert of_both[second.assessment_id].overrides == first.assessment_id
    assert not of_both[first.assessment_id].valid and of_both[second.assessment_id].valid
    mlflow.delete_assessment(of, second.assessment_id)
    left = {each.assessment_id: each for each in mlflow.get_trace(of).info.assessments}
    assert set(left) == {first.assessment_id} and left[first.assessment_id].valid
    with pytest.raises(MlflowException) as refused:
        mlflow.get_assessment(of, second.assessment_id)
    assert refused.value.error_code == "RESOURCE_DOES_NOT_EXIST"


def test_traces_are_found_by_what_is_said_of_them(client, experiment, trace):
    of = trace.info.trace_id
    mlflow.log_feedback(trace_id=of, name="tone", value="kind", source=ANN)
    mlflow.log_expectation(trace_id=of, name="lang", value="en", source=ANN)
    found = lambda filter: [
        each.info.trace_id for each in client.search_traces(locations=[experiment], filter_string=filter)
    ]
    assert found("feedback.tone = 'kind'") == found("expectation.lang = 'en'") == [of]
    assert found("feedback.tone = 'rude'") == []


def test_the_update_of_an_expectation_keeps_its_name(trace):
    of = trace.info.trace_id
    made = mlflow.log_expectation(trace_id=of, name="lang", value="en", source=ANN)
    mlflow.update_assessment(of, made.assessment_id, Expectation(name="lang", value="de"))
    assert said(trace)["lang"].expectation.value == "de"
