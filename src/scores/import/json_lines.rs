//! Scores as JSON lines: one object per line.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

use super::{Given, Record, ScoreReject, ScoresFile, field};

/// Reads all lines that are not blank.
pub(super) fn read(bytes: &[u8], out: &mut ScoresFile) {
    for (line, text) in (1..).zip(bytes.split(|&b| b == b'\n')) {
        if text.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        match score(text, out) {
            Ok(record) => match record.score() {
                Ok(score) => out.scores.push(score),
                Err(reason) => out.rejects.push(ScoreReject { line, reason }),
            },
            Err(reason) => out.rejects.push(ScoreReject { line, reason }),
        }
    }
}

fn score(text: &[u8], out: &mut ScoresFile) -> Result<Record<'static>, String> {
    let Pairs(pairs) = serde_json::from_slice(text).map_err(|e| {
        // Its own line is always the first.
        let text = e.to_string();
        let what = text.rsplit_once(" at line ").map_or(text.as_str(), |(what, _)| what);
        format!("no JSON object: {what}, column {}", e.column())
    })?;
    let mut record = Record::default();
    for (key, value) in pairs {
        let Some(field) = field(&key) else {
            out.ignore(&key);
            continue;
        };
        let given = match value {
            serde_json::Value::Null => continue,
            serde_json::Value::String(s) => Given::Text(Cow::Owned(s)),
            serde_json::Value::Number(n) => match (n.as_i64(), n.as_f64()) {
                (Some(v), _) => Given::Int(v),
                (None, Some(v)) => Given::Float(v),
                (None, None) => return Err(format!("{key} is no number that can be kept")),
            },
            _ => return Err(format!("{key} is neither text nor a number")),
        };
        if !record.set(field, given) {
            return Err(format!("{key} is there twice"));
        }
    }
    Ok(record)
}

/// An object's entries in their order, duplicates kept.
struct Pairs(Vec<(String, serde_json::Value)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_map(PairsVisitor)
    }
}

struct PairsVisitor;

impl<'de> Visitor<'de> for PairsVisitor {
    type Value = Pairs;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(Pairs(pairs))
    }
}
