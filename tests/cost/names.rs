//! Which model a name leads to, against the price list's own program.
//!
//! `testdata/prices/names.tsv.zst` has the ids of all models and the texts of all rules, as they are and with dates,
//! regions, versions and endings, and the model that the program takes for each. Here other models are found
//!
//! * for names with a prefix, date or version that the program does not know, where it takes our model for the name
//!   without it;
//! * for the list's own ids, which the program does not always know for names;
//! * and for the names in `testdata/prices/name_differences.tsv`, which says why.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;

use spanfile::cost::{MatchKind, PriceBook};

const ABOUT: &str = "\
# Names that lead to another model here than in the price list's own program, and no rule of ours explains it: provider,
# name, the program's model, ours, and how ours was found or why none was. The names are made up of those in the list;
# most are nobody's.
#
# unknown_model: the program's rule looks for a text anywhere in a name, or has a date like 2026-01-02 after a text that
#   needs another. Our rules hold from the beginning, after a region that exists. No cost is better than a guess.
# date_stripped: the program has a rule for another model that speaks for all names with some beginning, or asks the
#   maker's prices of a name that the reseller has itself. The whole name before the date says more: ours is right.
";

/// What our rules make of a name before they look for it.
fn shortened(name: &str) -> impl Iterator<Item = &str> {
    let prefix = name.rsplit_once('/').map(|(_, rest)| rest);
    let dates = [9, 11].into_iter().filter_map(|length| name.get(..name.len().checked_sub(length)?));
    let version = name.strip_suffix("-v1:0");
    prefix.into_iter().chain(dates).chain(version)
}

#[test]
fn names_lead_where_the_list_leads_them() {
    let packed = include_bytes!("../../testdata/prices/names.tsv.zst");
    let golden = String::from_utf8(zstd::decode_all(&packed[..]).unwrap()).unwrap();
    let lines: Vec<[&str; 3]> = golden.lines().map(|l| l.split('\t').collect::<Vec<_>>().try_into().unwrap()).collect();
    let by_name: HashMap<(&str, &str), &str> = lines.iter().map(|&[p, n, theirs]| ((p, n), theirs)).collect();
    let book = PriceBook::bundled();
    let mut differences = String::new();
    let mut seen: BTreeMap<&str, u32> = BTreeMap::new();
    for &[provider, name, theirs] in &lines {
        let ours = book.find(Some(provider), Some(name), None);
        let (key, kind) = match &ours {
            Ok(m) => (m.price_key(), m.kind.name()),
            Err(e) => (String::new(), e.why.name()),
        };
        let why = match &ours {
            _ if key == theirs => "the same",
            Ok(m) if theirs.is_empty() && m.kind == MatchKind::Exact && m.model().id().to_lowercase() == name => {
                "an id"
            }
            Ok(_)
                if theirs.is_empty() && shortened(name).any(|n| by_name.get(&(provider, n)) == Some(&key.as_str())) =>
            {
                "known when shortened"
            }
            // `claude-opus-4-10` is not `claude-opus-4-1`.
            Err(_)
                if name.strip_suffix('0').is_some_and(|n| {
                    n.ends_with(|c: char| c.is_ascii_digit()) && by_name.get(&(provider, n)) == Some(&theirs)
                }) =>
            {
                "another number"
            }
            _ => {
                writeln!(differences, "{provider}\t{name}\t{theirs}\t{key}\t{kind}").unwrap();
                "listed"
            }
        };
        *seen.entry(why).or_default() += 1;
    }
    println!("{} names: {seen:?}", lines.len());
    assert!(lines.len() > 20_000 && seen["the same"] * 10 > lines.len() as u32 * 6);
    let table = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/prices/name_differences.tsv");
    if std::env::var_os("SPANFILE_BLESS").is_some() {
        std::fs::write(&table, format!("{ABOUT}{differences}")).unwrap();
    }
    let committed = std::fs::read_to_string(&table).unwrap_or_default();
    let committed: String = committed.lines().filter(|l| !l.starts_with('#')).flat_map(|l| [l, "\n"]).collect();
    assert_eq!(differences, committed, "names that lead elsewhere than in the list");
}
