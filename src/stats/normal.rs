//! The distributions, from `statrs`.

use std::f64::consts::SQRT_2;

use statrs::function::erf::erfc_inv;
use statrs::function::gamma::checked_gamma_ur;

/// Share of the standard normal distribution above `z`.
pub(super) fn normal_above(z: f64) -> f64 {
    // Of the same crate, `erfc` is right to 1e-10, this to 2e-13.
    let beyond = chi_squared_above(z * z, 1) / 2.0;
    if z < 0.0 { 1.0 - beyond } else { beyond }
}

/// The `z` below which a share `p` of the standard normal distribution lies; infinite at 0 and 1.
pub(super) fn normal_quantile(p: f64) -> f64 {
    -SQRT_2 * erfc_inv(2.0 * p)
}

/// Share of the chi-squared distribution above `x`.
pub(super) fn chi_squared_above(x: f64, degrees: usize) -> f64 {
    if degrees == 0 || x <= 0.0 {
        return 1.0;
    }
    gamma_above(degrees as f64 / 2.0, x / 2.0)
}

/// Share of the gamma distribution of that shape, and scale 1, above `x`.
pub(super) fn gamma_above(shape: f64, x: f64) -> f64 {
    if x <= 0.0 { 1.0 } else { checked_gamma_ur(shape, x).map_or(0.0, |p| p.clamp(0.0, 1.0)) }
}
