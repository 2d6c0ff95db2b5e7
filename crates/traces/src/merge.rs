//! How what is told of a trace comes together: by its spans, and by the client's own summary.

use crate::batch::SpanBatch;
use crate::derive::Facts;
use crate::info::{Pairs, TraceInfo, TraceState, is_own_tag, key};
use crate::usage::{Amount, Amounts, Node, aggregate};

/// What a client tells of a trace when it has ended (`start_trace`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Summary {
    /// When it began: milliseconds since the Unix epoch.
    pub request_ms: i64,
    /// How long it took, in milliseconds.
    pub duration_ms: Option<i64>,
    /// How it ended.
    pub state: TraceState,
    /// How the client calls the request.
    pub client_request_id: Option<String>,
    /// The beginning of what was asked.
    pub request_preview: Option<String>,
    /// The beginning of what was answered.
    pub response_preview: Option<String>,
    /// Tags; the server's own are left out.
    pub tags: Pairs,
    /// Metadata.
    pub metadata: Pairs,
}

impl TraceInfo {
    /// Takes in a client's summary: it has the last word on what it says, and what it does not speak of stays.
    /// Once it has spoken, spans change only what it left open.
    pub fn summarise(&mut self, summary: &Summary) {
        self.request_ms = summary.request_ms;
        self.duration_ms = summary.duration_ms;
        self.state = summary.state;
        self.client_request_id.clone_from(&summary.client_request_id);
        let told = |old: &mut Option<String>, new: &Option<String>| {
            if new.is_some() {
                old.clone_from(new);
            }
        };
        told(&mut self.request_preview, &summary.request_preview);
        told(&mut self.response_preview, &summary.response_preview);
        let tags = summary.tags.iter().filter(|(key, _)| !is_own_tag(key));
        self.tags.extend(tags.map(|(key, value)| (key.clone(), value.clone())));
        for (key, value) in &summary.metadata {
            match key.as_str() {
                key::TOKEN_USAGE => override_amounts::<i64>(&mut self.metadata, key, value),
                key::COST => override_amounts::<f64>(&mut self.metadata, key, value),
                _ => {
                    self.metadata.insert(key.clone(), value.clone());
                }
            }
        }
        self.metadata.insert(key::FINALIZED.to_owned(), "true".to_owned());
    }

    /// Takes in what follows from spans. `earlier` are those that the trace had before; they are needed only if
    /// [`needs_earlier`](Self::needs_earlier) says so.
    pub fn absorb(&mut self, batch: &SpanBatch, earlier: &[Node]) {
        let facts = &batch.facts;
        if !self.is_finalized() {
            let ends = [self.end_ms(), facts.end_ms];
            self.request_ms = self.request_ms.min(facts.start_ms);
            let end = ends.into_iter().flatten().max();
            self.duration_ms = end.map(|end| end.saturating_sub(self.request_ms));
        }
        if let Some(root) = &facts.root {
            if matches!(self.state, TraceState::InProgress | TraceState::Unspecified) {
                self.state = root.state;
            }
            if self.request_preview.is_none() {
                self.request_preview.clone_from(&root.request);
            }
            if self.response_preview.is_none() {
                self.response_preview.clone_from(&root.response);
            }
            if root.name.is_some() {
                self.root_name.clone_from(&root.name);
            }
        }
        for (key, value) in [(key::SESSION, &facts.session), (key::USER, &facts.user)] {
            if let Some(value) = value {
                self.metadata.entry(key.to_owned()).or_insert_with(|| value.clone());
            }
        }
        self.sum_up(facts, earlier);
        self.tags.extend(batch.tags.iter().map(|(key, value)| (key.clone(), value.clone())));
        self.tags.insert(key::SPANS_LOCATION.to_owned(), key::TRACKING_STORE.to_owned());
    }

    /// Whether the spans that the trace had before are needed to take in these.
    pub fn needs_earlier(&self, facts: &Facts) -> bool {
        self.sums_usage(facts) || self.sums_cost(facts)
    }

    fn sums_usage(&self, facts: &Facts) -> bool {
        facts.has_usage() && !(self.is_finalized() && self.metadata.contains_key(key::TOKEN_USAGE))
    }

    fn sums_cost(&self, facts: &Facts) -> bool {
        facts.has_cost() && !(self.is_finalized() && self.metadata.contains_key(key::COST))
    }

    fn sum_up(&mut self, facts: &Facts, earlier: &[Node]) {
        let (sums_usage, sums_cost) = (self.sums_usage(facts), self.sums_cost(facts));
        if !(sums_usage || sums_cost) {
            return;
        }
        let (usage, cost) = match earlier {
            [] => aggregate(&facts.nodes),
            _ => aggregate(&[earlier, &facts.nodes].concat()),
        };
        if let Some(usage) = usage.filter(|_| sums_usage) {
            self.metadata.insert(key::TOKEN_USAGE.to_owned(), usage.to_text());
        }
        if let Some(cost) = cost.filter(|_| sums_cost) {
            self.metadata.insert(key::COST.to_owned(), cost.to_text());
        }
    }
}

/// Each amount that is told takes the place of the one that was known. What cannot be read tells nothing.
fn override_amounts<T: Amount>(metadata: &mut Pairs, key: &str, told: &str) {
    let Some(told) = Amounts::<T>::parse(told) else { return };
    let known = metadata.get(key).and_then(|text| Amounts::<T>::parse(text));
    let now = known.map_or(told, |known| known.overridden_by(&told));
    metadata.insert(key.to_owned(), now.to_text());
}

#[cfg(test)]
mod tests {
    use mainstay_core::time::MachineTime;

    use super::super::id::TraceId;
    use super::super::span::tests::{span, with};
    use super::super::span::{Span, StatusCode};
    use super::*;
    use mainstay_core::experiment::{Experiment, ExperimentId, ExperimentName};
    use mainstay_core::lifecycle::Lifecycle;

    fn begun() -> TraceInfo {
        let experiment = Experiment {
            id: ExperimentId(3),
            name: ExperimentName::new("e").unwrap(),
            artifact_location: "mlflow-artifacts:/3".into(),
            lifecycle: Lifecycle::Active,
            created: MachineTime::from_micros(0),
            updated: MachineTime::from_micros(0),
        };
        TraceInfo::begun(TraceId::parse("tr-1").unwrap(), &experiment, i64::MAX)
    }

    fn batch(spans: &[Span]) -> SpanBatch {
        SpanBatch::new(TraceId::parse("tr-1").unwrap(), spans.to_vec(), Pairs::new()).unwrap()
    }

    fn pairs(pairs: &[(&str, &str)]) -> Pairs {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_trace_grows_with_its_spans() {
        let mut info = begun();
        info.absorb(&batch(&[span(2, Some(1), 7)]), &[]);
        assert_eq!((info.request_ms, info.duration_ms, info.state), (7, Some(1), TraceState::InProgress));
        assert_eq!(info.name(), None);
        let root = Span { status: StatusCode::Error, end_ns: Some(20_000_000), ..span(1, None, 5) };
        info.absorb(&batch(&[root]), &[]);
        assert_eq!((info.request_ms, info.duration_ms, info.state), (5, Some(15), TraceState::Error));
        assert_eq!(info.name(), Some("span 1"));
        info.absorb(&batch(&[span(2, Some(1), 7)]), &[]);
        assert_eq!(info.name(), Some("span 1"));
        info.absorb(&batch(&[Span { name: "GET /it".into(), ..span(1, None, 6) }]), &[]);
        assert_eq!(info.name(), Some("GET /it"));
        assert_eq!((info.request_ms, info.duration_ms, info.state), (5, Some(15), TraceState::Error));
        let tags = [
            ("mlflow.artifactLocation", "mlflow-artifacts:/3/traces/tr-1/artifacts"),
            ("mlflow.trace.spansLocation", "TRACKING_STORE"),
        ];
        assert_eq!(info.tags, pairs(&tags));
    }

    #[test]
    fn a_summary_has_the_last_word_on_what_it_says() {
        let mut info = begun();
        let usage = |n| format!(r#"{{"input_tokens": {n}, "output_tokens": 1, "total_tokens": 2}}"#);
        let root = with(span(1, None, 5), "mlflow.chat.tokenUsage", &usage(1));
        info.absorb(&batch(&[with(root.clone(), "session.id", "\"s\"")]), &[]);
        let summary = Summary {
            request_ms: 1,
            state: TraceState::InProgress,
            response_preview: Some("r".into()),
            tags: pairs(&[("mlflow.trace.spansLocation", "x"), ("k", "v")]),
            metadata: pairs(&[("m", "1"), (key::TOKEN_USAGE, r#"{"input_tokens": 9, "x": 1}"#)]),
            ..Summary::default()
        };
        info.summarise(&summary);
        assert_eq!((info.request_ms, info.duration_ms, info.state), (1, None, TraceState::InProgress));
        assert_eq!(info.tags[key::SPANS_LOCATION], key::TRACKING_STORE);
        assert_eq!((info.tags["k"].as_str(), info.metadata["m"].as_str()), ("v", "1"));
        assert_eq!(info.metadata[key::TOKEN_USAGE], usage(9));
        assert_eq!(info.metadata[key::SESSION], "s");
        let told = info.clone();
        info.summarise(&summary);
        assert_eq!(info, told);
        // Spans that come later move neither times nor usage; an open state is theirs to close.
        assert!(!info.needs_earlier(&batch(std::slice::from_ref(&root)).facts));
        info.absorb(&batch(&[root]), &[]);
        assert_eq!(info, TraceInfo { state: TraceState::Ok, ..told });
    }

    #[test]
    fn usage_is_summed_over_the_whole_tree() {
        let usage = |span, input: i64, output: i64| {
            let total = input + output;
            let text =
                format!(r#"{{"input_tokens": {input}, "output_tokens": {output}, "total_tokens": {total}}}"#);
            with(span, "mlflow.chat.tokenUsage", &text)
        };
        let children = batch(&[usage(span(2, Some(1), 1), 200, 75), usage(span(3, Some(1), 1), 150, 100)]);
        let mut info = begun();
        info.absorb(&children, &[]);
        let shown = |info: &TraceInfo| info.metadata[key::TOKEN_USAGE].clone();
        assert_eq!(shown(&info), r#"{"input_tokens": 350, "output_tokens": 175, "total_tokens": 525}"#);
        let parent = batch(&[usage(span(1, None, 1), 100, 50)]);
        assert!(info.needs_earlier(&parent.facts));
        info.absorb(&parent, &children.facts.nodes);
        assert_eq!(shown(&info), r#"{"input_tokens": 100, "output_tokens": 50, "total_tokens": 150}"#);
    }
}
