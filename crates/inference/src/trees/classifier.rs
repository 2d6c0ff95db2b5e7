//! `TreeEnsembleClassifier`.
//!
//! The specification says little about two classes; the scores are what ONNX Runtime gives. Labels
//! always are the declared ones, also where ONNX Runtime answers 0 or 1 whatever the labels (leaves
//! with weights for both of two classes).

use crate::error::{KernelError, NodeError};
use crate::kernel::{Inputs, Kernel, Outputs};
use crate::ml::scores::{Labels, PostTransform, logistic};
use crate::node::{Built, Node};
use crate::tensor::{DType, Shape};
use crate::trees::attributes::{self, Names};
use crate::trees::ensemble::{Ensemble, Leaves, Real};
use crate::trees::regressor::{Aggregate, AnyEnsemble, Scores, admit, rows_f32};

/// How raw scores become classes and outputs.
#[derive(Debug)]
struct Finish {
    base: Vec<f64>,
    post_transform: PostTransform,
    /// Two classes, and the leaves have weights for one of them only.
    one_sided: bool,
    /// No weight is negative: scores of two classes are probabilities, not margins.
    probabilities: bool,
}

impl Finish {
    fn base<T: Real>(&self, class: usize) -> T {
        T::from_f64(self.base.get(class).copied().unwrap_or(0.0))
    }

    /// The class of a row and its scores, for two classes. `scores` and `seen` are per class.
    ///
    /// The decision is over the second class if the leaves spoke of it, else over the first (whose
    /// weights then are for the second class); of two base values the second is taken.
    fn two<T: Real>(&self, scores: [T; 2], seen: [bool; 2]) -> (usize, [f32; 2]) {
        let [mut first, mut second] = scores;
        let [first_seen, second_seen] = seen;
        if self.base.len() == 2 && second_seen {
            second = self.base::<T>(1).add(first);
            first = -second;
        } else {
            first = first.add(self.base(0));
        }
        let deciding = match seen {
            [_, true] => second,
            [true, false] => first,
            [false, false] => T::ZERO,
        };
        let bar = T::from_f64(if self.one_sided && self.probabilities { 0.5 } else { 0.0 });
        let class = usize::from(deciding > bar);
        if self.base.len() == 2 || second_seen {
            let told = |seen: bool, score: T| if seen { score.to_f32() } else { 0.0 };
            let mut out = [told(first_seen, first), told(second_seen, second)];
            self.post_transform.apply(&mut out);
            return (class, out);
        }
        (class, self.pair(first.to_f32()))
    }

    /// Both scores from the one that the leaves give.
    fn pair(&self, score: f32) -> [f32; 2] {
        if self.post_transform == PostTransform::Logistic {
            [logistic(-score), logistic(score)]
        } else if self.one_sided && self.probabilities {
            [1.0 - score, score]
        } else {
            [-score, score]
        }
    }

    /// The class of a row, for more than two classes; `scores` gets the base values.
    fn many<T: Real>(&self, scores: &mut [T], seen: &[bool]) -> usize {
        for (score, &base) in scores.iter_mut().zip(&self.base) {
            *score += T::from_f64(base);
        }
        let mut best: Option<(usize, T)> = None;
        for (class, (&score, &seen)) in scores.iter().zip(seen).enumerate() {
            if (seen || !self.base.is_empty()) && best.is_none_or(|(_, greatest)| score > greatest) {
                best = Some((class, score));
            }
        }
        best.map_or(0, |(class, _)| class)
    }
}

#[derive(Debug)]
struct TreeEnsembleClassifier {
    ensemble: AnyEnsemble,
    labels: Labels,
    finish: Finish,
}

impl TreeEnsembleClassifier {
    /// From the sums over leaves to labels and scores.
    fn finish<T: Real>(
        &self,
        ensemble: &Ensemble<T>,
        scores: &mut [T],
        seen: &[bool],
        rows: usize,
        outputs: &mut Outputs<'_>,
    ) -> Result<(), KernelError> {
        let classes = ensemble.targets;
        let mut chosen = Vec::with_capacity(rows);
        let out = outputs.buffer::<f32>(1, Shape::matrix(rows, classes))?;
        match (&ensemble.leaves, classes) {
            (&Leaves::Single { target }, 2) => {
                for &score in scores.iter() {
                    let (pair, seen) = if target == 0 {
                        ([score, T::ZERO], [true, false])
                    } else {
                        ([T::ZERO, score], [false, true])
                    };
                    let (class, pair) = self.finish.two(pair, seen);
                    chosen.push(class);
                    out.extend(pair);
                }
            }
            (_, 2) => {
                let (scores, _) = scores.as_chunks::<2>();
                let (seen, _) = seen.as_chunks::<2>();
                for (&scores, &seen) in scores.iter().zip(seen) {
                    let (class, pair) = self.finish.two(scores, seen);
                    chosen.push(class);
                    out.extend(pair);
                }
            }
            _ => {
                for (scores, seen) in scores.chunks_exact_mut(classes).zip(seen.chunks_exact(classes)) {
                    chosen.push(self.finish.many(scores, seen));
                    let first = out.len();
                    out.extend(scores.iter().map(|score| score.to_f32()));
                    self.finish.post_transform.apply(out.get_mut(first..).unwrap_or_default());
                }
            }
        }
        self.labels.write(outputs, chosen.into_iter())
    }
}

impl Kernel for TreeEnsembleClassifier {
    fn run(&self, inputs: &Inputs<'_>, outputs: &mut Outputs<'_>) -> Result<(), KernelError> {
        let input = inputs.tensor(0)?;
        let mut seen = std::mem::take(&mut outputs.workspace.seen);
        match &self.ensemble {
            AnyEnsemble::F32(ensemble) => {
                let (rows, width) = admit(ensemble, input, outputs)?;
                let mut scores = std::mem::take(&mut outputs.workspace.f32);
                let mut buffer = std::mem::take(&mut outputs.workspace.rows);
                let data = rows_f32(input, &mut buffer)?;
                ensemble.score(data, width, Aggregate::Sum, Scores { scores: &mut scores, seen: &mut seen });
                self.finish(ensemble, &mut scores, &seen, rows, outputs)?;
                outputs.workspace.f32 = scores;
                outputs.workspace.rows = buffer;
            }
            AnyEnsemble::F64(ensemble) => {
                let (rows, width) = admit(ensemble, input, outputs)?;
                let mut scores = std::mem::take(&mut outputs.workspace.f64);
                let (_, data) = inputs.slice::<f64>(0)?;
                ensemble.score(data, width, Aggregate::Sum, Scores { scores: &mut scores, seen: &mut seen });
                self.finish(ensemble, &mut scores, &seen, rows, outputs)?;
                outputs.workspace.f64 = scores;
            }
        }
        outputs.workspace.seen = seen;
        Ok(())
    }
}

/// Compiles `TreeEnsembleClassifier`.
pub(crate) fn build_classifier(node: &Node<'_>) -> Result<Built, NodeError> {
    const NAMES: Names = Names {
        ids: "class_ids",
        nodes: "class_nodeids",
        trees: "class_treeids",
        weights: "class_weights",
        weights_tensor: "class_weights_as_tensor",
    };
    node.arity(1, 1)?;
    let dtype = node.number(0)?;
    let labels = Labels::of(node, "classlabels_int64s", "classlabels_strings")?;
    let source = attributes::read(node, &NAMES, labels.len())?;
    let base = attributes::numbers(node, "base_values", "base_values_as_tensor")?;
    let base_fits =
        if labels.len() == 2 { base.len() <= 2 } else { base.is_empty() || base.len() == labels.len() };
    if !base_fits {
        return Err(NodeError::AttributeValue {
            name: "base_values",
            problem: "must hold one value per class, or none",
        });
    }
    let post_transform = PostTransform::of(node)?;
    let first_class = source.weights.first().map(|(class, _)| *class);
    let one_class = source.weights.iter().all(|(class, _)| Some(*class) == first_class);
    if labels.len() == 2 && one_class && post_transform == PostTransform::Probit {
        let problem = "PROBIT is not supported where the leaves give one score for two classes";
        return Err(NodeError::AttributeValue { name: "post_transform", problem });
    }
    let finish = Finish {
        base,
        post_transform,
        one_sided: labels.len() == 2 && one_class,
        probabilities: source.weights.iter().all(|(_, weight)| *weight >= 0.0),
    };
    let ensemble = AnyEnsemble::new(dtype, &source, labels.len() == 2)?;
    let dtypes = [labels.dtype(), DType::F32];
    Ok(Built::two(dtypes, TreeEnsembleClassifier { ensemble, labels, finish }))
}
