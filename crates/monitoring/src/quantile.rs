//! The one definition of a quantile in this crate.

/// The `q`-quantile (`0 ≤ q ≤ 1`) of an ascending sample, by linear interpolation between order
/// statistics; `None` of an empty sample.
///
/// Source: Hyndman & Fan, "Sample Quantiles in Statistical Packages" (1996), type 7; the default of
/// `numpy.quantile`.
pub fn of_sorted(sorted: &[f64], q: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let position = q.clamp(0.0, 1.0) * last as f64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 ≤ position ≤ last")]
    let below = (position.floor() as usize).min(last);
    let low = *sorted.get(below)?;
    let high = *sorted.get((below + 1).min(last))?;
    Some(low + (high - low) * (position - below as f64))
}
