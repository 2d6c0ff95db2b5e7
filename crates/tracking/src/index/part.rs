//! The runs of one experiment, column by column.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};

use mainstay_core::id::RunId;
use mainstay_core::name::Name;

use super::change::{DatasetRef, RunChange, RunSummary};
use super::metric_column::MetricColumn;
use super::set;
use crate::experiment::ExperimentId;
use crate::metric::Latest;
use crate::run::{Lifecycle, RUN_NAME_TAG, Run, RunStatus};
use crate::search::{Names, RunProjection, TextAttribute};
use mainstay_columns::codec::{In, Out, damaged};
use mainstay_columns::column::{Sparse, TextColumn};
use mainstay_columns::presence::Presence;

/// A *slot* is the position of a run in the columns; a run keeps its slot. A metric, parameter or tag is a
/// column of its own, so a run costs only what it has, and a comparison touches only what has that key.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) workspace: Name,
    experiment: ExperimentId,
    /// Becomes another one with every change.
    pub(super) version: u64,
    pub(super) ids: Vec<RunId>,
    /// `None` for a run that went elsewhere, or is gone for good.
    pub(super) lifecycles: Vec<Option<Lifecycle>>,
    pub(super) statuses: Vec<RunStatus>,
    pub(super) starts: Vec<i64>,
    pub(super) ends: Vec<Option<i64>>,
    pub(super) names: TextColumn,
    pub(super) users: TextColumn,
    places: Places,
    pub(super) metrics: BTreeMap<String, MetricColumn>,
    pub(super) params: BTreeMap<String, TextColumn>,
    pub(super) tags: BTreeMap<String, TextColumn>,
    pub(super) datasets: Sparse<Vec<DatasetRef>>,
    /// The runs into which something went, or out of which something came.
    attached: Presence,
}

impl Part {
    pub(super) fn new(workspace: Name, experiment: ExperimentId) -> Self {
        Self {
            workspace,
            experiment,
            version: 0,
            ids: Vec::new(),
            lifecycles: Vec::new(),
            statuses: Vec::new(),
            starts: Vec::new(),
            ends: Vec::new(),
            names: TextColumn::default(),
            users: TextColumn::default(),
            places: Places::default(),
            metrics: BTreeMap::new(),
            params: BTreeMap::new(),
            tags: BTreeMap::new(),
            datasets: Sparse::default(),
            attached: Presence::default(),
        }
    }

    pub(super) const fn experiment(&self) -> ExperimentId {
        self.experiment
    }

    /// Takes in a run that is not here yet.
    pub(super) fn push(&mut self, summary: RunSummary) -> u32 {
        // Four thousand million runs do not fit into memory.
        let slot = u32::try_from(self.ids.len()).unwrap_or(u32::MAX);
        self.ids.push(summary.run.id);
        self.lifecycles.push(None);
        self.statuses.push(summary.run.status);
        self.starts.push(summary.run.start_ms);
        self.ends.push(None);
        self.fill(slot, summary);
        slot
    }

    /// Takes in a run anew, whatever was known of it.
    pub(super) fn overwrite(&mut self, slot: u32, summary: RunSummary) {
        self.clear(slot);
        self.fill(slot, summary);
    }

    fn fill(&mut self, slot: u32, summary: RunSummary) {
        let RunSummary { run, metrics, params, tags, datasets, is_attached, .. } = summary;
        let at = slot as usize;
        set(&mut self.lifecycles, at, Some(run.lifecycle));
        set(&mut self.statuses, at, run.status);
        set(&mut self.starts, at, run.start_ms);
        set(&mut self.ends, at, run.end_ms);
        self.names.put(slot, &run.name);
        self.users.put(slot, &run.user);
        self.places.put(slot, run.id, &run.artifact_uri);
        self.log(slot, metrics, params, tags);
        if !datasets.is_empty() {
            self.datasets.put(slot, datasets);
        }
        if is_attached {
            self.attach(slot);
        }
    }

    /// Forgets a run; its slot stays empty.
    pub(super) fn clear(&mut self, slot: u32) {
        set(&mut self.lifecycles, slot as usize, None);
        self.metrics.values_mut().for_each(|column| column.remove(slot));
        self.params.values_mut().for_each(|column| column.remove(slot));
        self.tags.values_mut().for_each(|column| column.remove(slot));
        self.datasets.remove(slot);
        self.attached.remove(slot);
    }

    /// Whether most slots are empty, and there are enough of them to matter.
    pub(super) fn is_hollow(&self) -> bool {
        /// So many empty slots are not worth the copying.
        const FEW: usize = 256;
        let empty = self.lifecycles.iter().filter(|lifecycle| lifecycle.is_none()).count();
        empty > FEW && empty > self.lifecycles.len() / 2
    }

    /// Takes in the latest points, parameters and tags that were logged.
    fn log(
        &mut self,
        slot: u32,
        metrics: BTreeMap<String, Latest>,
        params: BTreeMap<String, String>,
        tags: BTreeMap<String, String>,
    ) {
        let start = self.starts.get(slot as usize).copied().unwrap_or_default();
        for (key, latest) in metrics {
            self.metrics.entry(key).or_default().put(slot, start, latest);
        }
        for (key, value) in params {
            self.params.entry(key).or_default().put(slot, &value);
        }
        for (key, value) in tags {
            if key == RUN_NAME_TAG {
                self.names.put(slot, &value);
            }
            self.tags.entry(key).or_default().put(slot, &value);
        }
    }

    /// Takes in a change of one run.
    pub(super) fn change(&mut self, slot: u32, change: RunChange) {
        let at = slot as usize;
        match change {
            RunChange::Updated { status, end_ms, name, .. } => {
                set(&mut self.statuses, at, status);
                set(&mut self.ends, at, end_ms);
                if let Some(name) = name {
                    self.tags.entry(RUN_NAME_TAG.to_owned()).or_default().put(slot, &name);
                    self.names.put(slot, &name);
                }
            }
            RunChange::Lifecycle(_, lifecycle) => set(&mut self.lifecycles, at, Some(lifecycle)),
            RunChange::Logged { metrics, params, tags, .. } => self.log(slot, metrics, params, tags),
            RunChange::Untagged(_, key) => {
                if let Some(column) = self.tags.get_mut(&key) {
                    column.remove(slot);
                }
            }
            RunChange::Inputs(_, datasets) => {
                let mut known = self.datasets.get(slot).cloned().unwrap_or_default();
                for dataset in datasets {
                    known.retain(|other| other.name != dataset.name || other.digest != dataset.digest);
                    known.push(dataset);
                }
                self.datasets.put(slot, known);
                self.attach(slot);
            }
            RunChange::Attached(_) => self.attach(slot),
            // These are not of one run, or not of its columns.
            RunChange::Created(_)
            | RunChange::ExperimentLifecycle(..)
            | RunChange::Purged(_)
            | RunChange::ExperimentPurged(_) => {}
        }
    }

    /// Notes that something went into a run, or came out of it.
    fn attach(&mut self, slot: u32) {
        self.attached.insert(slot);
    }

    /// Writes all columns; see [`file`](super::file).
    pub(super) fn write(&self, out: &mut Out<impl Write>) -> io::Result<()> {
        out.number(self.experiment.0)?;
        out.text(self.workspace.as_str())?;
        out.list(&self.ids, |id| *id.as_bytes())?;
        out.list(&self.lifecycles, |lifecycle| [lifecycle_code(*lifecycle)])?;
        out.list(&self.statuses, |status| [status_code(*status)])?;
        out.list(&self.starts, |start| start.to_le_bytes())?;
        out.list(&self.ends, |end| end_bytes(*end))?;
        self.names.write(out)?;
        self.users.write(out)?;
        self.places.write(out)?;
        out.length(self.metrics.len())?;
        for (key, column) in &self.metrics {
            out.text(key)?;
            column.write(out)?;
        }
        for columns in [&self.params, &self.tags] {
            out.length(columns.len())?;
            for (key, column) in columns {
                out.text(key)?;
                column.write(out)?;
            }
        }
        self.write_attached(out)
    }

    /// Few runs have datasets: a slot and JSON for each.
    fn write_attached(&self, out: &mut Out<impl Write>) -> io::Result<()> {
        let slots = || (0..).take(self.ids.len());
        out.length(self.datasets.len())?;
        for slot in slots() {
            if let Some(datasets) = self.datasets.get(slot) {
                out.number(slot.into())?;
                out.text(&serde_json::to_string(datasets)?)?;
            }
        }
        out.length(slots().filter(|slot| self.attached.position(*slot).is_some()).count())?;
        self.attached.write(out)
    }

    /// Reads what [`Part::write`] wrote.
    pub(super) fn read(input: &mut In<impl Read>) -> io::Result<Self> {
        let experiment = ExperimentId(input.number()?);
        let workspace = Name::new(&input.text()?).map_err(|_| damaged())?;
        let ids = input.list(RunId::from_bytes)?;
        let runs = ids.len();
        let lifecycles = input.checked(|[code]| lifecycle_of(code))?;
        let statuses = input.checked(|[code]| status_of(code))?;
        let starts = input.list(i64::from_le_bytes)?;
        let ends = input.checked(end_of)?;
        if [lifecycles.len(), statuses.len(), starts.len(), ends.len()] != [runs; 4] {
            return Err(damaged());
        }
        let mut part = Self { ids, lifecycles, statuses, starts, ends, ..Self::new(workspace, experiment) };
        part.names = TextColumn::read(input, runs)?;
        part.users = TextColumn::read(input, runs)?;
        part.places = Places::read(input, runs)?;
        // A column has a length, at least.
        for _ in 0..input.length(8)? {
            let key = input.text()?;
            part.metrics.insert(key, MetricColumn::read(input, runs)?);
        }
        for columns in [&mut part.params, &mut part.tags] {
            for _ in 0..input.length(8)? {
                let key = input.text()?;
                columns.insert(key, TextColumn::read(input, runs)?);
            }
        }
        for _ in 0..input.length(8)? {
            let slot = u32::try_from(input.number()?).ok().filter(|slot| (*slot as usize) < runs);
            part.datasets.put(slot.ok_or_else(damaged)?, serde_json::from_str(&input.text()?)?);
        }
        let attached = input.number()?;
        let attached = usize::try_from(attached).map_err(|_| damaged())?;
        part.attached = Presence::read(input, runs, attached)?;
        Ok(part)
    }

    /// The URI of a run's artifacts.
    pub(super) fn artifact_uri(&self, slot: u32) -> Option<String> {
        self.places.get(slot, *self.ids.get(slot as usize)?)
    }

    /// What is known of a run, as far as it is wanted: its id, experiment and attributes are always there, but for
    /// those that are texts.
    pub(super) fn summary(&self, slot: u32, wanted: &RunProjection) -> Option<RunSummary> {
        let at = slot as usize;
        let start_ms = *self.starts.get(at)?;
        let text = |column: &TextColumn, attribute: &str| {
            let wanted = wanted.attributes.has(attribute);
            Some(if wanted { column.get(slot)?.to_owned() } else { String::new() })
        };
        let wants_uri = wanted.attributes.has(TextAttribute::ArtifactUri.as_str());
        let run = Run {
            id: *self.ids.get(at)?,
            experiment: self.experiment,
            name: text(&self.names, TextAttribute::RunName.as_str())?,
            user: text(&self.users, TextAttribute::User.as_str())?,
            status: *self.statuses.get(at)?,
            start_ms,
            end_ms: *self.ends.get(at)?,
            lifecycle: (*self.lifecycles.get(at)?)?,
            artifact_uri: if wants_uri { self.artifact_uri(slot)? } else { String::new() },
        };
        let datasets = self.datasets.get(slot).filter(|_| wanted.datasets);
        Some(RunSummary {
            run,
            workspace: self.workspace.clone(),
            metrics: named(&self.metrics, &wanted.metrics, |column| column.get(slot, start_ms)),
            params: named(&self.params, &wanted.params, |column| column.get(slot).map(str::to_owned)),
            tags: named(&self.tags, &wanted.tags, |column| column.get(slot).map(str::to_owned)),
            datasets: datasets.cloned().unwrap_or_default(),
            is_attached: self.attached.position(slot).is_some(),
        })
    }
}

/// The values of the columns of these names.
fn named<C, T>(
    columns: &BTreeMap<String, C>,
    names: &Names,
    value: impl Fn(&C) -> Option<T>,
) -> BTreeMap<String, T> {
    let all = |(key, column): (&String, &C)| Some((key.clone(), value(column)?));
    match names {
        Names::All => columns.iter().filter_map(all).collect(),
        Names::These(names) => {
            names.iter().filter_map(|name| columns.get_key_value(name)).filter_map(all).collect()
        }
    }
}

const fn lifecycle_code(lifecycle: Option<Lifecycle>) -> u8 {
    match lifecycle {
        None => 0,
        Some(Lifecycle::Active) => 1,
        Some(Lifecycle::Deleted) => 2,
    }
}

fn lifecycle_of(code: u8) -> io::Result<Option<Lifecycle>> {
    match code {
        0 => Ok(None),
        1 => Ok(Some(Lifecycle::Active)),
        2 => Ok(Some(Lifecycle::Deleted)),
        _ => Err(damaged()),
    }
}

/// The position in [`RunStatus::ALL`].
fn status_code(status: RunStatus) -> u8 {
    let codes = (0..).zip(RunStatus::ALL);
    codes.into_iter().find_map(|(code, known)| (known == status).then_some(code)).unwrap_or(u8::MAX)
}

fn status_of(code: u8) -> io::Result<RunStatus> {
    RunStatus::ALL.get(usize::from(code)).copied().ok_or_else(damaged)
}

/// The end, and whether there is one.
fn end_bytes(end: Option<i64>) -> [u8; 9] {
    let mut bytes = [0; 9];
    if let (Some(end), Some((there, rest))) = (end, bytes.split_first_mut()) {
        *there = 1;
        rest.copy_from_slice(&end.to_le_bytes());
    }
    bytes
}

fn end_of([there, rest @ ..]: [u8; 9]) -> io::Result<Option<i64>> {
    match there {
        0 => Ok(None),
        1 => Ok(Some(i64::from_le_bytes(rest))),
        _ => Err(damaged()),
    }
}

/// Where the artifacts of runs are. Those of an experiment mostly differ in the run's id alone.
#[derive(Debug, Default)]
struct Places {
    /// What stands before and behind the id.
    pattern: Option<(String, String)>,
    others: TextColumn,
}

impl Places {
    fn put(&mut self, slot: u32, id: RunId, uri: &str) {
        let parts = uri.split_once(&id.to_string());
        let parts = parts.map(|(before, behind)| (before.to_owned(), behind.to_owned()));
        if self.pattern.is_none() {
            self.pattern.clone_from(&parts);
        }
        if parts.is_some() && parts == self.pattern {
            self.others.remove(slot);
        } else {
            self.others.put(slot, uri);
        }
    }

    fn write(&self, out: &mut Out<impl Write>) -> io::Result<()> {
        let (before, behind) = self.pattern.as_ref().map_or(("", ""), |(before, behind)| (before, behind));
        out.byte(self.pattern.is_some().into())?;
        out.text(before)?;
        out.text(behind)?;
        self.others.write(out)
    }

    fn read(input: &mut In<impl Read>, runs: usize) -> io::Result<Self> {
        let is_known = input.byte()? == 1;
        let pattern = (input.text()?, input.text()?);
        Ok(Self { pattern: is_known.then_some(pattern), others: TextColumn::read(input, runs)? })
    }

    fn get(&self, slot: u32, id: RunId) -> Option<String> {
        if let Some(uri) = self.others.get(slot) {
            return Some(uri.to_owned());
        }
        let (before, behind) = self.pattern.as_ref()?;
        Some(format!("{before}{id}{behind}"))
    }
}
