//! All that is known of a version of a model, as facts that can stand beside those of another: where it comes from,
//! what it was trained with, how good it was, what it needs, and what it is made of.

use std::collections::BTreeMap;

use mainstay_api::Caller;
use mainstay_core::action::Action;
use mainstay_core::id::RunId;
use mainstay_core::object::{ModelFile, ObjectPath};
use mainstay_core::scope::ResourceKind;
use mainstay_registry::model::{ModelVersion, VersionDetail};

use super::model_files::{Described, ModelFiles, needed};
use crate::Console;
use crate::frame::Error;
use crate::show::figure::{bytes, logged, number};

/// Of what kind a fact is, in the order in which kinds are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Topic {
    Version,
    Gates,
    Metrics,
    Params,
    Data,
    Signature,
    Dependencies,
    Flavors,
    Tags,
    Files,
}

impl Topic {
    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Version => "The version",
            Self::Gates => "Gates",
            Self::Metrics => "Metrics",
            Self::Params => "Parameters",
            Self::Data => "Data",
            Self::Signature => "Signature",
            Self::Dependencies => "Dependencies",
            Self::Flavors => "Made with",
            Self::Tags => "Tags",
            Self::Files => "Files",
        }
    }
}

/// Facts by topic and name.
pub(super) type Facts = BTreeMap<(Topic, String), String>;

/// Gathers them. What the caller may not read is left out.
pub(super) async fn facts(
    console: &Console,
    caller: &Caller,
    detail: &VersionDetail,
) -> Result<Facts, Error> {
    let mut facts = Facts::new();
    let version = &detail.version;
    let mut say = |topic, key: &str, value: String| {
        if !value.is_empty() {
            facts.insert((topic, key.to_owned()), value);
        }
    };
    say(Topic::Version, "digest", version.digest.map_or_else(String::new, |digest| digest.to_string()));
    say(Topic::Version, "source", version.source.clone());
    say(Topic::Version, "run", version.run.as_ref().map_or_else(String::new, ToString::to_string));
    say(Topic::Version, "logged model", version.logged_model.clone().unwrap_or_default());
    say(Topic::Version, "registered", version.created.to_string());
    say(Topic::Version, "by", version.creator.as_ref().map_or_else(String::new, ToString::to_string));
    say(Topic::Version, "stage", version.stage.to_string());
    say(Topic::Version, "about", version.description.clone());
    let aliases: Vec<String> = detail.aliases.iter().map(ToString::to_string).collect();
    say(Topic::Version, "aliases", aliases.join(", "));
    for (key, value) in &detail.tags {
        say(Topic::Tags, key, value.clone());
    }
    if let Some(report) = console.judged(&caller.workspace, version.digest).await? {
        for gate in &report.gates {
            say(Topic::Gates, &gate.name, gate.verdict.as_str().to_owned());
            for (name, figure) in &gate.figures {
                say(Topic::Gates, &format!("{}: {name}", gate.name), number(figure.value));
            }
        }
        for (table, version) in &report.data {
            say(Topic::Data, &format!("judged on {table}"), version.clone());
        }
    }
    let artifacts = of_run(console, caller, detail, &mut facts).await?;
    let logged = of_logged_model(console, caller, detail, &mut facts).await?;
    if let Some(root) = root_of(console, version, artifacts.as_ref(), logged.as_deref()) {
        of_files(console, &root, &mut facts).await?;
    } else if let Some(digest) = &version.digest {
        let files = [
            ("model.onnx", ModelFile::Graph),
            ("reference.json", ModelFile::Reference),
            ("report.json", ModelFile::Report),
        ];
        for (name, file) in files {
            if let Some(status) = console.objects.status(&ObjectPath::of_model(digest, file)).await? {
                facts.insert((Topic::Files, name.to_owned()), bytes(status.size));
            }
        }
    }
    Ok(facts)
}

/// Where the files of a version lie, if that is here. They may be named by the run, or the logged model, that they came
/// with.
pub(super) fn root_of(
    console: &Console,
    version: &ModelVersion,
    run: Option<&(RunId, String)>,
    logged: Option<&str>,
) -> Option<ObjectPath> {
    let location = &version.location;
    let of_model = logged.filter(|_| is_logged(location, version.logged_model.as_deref()));
    let named = in_run(location, run).or_else(|| of_model.map(str::to_owned));
    (console.locate)(named.as_deref().unwrap_or(location))
}

/// Whether a location is the whole of a logged model: `models:/m-…`.
fn is_logged(location: &str, model: Option<&str>) -> bool {
    let named = location.strip_prefix("models:/").map(|named| named.trim_matches('/'));
    model.is_some() && named == model
}

/// Where files lie that are named by their run, `runs:/ID/PATH`, if it is this one with its artifacts.
fn in_run(location: &str, of: Option<&(RunId, String)>) -> Option<String> {
    let (named, path) = location.strip_prefix("runs:/")?.trim_start_matches('/').split_once('/')?;
    let (_, artifacts) = of.filter(|(id, _)| id.to_string() == named)?;
    Some(format!("{}/{path}", artifacts.trim_end_matches('/')))
}

/// What the run that made it was given, and what it measured. Gives where its artifacts lie.
async fn of_run(
    console: &Console,
    caller: &Caller,
    detail: &VersionDetail,
    facts: &mut Facts,
) -> Result<Option<(RunId, String)>, Error> {
    let Some(id) = detail.version.run.as_ref().and_then(mainstay_core::run_ref::RunRef::id) else {
        return Ok(None);
    };
    let found = console.tracked.runs(&caller.workspace, &[id]).await?.into_iter().next();
    let may = |of| caller.may(Action::RunRead, ResourceKind::Experiment, of).is_ok();
    let Some(run) = found.filter(|run| may(run.run.experiment)) else { return Ok(None) };
    facts.extend(run.params.into_iter().map(|(key, value)| ((Topic::Params, key), value)));
    let metrics = run.metrics.into_iter();
    facts.extend(metrics.map(|(key, latest)| ((Topic::Metrics, key), logged(latest.value))));
    for input in run.attached.datasets {
        let context = input.context().map_or_else(String::new, |context| format!(" ({context})"));
        facts.insert((Topic::Data, format!("{}{context}", input.dataset.name)), input.dataset.digest);
    }
    Ok(Some((id, run.run.artifact_uri)))
}

/// What was logged for the model itself. Gives where its artifacts lie.
async fn of_logged_model(
    console: &Console,
    caller: &Caller,
    detail: &VersionDetail,
    facts: &mut Facts,
) -> Result<Option<String>, Error> {
    let found = console.readable_model(caller, detail.version.logged_model.as_deref()).await?;
    let Some(model) = found else { return Ok(None) };
    facts.extend(model.params.into_iter().map(|(key, value)| ((Topic::Params, key), value)));
    for metric in model.metrics {
        let of = metric.dataset.map_or_else(String::new, |(name, _)| format!(" on {name}"));
        facts.insert((Topic::Metrics, format!("{}{of}", metric.key)), logged(metric.point.value));
    }
    Ok(Some(model.model.artifact_uri))
}

/// How large it is, and what the files say that describe it.
async fn of_files(console: &Console, root: &ObjectPath, facts: &mut Facts) -> Result<(), Error> {
    let found = ModelFiles::read(console, root).await?;
    if found.count == 0 {
        return Ok(());
    }
    facts.insert((Topic::Version, "size".to_owned()), found.whole_size());
    facts.extend(found.files.into_iter().map(|(path, size)| ((Topic::Files, path), bytes(size))));
    if let Some(described) = found.described {
        told(described, facts);
    }
    let packages = found.requirements.as_deref().map(needed).unwrap_or_default();
    facts.extend(packages.into_iter().map(|(name, asked)| ((Topic::Dependencies, name), asked)));
    Ok(())
}

/// What `MLmodel` says of its signature and what the model was made with.
fn told(described: Described, facts: &mut Facts) {
    for side in described.sides {
        let one = side.name.trim_end_matches('s');
        for field in side.fields {
            let kind = if field.is_optional { format!("{}, may be missing", field.kind) } else { field.kind };
            facts.insert((Topic::Signature, format!("{one}: {}", field.name)), kind);
        }
    }
    let client = described.client.map(|version| ("mlflow".to_owned(), version));
    let made = described.flavors.into_iter().chain(client);
    facts.extend(made.map(|(flavor, version)| ((Topic::Flavors, flavor), version)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_is_read() {
        let text = r#"
flavors:
  python_function: {env: conda.yaml, python_version: 3.12.1}
  sklearn: {pickled_model: model.pkl, sklearn_version: 1.5.0}
mlflow_version: 3.18.0
signature:
  inputs: '[{"type": "double", "name": "x", "required": true}, {"type": "string", "name": "y", "required": false}]'
  outputs: '[{"type": "tensor", "tensor-spec": {"dtype": "int64", "shape": [-1]}}]'
  params: null
"#;
        let mut facts = Facts::new();
        told(Described::read(text).unwrap(), &mut facts);
        let told: Vec<String> = facts.iter().map(|((_, key), value)| format!("{key} = {value}")).collect();
        assert_eq!(
            told,
            [
                "input: x = double",
                "input: y = string, may be missing",
                "output: 0 = int64 [-1]",
                "mlflow = 3.18.0",
                "python_function = python_version 3.12.1",
                "sklearn = sklearn_version 1.5.0",
            ]
        );
    }

    #[test]
    fn files_named_by_their_run_lie_below_its_artifacts() {
        let run = RunId::from_bytes([7; 16]);
        let own = (run, "mlflow-artifacts:/0/r/artifacts/".to_owned());
        let at = |location: &str| in_run(location, Some(&own));
        let found = at(&format!("runs:/{run}/model/a"));
        assert_eq!(found.as_deref(), Some("mlflow-artifacts:/0/r/artifacts/model/a"));
        assert_eq!(
            (at("runs:/other/a"), at(&format!("runs:/{run}")), at("s3://b/model")),
            (None, None, None)
        );
        assert_eq!(in_run(&format!("runs:/{run}/model"), None), None);
        assert!(is_logged("models:/m-1", Some("m-1")) && !is_logged("models:/m-1", Some("m-2")));
        assert!(!is_logged("models:/m-1/a", Some("m-1")) && !is_logged("s3://b/m-1", Some("m-1")));
    }
}
