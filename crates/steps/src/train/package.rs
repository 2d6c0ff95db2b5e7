//! A model as the directory that MLflow's clients load, with `mlflow.onnx` and `mlflow.pyfunc`.
//!
//! Source: `save_model` of mlflow/onnx/\_\_init\_\_.py and the model format of mlflow/models/model.py, 3.17.

use mainstay_core::id::RunId;
use mainstay_core::time::MachineTime;
use mainstay_inference::{DType, Limits, Model, TensorSpec};
use mainstay_tracking::logged_model::LoggedModelId;
use mainstay_training::{Column, Dataset, Values};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{MODEL_FILE, StepError};

/// Rows of the input example.
const EXAMPLE_ROWS: usize = 5;
/// What a client needs to run the model; any version from these on.
const REQUIREMENTS: &str = "mlflow>=3\nonnx>=1.14\nonnxruntime>=1.15\n";
/// No Python version is named: the model is an ONNX graph, and any will do.
const ENVIRONMENT: &str = "dependencies:\n- -r requirements.txt\n";

/// What a model takes and gives, in the words of MLflow, with rows as an example.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Interface {
    inputs: Vec<Value>,
    outputs: Vec<Value>,
    example: Value,
}

impl Interface {
    /// Of a model that was trained on `data`.
    pub(super) fn of(onnx: &[u8], data: &Dataset) -> Result<Self, StepError> {
        let model = Model::load(onnx, &Limits::default()).map_err(StepError::of)?;
        let names: Vec<&str> = data.features.iter().map(|column| column.name.as_str()).collect();
        let rows = data.label.len().min(EXAMPLE_ROWS);
        let rows: Vec<Vec<Value>> =
            (0..rows).map(|row| data.features.iter().map(|column| cell(column, row)).collect()).collect();
        Ok(Self {
            inputs: model.inputs().iter().map(tensor).collect(),
            outputs: model.outputs().iter().map(tensor).collect(),
            example: json!({ "columns": names, "data": rows }),
        })
    }

    /// The files beside the model itself.
    pub(super) fn files(&self, origin: &Origin) -> Vec<(&'static str, String)> {
        vec![
            ("MLmodel", format!("{:#}\n", self.description(origin))),
            ("requirements.txt", REQUIREMENTS.to_owned()),
            ("python_env.yaml", ENVIRONMENT.to_owned()),
            ("input_example.json", self.example.to_string()),
        ]
    }

    /// `MLmodel`: YAML, of which JSON is a part. Signatures are JSON texts in it.
    fn description(&self, origin: &Origin) -> Value {
        json!({
            "run_id": origin.run,
            "model_id": origin.model,
            "utc_time_created": origin.created.to_string().replace('T', " ").trim_end_matches('Z'),
            "flavors": {
                "onnx": { "data": MODEL_FILE, "code": null, "providers": ["CPUExecutionProvider"] },
                "python_function": {
                    "loader_module": "mlflow.onnx",
                    "data": MODEL_FILE,
                    "env": { "virtualenv": "python_env.yaml" },
                },
            },
            "signature": {
                "inputs": Value::from(self.inputs.clone()).to_string(),
                "outputs": Value::from(self.outputs.clone()).to_string(),
                "params": null,
            },
            "saved_input_example_info": {
                "artifact_path": "input_example.json",
                "type": "dataframe",
                "pandas_orient": "split",
            },
        })
    }
}

/// Where a model came from.
pub(super) struct Origin {
    pub(super) run: RunId,
    pub(super) model: LoggedModelId,
    pub(super) created: MachineTime,
}

/// Named `TensorSpec`; -1 is any size, and numpy calls texts objects. By it the client casts and reshapes the
/// columns of data frames, which hold doubles, to what the model takes; by `ColSpec` it would not reshape them.
fn tensor(spec: &TensorSpec) -> Value {
    let dtype = match spec.dtype {
        DType::Str => "object".to_owned(),
        numeric => numeric.to_string(),
    };
    let shape: Vec<i64> =
        spec.shape.iter().map(|size| size.and_then(|size| i64::try_from(size).ok()).unwrap_or(-1)).collect();
    json!({ "name": spec.name, "type": "tensor", "tensor-spec": { "dtype": dtype, "shape": shape } })
}

/// A value as data frames read it: null for a missing number, the empty text for a missing category.
fn cell(column: &Column, row: usize) -> Value {
    match &column.values {
        Values::Numeric(all) => all.get(row).map_or(Value::Null, |value| json!(value)),
        Values::Categorical(all) => Value::from(all.get(row).and_then(Option::as_deref).unwrap_or_default()),
    }
}
