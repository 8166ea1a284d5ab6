//! Leaves of OTLP JSON: texts, ids, lists, attribute values.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::number::{DoubleVisitor, IntVisitor};
use crate::limits::VALUE_DEPTH;
use crate::model::{Attributes, Value};

/// A string; `null` is an empty one.
#[derive(Default)]
pub(super) struct Text<'a>(pub(super) Cow<'a, str>);

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E: Error>(self, v: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(v))
    }

    fn visit_str<E: Error>(self, v: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(v.to_owned()))
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(""))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(TextVisitor).map(Text)
    }
}

/// An id of N bytes in hex; an empty one is zeros.
pub(super) struct Id<const N: usize>(pub(super) [u8; N]);

impl<const N: usize> Default for Id<N> {
    fn default() -> Self {
        Id([0; N])
    }
}

impl<'de, const N: usize> Deserialize<'de> for Id<N> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let Text(text) = Text::deserialize(d)?;
        if text.is_empty() {
            return Ok(Id::default());
        }
        crate::model::parse_hex(&text).map(Id).ok_or_else(|| {
            let found: String = text.chars().take(80).collect();
            D::Error::custom(format_args!("id {found:?} is not {} hex digits", N * 2))
        })
    }
}

/// An array; `null` is an empty one.
pub(super) struct List<T>(pub(super) Vec<T>);

impl<T> Default for List<T> {
    fn default() -> Self {
        List(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(ListVisitor(PhantomData)).map(List)
    }
}

struct ListVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ListVisitor<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_unit<E: Error>(self) -> Result<Vec<T>, E> {
        Ok(Vec::new())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<T>, A::Error> {
        let mut out = Vec::new();
        while let Some(item) = seq.next_element()? {
            out.push(item);
        }
        Ok(out)
    }
}

/// A list of key-value pairs.
#[derive(Default)]
pub(super) struct Attrs<'a>(pub(super) Attributes<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for Attrs<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        KeyValues { depth: 0 }.deserialize(d).map(Attrs)
    }
}

/// An attribute value.
pub(super) struct AnyValue<'a>(pub(super) Value<'a>);

impl Default for AnyValue<'_> {
    fn default() -> Self {
        AnyValue(Value::Null)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for AnyValue<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Any { depth: 0 }.deserialize(d).map(AnyValue)
    }
}

macro_rules! keys {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $text:literal),* }) => {
        $(#[$doc])*
        enum $name { $($variant,)* Unknown }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                struct Keys;

                impl Visitor<'_> for Keys {
                    type Value = $name;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str("a key")
                    }

                    fn visit_str<E: Error>(self, v: &str) -> Result<$name, E> {
                        Ok(match v { $($text => $name::$variant,)* _ => $name::Unknown })
                    }
                }

                d.deserialize_identifier(Keys)
            }
        }
    };
}

keys!(
    /// Members of a key-value pair.
    PairKey { Key = "key", Value = "value" }
);
keys!(
    /// Members of an attribute value.
    AnyKey {
        Str = "stringValue",
        Bool = "boolValue",
        Int = "intValue",
        Double = "doubleValue",
        Bytes = "bytesValue",
        Array = "arrayValue",
        Map = "kvlistValue"
    }
);
keys!(
    /// Members of an array or key-value list.
    ListKey { Values = "values" }
);

#[derive(Clone, Copy)]
struct KeyValues {
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for KeyValues {
    type Value = Attributes<'de>;

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<Self::Value, D::Error> {
        d.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for KeyValues {
    type Value = Attributes<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of key-value pairs")
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut out = Vec::new();
        while let Some(pair) = seq.next_element_seed(Pair { depth: self.depth })? {
            if out.is_empty() {
                // Most spans have a dozen attributes or so.
                out.reserve(16);
            }
            out.push(pair);
        }
        Ok(out)
    }
}

struct Pair {
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Pair {
    type Value = (Cow<'de, str>, Value<'de>);

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<Self::Value, D::Error> {
        d.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Pair {
    type Value = (Cow<'de, str>, Value<'de>);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with key and value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut key = None;
        let mut value = None;
        while let Some(member) = map.next_key()? {
            match member {
                PairKey::Key if key.is_none() => key = Some(map.next_value::<Text<'de>>()?.0),
                PairKey::Value if value.is_none() => value = Some(map.next_value_seed(Any { depth: self.depth })?),
                PairKey::Key | PairKey::Value => return Err(A::Error::custom("key or value twice in one pair")),
                PairKey::Unknown => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok((key.unwrap_or_default(), value.unwrap_or(Value::Null)))
    }
}

#[derive(Clone, Copy)]
struct Any {
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Any {
    type Value = Value<'de>;

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<Self::Value, D::Error> {
        d.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Any {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with one of stringValue, intValue and so on")
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Value::Null)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        if self.depth > VALUE_DEPTH {
            return Err(A::Error::custom(format_args!("attribute value nests deeper than {VALUE_DEPTH}")));
        }
        let depth = self.depth + 1;
        let mut found: Option<Value<'de>> = None;
        while let Some(member) = map.next_key()? {
            let value = match member {
                AnyKey::Str => map.next_value::<Option<Text<'de>>>()?.map(|t| Value::Str(t.0)),
                AnyKey::Bool => map.next_value::<Option<bool>>()?.map(Value::Bool),
                AnyKey::Int => map.next_value_seed(Maybe(IntVisitor))?.map(Value::Int),
                AnyKey::Double => map.next_value_seed(Maybe(DoubleVisitor))?.map(Value::Double),
                AnyKey::Bytes => match map.next_value::<Option<Text<'de>>>()? {
                    None => None,
                    Some(Text(text)) => Some(Value::Bytes(Cow::Owned(base64(&text).map_err(A::Error::custom)?))),
                },
                AnyKey::Array => map.next_value_seed(Values(Items { depth }))?.map(Value::Array),
                AnyKey::Map => map.next_value_seed(Values(KeyValues { depth }))?.map(Value::Map),
                AnyKey::Unknown => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            if value.is_some() && found.is_some() {
                return Err(A::Error::custom("attribute value of two types"));
            }
            found = value.or(found);
        }
        Ok(found.unwrap_or(Value::Null))
    }
}

/// Base64 in either alphabet, padded or not, as protobuf's JSON mapping allows.
fn base64(text: &str) -> Result<Vec<u8>, base64::DecodeError> {
    const ENGINE: GeneralPurpose = GeneralPurpose::new(
        &STANDARD,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    if text.contains(['-', '_']) {
        return ENGINE.decode(text.replace('-', "+").replace('_', "/"));
    }
    ENGINE.decode(text)
}

/// A value or `null`.
struct Maybe<V>(V);

impl<'de, V: Visitor<'de>> DeserializeSeed<'de> for Maybe<V> {
    type Value = Option<V::Value>;

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<Self::Value, D::Error> {
        d.deserialize_option(self)
    }
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Maybe<V> {
    type Value = Option<V::Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_none<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, d: D) -> Result<Self::Value, D::Error> {
        d.deserialize_any(self.0).map(Some)
    }
}

#[derive(Clone, Copy)]
struct Items {
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Items {
    type Value = Vec<Value<'de>>;

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<Self::Value, D::Error> {
        d.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Items {
    type Value = Vec<Value<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of values")
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut out = Vec::new();
        while let Some(item) = seq.next_element_seed(Any { depth: self.depth })? {
            out.push(item);
        }
        Ok(out)
    }
}

/// `{"values": ...}`, or `null`.
struct Values<S>(S);

impl<'de, S: DeserializeSeed<'de> + Clone> DeserializeSeed<'de> for Values<S>
where
    S::Value: Default,
{
    type Value = Option<S::Value>;

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<Self::Value, D::Error> {
        d.deserialize_any(self)
    }
}

impl<'de, S: DeserializeSeed<'de> + Clone> Visitor<'de> for Values<S>
where
    S::Value: Default,
{
    type Value = Option<S::Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with values")
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut out = None;
        while let Some(member) = map.next_key()? {
            match member {
                ListKey::Values if out.is_none() => out = Some(map.next_value_seed(self.0.clone())?),
                ListKey::Values => return Err(A::Error::custom("values twice in one list")),
                ListKey::Unknown => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(Some(out.unwrap_or_default()))
    }
}
