//! The comparison at the end: everything is read again on both sides, thing by thing, and compared; what each side
//! said gets a digest.
//!
//! The other side is read by the pages of [`source`](crate::source), ours by the readers that answer clients. A digest
//! is SHA-256 over the JSON of each thing (the bytes of each point), in the order of the other side.

mod canonical;
mod gateway;
mod judgements;
mod points;

use std::collections::BTreeMap;

use mainstay_core::digest::Digest;
use mainstay_core::name::Name;
use mainstay_evaluation::port::{EvaluationReader as _, RecordStart};
use mainstay_gateway::port::KeyHolder;
use mainstay_registry::port::RegistryReader as _;
use mainstay_store::reader::Reader;
use mainstay_tracking::port::TrackingReader as _;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::error::ImportError;
use crate::finding::{Finding, Findings};
use crate::source::Stock;

/// What both sides have of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Compared {
    /// How many the stock server has.
    pub there: u64,
    /// How many we have of those.
    pub here: u64,
    /// The digest of what the stock server has.
    pub digest_there: Digest,
    /// The digest of what we have.
    pub digest_here: Digest,
}

impl Compared {
    /// Whether both have the same.
    pub fn is_same(&self) -> bool {
        self.there == self.here && self.digest_there == self.digest_here
    }
}

/// Both sides, kind by kind, and where they differ.
#[derive(Debug, Default)]
pub struct Comparison {
    /// By kind.
    pub kinds: BTreeMap<&'static str, Compared>,
    /// Things that are not alike.
    pub differences: Findings,
}

impl Comparison {
    /// Whether all is alike.
    pub fn is_good(&self) -> bool {
        self.differences.count == 0 && self.kinds.values().all(Compared::is_same)
    }
}

/// Two digests as they grow.
#[derive(Default)]
struct Pair {
    there: Sha256,
    here: Sha256,
    counts: (u64, u64),
}

impl Pair {
    fn end(self) -> Compared {
        let digest = |hasher: Sha256| Digest::from_bytes(hasher.finalize().into());
        Compared {
            there: self.counts.0,
            here: self.counts.1,
            digest_there: digest(self.there),
            digest_here: digest(self.here),
        }
    }

    /// Takes one thing of both sides in.
    fn take(&mut self, there: &Value, here: Option<&Value>) -> bool {
        fn add(hasher: &mut Sha256, value: &Value) {
            let text = value.to_string();
            hasher.update((text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        }
        self.counts.0 += 1;
        add(&mut self.there, there);
        if let Some(here) = here {
            self.counts.1 += 1;
            add(&mut self.here, here);
        }
        here == Some(there)
    }
}

/// Compares both sides.
pub struct Verifier<'a> {
    stock: &'a mut Stock,
    reader: &'a Reader,
    keys: &'a dyn KeyHolder,
    comparison: Comparison,
    /// Told how many things of which kind were compared.
    tell: &'a mut (dyn FnMut(&'static str, u64) + Send),
}

impl<'a> Verifier<'a> {
    /// Of a stock server's database, and of ours, whose secrets the keys open.
    pub fn new(
        stock: &'a mut Stock,
        (reader, keys): (&'a Reader, &'a dyn KeyHolder),
        tell: &'a mut (dyn FnMut(&'static str, u64) + Send),
    ) -> Self {
        Self { stock, reader, keys, comparison: Comparison::default(), tell }
    }

    /// Compares everything in these workspaces.
    pub async fn run(mut self, workspaces: &[Name]) -> Result<Comparison, ImportError> {
        let (mut experiments, mut runs, mut models) = (Pair::default(), Pair::default(), Pair::default());
        let (mut points, mut registered, mut versions) = (Pair::default(), Pair::default(), Pair::default());
        let (mut traces, mut datasets) = (Pair::default(), Pair::default());
        let (mut records, mut scorers) = (Pair::default(), Pair::default());
        let (mut assessments, mut issues, mut webhooks) = (Pair::default(), Pair::default(), Pair::default());
        let (mut secrets, mut definitions, mut endpoints) =
            (Pair::default(), Pair::default(), Pair::default());
        for workspace in workspaces {
            self.experiments(workspace, &mut experiments).await?;
            self.runs(workspace, &mut runs).await?;
            self.points(workspace, &mut points).await?;
            self.logged_models(workspace, &mut models).await?;
            self.models(workspace, &mut registered).await?;
            self.versions(workspace, &mut versions).await?;
            self.traces(workspace, &mut traces, &mut assessments).await?;
            self.datasets(workspace, &mut datasets).await?;
            self.records(workspace, &mut records).await?;
            self.secrets(workspace, &mut secrets).await?;
            self.model_definitions(workspace, &mut definitions).await?;
            self.endpoints(workspace, &mut endpoints).await?;
            self.scorers(workspace, &mut scorers).await?;
            self.issues(workspace, &mut issues).await?;
            self.webhooks(workspace, &mut webhooks).await?;
        }
        let kinds = [
            ("experiments", experiments),
            ("runs", runs),
            ("metric points", points),
            ("logged models", models),
            ("registered models", registered),
            ("model versions", versions),
            ("traces", traces),
            ("evaluation datasets", datasets),
            ("evaluation records", records),
            ("scorers", scorers),
            ("assessments", assessments),
            ("issues", issues),
            ("gateway secrets", secrets),
            ("gateway model definitions", definitions),
            ("gateway endpoints", endpoints),
            ("webhooks", webhooks),
        ];
        self.comparison.kinds = kinds.into_iter().map(|(kind, pair)| (kind, pair.end())).collect();
        Ok(self.comparison)
    }

    fn note(&mut self, pair: &mut Pair, what: impl FnOnce() -> String, there: &Value, here: Option<&Value>) {
        if !pair.take(there, here) {
            let reason = if here.is_some() { "it is another here" } else { "it is not here" };
            self.comparison.differences.extend([Finding::new(what(), reason)]);
        }
    }

    async fn experiments(&mut self, workspace: &Name, pair: &mut Pair) -> Result<(), ImportError> {
        let mut after = None;
        loop {
            let page = self.stock.experiments(workspace, after).await?;
            let Some(last) = page.last else { return Ok(()) };
            after = Some(last);
            for there in &page.items {
                let id = there.detail.experiment.id;
                let here = self.reader.experiment(workspace, id).await?;
                self.note(
                    pair,
                    || format!("experiment {id}"),
                    &canonical::experiment(&there.detail),
                    here.as_ref().map(canonical::experiment).as_ref(),
                );
            }
            (self.tell)("experiments", page.items.len() as u64);
        }
    }

    async fn runs(&mut self, workspace: &Name, pair: &mut Pair) -> Result<(), ImportError> {
        let mut after = None;
        loop {
            let page = self.stock.runs(workspace, after).await?;
            let Some(last) = page.last else { return Ok(()) };
            after = Some(last);
            let ids: Vec<_> = page.items.iter().map(|item| item.detail.run.id).collect();
            let mut here: BTreeMap<_, _> = self
                .reader
                .runs(workspace, &ids)
                .await?
                .into_iter()
                .map(|detail| (detail.run.id, detail))
                .collect();
            for there in &page.items {
                let id = there.detail.run.id;
                let here = here.remove(&id);
                self.note(
                    pair,
                    || format!("run {id}"),
                    &canonical::run(&there.detail),
                    here.as_ref().map(canonical::run).as_ref(),
                );
            }
            (self.tell)("runs", page.items.len() as u64);
        }
    }

    async fn logged_models(&mut self, workspace: &Name, pair: &mut Pair) -> Result<(), ImportError> {
        let mut after = None;
        loop {
            let page = self.stock.logged_models(workspace, after).await?;
            let Some(last) = page.last else { return Ok(()) };
            after = Some(last);
            let ids: Vec<_> = page.items.iter().map(|item| item.detail.model.id).collect();
            let here = self.reader.logged_models(workspace, &ids).await?;
            let mut here: BTreeMap<_, _> = here.into_iter().map(|detail| (detail.model.id, detail)).collect();
            for there in &page.items {
                let id = there.detail.model.id;
                let here = here.remove(&id);
                let (there, here) =
                    (canonical::logged_model(&there.detail), here.as_ref().map(canonical::logged_model));
                self.note(pair, || format!("logged model {id}"), &there, here.as_ref());
            }
            (self.tell)("logged models", page.items.len() as u64);
        }
    }

    async fn models(&mut self, workspace: &Name, pair: &mut Pair) -> Result<(), ImportError> {
        let mut after = None;
        loop {
            let page = self.stock.models(workspace, after).await?;
            let Some(last) = page.last else { return Ok(()) };
            after = Some(last);
            for there in &page.items {
                let name = &there.model.name;
                let here = self.reader.model(workspace, name).await?;
                self.note(
                    pair,
                    || format!("registered model {name:?}"),
                    &canonical::model(there),
                    here.as_ref().map(canonical::model).as_ref(),
                );
            }
            (self.tell)("registered models", page.items.len() as u64);
        }
    }

    async fn versions(&mut self, workspace: &Name, pair: &mut Pair) -> Result<(), ImportError> {
        let mut after = None;
        loop {
            let page = self.stock.versions(workspace, after).await?;
            let Some(last) = page.last else { return Ok(()) };
            after = Some(last);
            for there in &page.items {
                let of = &there.detail.version;
                let here = self.reader.version(workspace, &of.model, of.number).await?;
                let what = || format!("version {} of {:?}", of.number, of.model.as_str());
                self.note(
                    pair,
                    what,
                    &canonical::version(&there.detail),
                    here.as_ref().map(canonical::version).as_ref(),
                );
            }
            (self.tell)("model versions", page.items.len() as u64);
        }
    }

    async fn datasets(&mut self, workspace: &Name, pair: &mut Pair) -> Result<(), ImportError> {
        let mut after = None;
        loop {
            let page = self.stock.datasets(workspace, after).await?;
            let Some(last) = page.last else { return Ok(()) };
            after = Some(last);
            for there in &page.items {
                let id = there.dataset.id;
                let here = self.reader.evaluation_dataset(workspace, id).await?;
                let (there, here) = (canonical::dataset(there), here.as_ref().map(canonical::dataset));
                self.note(pair, || format!("evaluation dataset {id}"), &there, here.as_ref());
            }
            (self.tell)("evaluation datasets", page.items.len() as u64);
        }
    }

    async fn records(&mut self, workspace: &Name, pair: &mut Pair) -> Result<(), ImportError> {
        let (mut after, mut before) = (None, None);
        loop {
            let page = self.stock.records(workspace, after).await?;
            let Some(last) = page.last else { return Ok(()) };
            after = Some(last);
            for of_dataset in page.items.chunk_by(|a, b| a.dataset == b.dataset) {
                let Some(first) = of_dataset.first() else { continue };
                let start = match before {
                    Some((dataset, created, id)) if dataset == first.dataset => {
                        RecordStart::Behind(created, id)
                    }
                    _ => RecordStart::Skipping(0),
                };
                before = of_dataset.last().map(|last| (last.dataset, last.created, last.id));
                let here =
                    self.reader.evaluation_records(workspace, first.dataset, start, of_dataset.len()).await?;
                let mut here: BTreeMap<_, _> = here.into_iter().map(|record| (record.id, record)).collect();
                for there in of_dataset {
                    let here = here.remove(&there.id);
                    let what = || format!("record {} of evaluation dataset {}", there.id, there.dataset);
                    self.note(
                        pair,
                        what,
                        &canonical::record(there),
                        here.as_ref().map(canonical::record).as_ref(),
                    );
                }
            }
            (self.tell)("evaluation records", page.items.len() as u64);
        }
    }
}
