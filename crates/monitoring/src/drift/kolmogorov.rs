//! The distribution of the two-sided one-sample Kolmogorov–Smirnov statistic.
//!
//! Source: Simard & L'Ecuyer, "Computing the Two-Sided Kolmogorov–Smirnov Distribution", Journal of
//! Statistical Software 39(11), 2011, whose choice of method by `n` and `n d²` is followed; scipy's
//! `kstwo` uses the same.

use std::f64::consts::PI;

use statrs::function::gamma::ln_gamma;

/// Below this size the distribution is computed exactly everywhere.
const EXACT_BELOW: f64 = 140.0;

/// `P(D_n ≥ d)` for the two-sided statistic of `n` values against a known continuous distribution.
/// Equal to `scipy.stats.kstwo.sf(d, n)`.
pub fn kolmogorov_tail(n: u64, d: f64) -> f64 {
    let n = n as f64;
    let t = n * d;
    if d >= 1.0 {
        return 0.0;
    }
    if t <= 0.5 {
        return 1.0;
    }
    if t <= 1.0 {
        // Ruben & Gambino (1982): n! ((2 t − 1) / n)^n.
        return 1.0 - (ln_gamma(n + 1.0) + n * ((2.0 * t - 1.0) / n).ln()).exp();
    }
    if t >= n - 1.0 {
        return 2.0 * (1.0 - d).powf(n);
    }
    let threshold = if n <= EXACT_BELOW { 4.0 } else { 2.2 };
    if d >= 0.5 || t * d >= threshold {
        return if t * d >= 370.0 { 0.0 } else { (2.0 * one_sided_tail(n, d)).min(1.0) };
    }
    // Beyond 600 the unscaled matrix power would overflow, and the expansion is exact to 1e-7.
    let exact = n <= EXACT_BELOW || (n <= 600.0 && n * d.powf(1.5) <= 1.4);
    let body = if exact { marsaglia_tsang_wang(n, d) } else { pelz_good(n, d) };
    (1.0 - body).clamp(0.0, 1.0)
}

/// `P(D⁺_n ≥ d) = d Σ_j C(n, j) (d + j/n)^(j−1) (1 − d − j/n)^(n−j)` over `j ≤ n (1 − d)`.
///
/// Source: Smirnov (1944); Birnbaum & Tingey (1951).
fn one_sided_tail(n: f64, d: f64) -> f64 {
    let mut sum = 0.0;
    let mut j = 0.0;
    // ln C(n, j), updated from term to term.
    let mut choose = 0.0_f64;
    while 1.0 - d - j / n > 0.0 {
        let term = choose + (j - 1.0) * (d + j / n).ln() + (n - j) * (1.0 - d - j / n).ln();
        sum += term.exp();
        choose += ((n - j) / (j + 1.0)).ln();
        j += 1.0;
    }
    d * sum
}

#[expect(clippy::many_single_char_names, reason = "the paper's names")]
/// `P(D_n < d)` by the matrix of Durbin (1968), as in Marsaglia, Tsang & Wang (2003).
fn marsaglia_tsang_wang(n: f64, d: f64) -> f64 {
    let t = n * d;
    let k = t.floor() + 1.0;
    let h = k - t;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "n ≤ 600, and n d² < 4 or n d^1.5 ≤ 1.4, so k ≤ 24"
    )]
    let (rank, size, power) = (k as usize, 2 * k as usize - 1, n as u32);
    let factorial = |count: usize| (ln_gamma(count as f64 + 1.0)).exp().round();
    let mut matrix = Matrix::zero(size);
    for row in 0..size {
        for column in 0..=(row + 1).min(size - 1) {
            let mut entry = 1.0;
            if column == 0 {
                entry -= h.powf((row + 1) as f64);
            }
            if row == size - 1 {
                entry -= h.powf((size - column) as f64);
            }
            if column == 0 && row == size - 1 {
                entry += (2.0 * h - 1.0).max(0.0).powf(size as f64);
            }
            matrix.set(row, column, entry / factorial(row + 1 - column));
        }
    }
    let central = matrix.power(power).get(rank - 1, rank - 1);
    // n! / n^n in logarithms; the entry itself is below e^600.
    (central.ln() + ln_gamma(n + 1.0) - n * n.ln()).exp()
}

/// A small square matrix.
struct Matrix {
    size: usize,
    entries: Vec<f64>,
}

impl Matrix {
    fn zero(size: usize) -> Self {
        Self { size, entries: vec![0.0; size * size] }
    }

    fn get(&self, row: usize, column: usize) -> f64 {
        self.entries.get(row * self.size + column).copied().unwrap_or(0.0)
    }

    fn set(&mut self, row: usize, column: usize, value: f64) {
        if let Some(entry) = self.entries.get_mut(row * self.size + column) {
            *entry = value;
        }
    }

    fn times(&self, other: &Self) -> Self {
        let mut product = Self::zero(self.size);
        for row in 0..self.size {
            for column in 0..self.size {
                let sum = (0..self.size).map(|k| self.get(row, k) * other.get(k, column)).sum();
                product.set(row, column, sum);
            }
        }
        product
    }

    fn power(&self, exponent: u32) -> Self {
        if exponent == 1 {
            return Self { size: self.size, entries: self.entries.clone() };
        }
        let half = self.power(exponent / 2);
        let square = half.times(&half);
        if exponent.is_multiple_of(2) { square } else { square.times(self) }
    }
}

#[expect(clippy::many_single_char_names, reason = "the paper's names")]
/// `P(D_n ≤ d)` by the expansion of Pelz & Good (1976) to the order `n^(−3/2)`: with `z = d √n`,
/// `K₀(z) + K₁(z)/√n + K₂(z)/n + K₃(z)/n^(3/2)`, each a theta series. Error below 1e-6 for `n > 140`.
fn pelz_good(n: f64, d: f64) -> f64 {
    let z = d * n.sqrt();
    let (z2, z4) = (z * z, z.powi(4));
    let (z6, z8) = (z.powi(6), z.powi(8));
    let pi2 = PI * PI;
    let (mut k0, mut k1, mut k2, mut k3) = (0.0, 0.0, 0.0, 0.0);
    let (mut even2, mut even3) = (0.0, 0.0);
    for k in 0..=20_u32 {
        // Sums over all k of the half-odd numbers are twice those over k ≥ 0.
        let u = pi2 * (f64::from(k) + 0.5).powi(2);
        let weight = (-u / (2.0 * z2)).exp();
        k0 += weight;
        k1 += (u - z2) * weight;
        k2 += (6.0 * z6 + 2.0 * z4 + (2.0 * z4 - 5.0 * z2) * u + (1.0 - 2.0 * z2) * u * u) * weight;
        k3 += (-30.0 * z6 - 90.0 * z8
            + (135.0 * z4 - 96.0 * z6) * u
            + (212.0 * z4 - 60.0 * z2) * u * u
            + (5.0 - 30.0 * z2) * u * u * u)
            * weight;
        let v = pi2 * f64::from(k * k);
        let weight = (-v / (2.0 * z2)).exp();
        even2 += v * weight;
        even3 += (3.0 * z2 * v - v * v) * weight;
    }
    let root = (2.0 * PI).sqrt();
    let half_root = (PI / 2.0).sqrt();
    let first = root / z * k0;
    let second = 2.0 * half_root / (6.0 * z4) * k1;
    let third = 2.0 * half_root / (72.0 * z.powi(7)) * k2 - 2.0 * half_root / (36.0 * z.powi(3)) * even2;
    let fourth = 2.0 * half_root / (6480.0 * z.powi(10)) * k3 + 2.0 * half_root / (216.0 * z6) * even3;
    first + second / n.sqrt() + third / n + fourth / n.powf(1.5)
}
