//! `trace_info` with `trace_tags`, `trace_request_metadata`, `spans`, `assessments` and `entity_associations`.

use std::collections::BTreeMap;

use mainstay_core::error::StorageError;
use mainstay_core::name::Name;
use mainstay_store::params;
use mainstay_store::value::Row;
use mainstay_traces::derive::name_of;
use mainstay_traces::id::TraceId;
use mainstay_traces::import::ImportedTrace;
use mainstay_traces::info::{Pairs, TraceInfo, TraceState, key};
use mainstay_traces::span::in_order;
use mainstay_traces::usage::{Amount, Amounts};
use mainstay_tracking::experiment::ExperimentId;
use serde_json::{Map, Value};

use super::{Page, Stock, assessments, has_nul, spans};
use crate::error::ImportError;
use crate::finding::Finding;

/// Most traces of a page.
const PAGE: u64 = 100;
/// Most characters of spans and assessments of a page, but for those of its last trace.
const CONTENT: i64 = 64 << 20;

const IDS: &str = "SELECT t.request_id, CAST((SELECT COALESCE(SUM(LENGTH(s.content)), 0) FROM spans s \
    WHERE s.trace_id = t.request_id) + (SELECT COALESCE(SUM(LENGTH(a.value) + LENGTH(COALESCE(a.rationale, '')) + \
    LENGTH(COALESCE(a.assessment_metadata, ''))), 0) FROM assessments a \
    WHERE a.trace_id = t.request_id) AS BIGINT) FROM trace_info t JOIN experiments e \
    ON e.experiment_id = t.experiment_id WHERE e.workspace = $1 AND t.request_id > $2 \
    ORDER BY t.request_id LIMIT $3";
const ROWS: &str = "SELECT t.request_id, t.experiment_id, t.timestamp_ms, t.execution_time_ms, t.status, \
    t.client_request_id, t.request_preview, t.response_preview, t.trace_name, t.session_id, \
    t.input_tokens, t.output_tokens, t.total_tokens, t.cache_read_input_tokens, t.cache_creation_input_tokens, \
    t.cache_creation_input_tokens_above_1hr, t.input_cost, t.output_cost, t.total_cost FROM trace_info t \
    JOIN experiments e ON e.experiment_id = t.experiment_id \
    WHERE e.workspace = $1 AND t.request_id > $2 AND t.request_id <= $3 ORDER BY t.request_id";
const TAGS: &str = "SELECT request_id, key, value FROM trace_tags \
    WHERE request_id > $1 AND request_id <= $2 ORDER BY request_id, key";
const METADATA: &str = "SELECT request_id, key, value FROM trace_request_metadata \
    WHERE request_id > $1 AND request_id <= $2 ORDER BY request_id, key";
const SPANS: &str = "SELECT trace_id, span_id, content FROM spans \
    WHERE trace_id > $1 AND trace_id <= $2 ORDER BY trace_id, start_time_unix_nano, span_id";
const LINKS: &str = "SELECT source_id, destination_type, destination_id FROM entity_associations \
    WHERE source_type = 'trace' AND destination_type IN ('run', 'prompt_version') \
    AND source_id > $1 AND source_id <= $2 ORDER BY source_id, destination_type, destination_id";

/// Traces, and the id of the last.
pub type Traces = Page<ImportedTrace, String>;
type Found = BTreeMap<String, ImportedTrace>;

/// Everything that hangs on a page of traces.
struct Children {
    tags: Vec<Row>,
    metadata: Vec<Row>,
    spans: Vec<Row>,
    links: Vec<Row>,
    assessments: Vec<Row>,
}

impl Stock {
    /// The traces of a workspace behind the one of that id: so many that their spans, and what is said of
    /// them, fit into memory.
    pub async fn traces(&mut self, workspace: &Name, after: Option<String>) -> Result<Traces, ImportError> {
        let after = after.unwrap_or_default();
        let ids = self.query(IDS, params![workspace.as_str(), &after, PAGE]).await?;
        let Some(last) = last_that_fits(&ids).map_err(ImportError::Source)? else { return Ok(Page::end()) };
        let rows = self.query(ROWS, params![workspace.as_str(), &after, &last]).await?;
        let range = params![&after, &last];
        let children = Children {
            tags: self.query(TAGS, range).await?,
            metadata: self.query(METADATA, range).await?,
            spans: self.query(SPANS, range).await?,
            links: self.query(LINKS, range).await?,
            assessments: self.query(assessments::ROWS, range).await?,
        };
        let mut page = traces(&rows, &children, last).map_err(ImportError::Source)?;
        for trace in &mut page.items {
            if let Some(location) = trace.info.tags.get_mut(key::ARTIFACT_LOCATION) {
                *location = self.rules.artifacts.uri(location);
            }
        }
        Ok(page)
    }
}

fn last_that_fits(ids: &[Row]) -> Result<Option<String>, StorageError> {
    let (mut last, mut content) = (None, 0);
    for row in ids {
        content += row.int(1)?;
        if last.is_some() && content > CONTENT {
            break;
        }
        last = Some(row.text(0)?.to_owned());
    }
    Ok(last)
}

fn traces(rows: &[Row], children: &Children, last: String) -> Result<Traces, StorageError> {
    let (mut found, mut findings) = (Found::new(), Vec::new());
    for row in rows {
        let id = row.text(0)?;
        match info(row)? {
            Ok(info) => {
                let (spans, runs, prompts, assessments) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
                found.insert(id.to_owned(), ImportedTrace { info, spans, runs, prompts, assessments });
            }
            Err(reason) => findings.push(Finding::new(format!("trace {id:?}"), reason)),
        }
    }
    pairs(&mut found, &children.tags, |info| &mut info.tags, &mut findings)?;
    pairs(&mut found, &children.metadata, |info| &mut info.metadata, &mut findings)?;
    for row in rows {
        if let Some(trace) = found.get_mut(row.text(0)?) {
            promoted(row, &mut trace.info)?;
        }
    }
    for row in &children.spans {
        let Some(trace) = found.get_mut(row.text(0)?) else { continue };
        if let Some(span) = spans::read(row.text(2)?) {
            trace.spans.push(span);
        } else {
            let of = format!("span {:?} of trace {}", row.text(1)?, trace.info.id);
            findings.push(Finding::new(of, "its content cannot be read"));
        }
    }
    for row in &children.links {
        let Some(trace) = found.get_mut(row.text(0)?) else { continue };
        let of_kind = if row.text(1)? == "run" { &mut trace.runs } else { &mut trace.prompts };
        of_kind.push(row.text(2)?.to_owned());
    }
    for row in &children.assessments {
        let Some(trace) = found.get_mut(row.text(0)?) else { continue };
        match assessments::read(row, &trace.info.id)? {
            Ok(assessment) => trace.assessments.push(assessment),
            Err(finding) => findings.push(finding),
        }
    }
    let in_order = |mut trace: ImportedTrace| {
        trace.spans = in_order(trace.spans);
        let root = trace.spans.iter().find(|span| span.parent.is_none());
        trace.info.root_name = root.and_then(name_of);
        // As bytes sort, whatever the other database thinks.
        trace.runs.sort_unstable();
        trace.prompts.sort_unstable();
        trace
    };
    Ok(Page { items: found.into_values().map(in_order).collect(), findings, last: Some(last) })
}

fn info(row: &Row) -> Result<Result<TraceInfo, String>, StorageError> {
    let text = |column| row.opt_text(column).map(|text| text.map(str::to_owned));
    let (client_request_id, request_preview, response_preview) = (text(5)?, text(6)?, text(7)?);
    let texts = [&client_request_id, &request_preview, &response_preview];
    if has_nul(&texts.map(|text| text.as_deref().unwrap_or_default())) {
        return Ok(Err("one of its texts holds U+0000".into()));
    }
    let (id, state) = (TraceId::parse(row.text(0)?), TraceState::parse(row.text(4)?));
    let (Ok(id), Ok(state)) = (id, state) else {
        return Ok(Err("its id or its state is none that is known".into()));
    };
    Ok(Ok(TraceInfo {
        id,
        experiment: ExperimentId(row.count(1)?),
        request_ms: row.int(2)?,
        duration_ms: row.opt_int(3)?,
        state,
        client_request_id,
        request_preview,
        response_preview,
        root_name: None,
        tags: Pairs::new(),
        metadata: Pairs::new(),
    }))
}

fn pairs(
    found: &mut Found,
    rows: &[Row],
    of: fn(&mut TraceInfo) -> &mut Pairs,
    findings: &mut Vec<Finding>,
) -> Result<(), StorageError> {
    for row in rows {
        let (id, key, value) = (row.text(0)?, row.text(1)?, row.opt_text(2)?.unwrap_or_default());
        let Some(trace) = found.get_mut(id) else { continue };
        if has_nul(&[key, value]) {
            findings.push(Finding::new(format!("tag or metadata {key:?} of trace {id}"), "it holds U+0000"));
        } else {
            of(&mut trace.info).insert(key.to_owned(), value.to_owned());
        }
    }
    Ok(())
}

/// What a stock server keeps in columns and tells as a tag and as metadata; whatever stands there besides does not
/// count (`SqlTraceInfo.to_mlflow_entity`).
fn promoted(row: &Row, info: &mut TraceInfo) -> Result<(), StorageError> {
    /// The first column of the tokens, and of the costs.
    const TOKENS: usize = 10;
    const COSTS: usize = 16;
    info.tags.remove(key::NAME);
    for key in [key::SESSION, key::TOKEN_USAGE, key::COST] {
        info.metadata.remove(key);
    }
    if let Some(name) = row.opt_text(8)? {
        info.tags.insert(key::NAME.to_owned(), name.to_owned());
    }
    let mut put = |key: &str, text: Option<String>| {
        if let Some(text) = text {
            info.metadata.insert(key.to_owned(), text);
        }
    };
    put(key::SESSION, row.opt_text(9)?.map(str::to_owned));
    let tokens = (TOKENS..)
        .zip(<i64 as Amount>::KEYS)
        .map(|(column, key)| Ok((*key, row.opt_int(column)?.map(Value::from))));
    put(key::TOKEN_USAGE, amounts::<i64>(tokens.collect::<Result<_, StorageError>>()?));
    let costs = (COSTS..)
        .zip(<f64 as Amount>::KEYS)
        .map(|(column, key)| Ok((*key, row.opt_real(column)?.map(Value::from))));
    put(key::COST, amounts::<f64>(costs.collect::<Result<_, StorageError>>()?));
    Ok(())
}

fn amounts<T: Amount>(amounts: Vec<(&str, Option<Value>)>) -> Option<String> {
    let known = amounts.into_iter().filter_map(|(key, amount)| Some((key.to_owned(), amount?)));
    let known: Map<String, Value> = known.collect();
    Amounts::<T>::parse(&Value::Object(known).to_string()).map(|amounts| amounts.to_text())
}

#[cfg(test)]
mod tests {
    use mainstay_store::value::Value as Cell;

    use super::*;

    fn row(id: &str, cost: Cell) -> Row {
        let mut cells: Vec<Cell> = vec![id.into(), 1_i64.into(), 5_i64.into(), 2_i64.into(), "OK".into()];
        cells.extend([Cell::Null, "asked".into(), "answered".into(), "a name".into(), Cell::Null]);
        cells.extend([7_i64.into(), 5_i64.into(), 12_i64.into(), Cell::Null, Cell::Null, Cell::Null]);
        cells.extend([cost.clone(), cost, Cell::Null]);
        Row::new(cells)
    }

    fn pair(key: &str, value: &str) -> Row {
        Row::new(vec!["tr-1".into(), key.into(), value.into()])
    }

    #[test]
    fn what_stands_in_columns_is_told_as_tags_and_metadata() {
        let children = Children {
            tags: vec![pair(key::NAME, "an old one"), pair("k", "v")],
            metadata: vec![pair(key::SESSION, "gone"), pair("m", "1")],
            spans: Vec::new(),
            links: vec![pair("run", "b"), pair("prompt_version", "p/1"), pair("run", "a")],
            assessments: Vec::new(),
        };
        let rows = [row("tr-1", 0.5.into()), row("tr/2", Cell::Null)];
        let page = traces(&rows, &children, "z".into()).unwrap();
        let [trace] = &page.items[..] else { panic!("{:?}", page.items) };
        assert_eq!(
            trace.info.tags,
            Pairs::from([(key::NAME.into(), "a name".into()), ("k".into(), "v".into())])
        );
        let usage = r#"{"input_tokens": 7, "output_tokens": 5, "total_tokens": 12}"#;
        assert_eq!(trace.info.metadata[key::TOKEN_USAGE], usage);
        assert_eq!(trace.info.metadata[key::COST], r#"{"input_cost": 0.5, "output_cost": 0.5}"#);
        assert!(!trace.info.metadata.contains_key(key::SESSION));
        assert_eq!(
            (trace.runs.as_slice(), trace.prompts.as_slice()),
            (&["a".into(), "b".into()][..], &["p/1".into()][..])
        );
        assert_eq!(page.findings.len(), 1);
    }

    #[test]
    fn a_page_ends_before_there_are_too_many_spans() {
        let id = |id: &str, content: i64| Row::new(vec![id.into(), content.into()]);
        let fits = |rows: &[Row]| last_that_fits(rows).unwrap();
        assert_eq!(fits(&[]), None);
        assert_eq!(fits(&[id("a", 2 * CONTENT), id("b", 1)]).as_deref(), Some("a"));
        assert_eq!(fits(&[id("a", 1), id("b", 1), id("c", CONTENT)]).as_deref(), Some("b"));
    }
}
