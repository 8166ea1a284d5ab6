//! Nothing changed: how often does an alert come all the same? The promise is 5 % per family, so also per comparison. An
//! observed rate may be above that as far as chance takes it in one of a hundred such tests, and as low as it likes.

use spanfile::drift::{Better, Comparison, Samples, Verdict, change_at, compare, decide};
use spanfile::stats::Random;

use super::{Shape, long, settings, slices};

const SIZES: [usize; 5] = [30, 50, 100, 200, 1000];
const SHAPES: [Shape; 4] = [Shape::Lognormal, Shape::Poisson, Shape::HeavyTailed, Shape::Binary(0.1)];

/// Comparisons per shape and size, and the upper end of the binomial 99 % interval around 5 % of them.
fn promise() -> (usize, f64) {
    let sets = if long() { 2000 } else { 300 };
    (sets, 0.05 + 2.576 * (0.05 * 0.95 / sets as f64).sqrt())
}

fn rate(of: usize, sets: usize) -> f64 {
    of as f64 / sets as f64
}

/// Verdicts of drift, p-values up to 0.05 before the floor of effects, PSI above 0.1.
#[test]
fn one_comparison() {
    let (sets, limit) = promise();
    for shape in SHAPES {
        for n in SIZES {
            let mut random = Random::new(n as u64);
            let (mut drifts, mut small, mut psi) = (0, 0, 0);
            for _ in 0..sets {
                let (base, current) = (shape.sample(n, &mut random), shape.sample(n, &mut random));
                let mut family = [shape.compare(&base, &current, &settings())];
                decide(&mut family, &settings());
                drifts += usize::from(family[0].verdict == Verdict::Drift);
                small += usize::from(family[0].p.unwrap() <= 0.05);
                psi += usize::from(family[0].psi.unwrap() > 0.1);
            }
            let (drifts, small, psi) = (rate(drifts, sets), rate(small, sets), rate(psi, sets));
            eprintln!("{shape:?}, {n} runs a side: drift {drifts:.4}, p <= 0.05 {small:.4}, PSI > 0.1 {psi:.4}");
            assert!(drifts <= limit && small <= limit, "{shape:?} {n}: {drifts} {small}, at most {limit}");
            // Silence would hold the promise too.
            assert!(small > 0.0, "{shape:?} {n}");
        }
    }
}

/// Twelve metrics: any of them.
#[test]
fn one_family() {
    let (sets, limit) = promise();
    for n in SIZES {
        let mut random = Random::new(n as u64 + 1);
        let sets = if long() || n < 1000 { sets } else { sets / 10 };
        let mut any = 0;
        for _ in 0..sets {
            let shapes = SHAPES.iter().cycle().take(12);
            let mut family: Vec<Comparison> =
                shapes.map(|s| s.compare(&s.sample(n, &mut random), &s.sample(n, &mut random), &settings())).collect();
            decide(&mut family, &settings());
            any += usize::from(family.iter().any(|row| row.verdict == Verdict::Drift));
        }
        let any = rate(any, sets);
        eprintln!("family of 12, {n} runs a side: any drift {any:.4}");
        assert!(any <= limit.max(0.05 + 2.576 * (0.05 * 0.95 / sets as f64).sqrt()), "{n}: {any}");
    }
}

/// Calls of one run are alike: half of the runs favour one tool, half another. Calls as the unit would alert all the time.
#[test]
fn mix_of_tools() {
    let (sets, limit) = promise();
    let settings = spanfile::drift::Settings { permutations: 999, ..settings() };
    // From 200 runs on their moments stand for permutations.
    for n in [30, 100, 200, 1000] {
        let mut random = Random::new(n as u64 + 2);
        let (mut drifts, mut small, mut by_calls) = (0, 0, 0);
        for _ in 0..sets {
            let mut side = || -> Vec<Vec<u64>> {
                let run = |_| {
                    let favourite = random.below(2) as usize;
                    let mut calls = vec![0; 5];
                    for _ in 0..3 + random.below(10) {
                        let other = random.below(5) as usize;
                        calls[if random.below(4) > 0 { favourite } else { other }] += 1;
                    }
                    calls
                };
                (0..n).map(run).collect()
            };
            let (base, current) = (side(), side());
            let sum = |side: &[Vec<u64>]| -> Vec<u64> { (0..5).map(|i| side.iter().map(|u| u[i]).sum()).collect() };
            let calls = spanfile::stats::chi_squared(&[sum(&base), sum(&current)]).unwrap();
            by_calls += usize::from(calls.p <= 0.05);
            let (base, current) = (slices(&base), slices(&current));
            let samples = Samples::Mix { base: &base, current: &current };
            let mut family = [compare(samples, Better::Neither, &settings).unwrap()];
            decide(&mut family, &settings);
            small += usize::from(family[0].p.unwrap() <= 0.05);
            drifts += usize::from(family[0].verdict == Verdict::Drift);
        }
        let (drifts, small, by_calls) = (rate(drifts, sets), rate(small, sets), rate(by_calls, sets));
        eprintln!("mix, {n} runs a side: drift {drifts:.4}, p <= 0.05 {small:.4}; by calls {by_calls:.4}");
        assert!(drifts <= limit && small <= limit, "{n}: {drifts} {small}");
        assert!(by_calls > 0.2, "the runs are not alike enough to show anything: {by_calls}");
    }
}

/// One category per run, most of them so rare that all of them as one are rare still.
#[test]
fn sparse_categories() {
    let (sets, limit) = promise();
    let settings = spanfile::drift::Settings { permutations: 999, ..settings() };
    let mut random = Random::new(5);
    let (mut small, mut permuted) = (0, 0);
    for _ in 0..sets {
        let mut side = || {
            let mut counts = vec![0_u64; 9];
            for _ in 0..35 {
                let category = match random.below(25) {
                    0..=9 => 0,
                    10..=16 => 1,
                    17..=22 => 2,
                    _ => 3 + random.below(6) as usize,
                };
                counts[category] += 1;
            }
            counts
        };
        let (base, current) = (side(), side());
        let samples = Samples::Categorical { base: &base, current: &current };
        let row = compare(samples, Better::Neither, &settings).unwrap();
        small += usize::from(row.p.unwrap() <= 0.05);
        permuted += usize::from(row.note.is_some_and(|n| n.contains("permuted")));
    }
    let small = rate(small, sets);
    eprintln!("sparse categories: p <= 0.05 {small:.4}; {permuted} of {sets} permuted");
    assert!(small <= limit, "{small}");
    assert!(permuted > sets / 2, "{permuted}");
}

/// Changes of level where there are none; a series has 60 to 400 runs.
#[test]
fn changes_of_level() {
    let sets = if long() { 2000 } else { 300 };
    for shape in SHAPES {
        let mut random = Random::new(9);
        let mut found = 0;
        for _ in 0..sets {
            let n = 60 + random.below(340) as usize;
            found += usize::from(change_at(&shape.sample(n, &mut random), &settings()).unwrap().is_some());
        }
        let found = rate(found, sets);
        eprintln!("{shape:?}: a change of level in {found:.4} of {sets} series without one");
        assert!(found <= 0.01, "{shape:?} {found}");
    }
}
