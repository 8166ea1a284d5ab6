//! The distribution of the one-sample Kolmogorov-Smirnov statistic, by the methods that Simard and L'Ecuyer 2011,
//! "Computing the two-sided Kolmogorov-Smirnov distribution", choose from, with the borders of SciPy.

use std::f64::consts::PI;

use statrs::function::factorial::ln_factorial;

/// Above this many values the sum over all of them is not worth its time.
const SUM_AT_MOST: f64 = 1_000_000.0;
/// Up to this many values everything is exact.
const SMALL: f64 = 140.0;

/// P(D > d) for `n` values (a whole number, as a float) and a distance `d`.
pub(super) fn one_sample_above(n: f64, d: f64) -> f64 {
    let nd = n * d;
    let square = nd * d;
    if nd <= 0.5 {
        return 1.0;
    }
    if d >= 1.0 || square >= 370.0 {
        return 0.0;
    }
    let p = if nd <= 1.0 {
        // Ruben and Gambino 1982: n! (2d - 1/n)^n.
        -(ln_factorial(n as u64) + n * ((2.0 * nd - 1.0) / n).ln()).exp_m1()
    } else if nd >= n - 1.0 {
        2.0 * (1.0 - d).powf(n)
    } else if d >= 0.5 || square >= if n <= SMALL { 4.0 } else { 2.2 } {
        2.0 * one_sided_above(n, d)
    } else if n <= SMALL || (n <= 100_000.0 && n * d.powf(1.5) <= 1.4) {
        1.0 - durbin(n as u32, d)
    } else {
        1.0 - pelz_good(n, d)
    };
    p.clamp(0.0, 1.0)
}

/// P(D+ > d), summed as in Smirnov 1944. Each term is a binomial probability in the form of Loader 2000, "Fast and
/// accurate computation of binomial probabilities", which has no large logarithms that cancel.
fn one_sided_above(n: f64, d: f64) -> f64 {
    if n > SUM_AT_MOST {
        // Maag and Dicaire 1971.
        return (-(6.0 * n * d + 1.0).powi(2) / (18.0 * n)).exp();
    }
    let nd = n * d;
    // Of j = 0, the limit: d (1 - d)^n / d.
    let mut sum = (n * (-d).ln_1p()).exp();
    let last = (n - nd).floor();
    let mut j = 1.0;
    while j <= last {
        let rest = n - j;
        let share = d + j / n;
        if rest > nd {
            let exponent = stirling_error(n) - stirling_error(j) - stirling_error(rest)
                + j * (nd / j).ln_1p()
                + rest * (-nd / rest).ln_1p();
            sum += d * (exponent.exp() * (n / (2.0 * PI * j * rest)).sqrt()) / share;
        }
        j += 1.0;
    }
    sum
}

/// ln k! - ln(sqrt(2 pi k) (k/e)^k), of whole numbers from 1 on.
fn stirling_error(k: f64) -> f64 {
    if k < 16.0 {
        return ln_factorial(k as u64) - (k + 0.5) * k.ln() + k - 0.5 * (2.0 * PI).ln();
    }
    let s = 1.0 / (k * k);
    (1.0 / 12.0 - s * (1.0 / 360.0 - s * (1.0 / 1260.0 - s * (1.0 / 1680.0 - s / 1188.0)))) / k
}

/// A square matrix times a power of two, by rows.
#[derive(Clone)]
struct Scaled {
    cells: Vec<f64>,
    size: usize,
    exponent: i32,
}

impl Scaled {
    fn times(&self, other: &Scaled) -> Scaled {
        let size = self.size;
        let mut cells = vec![0.0; size * size];
        for (row, out) in self.cells.chunks_exact(size).zip(cells.chunks_exact_mut(size)) {
            for (&factor, line) in row.iter().zip(other.cells.chunks_exact(size)) {
                out.iter_mut().zip(line).for_each(|(sum, &cell)| *sum += factor * cell);
            }
        }
        let mut exponent = self.exponent + other.exponent;
        if cells[size * size / 2] > SCALE {
            cells.iter_mut().for_each(|c| *c /= SCALE);
            exponent += SCALE_BITS;
        }
        Scaled { cells, size, exponent }
    }
}

const SCALE_BITS: i32 = 400;
/// 2^400.
const SCALE: f64 = f64::from_bits((1023 + SCALE_BITS as u64) << 52);

/// P(D <= d) by the matrix of Durbin 1973 as Marsaglia, Tsang and Wang 2003 evaluate it.
fn durbin(n: u32, d: f64) -> f64 {
    let nd = f64::from(n) * d;
    let k = nd.ceil();
    let h = k - nd;
    let size = 2 * k as usize - 1;
    let mut over_factorial = vec![1.0; size + 1];
    for i in 1..=size {
        over_factorial[i] = over_factorial[i - 1] / i as f64;
    }
    let mut cells = vec![0.0; size * size];
    for row in 0..size {
        for column in 0..size.min(row + 2) {
            let order = row + 1 - column;
            let mut cell = 1.0;
            if column == 0 {
                cell -= h.powi(order as i32);
            }
            if row + 1 == size {
                cell -= h.powi((size - column) as i32);
            }
            if column == 0 && row + 1 == size {
                cell += (2.0 * h - 1.0).max(0.0).powi(size as i32);
            }
            cells[row * size + column] = cell * over_factorial[order];
        }
    }
    let mut square = Scaled { cells, size, exponent: 0 };
    let mut power: Option<Scaled> = None;
    let mut left = n;
    while left > 0 {
        if left % 2 == 1 {
            power = Some(power.map_or_else(|| square.clone(), |p| p.times(&square)));
        }
        left /= 2;
        if left > 0 {
            square = square.times(&square);
        }
    }
    let Some(power) = power else { return 1.0 };
    let (mut p, mut exponent) = (power.cells[size * size / 2], power.exponent);
    for i in 1..=n {
        p *= f64::from(i) / f64::from(n);
        if p < 1.0 / SCALE {
            p *= SCALE;
            exponent -= SCALE_BITS;
        }
    }
    p * f64::from(exponent).exp2()
}

/// P(D <= d), Kolmogorov's limit and the terms in n^-1/2, n^-1 and n^-3/2 (Pelz and Good 1976).
fn pelz_good(n: f64, d: f64) -> f64 {
    let z = n.sqrt() * d;
    let z2 = z * z;
    let (z4, pi2) = (z2 * z2, PI * PI);
    let (z6, pi4) = (z4 * z2, pi2 * pi2);
    let pi6 = pi4 * pi2;
    let ln_q = -pi2 / (8.0 * z2);
    let terms = (16.0 * z / PI).ceil() as u32;
    let mut k = [0.0; 4];
    for i in 0..terms {
        let odd = f64::from(2 * i + 1);
        let (o2, weight) = (odd * odd, (ln_q * odd * odd).exp());
        let (o4, o6) = (o2 * o2, o2 * o2 * o2);
        k[0] += weight;
        k[1] += weight * (pi2 / 4.0 * o2 - z2);
        k[2] += weight
            * (6.0 * z6 + 2.0 * z4 + pi2 / 4.0 * (2.0 * z4 - 5.0 * z2) * o2 + pi4 / 16.0 * (1.0 - 2.0 * z2) * o4);
        k[3] += weight
            * (-30.0 * z6 - 90.0 * z4 * z4
                + pi2 / 4.0 * (135.0 * z4 - 96.0 * z6) * o2
                + pi4 / 16.0 * (212.0 * z4 - 60.0 * z2) * o4
                + pi6 / 64.0 * (5.0 - 30.0 * z2) * o6);
    }
    let root = (2.0 * PI).sqrt();
    k[0] *= root / z;
    k[1] *= root / (6.0 * z4);
    k[2] *= root / (72.0 * z6 * z);
    k[3] *= root / (6480.0 * z6 * z4);
    let (mut second, mut third) = (0.0, 0.0);
    for i in 1..=terms {
        let i2 = f64::from(i) * f64::from(i);
        let weight = (4.0 * ln_q * i2).exp();
        second += i2 * weight;
        third += i2 * weight * (3.0 * z2 - pi2 * i2);
    }
    k[2] -= second * pi2 * root / (36.0 * z2 * z);
    k[3] += third * pi2 * root / (216.0 * z6);
    k[0] + k[1] / n.sqrt() + k[2] / n + k[3] / (n * n.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `scipy.stats.kstwo.sf`, see `testdata/stats`.
    #[test]
    fn every_method_and_the_borders_between_them() {
        let packed = include_bytes!("../../testdata/stats/kolmogorov.tsv.zst");
        let text = String::from_utf8(zstd::decode_all(&packed[..]).unwrap()).unwrap();
        assert!(text.lines().count() > 150);
        for line in text.lines() {
            let [n, d, expected] = line.split('\t').map(|n| n.parse().unwrap()).collect::<Vec<f64>>()[..] else {
                panic!("{line}");
            };
            let found = one_sample_above(n, d);
            assert!((found - expected).abs() <= 1e-9 * expected.max(1e-290), "{n} {d}: {found:e} {expected:e}");
        }
    }
}
