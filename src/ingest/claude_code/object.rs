//! JSON objects of which some members are asked for by name and all others are kept as they are.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::ingest::json::scan;
use crate::limits::VALUE_DEPTH;
use crate::model::{Attributes, Value};

/// One object; its members still JSON.
#[derive(Default)]
pub(super) struct Object<'a>(Vec<Member<'a>>);

struct Member<'a> {
    key: Cow<'a, str>,
    json: &'a str,
    taken: bool,
}

impl<'a> Object<'a> {
    /// Reads text that is known to be JSON; `None` when it is not an object.
    pub(super) fn read(json: &'a str) -> Option<Object<'a>> {
        let members = scan::members(json.as_bytes()).ok()?;
        let mut out = Vec::with_capacity(members.len());
        for (key, range) in members {
            let key = std::str::from_utf8(key).ok()?;
            out.push(Member { key: unescaped(key), json: &json[range], taken: false });
        }
        Some(Object(out))
    }

    /// The JSON of a member, which is taken by that; `None` when it is missing or null.
    pub(super) fn json(&mut self, key: &str) -> Option<&'a str> {
        let member = self.0.iter_mut().rev().find(|m| m.key == key)?;
        member.taken = true;
        Some(member.json).filter(|json| *json != "null")
    }

    /// A member of which `read` makes something; when it does not, the member stays.
    fn read_as<T>(&mut self, key: &str, read: impl FnOnce(&'a str) -> Option<T>) -> Option<T> {
        let member = self.0.iter_mut().rev().find(|m| m.key == key)?;
        let value = read(member.json);
        member.taken |= value.is_some();
        value
    }

    /// A text, also an empty one.
    pub(super) fn text(&mut self, key: &str) -> Option<Cow<'a, str>> {
        self.read_as(key, text)
    }

    /// A text that is not empty.
    pub(super) fn filled(&mut self, key: &str) -> Option<Cow<'a, str>> {
        self.text(key).filter(|t| !t.is_empty())
    }

    /// A text, which stays among the members.
    pub(super) fn look(&self, key: &str) -> Option<Cow<'a, str>> {
        self.0.iter().rev().find(|m| m.key == key).and_then(|m| text(m.json)).filter(|t| !t.is_empty())
    }

    /// Whether a member is `true`; taken when it is a boolean.
    pub(super) fn flag(&mut self, key: &str) -> bool {
        let read = |json: &str| match json {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        };
        self.read_as(key, read).unwrap_or(false)
    }

    /// An object.
    pub(super) fn object(&mut self, key: &str) -> Option<Object<'a>> {
        self.read_as(key, Object::read)
    }

    /// A member as attribute value.
    pub(super) fn value(&mut self, key: &str) -> Option<Value<'a>> {
        self.json(key).map(value)
    }

    /// Takes a member that says nothing but what is known anyway.
    pub(super) fn known(&mut self, key: &str, known: &str) {
        self.read_as(key, |json| (text(json)? == known).then_some(()));
    }

    /// Takes members whose values are known from elsewhere.
    pub(super) fn take(&mut self, keys: &[&str]) {
        self.0.iter_mut().filter(|m| keys.contains(&&*m.key)).for_each(|m| m.taken = true);
    }

    /// All that was not taken, as attributes under a prefix. What is null is missing.
    pub(super) fn rest(self, prefix: &str, out: &mut Attributes<'a>) {
        for member in self.0 {
            if !member.taken && member.json != "null" {
                out.push((Cow::Owned(format!("{prefix}{}", member.key)), value(member.json)));
            }
        }
    }
}

/// The elements of an array; nothing when it is none.
pub(super) fn elements(json: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let listed = scan::elements(json.as_bytes(), |range| {
        out.push(&json[range]);
        Ok::<_, scan::Broken>(())
    });
    if listed.is_err() {
        out.clear();
    }
    out
}

/// The text that a JSON string stands for.
pub(super) fn text(json: &str) -> Option<Cow<'_, str>> {
    json.strip_prefix('"')?.strip_suffix('"').map(unescaped)
}

/// Half a surrogate pair, which JavaScript writes and no text can hold, leaves the string as it was written.
fn unescaped(inner: &str) -> Cow<'_, str> {
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    serde_json::from_str(&format!("\"{inner}\"")).map_or(Cow::Borrowed(inner), Cow::Owned)
}

/// JSON as attribute value; what no value can hold stays JSON text.
pub(super) fn value(json: &str) -> Value<'_> {
    let mut de = serde_json::Deserializer::from_str(json);
    Plain { depth: 0 }.deserialize(&mut de).unwrap_or(Value::Str(Cow::Borrowed(json)))
}

/// 2^63.
const BEYOND_INTEGERS: f64 = 9_223_372_036_854_775_808.0;

#[derive(Clone, Copy)]
struct Plain {
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Plain {
    type Value = Value<'de>;

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<Value<'de>, D::Error> {
        d.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Plain {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a value that nests at most {VALUE_DEPTH} deep")
    }

    fn visit_unit<E: Error>(self) -> Result<Value<'de>, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, v: bool) -> Result<Value<'de>, E> {
        Ok(Value::Bool(v))
    }

    fn visit_i64<E: Error>(self, v: i64) -> Result<Value<'de>, E> {
        Ok(Value::Int(v))
    }

    fn visit_u64<E: Error>(self, v: u64) -> Result<Value<'de>, E> {
        i64::try_from(v).map(Value::Int).map_err(|_| E::custom("integer beyond 64 bits"))
    }

    fn visit_f64<E: Error>(self, v: f64) -> Result<Value<'de>, E> {
        // An integer beyond 64 bits comes here as well, rounded.
        if v.abs() >= BEYOND_INTEGERS { Err(E::custom("integer beyond 64 bits")) } else { Ok(Value::Double(v)) }
    }

    fn visit_borrowed_str<E: Error>(self, v: &'de str) -> Result<Value<'de>, E> {
        Ok(Value::Str(Cow::Borrowed(v)))
    }

    fn visit_str<E: Error>(self, v: &str) -> Result<Value<'de>, E> {
        Ok(Value::Str(Cow::Owned(v.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value<'de>, A::Error> {
        let inner = self.deeper()?;
        let mut out = Vec::new();
        while let Some(item) = seq.next_element_seed(inner)? {
            out.push(item);
        }
        Ok(Value::Array(out))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value<'de>, A::Error> {
        let inner = self.deeper()?;
        let mut out: Attributes<'de> = Vec::new();
        while let Some(key) = map.next_key::<Key<'de>>()? {
            out.push((key.0, map.next_value_seed(inner)?));
        }
        Ok(Value::Map(out))
    }
}

impl Plain {
    fn deeper<E: Error>(self) -> Result<Plain, E> {
        if self.depth >= VALUE_DEPTH {
            return Err(E::custom("nests too deep"));
        }
        Ok(Plain { depth: self.depth + 1 })
    }
}

/// A key that borrows where it can.
struct Key<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Keys;

        impl<'de> Visitor<'de> for Keys {
            type Value = Key<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_borrowed_str<E: Error>(self, v: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(v)))
            }

            fn visit_str<E: Error>(self, v: &str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(v.to_owned())))
            }
        }

        d.deserialize_str(Keys)
    }
}

/// The same attributes, borrowing nothing.
pub(super) fn owned(attributes: Attributes<'_>) -> Attributes<'static> {
    attributes.into_iter().map(|(key, value)| (Cow::Owned(key.into_owned()), owned_value(value))).collect()
}

/// The same value, borrowing nothing; nests at most `VALUE_DEPTH` deep.
fn owned_value(value: Value<'_>) -> Value<'static> {
    match value {
        Value::Null => Value::Null,
        Value::Bool(v) => Value::Bool(v),
        Value::Int(v) => Value::Int(v),
        Value::Double(v) => Value::Double(v),
        Value::Str(s) => Value::Str(Cow::Owned(s.into_owned())),
        Value::Bytes(b) => Value::Bytes(Cow::Owned(b.into_owned())),
        Value::Array(items) => Value::Array(items.into_iter().map(owned_value).collect()),
        Value::Map(entries) => Value::Map(owned(entries)),
    }
}
