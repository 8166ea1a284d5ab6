//! Families of dotted keys as one JSON document, and back.
//!
//! OpenInference writes a message list as `llm.input_messages.0.message.role`, `llm.input_messages.0.message.content`
//! and so on. [`assemble`] puts such keys together by their path: a number is an index into an array, any other
//! segment a key of an object, the constant level after the first index (`message.`) is dropped. [`flatten`] is the
//! exact reverse, so keys that were assembled need not be kept twice.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::limits::{ASSEMBLED_KEYS, ASSEMBLED_OBJECT_KEYS, VALUE_DEPTH};
use crate::model::{Attributes, Value};
use crate::typed_json::{TypedJsonError, read_value, write_string, write_value};

/// A document made of dotted keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assembled {
    /// JSON array.
    pub json: String,
    /// Positions, as given, of the keys that the document holds exactly.
    pub taken: Vec<usize>,
}

/// Assembles keys that begin with `prefix<index>.<level>`, given as (position, key, value).
///
/// A key that does not fit is left out: another level, a value that is not a scalar, a path that another key
/// contradicts. Missing indices become `null`. `None` when no key fits.
pub fn assemble<'a>(
    prefix: &str,
    level: &str,
    keys: impl Iterator<Item = (usize, &'a str, &'a Value<'a>)>,
) -> Option<Assembled> {
    let mut root = Node::Array(BTreeMap::new());
    let mut taken = Vec::new();
    for (position, key, value) in keys.take(ASSEMBLED_KEYS) {
        if fits(value)
            && let Some(path) = path_of(prefix, level, key)
            && root.insert(&path, value)
        {
            taken.push(position);
        }
    }
    if taken.is_empty() {
        return None;
    }
    let mut writer = Writer { out: String::new(), gaps_left: taken.len() + GAPS };
    writer.node(&root);
    if writer.gaps_left == 0 {
        // Indices are too far apart to keep their places: the document is still good to read, but not reversible.
        taken.clear();
    }
    Some(Assembled { json: writer.out, taken })
}

/// The keys and values that `assemble` was given, in the order of the document.
///
/// # Errors
/// When the text is not a document as `assemble` writes it.
pub fn flatten(prefix: &str, level: &str, json: &str) -> Result<Attributes<'static>, TypedJsonError> {
    let mut out = Vec::new();
    if let Value::Array(items) = read_value(json)? {
        for (i, item) in items.into_iter().enumerate() {
            if let Value::Map(entries) = item {
                for (key, value) in entries {
                    flatten_into(format!("{prefix}{i}.{level}{key}"), value, &mut out);
                }
            }
        }
    }
    Ok(out)
}

fn flatten_into(key: String, value: Value<'static>, out: &mut Attributes<'static>) {
    match value {
        // Where an array has a gap.
        Value::Null => {}
        Value::Array(items) => {
            for (i, item) in items.into_iter().enumerate() {
                flatten_into(format!("{key}.{i}"), item, out);
            }
        }
        Value::Map(entries) => {
            for (k, v) in entries {
                flatten_into(format!("{key}.{k}"), v, out);
            }
        }
        scalar => out.push((Cow::Owned(key), scalar)),
    }
}

/// Gaps in arrays that are allowed beyond one per key.
const GAPS: usize = 64;

/// Values that JSON tells apart without a wrapper, and that cannot be mistaken for a gap or for structure.
fn fits(value: &Value<'_>) -> bool {
    match value {
        Value::Bool(_) | Value::Int(_) | Value::Str(_) => true,
        Value::Double(v) => v.is_finite(),
        Value::Null | Value::Bytes(_) | Value::Array(_) | Value::Map(_) => false,
    }
}

#[derive(Clone, Copy)]
enum Segment<'a> {
    Index(u32),
    Key(&'a str),
}

fn segment(text: &str) -> Option<Segment<'_>> {
    match text.as_bytes() {
        [] | [b'$', ..] => None,
        // Only the spelling that `flatten` will write is an index.
        [b'0'] => Some(Segment::Index(0)),
        [b'1'..=b'9', rest @ ..] if rest.len() < 9 && rest.iter().all(u8::is_ascii_digit) => {
            Some(Segment::Index(text.parse().ok()?))
        }
        _ => Some(Segment::Key(text)),
    }
}

fn path_of<'a>(prefix: &str, level: &str, key: &'a str) -> Option<Vec<Segment<'a>>> {
    let (index, rest) = key.strip_prefix(prefix)?.split_once('.')?;
    let index @ Segment::Index(_) = segment(index)? else { return None };
    let mut path = vec![index];
    for text in rest.strip_prefix(level)?.split('.') {
        if path.len() >= VALUE_DEPTH {
            return None;
        }
        path.push(segment(text)?);
    }
    // The items of the outermost array are objects, so that a gap in it cannot be mistaken for a value.
    matches!(path.get(1), Some(Segment::Key(_))).then_some(path)
}

enum Node<'a> {
    Leaf(&'a Value<'a>),
    Object(Vec<(&'a str, Node<'a>)>),
    Array(BTreeMap<u32, Node<'a>>),
}

impl<'a> Node<'a> {
    fn for_path(path: &[Segment<'a>], value: &'a Value<'a>) -> Self {
        match path {
            [] => Node::Leaf(value),
            [Segment::Index(i), rest @ ..] => Node::Array(BTreeMap::from([(*i, Node::for_path(rest, value))])),
            [Segment::Key(k), rest @ ..] => Node::Object(vec![(*k, Node::for_path(rest, value))]),
        }
    }

    /// Whether the value found its place; nothing changes when another value or another shape has it.
    fn insert(&mut self, path: &[Segment<'a>], value: &'a Value<'a>) -> bool {
        match (self, path) {
            (Node::Array(items), [Segment::Index(i), rest @ ..]) => match items.get_mut(i) {
                Some(child) => child.insert(rest, value),
                None => {
                    items.insert(*i, Node::for_path(rest, value));
                    true
                }
            },
            (Node::Object(entries), [Segment::Key(k), rest @ ..]) => {
                // Keys of one object mostly come together, so the last one is the likeliest.
                if let Some((_, child)) = entries.iter_mut().rev().find(|(key, _)| key == k) {
                    return child.insert(rest, value);
                }
                let room = entries.len() < ASSEMBLED_OBJECT_KEYS;
                if room {
                    entries.push((*k, Node::for_path(rest, value)));
                }
                room
            }
            _ => false,
        }
    }
}

struct Writer {
    out: String,
    gaps_left: usize,
}

impl Writer {
    fn node(&mut self, node: &Node<'_>) {
        match node {
            Node::Leaf(value) => write_value(&mut self.out, value),
            Node::Object(entries) => {
                self.out.push('{');
                for (i, (key, child)) in entries.iter().enumerate() {
                    if i > 0 {
                        self.out.push(',');
                    }
                    write_string(&mut self.out, key);
                    self.out.push(':');
                    self.node(child);
                }
                self.out.push('}');
            }
            Node::Array(items) => {
                self.out.push('[');
                let mut next = 0;
                for (&i, child) in items {
                    while next < i && self.gaps_left > 0 {
                        self.out.push_str("null,");
                        self.gaps_left -= 1;
                        next += 1;
                    }
                    self.node(child);
                    self.out.push(',');
                    next = i + 1;
                }
                if self.out.ends_with(',') {
                    self.out.pop();
                }
                self.out.push(']');
            }
        }
    }
}
