//! The baseline models: logistic regression and ridge regression over standardised numbers, missing
//! indicators and one-hot categories.
//!
//! The objective is Σ loss(row) + (λ/2)·‖weights‖², the intercept not penalised; loss is the log
//! loss of a row, or half its squared error. With λ = `l2` this is scikit-learn's
//! `LogisticRegression(C = 1/λ)` and `Ridge(alpha = λ)` over the same design. Newton's method
//! (iteratively reweighted least squares) finds the only minimum; every step is deterministic.
//! Source: Hastie, Tibshirani & Friedman, *The Elements of Statistical Learning* (2009), §4.4.1, §3.4.1.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::calibration::{sigmoid, softplus};
use crate::dataset::Task;
use crate::encoding::{Encoded, Encoding, FeatureKind};
use crate::error::TrainingError;

/// A linear model: the margin is `intercept` plus one term a feature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LinearModel {
    /// The constant term.
    pub intercept: f64,
    /// The features' terms, in their order.
    pub terms: Vec<Term>,
}

/// What a feature adds to the margin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Term {
    /// `weight · (value − offset) · scale`, or `missing_weight` where the value is missing.
    Numeric {
        /// Mean over the training rows.
        offset: f32,
        /// Reciprocal of their standard deviation; 0 for a constant feature.
        scale: f32,
        /// Weight of the standardised value.
        weight: f64,
        /// Weight of the missing indicator.
        missing_weight: f64,
    },
    /// One weight a category.
    Categorical {
        /// By the category's code.
        weights: Vec<f64>,
        /// For a missing value.
        missing_weight: f64,
    },
}

impl LinearModel {
    /// Fits the model to the rows `train` of the encoded features; `target` holds their labels.
    pub(crate) fn fit(
        encoding: &Encoding,
        encoded: &Encoded,
        train: &Range<usize>,
        target: &[f64],
        task: Task,
        l2: f64,
    ) -> Result<Self, TrainingError> {
        let mut model = Self::zero(encoding);
        let weights = minimise(&Design::new(&model.terms, encoded, train)?, target, task, l2)?;
        model.set(&weights);
        Ok(model)
    }

    /// The margins of the rows: log-odds for classification, the value for regression.
    pub(crate) fn margins(&self, encoded: &Encoded, rows: &Range<usize>) -> Vec<f64> {
        let mut margins = vec![self.intercept; rows.len()];
        for (term, column) in self.terms.iter().zip(encoded) {
            for (margin, &value) in margins.iter_mut().zip(column.get(rows.clone()).unwrap_or_default()) {
                *margin += term.of(value);
            }
        }
        margins
    }

    fn zero(encoding: &Encoding) -> Self {
        let terms = encoding
            .features
            .iter()
            .map(|feature| match &feature.kind {
                FeatureKind::Numeric { mean, standard_deviation } => Term::Numeric {
                    offset: *mean,
                    scale: if *standard_deviation > 0.0 {
                        finite_or_zero(1.0 / standard_deviation)
                    } else {
                        0.0
                    },
                    weight: 0.0,
                    missing_weight: 0.0,
                },
                FeatureKind::Categorical { categories } => {
                    Term::Categorical { weights: vec![0.0; categories.len()], missing_weight: 0.0 }
                }
            })
            .collect();
        Self { intercept: 0.0, terms }
    }

    /// Takes the weights in the design's order: intercept, then each term's, its missing weight last.
    fn set(&mut self, weights: &[f64]) {
        let mut next = weights.iter().copied();
        let mut take = |place: &mut f64| *place = next.next().unwrap_or_default();
        take(&mut self.intercept);
        for term in &mut self.terms {
            match term {
                Term::Numeric { weight, missing_weight, .. } => {
                    take(weight);
                    take(missing_weight);
                }
                Term::Categorical { weights, missing_weight } => {
                    weights.iter_mut().for_each(&mut take);
                    take(missing_weight);
                }
            }
        }
    }
}

impl Term {
    /// The term for an encoded value, NaN if missing.
    pub(crate) fn of(&self, value: f32) -> f64 {
        match self {
            Self::Numeric { missing_weight, .. } | Self::Categorical { missing_weight, .. }
                if value.is_nan() =>
            {
                *missing_weight
            }
            Self::Numeric { offset, scale, weight, .. } => weight * standardise(value, *offset, *scale),
            Self::Categorical { weights, .. } => weights.get(code(value)).copied().unwrap_or_default(),
        }
    }

    fn columns(&self) -> usize {
        match self {
            Self::Numeric { .. } => 2,
            Self::Categorical { weights, .. } => weights.len() + 1,
        }
    }

    /// Which of the term's columns is not zero for an encoded value, and its entry.
    fn entry(&self, value: f32) -> (usize, f64) {
        match self {
            Self::Numeric { .. } if value.is_nan() => (1, 1.0),
            Self::Numeric { offset, scale, .. } => (0, standardise(value, *offset, *scale)),
            Self::Categorical { weights, .. } if value.is_nan() => (weights.len(), 1.0),
            Self::Categorical { .. } => (code(value), 1.0),
        }
    }
}

fn standardise(value: f32, offset: f32, scale: f32) -> f64 {
    (f64::from(value) - f64::from(offset)) * f64::from(scale)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "codes are small whole numbers")]
fn code(value: f32) -> usize {
    value as usize
}

fn finite_or_zero(value: f32) -> f32 {
    if value.is_finite() { value } else { 0.0 }
}

/// The most weights of a linear model; the equations of a step take 4 · weights² bytes.
pub const MAX_WEIGHTS: usize = 2048;

/// The design matrix, computed row by row: the intercept's 1 and exactly one other entry a feature.
struct Design<'a> {
    terms: &'a [Term],
    /// The column where each term begins.
    starts: Vec<usize>,
    columns: usize,
    encoded: &'a Encoded,
    rows: Range<usize>,
}

impl<'a> Design<'a> {
    fn new(terms: &'a [Term], encoded: &'a Encoded, rows: &Range<usize>) -> Result<Self, TrainingError> {
        let mut columns = 1;
        let starts = terms
            .iter()
            .map(|term| {
                let start = columns;
                columns += term.columns();
                start
            })
            .collect();
        if columns > MAX_WEIGHTS {
            return Err(TrainingError::TooManyWeights { found: columns, limit: MAX_WEIGHTS });
        }
        Ok(Self { terms, starts, columns, encoded, rows: rows.clone() })
    }

    /// Calls `visit` with each row's position and its (column, entry) pairs, columns ascending.
    fn for_each_row(&self, mut visit: impl FnMut(usize, &[(usize, f64)])) {
        let mut row_entries = Vec::with_capacity(self.terms.len() + 1);
        for (position, row) in self.rows.clone().enumerate() {
            row_entries.clear();
            row_entries.push((0, 1.0));
            for ((term, column), start) in self.terms.iter().zip(self.encoded).zip(&self.starts) {
                let (index, entry) = term.entry(column.get(row).copied().unwrap_or(f32::NAN));
                row_entries.push((start + index, entry));
            }
            visit(position, &row_entries);
        }
    }

    fn margins(&self, weights: &[f64]) -> Vec<f64> {
        let mut margins = Vec::with_capacity(self.rows.len());
        self.for_each_row(|_, row| {
            let terms =
                row.iter().map(|&(column, entry)| entry * weights.get(column).copied().unwrap_or_default());
            margins.push(terms.sum());
        });
        margins
    }
}

const MAX_STEPS: usize = 100;

/// Newton's method with step halving. It ends when the next step could lower the objective by no
/// more than a share of 1e-15 (half the squared Newton decrement; Boyd & Vandenberghe, *Convex
/// Optimization* (2004), §9.5), or when rounding lets no step lower it.
fn minimise(design: &Design<'_>, target: &[f64], task: Task, l2: f64) -> Result<Vec<f64>, TrainingError> {
    let mut weights = vec![0.0; design.columns];
    let mut margins = design.margins(&weights);
    let mut objective = loss(&margins, target, task) + penalty(&weights, l2);
    for _ in 0..MAX_STEPS {
        let (gradient, hessian) = derivatives(design, &weights, &margins, target, task, l2);
        let step = hessian.solve(&gradient).ok_or(TrainingError::NotConverged)?;
        let decrement: f64 = gradient.iter().zip(&step).map(|(g, s)| g * s).sum();
        if !decrement.is_finite() {
            return Err(TrainingError::NotConverged);
        }
        if decrement / 2.0 <= 1e-15 * objective {
            return Ok(weights);
        }
        let mut share = 1.0;
        loop {
            let next: Vec<f64> = weights.iter().zip(&step).map(|(w, s)| w - share * s).collect();
            let next_margins = design.margins(&next);
            let next_objective = loss(&next_margins, target, task) + penalty(&next, l2);
            if next_objective < objective {
                (weights, margins, objective) = (next, next_margins, next_objective);
                break;
            }
            share /= 2.0;
            if share < 1e-6 {
                return Ok(weights);
            }
        }
    }
    Err(TrainingError::NotConverged)
}

fn loss(margins: &[f64], target: &[f64], task: Task) -> f64 {
    margins
        .iter()
        .zip(target)
        .map(|(&margin, &y)| match task {
            Task::BinaryClassification => softplus(margin) - y * margin,
            Task::Regression => (margin - y).powi(2) / 2.0,
        })
        .sum()
}

fn penalty(weights: &[f64], l2: f64) -> f64 {
    weights.iter().skip(1).map(|w| w * w).sum::<f64>() * l2 / 2.0
}

fn derivatives(
    design: &Design<'_>,
    weights: &[f64],
    margins: &[f64],
    target: &[f64],
    task: Task,
    l2: f64,
) -> (Vec<f64>, Symmetric) {
    let mut gradient: Vec<f64> = weights.iter().map(|w| l2 * w).collect();
    let mut hessian = Symmetric::zero(design.columns);
    for column in 0..design.columns {
        hessian.add(column, column, l2);
    }
    if let Some(first) = gradient.first_mut() {
        *first = 0.0;
        hessian.add(0, 0, -l2);
    }
    design.for_each_row(|position, row| {
        let (Some(&margin), Some(&y)) = (margins.get(position), target.get(position)) else {
            return;
        };
        let (residual, curvature) = match task {
            Task::BinaryClassification => {
                let p = sigmoid(margin);
                (p - y, p * (1.0 - p))
            }
            Task::Regression => (margin - y, 1.0),
        };
        for (count, &(column, entry)) in (1..).zip(row) {
            if let Some(g) = gradient.get_mut(column) {
                *g += residual * entry;
            }
            // Columns ascend within a row, so (column, other) lies in the lower triangle.
            for &(other, other_entry) in row.iter().take(count) {
                hessian.add(column, other, curvature * entry * other_entry);
            }
        }
    });
    (gradient, hessian)
}

/// A symmetric matrix: its lower triangle, row by row.
struct Symmetric {
    order: usize,
    lower: Vec<f64>,
}

impl Symmetric {
    fn zero(order: usize) -> Self {
        Self { order, lower: vec![0.0; order * (order + 1) / 2] }
    }

    /// Adds to the entry (row, column), column ≤ row.
    fn add(&mut self, row: usize, column: usize, value: f64) {
        if let Some(entry) = self.lower.get_mut(row * (row + 1) / 2 + column) {
            *entry += value;
        }
    }

    /// Solves for the right side by Cholesky's factorisation; `None` if the matrix is not positive definite.
    fn solve(mut self, right: &[f64]) -> Option<Vec<f64>> {
        for row in 0..self.order {
            let (above, rest) = self.lower.split_at_mut(row * (row + 1) / 2);
            let current = rest.get_mut(..=row)?;
            let mut start = 0;
            for column in 0..row {
                let pivot_row = above.get(start..=start + column)?;
                let sum = dot(current.get(..column)?, pivot_row.get(..column)?);
                let entry = current.get_mut(column)?;
                *entry = (*entry - sum) / pivot_row.last()?;
                start += column + 1;
            }
            let (diagonal, left) = current.split_last_mut()?;
            let pivot = *diagonal - dot(left, left);
            if pivot.is_nan() || pivot <= 0.0 {
                return None;
            }
            *diagonal = pivot.sqrt();
        }
        self.substitute(right)
    }

    /// Solves L·Lᵀ·x = right for the factor L.
    fn substitute(&self, right: &[f64]) -> Option<Vec<f64>> {
        let row_of = |row: usize| self.lower.get(row * (row + 1) / 2..(row + 1) * (row + 2) / 2);
        let mut x = right.to_vec();
        for row in 0..self.order {
            let (diagonal, left) = row_of(row)?.split_last()?;
            let value = (x.get(row)? - dot(left, x.get(..row)?)) / diagonal;
            *x.get_mut(row)? = value;
        }
        for row in (0..self.order).rev() {
            let (diagonal, left) = row_of(row)?.split_last()?;
            let value = x.get(row)? / diagonal;
            *x.get_mut(row)? = value;
            for (earlier, entry) in x.iter_mut().zip(left) {
                *earlier -= entry * value;
            }
        }
        Some(x)
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
