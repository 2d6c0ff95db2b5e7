//! Many tests at once.

/// Adjusted p-values of Benjamini & Hochberg (1995): rejecting those at most `q` keeps the false
/// discovery rate below `q` for independent or positively dependent tests. NaN counts as 1.
///
/// Equal to `scipy.stats.false_discovery_control(ps, method="bh")`.
pub fn benjamini_hochberg(p_values: &[f64]) -> Vec<f64> {
    let m = p_values.len() as f64;
    let mut least: f64 = 1.0;
    let mut adjusted = vec![1.0; p_values.len()];
    for (rank, index) in ascending(p_values).into_iter().enumerate().rev() {
        least = least.min(probability(p_values, index) * m / (rank + 1) as f64);
        set(&mut adjusted, index, least);
    }
    adjusted
}

/// Adjusted p-values of Holm (1979): rejecting those at most `alpha` keeps the chance of any false
/// rejection below `alpha`, whatever the dependence. NaN counts as 1.
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let m = p_values.len();
    let mut greatest: f64 = 0.0;
    let mut adjusted = vec![1.0; m];
    for (rank, index) in ascending(p_values).into_iter().enumerate() {
        greatest = greatest.max((probability(p_values, index) * (m - rank) as f64).min(1.0));
        set(&mut adjusted, index, greatest);
    }
    adjusted
}

/// The hypotheses that e-BH rejects, ascending by index: the `k` largest e-values, for the largest
/// `k` whose `k`-th largest is at least `m / (k q)`. The false discovery rate stays below `q` under
/// any dependence, at any stopping time. NaN counts as 0.
///
/// Source: Wang & Ramdas, "False discovery rate control with e-values" (2022), definition 3.
pub fn e_benjamini_hochberg(e_values: &[f64], q: f64) -> Vec<usize> {
    let m = e_values.len() as f64;
    let mut order: Vec<(usize, f64)> =
        e_values.iter().map(|e| if e.is_nan() { 0.0 } else { *e }).enumerate().collect();
    order.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let rejected = order
        .iter()
        .enumerate()
        .filter(|(rank, (_, e))| *e >= m / ((rank + 1) as f64 * q))
        .map(|(rank, _)| rank + 1)
        .max()
        .unwrap_or(0);
    let mut chosen: Vec<usize> = order.into_iter().take(rejected).map(|(index, _)| index).collect();
    chosen.sort_unstable();
    chosen
}

fn ascending(p_values: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|a, b| probability(p_values, *a).total_cmp(&probability(p_values, *b)));
    order
}

fn probability(p_values: &[f64], index: usize) -> f64 {
    p_values.get(index).copied().filter(|p| !p.is_nan()).unwrap_or(1.0).clamp(0.0, 1.0)
}

fn set(values: &mut [f64], index: usize, value: f64) {
    if let Some(slot) = values.get_mut(index) {
        *slot = value;
    }
}
