//! A linear model. Numbers are imputed by their mean and standardised; the missing indicator is the
//! difference of the column imputed by 1 and the column imputed by 0. A category's one-hot column
//! times its weight is the weight itself, so each categorical feature is a table from string to weight.

use crate::encoding::{Encoding, FeatureKind, codes};
use crate::linear::{LinearModel, Term};

use super::graph::Graph;

/// Adds the nodes that compute `margin`, float [N, 1].
pub(super) fn add(graph: &mut Graph, encoding: &Encoding, model: &LinearModel, margin: &str) {
    let mut columns = Vec::new();
    let mut coefficients = Vec::new();

    let numeric = Numeric::of(encoding, model);
    if !numeric.names.is_empty() {
        numeric.add(graph);
        columns.extend(["mainstay.standardised".to_owned(), "mainstay.missing".to_owned()]);
        coefficients.extend(numeric.weights.iter().chain(&numeric.missing_weights));
    }
    for (feature, term) in encoding.features.iter().zip(&model.terms) {
        if let (FeatureKind::Categorical { categories }, Term::Categorical { weights, missing_weight }) =
            (&feature.kind, term)
        {
            let weight_of = |code: usize| weights.get(code).copied().map_or(0.0, single);
            let other =
                categories.iter().position(|category| category.value.is_none()).map_or(0.0, weight_of);
            let table: Vec<(&str, f32)> = codes(categories)
                .enumerate()
                .filter_map(|(code, (_, category))| Some((category.value.as_deref()?, weight_of(code))))
                .chain([("", single(*missing_weight))])
                .collect();
            let output = format!("mainstay.weight.{}", feature.name);
            graph
                .ml_node("LabelEncoder", &[&feature.name], &output)
                .strings("keys_strings", table.iter().map(|(value, _)| *value))
                .floats("values_floats", table.iter().map(|(_, weight)| *weight).collect())
                .float("default_float", other);
            columns.push(output);
            coefficients.push(1.0);
        }
    }

    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    graph.node("Concat", &columns, "mainstay.terms").int("axis", 1);
    graph
        .ml_node("LinearRegressor", &["mainstay.terms"], margin)
        .int("targets", 1)
        .floats("coefficients", coefficients)
        .floats("intercepts", vec![single(model.intercept)]);
}

/// The numeric features' part, by feature.
#[derive(Default)]
struct Numeric<'a> {
    names: Vec<&'a str>,
    offsets: Vec<f32>,
    scales: Vec<f32>,
    weights: Vec<f32>,
    missing_weights: Vec<f32>,
}

impl<'a> Numeric<'a> {
    fn of(encoding: &'a Encoding, model: &LinearModel) -> Self {
        let mut numeric = Self::default();
        for (feature, term) in encoding.features.iter().zip(&model.terms) {
            if let Term::Numeric { offset, scale, weight, missing_weight } = *term {
                numeric.names.push(&feature.name);
                numeric.offsets.push(offset);
                numeric.scales.push(scale);
                numeric.weights.push(single(weight));
                numeric.missing_weights.push(single(missing_weight));
            }
        }
        numeric
    }

    fn add(&self, graph: &mut Graph) {
        let count = self.names.len();
        graph.node("Concat", &self.names, "mainstay.numbers").int("axis", 1);
        for (output, by) in [
            ("mainstay.by_mean", self.offsets.clone()),
            ("mainstay.by_zero", vec![0.0; count]),
            ("mainstay.by_one", vec![1.0; count]),
        ] {
            graph
                .ml_node("Imputer", &["mainstay.numbers"], output)
                .floats("imputed_value_floats", by)
                .float("replaced_value_float", f32::NAN);
        }
        graph.node("Sub", &["mainstay.by_one", "mainstay.by_zero"], "mainstay.missing");
        graph
            .ml_node("Scaler", &["mainstay.by_mean"], "mainstay.standardised")
            .floats("offset", self.offsets.clone())
            .floats("scale", self.scales.clone());
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the graph computes in f32")]
fn single(value: f64) -> f32 {
    value as f32
}
