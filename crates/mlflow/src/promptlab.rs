//! `POST runs/create-promptlab-run`: a run that holds a prompt that somebody tried out elsewhere, with what a model
//! answered. Nothing is executed: no model is asked, and none is loaded.

use axum::Json;
use axum::extract::State;
use bytes::Bytes;
use mainstay_core::action::Action;
use mainstay_core::id::RunId;
use mainstay_core::object::ObjectPath;
use mainstay_core::time::{MachineTime, civil};
use mainstay_tracking::batch::Batch;
use mainstay_tracking::command::{CreateRun, LogBatch, RecordModelHistory, UpdateRun, resolve_name};
use mainstay_tracking::experiment::ExperimentId;
use mainstay_tracking::run::{Run, RunStatus};
use mainstay_tracking::text::{Overlong, Pair};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::artifact_file::below;
use crate::body::Call;
use crate::json_text::tag_text;
use crate::run::{One, run_tags, shown};
use crate::table::Table;
use crate::wire::{KeyValue, int64, list};
use crate::{Error, Mlflow, MlflowError, MlflowState};
use mainstay_api::caller::Caller;
use mainstay_api::route::Route;

/// Where what the model answered lies, as a table.
const RESULTS: &str = "eval_results_table.json";
/// Who made the run, in the tag by which pages know such runs.
const SOURCE_TYPE: &str = "PROMPT_ENGINEERING";

pub(crate) fn routes() -> Vec<Route<MlflowState>> {
    Table::ajax("/2.0/mlflow").post("runs/create-promptlab-run", Action::RunWrite, create).rows()
}

/// A parameter, whose value may be any scalar.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Parameter {
    key: String,
    value: Value,
}

impl Parameter {
    /// The value as Python's `str` writes it.
    fn text(&self) -> String {
        tag_text(self.value.clone()).unwrap_or_else(|| "None".to_owned())
    }

    fn entry(&self) -> (String, Value) {
        (self.key.clone(), self.text().into())
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Create {
    experiment_id: Option<String>,
    run_name: Option<String>,
    #[serde(deserialize_with = "list")]
    tags: Vec<KeyValue>,
    prompt_template: Option<String>,
    #[serde(deserialize_with = "list")]
    prompt_parameters: Vec<Parameter>,
    model_route: Option<String>,
    #[serde(deserialize_with = "list")]
    model_parameters: Vec<Parameter>,
    model_input: Option<String>,
    model_output: Option<String>,
    #[serde(deserialize_with = "list")]
    model_output_parameters: Vec<Parameter>,
    mlflow_version: Option<String>,
    user_id: Option<String>,
    #[serde(deserialize_with = "int64")]
    start_time: Option<i64>,
}

/// A message with all that must be there.
struct Prompt {
    experiment: String,
    template: String,
    parameters: Vec<Parameter>,
    model_route: String,
    model_parameters: Vec<Parameter>,
    input: String,
    output: Option<String>,
    output_parameters: Vec<Parameter>,
    client_version: String,
}

/// A text that must be there and not empty, in the words of this call.
fn needed(name: &str, text: Option<String>) -> Result<String, MlflowError> {
    text.filter(|text| !text.is_empty()).ok_or_else(|| missing(name))
}

fn missing(name: &str) -> MlflowError {
    MlflowError::Bulk { call: "CreatePromptlabRun", rule: format!("must specify {name}.") }
}

impl Prompt {
    fn new(request: &mut Create) -> Result<Self, MlflowError> {
        let experiment = needed("experiment_id", request.experiment_id.take())?;
        let template = needed("prompt_template", request.prompt_template.take())?;
        if request.prompt_parameters.is_empty() {
            return Err(missing("prompt_parameters"));
        }
        let model_route = needed("model_route", request.model_route.take())?;
        let input = needed("model_input", request.model_input.take())?;
        let client_version = needed("mlflow_version", request.mlflow_version.take())?;
        // It goes into a list of requirements.
        let is_version = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '+' | '-');
        if !client_version.chars().all(is_version) {
            return Err(MlflowError::invalid(
                "mlflow_version",
                client_version,
                "give a version, such as 3.18.0",
            ));
        }
        Ok(Self {
            experiment,
            template,
            parameters: std::mem::take(&mut request.prompt_parameters),
            model_route,
            model_parameters: std::mem::take(&mut request.model_parameters),
            input,
            output: request.model_output.take(),
            output_parameters: std::mem::take(&mut request.model_output_parameters),
            client_version,
        })
    }

    /// The parameters and tags of the run.
    fn batch(&self) -> Result<Batch, Error> {
        let param = |key: &str, value: String| Pair::param(key, value, Overlong::Truncate);
        let mut params = Vec::new();
        for parameter in &self.model_parameters {
            params.push(param(&parameter.key, parameter.text())?);
        }
        params.push(param("model_route", self.model_route.clone())?);
        params.push(param("prompt_template", self.template.clone())?);
        let artifacts = format!("[{{\"path\": \"{RESULTS}\", \"type\": \"table\"}}]");
        let tags = vec![
            Pair::tag("mlflow.loggedArtifacts", artifacts, Overlong::Refuse)?,
            Pair::tag("mlflow.runSourceType", SOURCE_TYPE, Overlong::Refuse)?,
        ];
        Ok(Batch::new(Vec::new(), params, tags)?)
    }

    /// One row: the parameters of the prompt, what it became, the answer, and what is known of that.
    fn results(&self) -> Value {
        let before = self.parameters.iter().map(Parameter::entry);
        let after = self.output_parameters.iter().map(Parameter::entry);
        let answer = [
            ("prompt".to_owned(), Value::from(self.input.as_str())),
            ("output".to_owned(), self.output.as_deref().into()),
        ];
        let (columns, row): (Vec<String>, Vec<Value>) = before.chain(answer).chain(after).unzip();
        json!({"columns": columns, "data": [row]})
    }

    /// What a client needs to ask the model again: `parameters.yaml`. JSON is YAML.
    fn parameters(&self) -> Value {
        json!({
            "prompt_template": self.template,
            "prompt_parameters": self.parameters.iter().map(Parameter::entry).collect::<Map<_, _>>(),
            "model_parameters": self.model_parameters.iter().map(Parameter::entry).collect::<Map<_, _>>(),
            "model_route": self.model_route,
        })
    }

    /// The description of the model that the run logs: `MLmodel`, and the run's history of models.
    fn model(&self, run: RunId, uuid: &str, now: MachineTime) -> Value {
        let column = |name: &str| json!({"type": "string", "name": name, "required": true});
        let inputs: Vec<Value> = self.parameters.iter().map(|one| column(&one.key)).collect();
        json!({
            "artifact_path": "model",
            "flavors": {"python_function": {
                "loader_module": "mlflow.prompt.promptlab_model",
                "env": {"virtualenv": "python_env.yaml"},
                "parameters_path": "parameters.yaml",
            }},
            "mlflow_version": self.client_version,
            "model_uuid": uuid,
            "run_id": run.to_string(),
            "signature": {
                "inputs": Value::from(inputs).to_string(),
                "outputs": Value::from(vec![column("output")]).to_string(),
                "params": null,
            },
            "utc_time_created": python_time(now),
        })
    }

    /// The files of the run, by their paths.
    fn files(&self, model: &Value) -> [(&'static str, String); 5] {
        let requirement = format!("mlflow[gateway]=={}", self.client_version);
        let environment = json!({"dependencies": ["-r requirements.txt"]});
        [
            ("model/MLmodel", model.to_string()),
            ("model/parameters.yaml", self.parameters().to_string()),
            ("model/requirements.txt", requirement),
            ("model/python_env.yaml", environment.to_string()),
            (RESULTS, self.results().to_string()),
        ]
    }
}

/// `%Y-%m-%d %H:%M:%S.%f`.
fn python_time(now: MachineTime) -> String {
    let ((year, month, day), rest) = (civil(now.day()), now.micros().rem_euclid(86_400_000_000));
    let (seconds, micros) = (rest / 1_000_000, rest % 1_000_000);
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{micros:06}")
}

async fn create(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(mut request): Call<Create>,
) -> Result<Json<One>, Error> {
    let prompt = Prompt::new(&mut request)?;
    let (batch, tags) = (prompt.batch()?, run_tags(request.tags)?);
    let run = CreateRun {
        workspace: caller.workspace.clone(),
        id: RunId::draw(&*state.entropy),
        experiment: ExperimentId::parse(&prompt.experiment)?,
        name: resolve_name(request.run_name.as_deref(), &tags, &*state.entropy)?,
        user: request.user_id.unwrap_or_else(|| "unknown".to_owned()),
        start_ms: request.start_time.unwrap_or_else(|| state.clock.now().millis()),
        tags,
    };
    let run = state.tracking.run(&caller.principal, run).await?.run;
    let filled = fill(&state, &caller, &run, &prompt, batch).await;
    let end = UpdateRun {
        workspace: caller.workspace.clone(),
        id: run.id,
        status: Some(if filled.is_ok() { RunStatus::Finished } else { RunStatus::Failed }),
        end_ms: Some(state.clock.now().millis()),
        name: None,
    };
    state.tracking.run(&caller.principal, end).await?;
    filled?;
    shown(&state, &caller, run.id).await
}

/// Logs what the run holds, and writes its files.
async fn fill(
    state: &Mlflow,
    caller: &Caller,
    run: &Run,
    prompt: &Prompt,
    batch: Batch,
) -> Result<(), Error> {
    let (workspace, id) = (caller.workspace.clone(), run.id);
    state.tracking.run(&caller.principal, LogBatch { workspace: workspace.clone(), run: id, batch }).await?;
    let model = prompt.model(id, &hex::encode(state.entropy.bytes16()), state.clock.now());
    for (path, text) in prompt.files(&model) {
        let path = ObjectPath::new(path).map_err(|_| MlflowError::InvalidPath)?;
        let place = below(state, run.artifact_uri.clone(), &path)?;
        let length = text.len() as u64;
        let whole = Box::pin(futures::stream::iter([Ok(Bytes::from(text))]));
        place.objects.put(&place.path, whole, length).await?;
    }
    Ok(state.tracking.run(&caller.principal, RecordModelHistory { workspace, run: id, model }).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Value {
        json!({
            "experiment_id": "1",
            "prompt_template": "Say {{ word }}",
            "prompt_parameters": [{"key": "word", "value": "hello"}],
            "model_route": "chat",
            "model_parameters": [{"key": "temperature", "value": 0.5}],
            "model_input": "Say hello",
            "model_output": "Hello.",
            "model_output_parameters": [{"key": "latency", "value": "100"}],
            "mlflow_version": "3.18.0",
        })
    }

    fn read(value: Value) -> Result<Prompt, MlflowError> {
        Prompt::new(&mut serde_json::from_value(value).unwrap())
    }

    #[test]
    fn what_is_missing_is_named_in_the_order_of_a_stock_server() {
        let mut sent = json!({});
        for name in [
            "experiment_id",
            "prompt_template",
            "prompt_parameters",
            "model_route",
            "model_input",
            "mlflow_version",
        ] {
            let refused = read(sent.clone()).err().map(|error| error.to_string());
            let told = format!("CreatePromptlabRun request must specify {name}.");
            assert_eq!(refused, Some(told));
            sent[name] = request()[name].clone();
        }
        assert!(read(sent.clone()).is_ok());
        sent["mlflow_version"] = "1\nevil".into();
        assert!(matches!(read(sent), Err(MlflowError::Invalid { name: "mlflow_version", .. })));
    }

    #[test]
    fn files_say_what_was_asked_and_answered() {
        let prompt = read(request()).unwrap();
        let table = json!({
            "columns": ["word", "prompt", "output", "latency"],
            "data": [["hello", "Say hello", "Hello.", "100"]],
        });
        assert_eq!(prompt.results(), table);
        assert_eq!(prompt.parameters()["model_parameters"], json!({"temperature": "0.5"}));
        let id = RunId::from_bytes([1; 16]);
        let model = prompt.model(id, "ab", MachineTime::from_micros(1_709_210_096_007_001));
        assert_eq!(model["utc_time_created"], "2024-02-29 12:34:56.007001");
        assert_eq!(model["signature"]["inputs"], r#"[{"type":"string","name":"word","required":true}]"#);
        let batch = prompt.batch().unwrap();
        let keys: Vec<&str> = batch.params().iter().map(|param| param.key.as_str()).collect();
        assert_eq!(keys, ["temperature", "model_route", "prompt_template"]);
        assert_eq!(batch.tags()[0].value, r#"[{"path": "eval_results_table.json", "type": "table"}]"#);
    }
}
