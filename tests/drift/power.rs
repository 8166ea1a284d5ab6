//! Something changed: how often is it seen? The long form prints the table of `benches/README.md`.

use spanfile::drift::{Direction, Verdict, decide};
use spanfile::stats::{Power, Random, detectable_delta, detectable_difference, fisher_exact, mann_whitney};

use super::{Shape, long, normal, settings};

struct Change {
    name: &'static str,
    shape: Shape,
    apply: fn(f64, &mut Random) -> f64,
    direction: Direction,
}

const CHANGES: [Change; 5] = [
    Change { name: "median x 1.3", shape: Shape::Lognormal, apply: |v, _| v * 1.3, direction: Direction::Up },
    Change { name: "median x 1.5", shape: Shape::Lognormal, apply: |v, _| v * 1.5, direction: Direction::Up },
    Change { name: "median x 2", shape: Shape::Lognormal, apply: |v, _| v * 2.0, direction: Direction::Up },
    Change {
        name: "8 % of runs x 10",
        shape: Shape::Lognormal,
        apply: |v, random| if random.unit() < 0.08 { v * 10.0 } else { v },
        direction: Direction::Up,
    },
    Change {
        name: "success .9 -> .8",
        shape: Shape::Binary(0.9),
        apply: |v, random| if random.unit() < 1.0 / 9.0 { 0.0 } else { v },
        direction: Direction::Down,
    },
];

#[test]
fn what_is_seen() {
    let sets = if long() { 1000 } else { 60 };
    let sizes: &[usize] = if long() { &[30, 50, 100, 200, 500, 1000] } else { &[100, 500] };
    for change in CHANGES {
        let mut seen = Vec::new();
        for &n in sizes {
            let mut random = Random::new(n as u64 + 3);
            let (mut alone, mut among, mut wrong_way) = (0, 0, 0);
            for _ in 0..sets {
                let base = change.shape.sample(n, &mut random);
                let current: Vec<f64> =
                    change.shape.sample(n, &mut random).into_iter().map(|v| (change.apply)(v, &mut random)).collect();
                let row = change.shape.compare(&base, &current, &settings());
                let mut family = vec![row];
                decide(&mut family, &settings());
                alone += usize::from(family[0].verdict == Verdict::Drift);
                wrong_way += usize::from(family[0].direction.is_some_and(|d| d != change.direction));
                // Eleven more metrics in which nothing changed: their p-values are anything.
                let quiet = family[0].clone();
                family.extend((0..11).map(|_| {
                    let mut row = quiet.clone();
                    row.p = Some(random.unit());
                    row
                }));
                decide(&mut family, &settings());
                among += usize::from(family[0].verdict == Verdict::Drift);
            }
            let share = |of: usize| of as f64 / sets as f64;
            seen.push((share(alone), share(among)));
            assert!(share(wrong_way) <= 0.05, "{} {n}: {wrong_way} of {sets} say another way", change.name);
        }
        let cells: Vec<String> = seen.iter().map(|(a, b)| format!("{:.0} / {:.0}", a * 100.0, b * 100.0)).collect();
        eprintln!("| {} | {} |", change.name, cells.join(" | "));
        let (_, last) = seen[seen.len() - 1];
        assert!(last > 0.85, "{}: {last} of {} runs a side", change.name, sizes[sizes.len() - 1]);
    }
}

/// The smallest detectable effect is one that is detected as often as it says.
#[test]
fn the_smallest_detectable_effect_is_detected() {
    let sets = if long() { 4000 } else { 600 };
    let near = |seen: usize, name: &str| {
        let seen = seen as f64 / sets as f64;
        eprintln!("{name}: detected in {seen:.3}, 0.8 wanted");
        assert!((0.74..=0.88).contains(&seen), "{name}: {seen}");
    };
    let mut random = Random::new(11);
    for (n, m) in [(30, 30), (100, 100), (60, 400)] {
        let mut seen = 0;
        for _ in 0..sets {
            let mut sample =
                |n: usize, shift: f64| -> Vec<f64> { (0..n).map(|_| normal(&mut random) + shift).collect() };
            let base = sample(n, 0.0);
            let delta = detectable_delta(&base, &sample(m, 0.0), Power::default()).unwrap().unwrap();
            // Of two normal distributions d apart delta is 2 Phi(d / sqrt 2) - 1; d by bisection on Simpson's rule.
            seen += usize::from(mann_whitney(&base, &sample(m, shift_of(delta))).unwrap().p <= 0.05);
        }
        near(seen, &format!("delta, {n} and {m} runs"));
    }
    for (share, n, m) in [(0.9, 60, 60), (0.1, 200, 200), (0.5, 100, 300), (0.02, 500, 100)] {
        let d = detectable_difference(share, n, m, Power::default()).unwrap().unwrap();
        let other = if share > 0.5 { share - d } else { share + d };
        let mut seen = 0;
        for _ in 0..sets {
            let mut with = |n: usize, share: f64| {
                let with = (0..n).filter(|_| random.unit() < share).count() as u64;
                [with, n as u64 - with]
            };
            seen += usize::from(fisher_exact(with(n, share), with(m, other)).unwrap() <= 0.05);
        }
        near(seen, &format!("share {share} and {other:.3}, {n} and {m} runs"));
    }
}

/// The distance of two normal distributions that have a Cliff's delta.
fn shift_of(delta: f64) -> f64 {
    let density = |x: f64| (-x * x / 2.0).exp() / std::f64::consts::TAU.sqrt();
    let middle_share = |z: f64| {
        let step = z / 100.0;
        let weight = |i: u32| {
            if i == 0 || i == 100 {
                1.0
            } else if i % 2 == 1 {
                4.0
            } else {
                2.0
            }
        };
        (0..=100).map(|i| weight(i) * density(f64::from(i) * step)).sum::<f64>() * step / 3.0 * 2.0
    };
    let (mut low, mut high) = (0.0, 8.0);
    for _ in 0..50 {
        let z = (low + high) / 2.0;
        if middle_share(z) < delta { low = z } else { high = z }
    }
    low * std::f64::consts::SQRT_2
}
