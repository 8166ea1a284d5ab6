//! What must hold of any input: no panic, symmetries, definitions worked out the long way.

use proptest::prelude::*;
use spanfile::stats::*;

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1e-300)
}

/// Any finite numbers, or a few small ones, so that there are ties.
fn sample() -> impl Strategy<Value = Vec<f64>> {
    let any = prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL | prop::num::f64::ZERO;
    prop_oneof![
        prop::collection::vec(any, 0..40),
        prop::collection::vec((0..6_i32).prop_map(f64::from), 0..40),
        prop::collection::vec((-1e3..1e3_f64).prop_map(|v| v.round() / 4.0), 0..60),
    ]
}

fn counts() -> impl Strategy<Value = Vec<u64>> {
    prop::collection::vec(prop_oneof![Just(0), 0..30_u64, any::<u64>()], 4)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_samples_have_an_answer_or_a_reason(base in sample(), current in sample()) {
        let p = |p: f64| (0.0..=1.0).contains(&p);
        let few = base.is_empty() || current.is_empty();
        let (ks, mwu) = (kolmogorov_smirnov(&base, &current), mann_whitney(&base, &current));
        prop_assert!(ks.is_ok() != few && ks.is_ok_and(|t| p(t.p) && p(t.statistic)) != few);
        prop_assert!(mwu.is_ok() != few && mwu.is_ok_and(|t| p(t.p)) != few);
        if let Ok(d) = cliffs_delta(&base, &current, 0.05) {
            prop_assert!(-1.0 <= d.low && d.low <= d.delta && d.delta <= d.high && d.high <= 1.0, "{d:?}");
        }
        if let Ok(distance) = wasserstein(&base, &current) {
            prop_assert!(distance >= 0.0 && distance.is_finite());
        }
        if let Ok(Some(found)) = median_ratio(&base, &current, 0.1, 50, 3) {
            prop_assert!(found.ratio >= 0.0 && found.ratio.is_finite());
            prop_assert!(found.interval.is_none_or(|(low, high)| low <= high));
        }
        if let Ok((a, b)) = quantile_bins(&base, &current, 10) {
            prop_assert_eq!(a.iter().sum::<u64>() as usize, base.len());
            prop_assert_eq!(b.iter().sum::<u64>() as usize, current.len());
        }
        if let Ok(found) = psi_evidently(&base, &current) {
            prop_assert!(found >= 0.0);
        }
        for q in [0.0, 0.3, 1.0] {
            if let Ok(value) = quantile(&base, q) {
                prop_assert!(base.iter().any(|v| *v <= value) && base.iter().any(|v| *v >= value));
            }
        }
        let _ = (detectable_delta(&base, &current, Power::default()), ratio_of_delta(&base, 0.3));
        let _ = (level_changes(&base, 5, 3.0), pelt(&base, 1, 1, 1.0));
    }

    #[test]
    fn what_is_not_finite_is_refused(base in sample(), at in any::<prop::sample::Index>()) {
        prop_assume!(base.len() > 2);
        let index = at.index(base.len());
        let mut broken = base.clone();
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            broken[index] = value;
            let refused = [
                kolmogorov_smirnov(&base, &broken).err(),
                mann_whitney(&broken, &base).err(),
                cliffs_delta(&broken, &base, 0.05).err(),
                wasserstein(&base, &broken).err(),
                median_ratio(&base, &broken, 0.05, 9, 1).err(),
                quantile_bins(&broken, &base, 10).err(),
                psi_evidently(&base, &broken).err(),
                median(&broken).err(),
                ranks(&broken).err(),
                level_changes(&broken, 20, 3.0).err(),
                pelt(&broken, 1, 1, 1.0).err(),
                detectable_delta(&base, &broken, Power::default()).err(),
                ratio_of_delta(&broken, 0.1).err(),
            ];
            for (which, error) in refused.into_iter().enumerate() {
                // NaN differs from itself, so compared by position.
                let found = matches!(error, Some(StatsError::NotFinite { index: i, .. }) if i == index);
                prop_assert!(found, "{}: {:?}", which, error);
            }
        }
    }

    #[test]
    fn sides_can_be_swapped(base in sample(), current in sample()) {
        prop_assume!(base.len() > 1 && current.len() > 1);
        let (there, back) = (mann_whitney(&base, &current).unwrap(), mann_whitney(&current, &base).unwrap());
        prop_assert!(close(there.p, back.p));
        prop_assert_eq!(there.u + back.u, (base.len() * current.len()) as f64);
        let (there, back) = (kolmogorov_smirnov(&base, &current).unwrap(), kolmogorov_smirnov(&current, &base).unwrap());
        prop_assert!(there.statistic == back.statistic && close(there.p, back.p));
        let (d, e) = (cliffs_delta(&base, &current, 0.05).unwrap(), cliffs_delta(&current, &base, 0.05).unwrap());
        prop_assert!(d.delta == -e.delta && (d.low + e.high).abs() < 1e-9 && (d.high + e.low).abs() < 1e-9, "{d:?} {e:?}");
    }

    #[test]
    fn tests_of_ranks_see_only_ranks(base in sample(), current in sample()) {
        prop_assume!(base.len() > 1 && current.len() > 1);
        let all = [base.clone(), current.clone()].concat();
        let ranked = ranks(&all).unwrap();
        let (a, b) = ranked.split_at(base.len());
        prop_assert_eq!(mann_whitney(&base, &current), mann_whitney(a, b));
        prop_assert_eq!(kolmogorov_smirnov(&base, &current), kolmogorov_smirnov(a, b));
        prop_assert_eq!(cliffs_delta(&base, &current, 0.05), cliffs_delta(a, b, 0.05));
        // Delta and U say the same, and both by their definition.
        let sign = |x: f64, y: f64| f64::from(i8::from(y > x) - i8::from(y < x));
        let sum: f64 = base.iter().flat_map(|&x| current.iter().map(move |&y| sign(x, y))).sum();
        let pairs = (base.len() * current.len()) as f64;
        prop_assert_eq!(cliffs_delta(&base, &current, 0.05).unwrap().delta, sum / pairs);
        prop_assert_eq!(mann_whitney(&base, &current).unwrap().u, (pairs - sum) / 2.0);
    }

    #[test]
    fn any_counts_have_an_answer_or_a_reason(base in counts(), current in counts()) {
        for found in [psi(&base, &current), jensen_shannon(&base, &current)].into_iter().flatten() {
            prop_assert!(found.raw >= 0.0 && found.corrected >= 0.0 && found.corrected <= found.raw, "{found:?}");
        }
        if let Ok(test) = chi_squared(&[&base, &current]) {
            prop_assert!((0.0..=1.0).contains(&test.p) && test.statistic >= 0.0);
        }
        if let Ok(p) = fisher_exact([base[0], base[1]], [current[0], current[1]]) {
            prop_assert!((0.0..=1.0).contains(&p));
        }
        if let Ok(pooled) = pool_rare(&base, &current, 5.0) {
            prop_assert_eq!(pooled.base.iter().sum::<u64>(), base.iter().sum::<u64>());
            prop_assert_eq!(pooled.current.iter().sum::<u64>(), current.iter().sum::<u64>());
        }
        let units = [base, current];
        let _ = permute_units(&units, &units, Permutations::all(20), 1);
    }

    /// PELT without a least size finds the cheapest of all ways to cut a series.
    #[test]
    fn no_way_to_cut_is_cheaper(series in prop::collection::vec(-50..50_i32, 1..30), penalty in 1..2000_u32) {
        let series: Vec<f64> = series.into_iter().map(f64::from).collect();
        let penalty = f64::from(penalty) + 0.37;
        let cost = |piece: &[f64]| {
            let mean = piece.iter().sum::<f64>() / piece.len() as f64;
            piece.iter().map(|v| (v - mean).powi(2)).sum::<f64>() + penalty
        };
        let mut best = vec![0.0];
        for end in 1..=series.len() {
            best.push((0..end).map(|start| best[start] + cost(&series[start..end])).fold(f64::INFINITY, f64::min));
        }
        let mut cuts = pelt(&series, 1, 1, penalty).unwrap().at;
        cuts.insert(0, 0);
        cuts.push(series.len());
        let found: f64 = cuts.windows(2).map(|w| cost(&series[w[0]..w[1]])).sum();
        prop_assert!((found - best[series.len()]).abs() < 1e-6, "{found} {}", best[series.len()]);
    }
}

/// The medians of resamples that are never drawn are distributed as those of resamples that are.
#[test]
fn medians_of_resamples() {
    for n in [1_usize, 2, 5, 24, 101] {
        let values: Vec<f64> = (0..n).map(|i| 1.0 + (i * i) as f64).collect();
        let mut random = Random::new(n as u64);
        let mut drawn: Vec<f64> = (0..20_000)
            .map(|_| {
                let resample: Vec<f64> = (0..n).map(|_| values[random.below(n as u64) as usize]).collect();
                median(&resample).unwrap()
            })
            .collect();
        drawn.sort_by(f64::total_cmp);
        // The ratio to a sample of one value is the median itself.
        for alpha in [0.05, 0.2, 0.5] {
            let (low, high) = median_ratio(&[1.0], &values, alpha, 20_000, 7).unwrap().unwrap().interval.unwrap();
            for (found, q) in [(low, alpha / 2.0), (high, 1.0 - alpha / 2.0)] {
                // Where the drawn ones have that value, give or take what chance allows: 5 standard deviations.
                let at = |q: f64| drawn[((q.clamp(0.0, 1.0)) * (drawn.len() - 1) as f64) as usize];
                let slack = 5.0 * (q * (1.0 - q) / 20_000.0_f64).sqrt() * 1.5;
                assert!(at(q - slack) <= found && found <= at(q + slack), "{n} {alpha}: {found} near {}", at(q));
            }
        }
    }
}

/// Intervals hold what they are for as often as they say.
#[test]
fn intervals_cover() {
    let mut random = Random::new(4);
    let mut skewed = |n: usize, factor: f64| -> Vec<f64> {
        (0..n).map(|_| factor * (1.0 / (1.0 - random.unit())).powf(0.6)).collect()
    };
    let (mut ratios, mut deltas) = (0, 0);
    // P(1.5 u^-0.6 > v^-0.6) for uniform u and v: with c = 1.5^(5/3), 1 - 1/(2c).
    let delta = 1.0 - 1.5_f64.powf(-5.0 / 3.0);
    let sets = 2000;
    for seed in 0..sets {
        let (base, current) = (skewed(60, 1.0), skewed(45, 1.5));
        let (low, high) = median_ratio(&base, &current, 0.05, 500, seed).unwrap().unwrap().interval.unwrap();
        ratios += usize::from(low <= 1.5 && 1.5 <= high);
        let d = cliffs_delta(&base, &current, 0.05).unwrap();
        deltas += usize::from(d.low <= delta && delta <= d.high);
    }
    for (name, covered) in [("ratio of medians", ratios), ("Cliff's delta", deltas)] {
        let share = covered as f64 / sets as f64;
        eprintln!("{name}: 95 % intervals cover {share:.3}");
        assert!((0.935..=0.975).contains(&share), "{name}: {share}");
    }
}

/// Without a difference, corrected measures are near 0 where raw ones are not.
#[test]
fn corrected_measures_are_about_nothing() {
    let mut random = Random::new(6);
    let (mut raw, mut beyond, mut bits, mut chance) = (0.0, 0.0, 0.0, 0.0);
    let sets = 3000;
    for _ in 0..sets {
        let mut side = |n: u64| {
            let mut counts = vec![0; 10];
            (0..n).for_each(|_| counts[random.below(10) as usize] += 1);
            counts
        };
        let (base, current) = (side(150), side(250));
        let (p, js) = (psi(&base, &current).unwrap(), jensen_shannon(&base, &current).unwrap());
        raw += p.raw / sets as f64;
        beyond += f64::from(p.corrected > 0.1) / sets as f64;
        bits += js.raw * js.raw / sets as f64;
        chance += f64::from(js.corrected > 0.1) / sets as f64;
    }
    // 9 (1/150 + 1/250), and an eighth of that in nats.
    assert!((raw / 0.096 - 1.0).abs() < 0.1, "{raw}");
    assert!((bits / (0.096 / 8.0 / std::f64::consts::LN_2) - 1.0).abs() < 0.05, "{bits}");
    assert!(beyond < 0.06 && chance < 0.15, "{beyond} {chance}");
}

/// A permutation test of units that hold one observation each is a test of a table; here against all orders there are.
#[test]
fn permutations_of_units() {
    let unit = |category: usize| (0..3).map(|i| u64::from(i == category)).collect::<Vec<_>>();
    let (base, current): (Vec<_>, Vec<_>) = ([0, 0, 0, 1, 0].map(unit).into(), [1, 2, 1, 2, 0].map(unit).into());
    let found = permute_units(&base, &current, Permutations::all(200_000), 3).unwrap();
    let all: Vec<&Vec<u64>> = base.iter().chain(&current).collect();
    let statistic = |chosen: u32| {
        let mut rows = [[0_u64; 3]; 2];
        for (i, unit) in all.iter().enumerate() {
            unit.iter().enumerate().for_each(|(c, n)| rows[(chosen >> i & 1) as usize][c] += n);
        }
        chi_squared(&rows).unwrap().statistic
    };
    let seen = statistic(0b11111_00000);
    assert!((found.statistic - seen).abs() < 1e-12);
    let halves: Vec<u32> = (0..1_u32 << 10).filter(|c| c.count_ones() == 5).collect();
    let extreme = halves.iter().filter(|&&c| statistic(c) >= seen - 1e-9).count();
    let exact = extreme as f64 / halves.len() as f64;
    assert!((found.p - exact).abs() < 0.005, "{} {exact}", found.p);
    assert_eq!(found, permute_units(&base, &current, Permutations::all(200_000), 3).unwrap());
    assert_ne!(found.p, permute_units(&base, &current, Permutations::all(200_000), 4).unwrap().p);
}

/// The moments of permuting units say what permuting them says, also where units favour one category or another.
#[test]
fn moments_stand_for_permutations() {
    let mut random = Random::new(9);
    let mut apart = Vec::new();
    for set in 0..40 {
        let (n, m) = (200 + random.below(200) as usize, 200 + random.below(400) as usize);
        let shift = set as f64 / 40.0 * 0.2;
        let mut unit = |of_current: bool| -> Vec<u64> {
            let favourite = usize::from(random.unit() < if of_current { 0.5 + shift } else { 0.5 });
            let mut counts = vec![0; 6];
            for _ in 0..random.below(9) {
                counts[if random.below(3) > 0 { favourite } else { random.below(6) as usize }] += 1;
            }
            counts
        };
        let base: Vec<Vec<u64>> = (0..n).map(|_| unit(false)).collect();
        let current: Vec<Vec<u64>> = (0..m).map(|_| unit(true)).collect();
        let exact = permute_units(&base, &current, Permutations::all(4_000), set).unwrap();
        let near = clustered_mix(&base, &current).unwrap();
        assert!(close(exact.statistic, near.statistic));
        // Four standard errors of a share of 4,000, and a tenth for the shape of the distribution.
        let off = 4.0 * (exact.p * (1.0 - exact.p) / 4_000.0).sqrt() + exact.p * 0.1 + 0.001;
        assert!((exact.p - near.p).abs() <= off, "{set}: {} {}", exact.p, near.p);
        for (a, b) in [(exact.chance_psi, near.chance_psi), (exact.chance_bits, near.chance_bits)] {
            assert!((a / b - 1.0).abs() < 0.15, "{set}: {a} {b}");
        }
        apart.push(near.p);
    }
    assert!(apart.iter().any(|p| *p > 0.3) && apart.iter().any(|p| *p < 0.01));
    // The result stops early where nothing is extreme, and is near all the same.
    let same: Vec<Vec<u64>> = (0..100).map(|i| vec![i % 3, 3 - i % 3]).collect();
    let early = permute_units(&same[..50], &same[50..], Permutations { most: 9_999, extreme: 100 }, 1).unwrap();
    let all = permute_units(&same[..50], &same[50..], Permutations::all(9_999), 1).unwrap();
    assert!((early.p - all.p).abs() < 0.3 && early.p > 0.1, "{} {}", early.p, all.p);
}

/// What a seed gives never changes: stored answers would.
#[test]
fn seeds_keep_their_numbers() {
    let mut random = Random::new(42);
    let below: Vec<u64> = (0..8).map(|_| random.below(1000)).collect();
    assert_eq!(below, [741, 159, 278, 344, 38, 868, 218, 800], "{below:?}");
    let values: Vec<f64> = (1..=64).map(f64::from).collect();
    let found = median_ratio(&values, &values, 0.05, 2000, 1).unwrap().unwrap();
    assert_eq!(found.interval, Some((0.7096680420105027, 1.3871651175505737)));
    let units: Vec<[u64; 2]> = (0..20).map(|i| [i * 7 % 20, 20 - i * 7 % 20]).collect();
    assert_eq!(permute_units(&units[..9], &units[9..], Permutations::all(9_999), 1).unwrap().p, 0.3264);
}

/// Against 30 digits; small p-values keep theirs, and tests that say nothing do not silence one that does.
#[test]
fn one_p_value_for_several() {
    assert!((cauchy_combination(&[1e-12, 0.7]).unwrap() / 2.000_000_000_004_565e-12 - 1.0).abs() < 1e-12);
    let with_ones = cauchy_combination(&[1e-4, 1.0, 1.0]).unwrap();
    assert!(with_ones > 2e-4 && with_ones < 4e-4, "{with_ones}");
    assert_eq!(cauchy_combination(&[1.0, 1.0, 0.97]), Ok(0.97));
    assert_eq!(cauchy_combination(&[0.0, 1.0]), Ok(0.0));
    assert_eq!(cauchy_combination(&[]), Ok(1.0));
    for broken in [f64::NAN, -0.1, 1.1, f64::INFINITY] {
        assert!(matches!(cauchy_combination(&[0.5, broken]), Err(StatsError::OutOfRange { index: 1, .. })));
        assert!(matches!(benjamini_hochberg(&[0.5, broken]), Err(StatsError::OutOfRange { index: 1, .. })));
    }
}

#[test]
fn large_tables_and_large_samples() {
    // 10^12 coins a side.
    let half = 500_000_000_000;
    assert_eq!(fisher_exact([half, half], [half, half]), Ok(1.0));
    let p = fisher_exact([half, half], [half + 2_000_000, half - 2_000_000]).unwrap();
    // By the normal distribution, z = 2e-6 / sqrt(0.5 / 10^12).
    assert!((p / 0.004_677_735 - 1.0).abs() < 1e-4, "{p}");
    assert_eq!(fisher_exact([u64::MAX, 1], [0, 0]), Err(StatsError::TooLarge));
    assert_eq!(chi_squared(&[[u64::MAX, 1], [1, 1]]), Err(StatsError::TooLarge));
    assert_eq!(wasserstein(&[f64::MAX], &[f64::MIN]), Err(StatsError::TooLarge));
    assert_eq!(wasserstein(&[f64::MAX], &[-f64::MAX / 4.0]), Err(StatsError::TooLarge));
    assert_eq!(median(&[f64::MAX, f64::MIN]), Ok(0.0));
    let values: Vec<f64> = (0..300_000).map(|i| f64::from(i * 7 % 300_000)).collect();
    assert_eq!(kolmogorov_smirnov(&values, &values).unwrap().p, 1.0);
    assert_eq!(mann_whitney(&values, &values).unwrap().p, 1.0);
}
