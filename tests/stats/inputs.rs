//! Inputs of the golden cases, made anew from the case's number. `testdata/stats/make_golden.py` is the other copy: change
//! both. Only integer arithmetic, and floating-point operations that are the same everywhere.

use spanfile::stats::Random;

pub(super) const CASES: u64 = 1000;

/// The library's own generator, with the plain remainder that both sides use.
pub(super) struct Source(Random);

impl Source {
    pub(super) fn new(case: u64) -> Self {
        Source(Random::new(case))
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0.next_u64()
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// A multiple of `2^-53 * 2^scale`.
    fn bits(&mut self, scale: i32) -> f64 {
        (self.next() >> 11) as f64 * power(scale - 53)
    }
}

/// 2^exponent, exactly.
fn power(exponent: i32) -> f64 {
    f64::from_bits(((1023 + exponent) as u64) << 52)
}

fn value(random: &mut Source, shape: u64, level: u64) -> f64 {
    match shape {
        0 => (7 + level) as f64,
        1 => random.below(5 + level) as f64,
        2 => (random.below(1000) + 40 * level) as f64,
        3 => random.bits(0) + 0.125 * level as f64,
        4 => (0..3).map(|_| (random.below(100 + 20 * level) + 1) as f64).product(),
        5 => {
            let mantissa = random.below(1 << 20) + (1 << 20);
            mantissa as f64 * power(random.below(30 + 2 * level) as i32)
        }
        6 => {
            let mantissa = (random.next() >> 11) as f64;
            mantissa * power(random.below(900) as i32 - 500 + 50 * level as i32)
        }
        _ => (random.below(2001) as f64 + 100.0 * level as f64 - 1000.0) / 8.0,
    }
}

fn size(random: &mut Source, case: u64) -> u64 {
    if case % 50 == 49 {
        return 1500 + random.below(3000);
    }
    match random.below(8) {
        0 => 1 + random.below(5),
        7 => 200 + random.below(400),
        _ => 5 + random.below(100),
    }
}

pub(super) fn two_samples(case: u64) -> (Vec<f64>, Vec<f64>) {
    let mut random = Source::new(case);
    let (mut n, mut m) = (size(&mut random, case), size(&mut random, case));
    if case % 250 == 249 {
        n = 20 + random.below(60);
        m = 150_000 + random.below(100_000);
    }
    let (shape, level) = (random.below(8), random.below(4));
    let base = (0..n).map(|_| value(&mut random, shape, 0)).collect();
    (base, (0..m).map(|_| value(&mut random, shape, level)).collect())
}

fn count(random: &mut Source) -> u64 {
    let bound = [1, 4, 12, 60, 1000][random.below(5) as usize];
    random.below(bound)
}

pub(super) fn square(case: u64) -> [u64; 4] {
    let mut random = Source::new(case);
    if case % 4 == 3 {
        let scale = 1 << random.below(34);
        return std::array::from_fn(|_| random.below(scale) + random.below(50));
    }
    std::array::from_fn(|_| count(&mut random))
}

pub(super) fn table(case: u64) -> Vec<Vec<u64>> {
    let mut random = Source::new(case);
    let (rows, columns) = (2 + random.below(4), 2 + random.below(9));
    (0..rows).map(|_| (0..columns).map(|_| count(&mut random)).collect()).collect()
}

pub(super) fn two_rows(case: u64) -> (Vec<u64>, Vec<u64>) {
    let mut random = Source::new(case);
    let columns = 2 + random.below(12);
    let close = random.below(4) == 0;
    let row = |random: &mut Source| -> Vec<u64> { (0..columns).map(|i| count(random) + u64::from(i == 0)).collect() };
    let base = row(&mut random);
    if close {
        let base: Vec<u64> = base.iter().map(|b| b * 1000).collect();
        let current = base.iter().map(|b| b + random.below(3)).collect();
        return (base, current);
    }
    (base, row(&mut random))
}

pub(super) fn p_values(case: u64) -> Vec<f64> {
    let mut random = Source::new(case);
    let few = random.below(3) == 0;
    let n = 1 + random.below(12);
    (0..n).map(|_| if few { random.below(8) as f64 / 8.0 } else { random.bits(0) }).collect()
}

pub(super) struct Series {
    pub(super) values: Vec<f64>,
    pub(super) min_size: usize,
    pub(super) jump: usize,
    pub(super) penalty: f64,
}

pub(super) fn series(case: u64) -> Series {
    let mut random = Source::new(case);
    let (n, min_size) = (2 + random.below(160), 1 + random.below(25) as usize);
    let wide = 1 + random.below(6) as usize;
    let jump = [1, 1, 1, 1, wide][random.below(5) as usize];
    let penalty = (1 + random.below(40)) as f64 / 4.0;
    let mut level = 0;
    let values = (0..n)
        .map(|_| {
            if random.below(40) == 0 {
                level = random.below(9);
            }
            random.bits(2) + level as f64 * 0.75
        })
        .collect();
    Series { values, min_size, jump, penalty }
}
