//! A thousand random inputs each, against what SciPy, ruptures and Evidently say of them (`testdata/stats`).

use spanfile::stats::{
    benjamini_hochberg, chi_squared, fisher_exact, jensen_shannon, kolmogorov_smirnov, mann_whitney, median, pelt,
    psi_evidently, quantile, wasserstein,
};

use super::inputs::{CASES, p_values, series, square, table, two_rows, two_samples};

fn golden(name: &str) -> Vec<String> {
    let path = format!("{}/testdata/stats/{name}", env!("CARGO_MANIFEST_DIR"));
    let bytes = zstd::decode_all(std::fs::File::open(path).unwrap()).unwrap();
    let lines: Vec<String> = String::from_utf8(bytes).unwrap().lines().map(str::to_string).collect();
    assert_eq!(lines.len() as u64, CASES);
    lines
}

fn numbers(line: &str) -> Vec<f64> {
    line.split('\t').map(|n| n.parse().unwrap()).collect()
}

/// The largest error of many, relative to what was expected, and where.
struct Worst {
    name: &'static str,
    tolerance: f64,
    error: f64,
    case: u64,
}

impl Worst {
    fn new(name: &'static str, tolerance: f64) -> Self {
        Worst { name, tolerance, error: 0.0, case: 0 }
    }

    /// P-values below the smallest normal float are compared as that.
    fn see(&mut self, case: u64, found: f64, expected: f64) {
        self.see_beside(case, found, expected, f64::MIN_POSITIVE);
    }

    fn see_beside(&mut self, case: u64, found: f64, expected: f64, scale: f64) {
        let error = if found == expected { 0.0 } else { (found - expected).abs() / expected.abs().max(scale) };
        // Not a number is an error of any size.
        if error.is_nan() || error > self.error {
            (self.error, self.case) = (if error.is_nan() { f64::INFINITY } else { error }, case);
        }
    }
}

impl Drop for Worst {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        eprintln!("{}: largest relative error {:.1e} (case {})", self.name, self.error, self.case);
        assert!(self.error <= self.tolerance, "{}, case {}: {:e}", self.name, self.case, self.error);
    }
}

#[test]
fn samples() {
    let mut statistic = Worst::new("KS statistic", 1e-12);
    let mut exact = Worst::new("KS p, exact", 1e-9);
    let mut limit = Worst::new("KS p, large samples", 1e-9);
    let mut u = Worst::new("Mann-Whitney U", 0.0);
    let mut p = Worst::new("Mann-Whitney p", 1e-9);
    let mut area = Worst::new("Wasserstein", 1e-12);
    let mut middle = Worst::new("median", 1e-15);
    let mut p95 = Worst::new("95th percentile", 1e-14);
    let mut psi = Worst::new("PSI as Evidently", 1e-12);
    let (mut large, mut refused) = (0, 0);
    for (case, line) in (0..).zip(golden("samples.tsv.zst")) {
        let expected = numbers(&line);
        let (base, current) = two_samples(case);
        let ks = kolmogorov_smirnov(&base, &current).unwrap();
        statistic.see(case, ks.statistic, expected[0]);
        if ks.exact { &mut exact } else { &mut limit }.see(case, ks.p, expected[1]);
        large += usize::from(!ks.exact);
        let mwu = mann_whitney(&base, &current).unwrap();
        u.see(case, mwu.u, expected[2]);
        p.see(case, mwu.p, expected[3]);
        let widest = base.iter().chain(&current).fold(0.0_f64, |w, v| w.max(v.abs()));
        area.see_beside(case, wasserstein(&base, &current).unwrap(), expected[4], widest * 1e-3);
        middle.see(case, median(&current).unwrap(), expected[5]);
        p95.see(case, quantile(&current, 0.95).unwrap(), expected[6]);
        if expected[7].is_nan() {
            refused += 1;
        } else {
            psi.see_beside(case, psi_evidently(&base, &current).unwrap(), expected[7], 1e-3);
        }
    }
    assert!(large >= 10, "{large} large cases");
    assert!(refused < CASES / 100, "Evidently has no answer to {refused}");
}

#[test]
fn tables() {
    let mut fisher = Worst::new("Fisher p", 1e-9);
    let mut statistic = Worst::new("chi-squared", 1e-12);
    let mut p = Worst::new("chi-squared p", 1e-9);
    let mut divergence = Worst::new("Jensen-Shannon distance", 1e-12);
    for (case, line) in (0..).zip(golden("tables.tsv.zst")) {
        let expected = numbers(&line);
        let [a, b, c, d] = square(case);
        // Documented: what is too small for a ratio to the likeliest table is 0.
        fisher.see_beside(case, fisher_exact([a, b], [c, d]).unwrap(), expected[0], 1e-299);
        let test = chi_squared(&table(case)).unwrap();
        statistic.see(case, test.statistic, expected[1]);
        p.see(case, test.p, expected[2]);
        assert_eq!(test.degrees as f64, expected[3], "case {case}");
        let (base, current) = two_rows(case);
        let js = jensen_shannon(&base, &current).unwrap().raw;
        // Between nearly equal rows SciPy's own sum cancels: below 1e-3 bits it is right to some 1e-16, not to 1e-12 of
        // itself.
        divergence.see_beside(case, js * js, expected[4] * expected[4], 1e-3);
    }
}

#[test]
fn adjusted_p_values() {
    let mut adjusted = Worst::new("Benjamini-Hochberg", 1e-14);
    for (case, line) in (0..).zip(golden("adjusted.tsv.zst")) {
        let expected = numbers(&line);
        let found = benjamini_hochberg(&p_values(case)).unwrap();
        assert_eq!(found.len(), expected.len());
        found.iter().zip(expected).for_each(|(&f, e)| adjusted.see(case, f, e));
    }
}

#[test]
fn changes() {
    let mut changes = 0;
    for (case, line) in (0..).zip(golden("changes.tsv.zst")) {
        let expected: Vec<usize> = line.split_whitespace().map(|n| n.parse().unwrap()).collect();
        let s = series(case);
        let found = pelt(&s.values, s.min_size, s.jump, s.penalty).unwrap();
        assert_eq!(found.at, expected, "case {case}");
        // The strongest is the one without which the error rises most.
        let error = |piece: &[f64]| {
            let mean = piece.iter().sum::<f64>() / piece.len() as f64;
            piece.iter().map(|v| (v - mean).powi(2)).sum::<f64>()
        };
        let ends = [&[0], &expected[..], &[s.values.len()]].concat();
        let gain =
            |w: &[usize]| error(&s.values[w[0]..w[2]]) - error(&s.values[w[0]..w[1]]) - error(&s.values[w[1]..w[2]]);
        let strongest = ends.windows(3).max_by(|a, b| gain(a).total_cmp(&gain(b))).map(|w| w[1]);
        assert_eq!(found.strongest, strongest, "case {case}");
        changes += expected.len();
    }
    assert!(changes > 2000, "{changes} changes");
}
