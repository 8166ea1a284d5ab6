//! Drift: decisions by hand, how often they are wrong when nothing changed, and how often they see what did.

mod calibration;
mod decisions;
mod power;
mod runs;

use spanfile::drift::{Better, Comparison, Samples, Settings, compare};
use spanfile::stats::Random;

fn slices(units: &[Vec<u64>]) -> Vec<&[u64]> {
    units.iter().map(Vec::as_slice).collect()
}

/// What metrics of runs look like.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Shape {
    /// Tokens, durations, costs; sigma 0.8.
    Lognormal,
    /// Steps, calls; mean 4.
    Poisson,
    /// Pareto with exponent 1.2: no variance.
    HeavyTailed,
    /// Errors, with this share.
    Binary(f64),
}

impl Shape {
    fn draw(self, random: &mut Random) -> f64 {
        match self {
            Shape::Lognormal => (7.0 + 0.8 * normal(random)).exp(),
            Shape::Poisson => {
                let (mut events, mut left) = (0.0, random.unit());
                while left > (-4.0_f64).exp() {
                    (events, left) = (events + 1.0, left * random.unit());
                }
                events
            }
            Shape::HeavyTailed => (1.0 - random.unit()).powf(-1.0 / 1.2),
            Shape::Binary(share) => f64::from(random.unit() < share),
        }
    }

    fn sample(self, n: usize, random: &mut Random) -> Vec<f64> {
        (0..n).map(|_| self.draw(random)).collect()
    }

    /// Both sides from `base` and `current`, which may have been changed since they were drawn.
    fn compare(self, base: &[f64], current: &[f64], settings: &Settings) -> Comparison {
        let with = |values: &[f64]| {
            let with = values.iter().filter(|v| **v > 0.0).count() as u64;
            [with, values.len() as u64 - with]
        };
        let samples = match self {
            Shape::Binary(_) => Samples::Binary { base: with(base), current: with(current) },
            _ => Samples::Numeric { base, current },
        };
        compare(samples, Better::Lower, settings).unwrap()
    }
}

/// Box and Muller.
fn normal(random: &mut Random) -> f64 {
    let radius = (-2.0 * (1.0 - random.unit()).ln()).sqrt();
    radius * (std::f64::consts::TAU * random.unit()).cos()
}

fn long() -> bool {
    std::env::var_os("SPANFILE_LONG").is_some()
}

/// Intervals of ratios decide nothing and take time.
fn settings() -> Settings {
    Settings { resamples: 0, ..Settings::default() }
}
