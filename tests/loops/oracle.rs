//! Maximal repetitions by their definition.

use spanfile::loops::{Repetition, repetitions};

use super::Random;

/// Whether a stretch has a period.
fn has_period(stretch: &[u32], period: usize) -> bool {
    (period..stretch.len()).all(|i| stretch[i] == stretch[i - period])
}

/// Tries every stretch: its smallest period fits in it twice, and no longer stretch has that period.
pub(super) fn by_definition(symbols: &[u32], max_period: usize) -> Vec<Repetition> {
    let mut found = Vec::new();
    for start in 0..symbols.len() {
        for end in start + 2..=symbols.len() {
            let stretch = &symbols[start..end];
            let Some(period) = (1..=stretch.len() / 2).find(|&p| has_period(stretch, p)) else { continue };
            let longer_left = start > 0 && has_period(&symbols[start - 1..end], period);
            let longer_right = end < symbols.len() && has_period(&symbols[start..end + 1], period);
            if period <= max_period && !longer_left && !longer_right {
                found.push(Repetition { start, end, period });
            }
        }
    }
    found.sort_by_key(|r| (r.period, r.start));
    found
}

fn compare(sequences: u64, seed: u64) {
    let mut random = Random(seed);
    let mut total = 0;
    for _ in 0..sequences {
        let letters = 1 + random.below(4);
        let length = random.below(41);
        let symbols: Vec<u32> = (0..length).map(|_| random.below(letters) as u32).collect();
        let max_period = if random.below(2) == 0 { 64 } else { random.below(9) as usize };
        let expected = by_definition(&symbols, max_period);
        assert_eq!(repetitions(&symbols, max_period), expected, "{symbols:?}, periods up to {max_period}");
        total += expected.len();
    }
    assert!(total as u64 > sequences, "the sequences hardly repeat: {total}");
}

#[test]
fn repetitions_are_those_of_the_definition() {
    compare(20_000, 1);
    if std::env::var_os("SPANFILE_LONG").is_some() {
        compare(1_000_000, 2);
    }
}
