//! Reads typed JSON back into values.

use std::borrow::Cow;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::{BYTES, DOUBLE, MAP, TypedJsonError};
use crate::model::{Attributes, Value};

/// Reads the text of an `attributes` column: an object whose keys are attributes, in their order.
pub fn read_attributes(text: &str) -> Result<Attributes<'static>, TypedJsonError> {
    let mut de = serde_json::Deserializer::from_str(text);
    let map = EntriesSeed.deserialize(&mut de)?;
    de.end()?;
    Ok(map)
}

/// Reads one value.
pub fn read_value(text: &str) -> Result<Value<'static>, TypedJsonError> {
    let mut de = serde_json::Deserializer::from_str(text);
    let Typed(value) = Typed::deserialize(&mut de)?;
    de.end()?;
    Ok(value)
}

struct EntriesSeed;

impl<'de> DeserializeSeed<'de> for EntriesSeed {
    type Value = Attributes<'static>;

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<Self::Value, D::Error> {
        d.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for EntriesSeed {
    type Value = Attributes<'static>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some((key, raw)) = map.next_entry::<String, Raw>()? {
            entries.push((Cow::Owned(key), raw.interpret()?));
        }
        Ok(entries)
    }
}

struct Typed(Value<'static>);

impl<'de> Deserialize<'de> for Typed {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(RawVisitor)?.interpret().map(Typed)
    }
}

/// A value whose own object, if it is one, is not interpreted yet: only its surroundings know whether it may be one
/// of the `$` forms.
enum Raw {
    Value(Value<'static>),
    Object(Attributes<'static>),
    Wrapped(&'static str, Box<Raw>),
}

impl Raw {
    fn interpret<E: Error>(self) -> Result<Value<'static>, E> {
        match self {
            Raw::Value(v) => Ok(v),
            Raw::Object(entries) => Ok(Value::Map(entries)),
            Raw::Wrapped(DOUBLE, inner) => match *inner {
                Raw::Value(Value::Str(word)) if word == "NaN" => Ok(Value::Double(f64::NAN)),
                Raw::Value(Value::Str(word)) if word == "Infinity" => Ok(Value::Double(f64::INFINITY)),
                Raw::Value(Value::Str(word)) if word == "-Infinity" => Ok(Value::Double(f64::NEG_INFINITY)),
                _ => Err(E::custom("$double holds no special double")),
            },
            Raw::Wrapped(BYTES, inner) => match *inner {
                Raw::Value(Value::Str(text)) => STANDARD
                    .decode(text.as_bytes())
                    .map(|b| Value::Bytes(Cow::Owned(b)))
                    .map_err(|e| E::custom(format_args!("$bytes: {e}"))),
                _ => Err(E::custom("$bytes holds no text")),
            },
            Raw::Wrapped(_, inner) => inner.uninterpreted().map(Value::Map),
        }
    }

    /// The inside of `$map`: an object as it stands, whatever its key looks like.
    fn uninterpreted<E: Error>(self) -> Result<Attributes<'static>, E> {
        match self {
            Raw::Object(entries) => Ok(entries),
            Raw::Wrapped(key, inner) => Ok(vec![(Cow::Borrowed(key), inner.interpret()?)]),
            Raw::Value(_) => Err(E::custom("$map holds no object")),
        }
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a typed JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Raw, E> {
        Ok(Raw::Value(Value::Null))
    }

    fn visit_bool<E: Error>(self, v: bool) -> Result<Raw, E> {
        Ok(Raw::Value(Value::Bool(v)))
    }

    fn visit_i64<E: Error>(self, v: i64) -> Result<Raw, E> {
        Ok(Raw::Value(Value::Int(v)))
    }

    fn visit_u64<E: Error>(self, v: u64) -> Result<Raw, E> {
        i64::try_from(v).map(|v| Raw::Value(Value::Int(v))).map_err(|_| E::custom("integer beyond 64 bits"))
    }

    fn visit_f64<E: Error>(self, v: f64) -> Result<Raw, E> {
        Ok(Raw::Value(Value::Double(v)))
    }

    fn visit_str<E: Error>(self, v: &str) -> Result<Raw, E> {
        Ok(Raw::Value(Value::Str(Cow::Owned(v.to_owned()))))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(Typed(item)) = seq.next_element()? {
            items.push(item);
        }
        Ok(Raw::Value(Value::Array(items)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
        let Some((key, first)) = map.next_entry::<String, Raw>()? else {
            return Ok(Raw::Object(Vec::new()));
        };
        let Some((key2, second)) = map.next_entry::<String, Raw>()? else {
            return match [DOUBLE, BYTES, MAP].into_iter().find(|form| *form == key) {
                Some(form) => Ok(Raw::Wrapped(form, Box::new(first))),
                None => Ok(Raw::Object(vec![(Cow::Owned(key), first.interpret()?)])),
            };
        };
        let mut entries = vec![(Cow::Owned(key), first.interpret()?), (Cow::Owned(key2), second.interpret()?)];
        while let Some((key, raw)) = map.next_entry::<String, Raw>()? {
            entries.push((Cow::Owned(key), raw.interpret()?));
        }
        Ok(Raw::Object(entries))
    }
}
