//! Assessments as rows.

use mainstay_core::error::StorageError;
use mainstay_traces::assessment::{
    Assessment, AssessmentId, AssessmentValue, Failure, Judgement, Kind, Source, SourceType,
};
use mainstay_traces::id::TraceId;

use super::trace_id;
use crate::params;
use crate::tx::StoreTx;
use crate::value::{Row, json_text};

const OF_TRACE: &str = "SELECT trace, id, name, kind, value, failure, source, source_id, span, rationale, metadata, \
    overrides, valid, created_ms, updated_ms FROM assessments WHERE trace = $1 ORDER BY number";
const ONE: &str = "SELECT trace, id, name, kind, value, failure, source, source_id, span, rationale, metadata, \
    overrides, valid, created_ms, updated_ms FROM assessments WHERE trace = $1 AND id = $2";
const PUT: &str = "INSERT INTO assessments (trace, id, number, name, kind, value, failure, source, source_id, span, \
    rationale, metadata, overrides, valid, created_ms, updated_ms) VALUES ($1, $2, \
    (SELECT COALESCE(MAX(number), 0) + 1 FROM assessments WHERE trace = $1), \
    $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) ON CONFLICT (trace, id) DO UPDATE SET \
    name = excluded.name, kind = excluded.kind, value = excluded.value, failure = excluded.failure, \
    source = excluded.source, source_id = excluded.source_id, span = excluded.span, \
    rationale = excluded.rationale, metadata = excluded.metadata, overrides = excluded.overrides, \
    valid = excluded.valid, created_ms = excluded.created_ms, updated_ms = excluded.updated_ms";

/// `trace, id, name, kind, value, failure, source, source_id, span, rationale, metadata, overrides, valid,
/// created_ms, updated_ms`.
pub(super) fn assessment(row: &Row) -> Result<Assessment, StorageError> {
    let id = |text: &str| AssessmentId::parse(text).map_err(|_| corrupt("id", text));
    let (kind, source) = (row.text(3)?, row.text(6)?);
    let value = AssessmentValue::stored(row.text(4)?);
    let judgement = match Kind::named(kind).ok_or_else(|| corrupt("kind", kind))? {
        Kind::Feedback => {
            let failure = row.opt_text(5)?.map(serde_json::from_str::<Failure>).transpose();
            Judgement::Feedback(
                value,
                failure.map_err(|_| corrupt("failure", row.text(5).unwrap_or_default()))?,
            )
        }
        Kind::Expectation => Judgement::Expectation(value),
        Kind::Issue => Judgement::Issue(value),
    };
    Ok(Assessment {
        trace: trace_id(row, 0)?,
        id: id(row.text(1)?)?,
        name: row.text(2)?.to_owned(),
        judgement,
        source: Source {
            kind: SourceType::named(source).ok_or_else(|| corrupt("source", source))?,
            id: row.opt_text(7)?.map(str::to_owned),
        },
        span: row.opt_text(8)?.map(str::to_owned),
        rationale: row.opt_text(9)?.map(str::to_owned),
        metadata: row.json(10)?,
        overrides: row.opt_text(11)?.map(id).transpose()?,
        valid: row.flag(12)?,
        created_ms: row.int(13)?,
        updated_ms: row.int(14)?,
    })
}

fn corrupt(what: &str, text: &str) -> StorageError {
    StorageError::Corrupt(format!("the {what} {text:?} of an assessment"))
}

impl StoreTx {
    pub(super) async fn all_assessments(&mut self, trace: &TraceId) -> Result<Vec<Assessment>, StorageError> {
        let rows = self.query(OF_TRACE, params![trace.as_str()]).await?;
        rows.iter().map(assessment).collect()
    }

    pub(super) async fn one_assessment(
        &mut self,
        trace: &TraceId,
        id: &AssessmentId,
    ) -> Result<Option<Assessment>, StorageError> {
        let row = self.query_one(ONE, params![trace.as_str(), id.as_str()]).await?;
        row.as_ref().map(assessment).transpose()
    }

    pub(super) async fn set_assessment(&mut self, assessment: &Assessment) -> Result<(), StorageError> {
        let failure = match &assessment.judgement {
            Judgement::Feedback(_, Some(failure)) => Some(json_text(failure)?),
            _ => None,
        };
        let row = params![
            assessment.trace.as_str(),
            assessment.id.as_str(),
            assessment.name.as_str(),
            assessment.judgement.kind().as_str(),
            assessment.judgement.value().as_str(),
            failure.as_deref(),
            assessment.source.kind.as_str(),
            assessment.source.id.as_deref(),
            assessment.span.as_deref(),
            assessment.rationale.as_deref(),
            json_text(&assessment.metadata)?,
            assessment.overrides.as_ref().map(AssessmentId::as_str),
            assessment.valid,
            assessment.created_ms,
            assessment.updated_ms,
        ];
        self.execute(PUT, row).await.map(drop)
    }
}
