//! Looks into canonical text, which has no spaces and one form for everything.

use memchr::memchr2;

use crate::typed_json::read_value;

/// The entries of an object, keys as written.
#[derive(Debug)]
pub(super) struct Entries<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Entries<'a> {
    /// The entries of the object that the canonical text is; of any other text none.
    pub(super) fn of(canonical: &'a str) -> Self {
        let mut entries = Vec::new();
        let mut at = if canonical.starts_with('{') { 1 } else { canonical.len() };
        while canonical.as_bytes().get(at) == Some(&b'"') {
            let key_to = skip(canonical, at);
            let to = skip(canonical, key_to + 1);
            entries.push((&canonical[at + 1..key_to - 1], &canonical[key_to + 1..to]));
            at = to + 1;
        }
        Entries(entries)
    }

    pub(super) fn get(&self, key: &str) -> Option<&'a str> {
        self.0.iter().find(|(k, _)| *k == key).map(|(_, v)| *v)
    }

    /// Whether every key is one of these.
    pub(super) fn only(&self, keys: &[&str]) -> bool {
        self.0.iter().all(|(k, _)| keys.contains(k))
    }

    /// The object without the entries of such a value.
    pub(super) fn without(&self, dropped: fn(&str) -> bool) -> String {
        let kept: Vec<String> =
            self.0.iter().filter(|(_, v)| !dropped(v)).map(|(k, v)| format!("\"{k}\":{v}")).collect();
        format!("{{{}}}", kept.join(","))
    }
}

/// Where the value that begins at `at` ends.
fn skip(canonical: &str, at: usize) -> usize {
    let bytes = canonical.as_bytes();
    let mut depth = 0usize;
    let mut i = at;
    while let Some(byte) = bytes.get(i) {
        match byte {
            b'"' => i = string_end(bytes, i),
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth == 0 => return i,
            b'}' | b']' => depth -= 1,
            b',' | b':' if depth == 0 => return i,
            _ => {}
        }
        i += 1;
        if depth == 0 && matches!(bytes.get(i), None | Some(b',' | b':' | b'}' | b']')) {
            return i;
        }
    }
    bytes.len()
}

/// Where the string that begins at `at` has its closing quote.
fn string_end(bytes: &[u8], at: usize) -> usize {
    let mut i = at + 1;
    while let Some(stop) = bytes.get(i..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
        if bytes[i + stop] == b'"' {
            return i + stop;
        }
        i += stop + 2;
    }
    bytes.len()
}

/// The text of a canonical string.
pub(super) fn text_of(canonical: &str) -> Option<String> {
    if !canonical.starts_with('"') {
        return None;
    }
    match read_value(canonical) {
        Ok(crate::model::Value::Str(text)) => Some(text.into_owned()),
        _ => None,
    }
}
