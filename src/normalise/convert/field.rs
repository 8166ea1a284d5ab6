//! One scalar out of a JSON text, without building the rest.

use std::borrow::Cow;
use std::fmt;

use memchr::memmem;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::model::Value;

/// The scalar at a dotted path through objects and, by index, arrays, unless it is null, empty text or absent. Invalid JSON has no fields.
pub(crate) fn find(text: &str, path: &str) -> Option<Value<'static>> {
    // Most texts do not have the field: a substring search is cheaper than a parse.
    let last = path.rsplit('.').next().unwrap_or(path);
    memmem::find(text.as_bytes(), last.as_bytes())?;
    let mut de = serde_json::Deserializer::from_str(text);
    let found = At(Some(path)).deserialize(&mut de).ok()?;
    found.filter(|v| v.as_str() != Some(""))
}

/// Where in the path the value stands; `None` at its end.
struct At<'p>(Option<&'p str>);

impl<'de> DeserializeSeed<'de> for At<'_> {
    type Value = Option<Value<'static>>;

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<Self::Value, D::Error> {
        d.deserialize_any(self)
    }
}

impl<'p> At<'p> {
    /// The first segment of the path and what comes after it.
    fn step(&self) -> (&'p str, Option<&'p str>) {
        match self.0 {
            None => ("", None),
            Some(path) => path.split_once('.').map_or((path, None), |(head, rest)| (head, Some(rest))),
        }
    }

    fn scalar<E>(&self, value: Value<'static>) -> Result<Option<Value<'static>>, E> {
        Ok(self.0.is_none().then_some(value))
    }
}

impl<'de> Visitor<'de> for At<'_> {
    type Value = Option<Value<'static>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_bool<E: Error>(self, v: bool) -> Result<Self::Value, E> {
        self.scalar(Value::Bool(v))
    }

    fn visit_i64<E: Error>(self, v: i64) -> Result<Self::Value, E> {
        self.scalar(Value::Int(v))
    }

    fn visit_u64<E: Error>(self, v: u64) -> Result<Self::Value, E> {
        i64::try_from(v).map_or(Ok(None), |v| self.scalar(Value::Int(v)))
    }

    fn visit_f64<E: Error>(self, v: f64) -> Result<Self::Value, E> {
        self.scalar(Value::Double(v))
    }

    fn visit_str<E: Error>(self, v: &str) -> Result<Self::Value, E> {
        self.scalar(Value::Str(Cow::Owned(v.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let (head, rest) = self.step();
        let index = head.parse::<usize>().ok();
        let mut found = None;
        let mut i = 0;
        loop {
            if index == Some(i) {
                match seq.next_element_seed(At(rest))? {
                    Some(at_index) => found = at_index,
                    None => return Ok(found),
                }
            } else if seq.next_element::<IgnoredAny>()?.is_none() {
                return Ok(found);
            }
            i += 1;
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (head, rest) = self.step();
        let mut found = None;
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            if self.0.is_some() && found.is_none() && key == head {
                found = map.next_value_seed(At(rest))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}
