//! Traces with what is said of them, scorers and issues.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_core::name::Name;
use mainstay_evaluation::issue::port::IssueReader as _;
use mainstay_evaluation::scorer::port::ScorerReader as _;
use mainstay_traces::assessment::AssessedTrace;
use mainstay_traces::import::ImportedTrace;
use mainstay_traces::port::TraceReader as _;

use super::{Pair, Verifier, canonical};
use crate::error::ImportError;
use crate::finding::Finding;

impl Verifier<'_> {
    /// Traces, and their assessments one by one.
    pub(super) async fn traces(
        &mut self,
        workspace: &Name,
        pair: &mut Pair,
        assessed: &mut Pair,
    ) -> Result<(), ImportError> {
        let mut after = None;
        loop {
            let page = self.stock.traces(workspace, after).await?;
            let Some(last) = page.last else { return Ok(()) };
            after = Some(last);
            for there in &page.items {
                let id = &there.info.id;
                let (mut here, mut assessments) = (None, Vec::new());
                if let Some((trace, spans)) = self.reader.trace_with_spans(workspace, id).await? {
                    let AssessedTrace { info, assessments: said } = trace;
                    assessments = said;
                    let spans = spans.owned()?;
                    let indexed = self.reader.indexed(std::slice::from_ref(id)).await?;
                    let links = indexed.into_iter().map(|trace| (trace.runs, trace.prompts)).next();
                    let (runs, prompts) = links.unwrap_or_default();
                    let assessments = Vec::new();
                    here = Some(canonical::trace(&ImportedTrace { info, spans, runs, prompts, assessments }));
                }
                self.note(pair, || format!("trace {id}"), &canonical::trace(there), here.as_ref());
                let mut here = assessments.iter();
                for there in &there.assessments {
                    let there = &there.assessment;
                    let what = || format!("assessment {} of trace {id}", there.id);
                    let here = here.next().map(canonical::assessment);
                    self.note(assessed, what, &canonical::assessment(there), here.as_ref());
                }
                let more = here.count() as u64;
                if more > 0 {
                    assessed.counts.1 += more;
                    let reason = format!("there are {more} more here");
                    self.comparison
                        .differences
                        .extend([Finding::new(format!("assessments of trace {id}"), reason)]);
                }
            }
            (self.tell)("traces", page.items.len() as u64);
        }
    }

    pub(super) async fn scorers(&mut self, workspace: &Name, pair: &mut Pair) -> Result<(), ImportError> {
        let mut after = None;
        loop {
            let page = self.stock.scorers(workspace, after).await?;
            let Some(last) = page.last else { return Ok(()) };
            after = Some(last);
            for there in &page.items {
                let of = &there.scorer;
                let here = self.reader.scorer_versions(workspace, of.experiment, &of.name).await?;
                let online = self.reader.online_configs(workspace, &BTreeSet::from([of.id])).await?;
                let here = here.first().map(|first| {
                    let versions = here.iter().map(|one| &one.version);
                    canonical::scorer(&first.scorer, versions, online.first())
                });
                let versions = there.versions.iter().map(|one| &one.version);
                let there = canonical::scorer(of, versions, there.online.as_ref());
                self.note(pair, || format!("scorer {:?}", of.name), &there, here.as_ref());
            }
            (self.tell)("scorers", page.items.len() as u64);
        }
    }

    pub(super) async fn issues(&mut self, workspace: &Name, pair: &mut Pair) -> Result<(), ImportError> {
        let mut after = None;
        loop {
            let page = self.stock.issues(workspace, after).await?;
            let Some(last) = page.last else { return Ok(()) };
            after = Some(last);
            let ids: Vec<_> = page.items.iter().map(|issue| issue.head.id.clone()).collect();
            let here = self.reader.issues(workspace, &ids).await?;
            let mut here: BTreeMap<_, _> =
                here.into_iter().map(|issue| (issue.head.id.clone(), issue)).collect();
            for there in &page.items {
                let id = &there.head.id;
                let here = here.remove(id).as_ref().map(canonical::issue);
                self.note(pair, || format!("issue {id}"), &canonical::issue(there), here.as_ref());
            }
            (self.tell)("issues", page.items.len() as u64);
        }
    }
}
