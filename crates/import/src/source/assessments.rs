//! `assessments`.

use mainstay_core::error::StorageError;
use mainstay_store::value::Row;
use mainstay_traces::assessment::{
    Assessment, AssessmentId, AssessmentValue, Failure, Judgement, Source, SourceType,
};
use mainstay_traces::id::TraceId;
use mainstay_traces::import::ImportedAssessment;
use mainstay_traces::info::Pairs;
use serde_json::{Map, Value};

use crate::finding::Finding;

/// What is read by [`read`], of a range of traces, in the order in which it was said.
pub(super) const ROWS: &str = "SELECT trace_id, assessment_id, name, assessment_type, value, error, \
    created_timestamp, last_updated_timestamp, source_type, source_id, run_id, span_id, rationale, overrides, \
    CASE WHEN valid THEN 1 ELSE 0 END, assessment_metadata FROM assessments \
    WHERE trace_id > $1 AND trace_id <= $2 ORDER BY trace_id, created_timestamp, assessment_id";
/// What judges by a model was called once.
const OLDER_JUDGE: &str = "AI_JUDGE";

/// A row of [`ROWS`], of that trace.
pub(super) fn read(row: &Row, trace: &TraceId) -> Result<Result<ImportedAssessment, Finding>, StorageError> {
    let text = |column| row.opt_text(column).map(|text| text.map(str::to_owned));
    let (id, name) = (row.text(1)?, row.text(2)?);
    let kind = match row.text(8)? {
        OLDER_JUDGE => Some(SourceType::LlmJudge),
        kind => SourceType::named(kind),
    };
    let metadata = row.opt_text(15)?.map_or(Some(Pairs::new()), metadata);
    let (source_id, span, rationale, run) = (text(9)?, text(11)?, text(12)?, text(10)?);
    let overrides = row.opt_text(13)?.map(AssessmentId::parse).transpose();
    let judgement = judgement(row.text(3)?, row.text(4)?, row.opt_text(5)?);
    let (valid, created_ms, updated_ms) = (row.flag(14)?, row.int(6)?, row.int(7)?);
    let assessment = || -> Result<Assessment, String> {
        let told = |error: mainstay_traces::error::TraceError| error.to_string();
        let unread = |what: &str| format!("its {what} cannot be read");
        let assessment = Assessment {
            id: AssessmentId::parse(id).map_err(told)?,
            trace: trace.clone(),
            name: name.to_owned(),
            span,
            source: Source { kind: kind.ok_or_else(|| unread("kind of source"))?, id: source_id },
            judgement: judgement?,
            rationale,
            metadata: metadata.ok_or_else(|| unread("metadata"))?,
            overrides: overrides.map_err(told)?,
            valid,
            created_ms,
            updated_ms,
        };
        assessment.checked().map_err(told)
    };
    let assessment = assessment();
    Ok(assessment
        .map(|assessment| ImportedAssessment { assessment, run })
        .map_err(|reason| Finding::new(format!("assessment {id:?} ({name:?}) of trace {trace}"), reason)))
}

fn judgement(kind: &str, value: &str, error: Option<&str>) -> Result<Judgement, String> {
    let said: Value = serde_json::from_str(value).map_err(|error| format!("its value: {error}"))?;
    let kept = |said: &Value| AssessmentValue::new(said).map_err(|error| error.to_string());
    match kind {
        "feedback" => {
            let failure = error.map(serde_json::from_str::<Failure>).transpose();
            Ok(Judgement::Feedback(kept(&said)?, failure.map_err(|error| format!("its error: {error}"))?))
        }
        "expectation" => Ok(Judgement::Expectation(kept(&said)?)),
        // The name of the problem stands in an object; its id is the name of the assessment.
        "issue" => match said.get("issue_name") {
            Some(name @ Value::String(_)) => Ok(Judgement::Issue(kept(name)?)),
            _ => Err("it names no issue".to_owned()),
        },
        other => Err(format!("{other:?} is no kind of assessment")),
    }
}

fn metadata(text: &str) -> Option<Pairs> {
    let pairs: Option<Map<String, Value>> = serde_json::from_str(text).ok()?;
    let plain = |value: Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    Some(pairs.unwrap_or_default().into_iter().map(|(key, value)| (key, plain(value))).collect())
}

#[cfg(test)]
mod tests {
    use mainstay_store::value::Value as Cell;

    use super::*;

    fn row(kind: &str, value: &str, error: Cell) -> Row {
        let mut cells: Vec<Cell> = ["tr-1", "a-1", "good", kind, value].map(Cell::from).into();
        cells.extend([error, 5_i64.into(), 7_i64.into(), "AI_JUDGE".into(), Cell::Null, "run-1".into()]);
        cells.extend([Cell::Null, "why".into(), Cell::Null, 1_i64.into(), r#"{"a": "b", "n": 1}"#.into()]);
        Row::new(cells)
    }

    #[test]
    fn what_is_said_of_a_trace_is_read_as_a_stock_server_writes_it() {
        let trace = TraceId::parse("tr-1").unwrap();
        let read = |row: &Row| read(row, &trace).unwrap();
        let error = r#"{"error_code": "E", "error_message": null, "stack_trace": null}"#;
        let feedback = read(&row("feedback", "null", error.into())).unwrap();
        let Judgement::Feedback(value, Some(failure)) = &feedback.assessment.judgement else { panic!() };
        assert_eq!((value.as_str(), failure.code.as_str(), &failure.message), ("null", "E", &None));
        assert_eq!(feedback.assessment.source.kind, SourceType::LlmJudge);
        assert_eq!((feedback.run.as_deref(), feedback.assessment.valid), (Some("run-1"), true));
        assert_eq!(feedback.assessment.metadata["n"], "1");
        let expectation = read(&row("expectation", r#"{"b": [1, 2.5], "a": "é"}"#, Cell::Null)).unwrap();
        assert_eq!(expectation.assessment.judgement.value().as_str(), r#"{"a": "\u00e9", "b": [1, 2.5]}"#);
        assert_eq!(expectation.assessment.rationale, None);
        let issue = read(&row("issue", r#"{"issue_name": "slow"}"#, Cell::Null)).unwrap();
        assert_eq!(issue.assessment.judgement.value().as_str(), r#""slow""#);
        for (kind, value) in [("feedback", "{"), ("issue", "1"), ("praise", "1"), ("feedback", "NaN")] {
            assert!(read(&row(kind, value, Cell::Null)).is_err(), "{kind} {value}");
        }
    }
}
