//! All that is known of a version of a model, as facts that can stand beside those of another: where it comes from,
//! what it was trained with, how good it was, what it needs, and what it is made of.

use std::collections::BTreeMap;

use futures::StreamExt as _;
use mainstay_api::Caller;
use mainstay_core::action::Action;
use mainstay_core::error::StorageError;
use mainstay_core::id::RunId;
use mainstay_core::object::{ModelFile, ObjectPath};
use mainstay_core::scope::ResourceKind;
use mainstay_registry::model::VersionDetail;
use mainstay_tracking::logged_model::LoggedModelId;
use serde_json::Value;

use crate::Console;
use crate::frame::Error;
use crate::show::figure::{bytes, number};

/// Most files of a version that are listed.
const FILES: usize = 500;
/// Most files of one folder that are looked at.
const ENTRIES: usize = 10_000;
/// Most folders that are looked into.
const FOLDERS: usize = 50;
/// Most bytes that are read of a file that describes the model.
const READ: usize = 256 * 1024;

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
    of_logged_model(console, caller, detail, &mut facts).await?;
    let location = in_run(&version.location, artifacts.as_ref());
    if let Some(root) = (console.locate)(location.as_deref().unwrap_or(&version.location)) {
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
    facts.extend(metrics.map(|(key, latest)| ((Topic::Metrics, key), number(latest.value))));
    for input in run.attached.datasets {
        let context = input.context().map_or_else(String::new, |context| format!(" ({context})"));
        facts.insert((Topic::Data, format!("{}{context}", input.dataset.name)), input.dataset.digest);
    }
    Ok(Some((id, run.run.artifact_uri)))
}

/// What was logged for the model itself.
async fn of_logged_model(
    console: &Console,
    caller: &Caller,
    detail: &VersionDetail,
    facts: &mut Facts,
) -> Result<(), Error> {
    let id = detail.version.logged_model.as_ref().and_then(|id| id.parse::<LoggedModelId>().ok());
    let Some(id) = id else { return Ok(()) };
    let found = console.tracked.logged_models(&caller.workspace, &[id]).await?.into_iter().next();
    let may = |of| caller.may(Action::RunRead, ResourceKind::Experiment, of).is_ok();
    let Some(model) = found.filter(|found| may(found.model.experiment)) else { return Ok(()) };
    facts.extend(model.params.into_iter().map(|(key, value)| ((Topic::Params, key), value)));
    for metric in model.metrics {
        let of = metric.dataset.map_or_else(String::new, |(name, _)| format!(" on {name}"));
        facts.insert((Topic::Metrics, format!("{}{of}", metric.key)), number(metric.point.value));
    }
    Ok(())
}

/// How large it is, and what the files say that describe it.
async fn of_files(console: &Console, root: &ObjectPath, facts: &mut Facts) -> Result<(), Error> {
    let (mut whole, mut count) = (0_u64, 0_usize);
    let mut folders = vec![String::new()];
    let mut looked = 0;
    while let Some(folder) = folders.pop() {
        looked += 1;
        let place = if folder.is_empty() { root.clone() } else { root.join(&folder)? };
        for entry in console.objects.list(Some(&place), ENTRIES).await?.entries {
            let path = if folder.is_empty() { entry.name } else { format!("{folder}/{}", entry.name) };
            match entry.size {
                Some(size) => {
                    whole = whole.saturating_add(size);
                    count += 1;
                    if count <= FILES {
                        facts.insert((Topic::Files, path), bytes(size));
                    }
                }
                None if looked + folders.len() < FOLDERS => folders.push(path),
                None => {}
            }
        }
    }
    if count == 0 {
        return Ok(());
    }
    facts.insert((Topic::Version, "size".to_owned()), bytes(whole));
    if let Some(text) = text_of(console, &root.join("MLmodel")?).await? {
        described(&text, facts);
    }
    if let Some(text) = text_of(console, &root.join("requirements.txt")?).await? {
        needed(&text, facts);
    }
    Ok(())
}

/// A file's text, if it is there and not too long to be one of these.
async fn text_of(console: &Console, path: &ObjectPath) -> Result<Option<String>, StorageError> {
    let Some(mut content) = console.objects.get(path, None).await? else { return Ok(None) };
    let mut read = Vec::new();
    while let Some(part) = content.bytes.next().await {
        read.extend_from_slice(&part.map_err(StorageError::Failed)?);
        if read.len() > READ {
            return Ok(None);
        }
    }
    Ok(String::from_utf8(read).ok())
}

/// What `MLmodel` says of its signature and what the model was made with. One that cannot be read says nothing.
fn described(text: &str, facts: &mut Facts) {
    let Ok(model) = serde_saphyr::from_str::<Value>(text) else { return };
    for side in ["inputs", "outputs", "params"] {
        let schema = model.get("signature").and_then(|signature| signature.get(side)).and_then(Value::as_str);
        let columns =
            schema.and_then(|json| serde_json::from_str::<Vec<Value>>(json).ok()).unwrap_or_default();
        for (at, column) in columns.iter().enumerate() {
            let name =
                column.get("name").and_then(Value::as_str).map_or_else(|| at.to_string(), str::to_owned);
            facts.insert(
                (Topic::Signature, format!("{}: {name}", side.trim_end_matches('s'))),
                kind_of(column),
            );
        }
    }
    for (flavor, of) in model.get("flavors").and_then(Value::as_object).into_iter().flatten() {
        let version = of.as_object().into_iter().flatten().find(|(key, _)| key.ends_with("_version"));
        let said = version.map_or_else(|| "yes".to_owned(), |(key, value)| format!("{key} {}", plain(value)));
        facts.insert((Topic::Flavors, flavor.clone()), said);
    }
    if let Some(version) = model.get("mlflow_version") {
        facts.insert((Topic::Flavors, "mlflow".to_owned()), plain(version));
    }
}

/// The type of a column or tensor, and whether it may be missing.
fn kind_of(column: &Value) -> String {
    let of = column.get("tensor-spec").map_or_else(
        || column.get("type").or_else(|| column.get("dtype")).map(plain).unwrap_or_default(),
        |spec| {
            let (kind, shape) = (spec.get("dtype").map(plain), spec.get("shape").map(plain));
            format!("{} {}", kind.unwrap_or_default(), shape.unwrap_or_default())
        },
    );
    let optional = column.get("required").and_then(Value::as_bool) == Some(false);
    if optional { format!("{of}, may be missing") } else { of }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The packages of a `requirements.txt`, each with what it asks of its version (PEP 508).
fn needed(text: &str, facts: &mut Facts) {
    let lines = text.lines().map(|line| line.split(" #").next().unwrap_or_default().trim());
    for line in lines.filter(|line| !line.is_empty() && !line.starts_with(['#', '-'])) {
        let at = line.find(|c: char| "=<>!~;@ ".contains(c)).unwrap_or(line.len());
        let (name, rest) = line.split_at(at);
        let rest = rest.trim();
        let asked = if rest.is_empty() { "any" } else { rest };
        facts.insert((Topic::Dependencies, name.to_owned()), asked.to_owned());
    }
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
        described(text, &mut facts);
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
        described("a: [", &mut facts);
        assert_eq!(facts.len(), 6);
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
    }

    #[test]
    fn packages_are_told_from_what_is_asked_of_them() {
        let mut facts = Facts::new();
        needed(
            "# made by mlflow\nmlflow==3.18.0\nnumpy >=1,<3 # both\n--extra-index-url x\npandas\n",
            &mut facts,
        );
        let told: Vec<String> = facts.iter().map(|((_, key), value)| format!("{key} {value}")).collect();
        assert_eq!(told, ["mlflow ==3.18.0", "numpy >=1,<3", "pandas any"]);
    }
}
