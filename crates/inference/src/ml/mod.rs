//! Operators of the domain `ai.onnx.ml`.

mod extract;
mod imputer;
mod label_encoder;
mod linear;
mod one_hot;
mod scaling;
pub(crate) mod scores;

pub(crate) use linear::as_f32;

use crate::error::NodeError;
use crate::node::{Built, Node};
use crate::trees;

/// The domain of classical machine learning.
pub(crate) const DOMAIN: &str = "ai.onnx.ml";

/// Compiles a node; `None` if its operator is not known.
pub(crate) fn build(op: &str, node: &Node<'_>) -> Option<Result<Built, NodeError>> {
    let builder: fn(&Node<'_>) -> Result<Built, NodeError> = match op {
        "ArrayFeatureExtractor" => extract::build_array_feature_extractor,
        "Binarizer" => scaling::build_binarizer,
        "FeatureVectorizer" => extract::build_feature_vectorizer,
        "Imputer" => imputer::build,
        "LabelEncoder" => label_encoder::build,
        "LinearClassifier" => linear::build_classifier,
        "LinearRegressor" => linear::build_regressor,
        "Normalizer" => scaling::build_normalizer,
        "OneHotEncoder" => one_hot::build,
        "Scaler" => scaling::build_scaler,
        "TreeEnsemble" => trees::build_ensemble,
        "TreeEnsembleClassifier" => trees::build_classifier,
        "TreeEnsembleRegressor" => trees::build_regressor,
        "ZipMap" => extract::build_zip_map,
        _ => return None,
    };
    Some(builder(node))
}
