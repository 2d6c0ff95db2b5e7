//! What this protocol asks of the serving path.

use std::error::Error as StdError;
use std::fmt;

use async_trait::async_trait;
use mainstay_core::error::{Coded, ErrorCode, Failure};
use mainstay_core::id::PredictionId;
use mainstay_core::name::Name;
use mainstay_core::time::DataTime;
use mainstay_serving::traffic::Source;
use mainstay_serving::value::FeatureValue;
use serde::Deserialize;

use super::per_row::PerRow;
use super::tensor::{Datatype, Tensor};

/// Answers inference requests. The server's predictor implements it; no database is needed for it.
#[async_trait]
pub trait InferenceService: Send + Sync {
    /// Whether requests are taken at all: the state kept on disk is loaded.
    fn is_ready(&self) -> bool;

    /// What an endpoint takes and gives now. Fails if there is no such endpoint, or it serves nothing.
    fn describe(&self, workspace: &Name, endpoint: &str) -> Result<EndpointDescription, Refusal>;

    /// Answers a request. When it returns, every prediction is logged as the answer says.
    async fn infer(&self, request: InferRequest) -> Result<InferAnswer, Refusal>;
}

/// What an endpoint takes and gives: the signature of its champion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointDescription {
    /// The endpoint.
    pub name: Name,
    /// The versions that may answer: the champion first, then canaries.
    pub versions: Vec<u64>,
    /// The champion's inputs.
    pub inputs: Vec<TensorDescription>,
    /// The champion's outputs.
    pub outputs: Vec<TensorDescription>,
}

/// One input or output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorDescription {
    /// Its name.
    pub name: String,
    /// Its datatype.
    pub datatype: Datatype,
    /// Its dimensions; `None` is any size.
    pub shape: Vec<Option<usize>>,
}

/// How safe a prediction shall be before it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// It survives the death of the process.
    #[default]
    Written,
    /// It survives a power cut.
    Synced,
}

/// How safe a prediction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Receipt {
    /// It is answered, and not logged: the log is full, or its disk is.
    Dropped,
    /// It survives the death of the process.
    Written,
    /// It survives a power cut.
    Synced,
}

impl Receipt {
    /// The word in the answer.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dropped => "dropped",
            Self::Written => "written",
            Self::Synced => "synced",
        }
    }
}

/// One request: rows for an endpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct InferRequest {
    /// Where.
    pub workspace: Name,
    /// Which endpoint.
    pub endpoint: String,
    /// The version that shall answer, in place of the traffic policy and without a fallback.
    pub version: Option<u64>,
    /// The tensors: the champion's inputs, or features by name.
    pub inputs: Vec<Tensor>,
    /// When it happened, in data time; when the request arrived, if it does not say.
    pub data_time: Option<PerRow<DataTime>>,
    /// The ids of the predictions, each row its own; drawn, if the request does not say. A repeated
    /// request with the ids of the first one leaves the same predictions once more in the log, and
    /// readers count them once.
    pub ids: Option<PerRow<PredictionId>>,
    /// What a row is routed by: the same key always meets the same version.
    pub key: Option<PerRow<String>>,
    /// The entities whose stored features complete the rows: key and value.
    pub entities: Vec<(String, PerRow<FeatureValue>)>,
    /// How safe the predictions shall be.
    pub durability: Durability,
}

/// How one row was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowAnswer {
    /// The id that labels name.
    pub id: PredictionId,
    /// Which version answered.
    pub version: u64,
    /// In whose stead.
    pub source: Source,
}

/// The answer to one request.
#[derive(Debug, Clone, PartialEq)]
pub struct InferAnswer {
    /// The endpoint's revision that was in force.
    pub revision: u64,
    /// The outputs, in the model's order; their first dimension is the rows.
    pub outputs: Vec<Tensor>,
    /// The rows; there is at least one.
    pub rows: Vec<RowAnswer>,
    /// How safe the least safe of the predictions is.
    pub receipt: Receipt,
}

/// Why there is no answer: any part's reason, with its code and its cause for the log.
#[derive(Debug)]
pub struct Refusal(Failure);

impl Refusal {
    /// Wraps the reason.
    pub fn new(reason: impl Coded) -> Self {
        Self(Failure::from(reason))
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self(failure)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl StdError for Refusal {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.inner().source()
    }
}

impl Coded for Refusal {
    fn code(&self) -> ErrorCode {
        self.0.code()
    }
}
