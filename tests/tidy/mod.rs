//! Rules of style that a reader relies on, checked on every run.

use std::path::{Path, PathBuf};

/// Longest source file.
const MAX_LINES: usize = 600;

fn sources(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push(path);
        }
    }
}

fn all(folders: &[&str]) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    for folder in folders {
        sources(&root.join(folder), &mut paths);
    }
    assert!(!paths.is_empty());
    paths
        .into_iter()
        .map(|p| (p.strip_prefix(root).unwrap().display().to_string(), std::fs::read_to_string(&p).unwrap()))
        .collect()
}

/// What a source names, comments left out.
fn names(text: &str, word: &str) -> bool {
    text.lines().any(|l| !l.trim_start().starts_with("//") && l.contains(word))
}

#[test]
fn data_flows_one_way() {
    let rules: &[(&str, &[&str])] = &[
        ("src/ingest", &["crate::store", "crate::segment", "crate::scan", "redb::"]),
        ("src/normalise", &["crate::store", "crate::segment", "crate::scan", "crate::ingest", "redb::"]),
        (
            "src/scores",
            &["crate::store", "crate::segment", "crate::scan", "crate::ingest", "crate::normalise", "redb::"],
        ),
        (
            "src/cost",
            &[
                "crate::store",
                "crate::segment",
                "crate::scan",
                "crate::ingest",
                "crate::normalise",
                "crate::derive",
                "redb::",
            ],
        ),
        ("src/loops", &["crate::store", "crate::segment", "crate::scan", "crate::ingest", "crate::derive", "arrow::"]),
        ("src/stats", &["crate::"]),
        ("src/drift", &["crate::store", "crate::segment", "crate::scan", "crate::ingest", "crate::derive", "arrow::"]),
        ("src/batch", &["crate::store", "crate::scan", "crate::ingest", "redb::"]),
        ("src/derive", &["crate::store", "crate::segment", "crate::scan", "crate::ingest", "redb::"]),
        ("src/segment", &["crate::store", "crate::scan", "crate::ingest", "redb::"]),
        ("src/store", &["crate::scan", "crate::ingest", "crate::import"]),
        ("src", &["datafusion"]),
    ];
    for (folder, forbidden) in rules {
        for (path, text) in all(&[folder]) {
            for word in *forbidden {
                assert!(!names(&text, word), "{path} names {word}");
            }
        }
    }
}

#[test]
fn files_are_short_and_well_named() {
    for (path, text) in all(&["src", "query/src", "tests", "query/tests", "examples", "benches"]) {
        let lines = text.lines().count();
        assert!(lines <= MAX_LINES, "{path} has {lines} lines");
        let stem = Path::new(&path).file_stem().unwrap().to_str().unwrap().to_string();
        let vague = ["util", "utils", "helper", "helpers", "common", "misc"];
        assert!(!vague.contains(&stem.as_str()), "{path}: the name says nothing");
    }
}

#[test]
fn one_major_version_of_arrow() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let lock = std::fs::read_to_string(root.join("Cargo.lock")).unwrap();
    for name in ["arrow", "arrow-array", "arrow-schema", "parquet"] {
        let found = lock.matches(&format!("name = \"{name}\"\n")).count();
        assert_eq!(found, 1, "{name} is in Cargo.lock {found} times");
    }
}
