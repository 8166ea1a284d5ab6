//! Decisions that can be checked by hand.

use spanfile::drift::{Better, Comparison, Direction, Kind, Samples, Settings, Verdict, change_at, compare, decide};
use spanfile::stats::StatsError;

use super::slices;

fn numeric(base: &[f64], current: &[f64]) -> Comparison {
    compare(Samples::Numeric { base, current }, Better::Lower, &Settings::default()).unwrap()
}

fn decided(row: Comparison) -> Comparison {
    let mut family = [row];
    decide(&mut family, &Settings::default());
    let [row] = family;
    row
}

/// Values from 100 on, each another.
fn spread(n: usize) -> Vec<f64> {
    (0..n).map(|i| 100.0 + (i * 7919 % n) as f64 * 100.0 / n as f64).collect()
}

#[test]
fn figures_of_a_numeric_metric() {
    let base = spread(101);
    let current: Vec<f64> = base.iter().map(|v| v * 2.0).collect();
    let row = decided(numeric(&base, &current));
    assert_eq!((row.kind, row.n_base, row.n_cur), (Kind::Numeric, 101, 101));
    assert_eq!(row.effect_name, "cliffs_delta");
    assert_eq!(row.ratio, Some(2.0));
    assert!(row.ci_lo.unwrap() > 1.7 && row.ci_lo.unwrap() < 2.0 && row.ci_hi.unwrap() > 2.0);
    assert_eq!(row.cur_median.unwrap(), 2.0 * row.base_median.unwrap());
    assert_eq!(row.p95_cur.unwrap(), 2.0 * row.p95_base.unwrap());
    assert_eq!(row.tail_base, Some(5.0 / 101.0));
    assert!(row.tail_cur.unwrap() > 0.95);
    assert!(row.effect.unwrap() > 0.95);
    let (level, shape, tail) = (row.p_level.unwrap(), row.p_shape.unwrap(), row.p_tail.unwrap());
    assert!(level < 1e-20 && shape < 1e-20 && tail < 1e-20);
    // The smallest of three, times three, as long as the others are far from 1.
    assert!(row.p.unwrap() <= 3.0 * level.min(shape).min(tail) * 1.001);
    assert_eq!(row.p, row.p_adj);
    assert!(row.psi.unwrap() > row.psi_corrected.unwrap() && row.psi_corrected.unwrap() > 1.0);
    assert!(row.js.unwrap() > 0.8);
    assert!((row.mde.unwrap() - 0.228).abs() < 0.002);
    assert_eq!((row.verdict, row.direction, row.worse), (Verdict::Drift, Some(Direction::Up), Some(true)));
}

#[test]
fn the_order_of_runs_does_not_matter() {
    let (base, current) = (spread(60), spread(83));
    let (mut backwards, mut sorted) = (base.clone(), current.clone());
    backwards.reverse();
    sorted.sort_by(f64::total_cmp);
    assert_eq!(numeric(&base, &current), numeric(&backwards, &sorted));
}

#[test]
fn better_and_worse() {
    let (low, high) = (spread(60), spread(60).iter().map(|v| v * 3.0).collect::<Vec<_>>());
    let worse = |base: &[f64], current: &[f64], better| {
        decided(compare(Samples::Numeric { base, current }, better, &Settings::default()).unwrap()).worse
    };
    assert_eq!(worse(&low, &high, Better::Lower), Some(true));
    assert_eq!(worse(&high, &low, Better::Lower), Some(false));
    assert_eq!(worse(&low, &high, Better::Higher), Some(false));
    assert_eq!(worse(&high, &low, Better::Higher), Some(true));
    assert_eq!(worse(&low, &high, Better::Neither), None);
}

#[test]
fn significant_but_small_is_no_drift() {
    let base = spread(20_001);
    let current: Vec<f64> = base.iter().map(|v| v + 3.0).collect();
    let row = decided(numeric(&base, &current));
    assert!(row.p_adj.unwrap() < 1e-6, "{:?}", row.p_adj);
    assert_eq!((row.verdict, row.direction), (Verdict::NoDrift, None));
    let row = compare(
        Samples::Binary { base: [5_000, 95_000], current: [6_000, 94_000] },
        Better::Lower,
        &Settings::default(),
    );
    assert_eq!(decided(row.unwrap()).verdict, Verdict::NoDrift);
}

#[test]
fn a_tail_alone_is_a_drift() {
    let base = spread(400);
    let current: Vec<f64> = base.iter().enumerate().map(|(i, v)| if i % 12 == 0 { v * 10.0 } else { *v }).collect();
    let row = decided(numeric(&base, &current));
    assert!(row.effect.unwrap().abs() < 0.147 && (row.ratio.unwrap() - 1.0).abs() < 0.1);
    assert_eq!((row.verdict, row.direction), (Verdict::Drift, Some(Direction::Up)));
}

#[test]
fn another_shape_has_no_way() {
    // The same median, half the spread and twice the spread.
    let base: Vec<f64> = (0..300).map(|i| 1000.0 + (f64::from(i) - 149.5) * 4.0).collect();
    let current: Vec<f64> = (0..300).map(|i| 1000.0 + (f64::from(i) - 149.5)).collect();
    let row = numeric(&base, &current);
    assert!(row.p_level.unwrap() > 0.9 && row.p_shape.unwrap() < 1e-6);
    let decided = decided(numeric(&current, &base));
    assert_eq!(decided.verdict, Verdict::Drift);
    assert_eq!(decided.direction, Some(Direction::Up), "its tail rose");
}

#[test]
fn too_few_runs_have_figures_and_no_verdict() {
    let (base, current) = (spread(29), spread(500));
    let row = decided(numeric(&base, &current.iter().map(|v| v * 9.0).collect::<Vec<_>>()));
    assert_eq!((row.verdict, row.p_adj), (Verdict::Insufficient, None));
    assert!(row.p.unwrap() < 1e-6 && row.mde.is_some());
    // Delta 0.32 is 0.58 sigma apart, and quartiles of 1.25 and 1.75 stand for a sigma of 0.25.
    assert_eq!(row.note.as_deref(), Some("so few runs show medians that differ by a factor of 1.15"));
    assert_eq!(decided(numeric(&spread(30), &spread(30))).verdict, Verdict::NoDrift);
}

#[test]
fn nothing_to_compare() {
    for (base, current) in [(&[][..], &[1.0, 2.0][..]), (&[1.0, 2.0], &[]), (&[], &[])] {
        let row = decided(numeric(base, current));
        assert_eq!((row.verdict, row.p, row.effect, row.mde), (Verdict::Insufficient, None, None, None));
        assert_eq!(row.base_median.is_some(), !base.is_empty());
    }
    let settings = Settings::default();
    for samples in [
        Samples::Binary { base: [0, 0], current: [3, 4] },
        Samples::Categorical { base: &[], current: &[] },
        Samples::Categorical { base: &[0, 0], current: &[1, 2] },
        Samples::Mix { base: &[], current: &[&[1, 2]] },
        Samples::Mix { base: &[&[0, 0]], current: &[&[1, 2]] },
        Samples::Mix { base: &[&[]], current: &[&[]] },
    ] {
        let row = decided(compare(samples, Better::Neither, &settings).unwrap());
        assert_eq!((row.verdict, row.p), (Verdict::Insufficient, None), "{samples:?}");
    }
}

#[test]
fn one_run_a_side() {
    let row = numeric(&[1.0], &[2.0]);
    assert_eq!((row.effect, row.p_level, row.p_tail, row.mde), (Some(1.0), Some(1.0), Some(1.0), None));
}

#[test]
fn what_is_no_number_is_an_error() {
    let settings = Settings::default();
    let fine = spread(40);
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let mut broken = fine.clone();
        broken[17] = bad;
        for (base, current) in [(&fine, &broken), (&broken, &fine)] {
            let found = compare(Samples::Numeric { base, current }, Better::Lower, &settings);
            assert!(matches!(found, Err(StatsError::NotFinite { index: 17, .. })), "{found:?}");
        }
        assert!(compare(Samples::Numeric { base: &[bad], current: &[] }, Better::Lower, &settings).is_err());
        assert!(change_at(&broken, &settings).is_err());
    }
    let lengths = compare(Samples::Mix { base: &[&[1, 2]], current: &[&[1]] }, Better::Neither, &settings);
    assert_eq!(lengths, Err(StatsError::Lengths { left: 2, right: 1 }));
    let lengths = compare(Samples::Categorical { base: &[1, 2], current: &[1] }, Better::Neither, &settings);
    assert_eq!(lengths, Err(StatsError::Lengths { left: 2, right: 1 }));
}

#[test]
fn nothing_varies() {
    let row = decided(numeric(&[5.0; 40], &[5.0; 40]));
    assert_eq!((row.p, row.effect, row.ratio, row.mde), (Some(1.0), Some(0.0), Some(1.0), None));
    assert_eq!((row.ci_lo, row.ci_hi, row.psi, row.js), (Some(1.0), Some(1.0), Some(0.0), Some(0.0)));
    assert_eq!(row.verdict, Verdict::NoDrift);
    assert_eq!(row.note.as_deref(), Some("all values are equal"));
    // From one constant to another.
    let row = decided(numeric(&[0.0; 40], &[1.0; 40]));
    assert_eq!((row.effect, row.ratio, row.verdict), (Some(1.0), None, Verdict::Drift));
    assert_eq!(row.note.as_deref(), Some("the base's median is 0: no ratio"));
    let row =
        compare(Samples::Binary { base: [40, 0], current: [40, 0] }, Better::Higher, &Settings::default()).unwrap();
    assert_eq!((row.p, row.effect, row.ratio), (Some(1.0), Some(0.0), Some(1.0)));
}

#[test]
fn a_family_shares_its_level() {
    let settings = Settings::default();
    let row = |p: f64| {
        let mut row = numeric(&spread(40), &spread(40).iter().map(|v| v * 1.3).collect::<Vec<_>>());
        row.p = Some(p);
        row
    };
    let mut family: Vec<Comparison> = [0.03, 0.2, 0.9, 0.8].map(row).into();
    family.push(numeric(&spread(10), &spread(10)));
    decide(&mut family, &settings);
    let adjusted: Vec<Option<f64>> = family.iter().map(|r| r.p_adj).collect();
    assert_eq!(adjusted, [Some(0.12), Some(0.4), Some(0.9), Some(0.9), None]);
    assert_eq!(family[0].verdict, Verdict::NoDrift);
    assert_eq!(family[4].verdict, Verdict::Insufficient);
    family.truncate(1);
    decide(&mut family, &settings);
    assert_eq!((family[0].p_adj, family[0].verdict), (Some(0.03), Verdict::Drift));
}

#[test]
fn shares() {
    let row =
        compare(Samples::Binary { base: [90, 10], current: [80, 20] }, Better::Higher, &Settings::default()).unwrap();
    assert_eq!((row.base_median, row.cur_median), (Some(0.9), Some(0.8)));
    assert!((row.ratio.unwrap() - 8.0 / 9.0).abs() < 1e-15);
    // ln(8/9) -+ 1.96 sqrt(1/90 - 1/100 + 1/80 - 1/100)
    assert!((row.ci_lo.unwrap() - 0.7903).abs() < 1e-3 && (row.ci_hi.unwrap() - 0.9998).abs() < 1e-3);
    assert_eq!((row.p95_base, row.p_shape, row.p_tail), (None, None, None));
    // No successes: a ratio of nothing, and no interval.
    let row =
        compare(Samples::Binary { base: [0, 50], current: [9, 41] }, Better::Lower, &Settings::default()).unwrap();
    assert_eq!((row.ratio, row.ci_lo), (None, None));
    assert_eq!(decided(row).direction, Some(Direction::Up));
}

#[test]
fn categories() {
    let settings = Settings::default();
    // Rare ones become one; three columns with enough in each: chi-squared.
    let (base, current) = ([60, 30, 2, 3, 1, 4], [30, 60, 4, 1, 3, 2]);
    let row =
        decided(compare(Samples::Categorical { base: &base, current: &current }, Better::Neither, &settings).unwrap());
    let by_hand = spanfile::stats::chi_squared(&[[60, 30, 10], [30, 60, 10]]).unwrap();
    assert_eq!(row.p, Some(by_hand.p));
    assert_eq!(row.note.as_deref(), Some("4 rare categories as one"));
    assert_eq!((row.verdict, row.direction, row.worse), (Verdict::Drift, Some(Direction::Changed), None));
    assert!(row.effect.unwrap() > 0.1 && row.effect == row.js);
    // Two columns: Fisher.
    let row = compare(Samples::Categorical { base: &[39, 1], current: &[38, 2] }, Better::Neither, &settings).unwrap();
    assert_eq!(row.p, Some(spanfile::stats::fisher_exact([39, 1], [38, 2]).unwrap()));
    // Nothing but rare categories: they stay apart, and runs are permuted.
    let (base, current) = (vec![1; 20], [vec![0; 10], vec![2; 10]].concat());
    let row = compare(Samples::Categorical { base: &base, current: &current }, Better::Neither, &settings).unwrap();
    assert_eq!(row.note.as_deref(), Some("sparse: runs permuted"));
    assert!(row.p.unwrap() > 0.01);
}

#[test]
fn more_runs_than_can_be_permuted() {
    let settings = Settings::default();
    let many = 1 << 40;
    for (base, current) in [([many, many, 2], [many, many, 1]), ([u64::MAX >> 2, 1, 2], [many, many, 3])] {
        let row = compare(Samples::Categorical { base: &base, current: &current }, Better::Neither, &settings);
        assert_eq!(row.unwrap().note.as_deref(), Some("1 rare categories as one; sparse: the p-value is approximate"));
    }
    let row = compare(Samples::Categorical { base: &[u64::MAX, 1], current: &[1, 1] }, Better::Neither, &settings);
    assert_eq!(row, Err(StatsError::TooLarge));
    let large: [&[u64]; 2] = [&[u64::MAX / 4, 1], &[u64::MAX / 4, 7]];
    assert!(compare(Samples::Mix { base: &large, current: &large[..1] }, Better::Neither, &settings).is_ok());
    assert_eq!(
        compare(Samples::Mix { base: &large, current: &large }, Better::Neither, &settings),
        Err(StatsError::TooLarge)
    );
}

#[test]
fn fifty_calls_of_one_run_are_one_run() {
    let settings = Settings::default();
    let mut base = vec![vec![2, 2, 0]; 40];
    let current = base.clone();
    base[0] = vec![0, 0, 50];
    let mix = Samples::Mix { base: &slices(&base), current: &slices(&current) };
    let row = decided(compare(mix, Better::Neither, &settings).unwrap());
    assert_eq!(row.p, Some(1.0), "it is in one half or the other, either way as far off");
    assert_eq!(row.verdict, Verdict::NoDrift);
    assert!(row.js.unwrap() < 0.1);
    // As calls, it would be beyond doubt.
    assert!(spanfile::stats::chi_squared(&[[78, 78, 50], [80, 80, 0]]).unwrap().p < 1e-9);
    // Every run changed.
    let current = vec![vec![2, 0, 2]; 40];
    let row = decided(
        compare(Samples::Mix { base: &slices(&base), current: &slices(&current) }, Better::Neither, &settings).unwrap(),
    );
    assert_eq!((row.p, row.verdict, row.direction), (Some(1e-4), Verdict::Drift, Some(Direction::Changed)));
}

#[test]
fn when_it_changed() {
    let settings = Settings::default();
    let noise = |i: usize| (i * 7919 % 101) as f64 / 101.0;
    let two: Vec<f64> = (0..200)
        .map(|i| {
            noise(i)
                + if i < 80 {
                    0.0
                } else if i < 150 {
                    2.0
                } else {
                    2.6
                }
        })
        .collect();
    assert_eq!(change_at(&two, &settings), Ok(Some(80)), "the larger of two");
    assert_eq!(change_at(&(0..200).map(noise).collect::<Vec<_>>(), &settings), Ok(None));
    assert_eq!(change_at(&[1.0; 200], &settings), Ok(None));
    assert_eq!(change_at(&[], &settings), Ok(None));
    assert_eq!(change_at(&[1.0, 9.0], &settings), Ok(None));
    let binary: Vec<f64> = (0..200).map(|i| f64::from(i % 10 == 0 || i >= 120 && i % 10 != 3)).collect();
    assert!(change_at(&binary, &settings).unwrap().is_some_and(|at| at.abs_diff(120) <= 2));
    // Far more runs than places looked at.
    let long: Vec<f64> = (0..60_000).map(|i| noise(i) + if i < 41_234 { 0.0 } else { 0.2 }).collect();
    assert!(change_at(&long, &settings).unwrap().is_some_and(|at| at.abs_diff(41_234) <= 60));
}
