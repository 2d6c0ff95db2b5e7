//! What the pages of a version and of a logged model share: how good it is, what it was given, what goes in and comes
//! out, what it is made of, and how it is loaded.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_api::Caller;
use mainstay_core::action::Action;
use mainstay_core::error::StorageError;
use mainstay_core::id::RunId;
use mainstay_core::name::Name;
use mainstay_core::object::ObjectPath;
use mainstay_core::scope::ResourceKind;
use mainstay_registry::model::VersionDetail;
use mainstay_registry::name::{ModelName, VersionNumber};
use mainstay_tracking::logged_model::{LoggedModelDetail, LoggedModelId, ModelMetric};
use mainstay_tracking::run::RunDetail;

use super::model_files::{Described, Example, ModelFiles, Side};
use crate::Console;
use crate::frame::{Error, Missing};
use crate::show::figure::{bytes, exact, logged};
use crate::show::link::segment;

/// Most files that a page lists.
const FILES: usize = 60;

/// A metric, as far as it is known last.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Measured {
    pub(super) key: String,
    pub(super) value: String,
    /// With all its digits.
    pub(super) exact: String,
    /// The dataset, if it is said.
    pub(super) on: Option<String>,
}

/// A file of a model.
pub(super) struct FileRow {
    pub(super) path: String,
    pub(super) size: String,
    /// Where it is given out.
    pub(super) href: Option<String>,
}

/// What the folder of a model says.
#[derive(Default)]
pub(super) struct Folder {
    pub(super) files: Vec<FileRow>,
    /// How many more there are, at least.
    pub(super) more: usize,
    pub(super) size: String,
    pub(super) sides: Vec<Side>,
    pub(super) made_with: Vec<(String, String)>,
    pub(super) example: Option<Example>,
    /// What a client types to have it.
    pub(super) load: Option<String>,
}

impl Folder {
    /// Looks into the folder of a model that clients call `uri`; `download` is the address of its files but for the
    /// path at the end.
    pub(super) async fn read(
        console: &Console,
        root: &ObjectPath,
        (uri, download): (&str, &str),
    ) -> Result<Self, Error> {
        let found = ModelFiles::read(console, root).await?;
        if found.count == 0 {
            return Ok(Self::default());
        }
        let example = found.example(console, root).await?;
        let load = snippet(uri, found.described.as_ref());
        let size = found.whole_size();
        let row = |(path, size): (String, u64)| FileRow {
            href: Some(format!("{download}{}", segment(&path))),
            size: bytes(size),
            path,
        };
        let described = found.described.unwrap_or_default();
        let client = described.client.map(|version| ("mlflow".to_owned(), version));
        Ok(Self {
            more: found.count.saturating_sub(found.files.len().min(FILES)),
            files: found.files.into_iter().take(FILES).map(row).collect(),
            size,
            made_with: described.flavors.into_iter().chain(client).collect(),
            sides: described.sides,
            example,
            load: Some(load),
        })
    }
}

impl Folder {
    /// The same of a logged model that is deleted: clients are given nothing of it.
    pub(super) fn withheld(mut self) -> Self {
        for file in &mut self.files {
            file.href = None;
        }
        self.load = None;
        self
    }
}

/// How a client loads it: by the library whose model it is, else as a function, else its files.
fn snippet(uri: &str, described: Option<&Described>) -> String {
    let module = match described {
        Some(described) if described.is_function() => Some("pyfunc"),
        Some(described) => described.own_flavor(),
        None => None,
    };
    let own = described.and_then(Described::own_flavor).filter(|_| module == Some("pyfunc"));
    let load = |module: &str| format!("mlflow.{module}.load_model(\"{uri}\")");
    let is_name = |module: &str| module.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    match module.filter(|module| is_name(module)) {
        Some(module) => {
            let other = own.filter(|own| is_name(own)).map_or_else(String::new, |own| {
                format!("\n# or the library's own model:\nmodel = {}", load(own))
            });
            format!("import mlflow\n\nmodel = {}{other}", load(module))
        }
        None => format!("import mlflow\n\nfolder = mlflow.artifacts.download_artifacts(\"{uri}\")"),
    }
}

/// What the run and the logged model say together. What was measured on a dataset stands for itself; a metric of
/// the run that the logged model has too is told once.
pub(super) fn measured(run: Option<&RunDetail>, model: Option<&LoggedModelDetail>) -> Vec<Measured> {
    let mut all: BTreeMap<(String, Option<String>), f64> = BTreeMap::new();
    let mut points: Vec<&ModelMetric> = model.into_iter().flat_map(|model| &model.metrics).collect();
    points.sort_by_key(|metric| (metric.point.step, metric.point.timestamp_ms));
    for metric in points {
        let on = metric.dataset.as_ref().map(|(name, _)| name.clone());
        all.insert((metric.key.clone(), on), metric.point.value);
    }
    let known: BTreeSet<String> = all.keys().map(|(key, _)| key.clone()).collect();
    for (key, latest) in run.into_iter().flat_map(|run| &run.metrics) {
        if !known.contains(key) {
            all.insert((key.clone(), None), latest.value);
        }
    }
    let row = |((key, on), value): ((String, Option<String>), f64)| Measured {
        key,
        on,
        value: logged(value),
        exact: exact(value),
    };
    all.into_iter().map(row).collect()
}

/// The parameters of the run, and of the logged model, which has the last word.
pub(super) fn given(run: Option<&RunDetail>, model: Option<&LoggedModelDetail>) -> Vec<(String, String)> {
    let of_run = run.into_iter().flat_map(|run| &run.params);
    let of_model = model.into_iter().flat_map(|model| &model.params);
    let all: BTreeMap<&String, &String> = of_run.chain(of_model).collect();
    all.into_iter().map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// Tags that are not the clients' own.
pub(super) fn own_tags(tags: &BTreeMap<String, String>) -> Vec<(String, String)> {
    let own = tags.iter().filter(|(key, _)| !key.starts_with("mlflow.") && !key.starts_with("_mlflow_"));
    own.map(|(key, value)| (key.clone(), value.clone())).collect()
}

impl Console {
    /// The versions of a model that have these numbers, which follow one another, the newest first.
    pub(super) async fn versions_of(
        &self,
        workspace: &Name,
        name: &ModelName,
        numbers: &[VersionNumber],
    ) -> Result<Vec<VersionDetail>, StorageError> {
        let (Some(newest), Some(oldest)) = (numbers.first(), numbers.last()) else { return Ok(Vec::new()) };
        self.registered.versions_within(workspace, name, *oldest..=*newest).await
    }

    /// The run that a page is about, or why the caller does not see it.
    pub(super) async fn run(&self, caller: &Caller, id: RunId) -> Result<RunDetail, Error> {
        let found = self.tracked.runs(&caller.workspace, &[id]).await?.into_iter().next();
        let found = found.ok_or_else(|| Missing(format!("run {id}")))?;
        caller.admitted(ResourceKind::Experiment, found.run.experiment)?;
        Ok(found)
    }

    /// Another run that a page names, if the caller may read it.
    pub(super) async fn readable_run(
        &self,
        caller: &Caller,
        id: RunId,
    ) -> Result<Option<RunDetail>, StorageError> {
        let found = self.tracked.runs(&caller.workspace, &[id]).await?.into_iter().next();
        let may = |of| caller.may(Action::RunRead, ResourceKind::Experiment, of).is_ok();
        Ok(found.filter(|run| may(run.run.experiment)))
    }

    /// The names of runs, of those that the caller may read.
    pub(super) async fn run_names(
        &self,
        caller: &Caller,
        ids: &BTreeSet<RunId>,
    ) -> Result<BTreeMap<RunId, String>, StorageError> {
        let ids: Vec<RunId> = ids.iter().copied().collect();
        let found = self.tracked.runs(&caller.workspace, &ids).await?;
        let may = |of| caller.may(Action::RunRead, ResourceKind::Experiment, of).is_ok();
        let named = found.into_iter().filter(|run| may(run.run.experiment) && !run.run.name.is_empty());
        Ok(named.map(|run| (run.run.id, run.run.name)).collect())
    }

    /// A logged model, if there is one of this id that the caller may read.
    pub(super) async fn readable_model(
        &self,
        caller: &Caller,
        id: Option<&str>,
    ) -> Result<Option<LoggedModelDetail>, StorageError> {
        let Some(id) = id.and_then(|id| id.parse::<LoggedModelId>().ok()) else { return Ok(None) };
        let found = self.tracked.logged_models(&caller.workspace, &[id]).await?.into_iter().next();
        let may = |of| caller.may(Action::RunRead, ResourceKind::Experiment, of).is_ok();
        Ok(found.filter(|model| may(model.model.experiment)))
    }
}

#[cfg(test)]
mod tests {
    use mainstay_core::time::MachineTime;
    use mainstay_tracking::experiment::ExperimentId;
    use mainstay_tracking::logged_model::{LoggedModel, LoggedModelStatus};
    use mainstay_tracking::metric::Point;
    use mainstay_tracking::run::Lifecycle;

    use super::*;

    fn model(metrics: &[(&str, Option<&str>, i64, f64)]) -> LoggedModelDetail {
        let id = LoggedModelId::from_bytes([1; 16]);
        let at = MachineTime::from_micros(0);
        let metric = |(key, on, step, value): &(&str, Option<&str>, i64, f64)| ModelMetric {
            model: id,
            run: RunId::from_bytes([2; 16]),
            key: (*key).to_owned(),
            dataset: on.map(|name| (name.to_owned(), "d".to_owned())),
            point: Point { step: *step, timestamp_ms: 0, value: *value },
        };
        LoggedModelDetail {
            model: LoggedModel {
                id,
                experiment: ExperimentId(1),
                name: "clf".to_owned(),
                model_type: String::new(),
                source_run: None,
                artifact_uri: String::new(),
                status: LoggedModelStatus::Ready,
                lifecycle: Lifecycle::Active,
                created: at,
                updated: at,
            },
            params: BTreeMap::new(),
            tags: BTreeMap::new(),
            metrics: metrics.iter().map(metric).collect(),
        }
    }

    #[test]
    fn the_last_point_on_each_dataset_is_told() {
        let model = model(&[
            ("auc", Some("test"), 2, 0.9),
            ("auc", Some("test"), 1, 0.8),
            ("auc", None, 0, 0.999_976),
        ]);
        let told: Vec<(String, Option<String>, String)> =
            measured(None, Some(&model)).into_iter().map(|one| (one.key, one.on, one.exact)).collect();
        let expected = [(None, "0.999976"), (Some("test"), "0.9")];
        assert_eq!(
            told,
            expected.map(|(on, exact)| ("auc".to_owned(), on.map(str::to_owned), exact.to_owned()))
        );
    }

    #[test]
    fn a_model_is_loaded_by_what_made_it() {
        let described = |text: &str| Described::read(text);
        let sklearn = described("flavors: {python_function: {}, sklearn: {sklearn_version: 1.5.0}}");
        let told = snippet("models:/m/3", sklearn.as_ref());
        assert!(told.starts_with("import mlflow\n\nmodel = mlflow.pyfunc.load_model(\"models:/m/3\")"));
        assert!(told.ends_with("mlflow.sklearn.load_model(\"models:/m/3\")"), "{told}");
        let odd = described("flavors: {'a\"; b': {}}");
        for other in [odd.as_ref(), None] {
            assert!(snippet("models:/m/3", other).contains("download_artifacts(\"models:/m/3\")"));
        }
    }
}
