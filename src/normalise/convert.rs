//! Attribute values to column values.

use std::borrow::Cow;

use super::Cell;
use super::rule::Take;
use crate::instant;
use crate::limits::PARSED_ATTRIBUTE_BYTES;
use crate::model::Value;
use crate::schema::USD_SCALE;
use crate::typed_json::{read_value, write_string, write_value};

mod field;

/// A column value, and whether it holds exactly what the attribute held.
pub(crate) struct Taken<'a> {
    pub(crate) cell: Cell<'a>,
    pub(crate) exact: bool,
}

fn exact(cell: Cell<'_>) -> Option<Taken<'_>> {
    Some(Taken { cell, exact: true })
}

fn converted(cell: Cell<'_>) -> Option<Taken<'_>> {
    Some(Taken { cell, exact: false })
}

/// The column value, or `None` when the attribute is not present (empty) or does not convert.
pub(crate) fn take<'a>(take: Take, value: &'a Value<'_>, span_start_unix_nano: u64) -> Option<Taken<'a>> {
    match take {
        Take::Text => text(value),
        Take::TextBut(nothing) => text(value).filter(|_| !value.as_str().is_some_and(|s| nothing.contains(&s.trim()))),
        Take::Messages => text(value).filter(|_| !value.as_str().is_some_and(are_all_empty)),
        Take::After(beginning) => {
            let rest = value.as_str()?.strip_prefix(beginning).filter(|rest| !rest.is_empty())?;
            converted(Cell::Text(Cow::Borrowed(rest)))
        }
        Take::Json => json(value),
        Take::Words(words) => converted(Cell::Text(Cow::Borrowed(word(value, words)?))),
        Take::Provider => provider(value),
        Take::ProviderBeforeDot => provider_before_dot(value),
        Take::Unquoted => match unquoted(value.as_str()?) {
            Some(inner) => converted(Cell::Text(Cow::Owned(inner))),
            None => text(value),
        },
        Take::Int => int(value),
        Take::Double => double(value),
        Take::Usd => converted(Cell::Usd(usd(value)?.into())),
        Take::FinishReasons => converted(Cell::Text(Cow::Owned(finish_reasons(value)?))),
        Take::SecondsToNs => converted(Cell::Int(scaled_to_ns(value, 1e9)?)),
        Take::MsToNs => converted(Cell::Int(scaled_to_ns(value, 1e6)?)),
        Take::TimeSinceStart => converted(Cell::Int(time_since(value, span_start_unix_nano)?)),
        Take::MsOrSecondsToNs => {
            let ns_per_unit = if matches!(value, Value::Int(_)) { 1e6 } else { 1e9 };
            converted(Cell::Int(scaled_to_ns(value, ns_per_unit)?))
        }
        Take::FieldText(paths) => match first_field(value, paths)? {
            Value::Str(s) => converted(Cell::Text(Cow::Owned(s.into_owned()))),
            other => converted(text(&other)?.cell.into_owned()),
        },
        Take::FieldInt(paths) => converted(int(&first_field(value, paths)?)?.cell.into_owned()),
        Take::FieldDouble(paths) => converted(double(&first_field(value, paths)?)?.cell.into_owned()),
        Take::FieldFinishReason(paths) => {
            converted(Cell::Text(Cow::Owned(finish_reasons(&first_field(value, paths)?)?)))
        }
        Take::FieldArray(name) => converted(Cell::Text(Cow::Owned(field_array(value, name)?))),
        Take::FieldUsd(paths) => converted(Cell::Usd(usd(&first_field(value, paths)?)?.into())),
        Take::FieldJson(paths) => converted(Cell::Text(Cow::Owned(field_json(value, paths)?))),
        Take::SumUsd => converted(Cell::Usd(sum_usd(value)?.into())),
    }
}

impl Cell<'_> {
    fn into_owned(self) -> Cell<'static> {
        match self {
            Cell::Null => Cell::Null,
            Cell::Text(s) => Cell::Text(Cow::Owned(s.into_owned())),
            Cell::Int(v) => Cell::Int(v),
            Cell::Double(v) => Cell::Double(v),
            Cell::Usd(v) => Cell::Usd(v),
        }
    }
}

fn text<'a>(value: &'a Value<'_>) -> Option<Taken<'a>> {
    match value {
        Value::Null => None,
        Value::Str(s) if s.is_empty() => None,
        Value::Str(s) => exact(Cell::Text(Cow::Borrowed(s))),
        Value::Array(items) if items.is_empty() => None,
        Value::Map(entries) if entries.is_empty() => None,
        Value::Bytes(b) if b.is_empty() => None,
        other => {
            let mut out = String::new();
            write_value(&mut out, other);
            converted(Cell::Text(Cow::Owned(out)))
        }
    }
}

fn json<'a>(value: &'a Value<'_>) -> Option<Taken<'a>> {
    match value {
        Value::Str(s) => {
            serde_json::from_str::<serde::de::IgnoredAny>(s).ok()?;
            exact(Cell::Text(Cow::Borrowed(s)))
        }
        other => text(other),
    }
}

/// Whether a JSON text is messages of which each has `parts`, and none has any.
fn are_all_empty(text: &str) -> bool {
    #[derive(serde::Deserialize)]
    struct Message {
        parts: Vec<serde::de::IgnoredAny>,
    }
    // Nearly all messages have content: look for empty parts before parsing.
    let suspicious = memchr::memmem::find(text.as_bytes(), b"\"parts\": []").is_some()
        || memchr::memmem::find(text.as_bytes(), b"\"parts\":[]").is_some();
    suspicious
        && serde_json::from_str::<Vec<Message>>(text).is_ok_and(|messages| messages.iter().all(|m| m.parts.is_empty()))
}

fn word(value: &Value<'_>, words: &[(&'static str, &'static str)]) -> Option<&'static str> {
    let given = match value {
        Value::Bool(true) => "true",
        Value::Bool(false) => "false",
        other => other.as_str()?,
    };
    words.iter().find(|(word, _)| word.eq_ignore_ascii_case(given)).map(|&(_, meaning)| meaning)
}

/// The array of that name in a JSON object.
fn field_array(value: &Value<'_>, name: &str) -> Option<String> {
    let Value::Map(fields) = object(value)? else { return None };
    let (_, field) = fields.iter().find(|(key, _)| key == name)?;
    if !matches!(field, Value::Array(items) if !items.is_empty()) {
        return None;
    }
    let mut out = String::new();
    write_value(&mut out, field);
    Some(out)
}

/// Names of providers that OpenTelemetry has renamed.
const RENAMED_PROVIDERS: [(&str, &str); 4] =
    [("az.ai.openai", "azure.ai.openai"), ("vertex_ai", "gcp.vertex_ai"), ("gemini", "gcp.gemini"), ("xai", "x_ai")];

fn provider<'a>(value: &'a Value<'_>) -> Option<Taken<'a>> {
    let given = value.as_str().filter(|s| !s.is_empty())?;
    if let Some((_, new)) = RENAMED_PROVIDERS.iter().find(|(old, _)| old.eq_ignore_ascii_case(given)) {
        return converted(Cell::Text(Cow::Borrowed(new)));
    }
    let lower = given.to_lowercase();
    if lower == given { exact(Cell::Text(Cow::Borrowed(given))) } else { converted(Cell::Text(Cow::Owned(lower))) }
}

fn provider_before_dot<'a>(value: &'a Value<'_>) -> Option<Taken<'a>> {
    let given = value.as_str()?;
    match given.split_once('.') {
        None => provider(value),
        Some(("", _)) => None,
        Some((name, _)) => converted(Cell::Text(Cow::Owned(name.to_lowercase()))),
    }
}

/// The inside of a JSON string that is not empty; `None` when the text is none.
fn unquoted(text: &str) -> Option<String> {
    if !text.starts_with('"') {
        return None;
    }
    serde_json::from_str::<String>(text).ok().filter(|inner| !inner.is_empty())
}

fn time_since(value: &Value<'_>, start_unix_nano: u64) -> Option<i64> {
    let text = value.as_str()?;
    let time = match unquoted(text) {
        Some(inner) => instant::parse(&inner)?,
        None => instant::parse(text)?,
    };
    time.checked_sub(i64::try_from(start_unix_nano).ok()?).filter(|&ns| ns >= 0)
}

/// Largest magnitude at which every integer is a double.
const EXACT_INTEGERS: f64 = 9_007_199_254_740_992.0;

fn integral(v: f64) -> Option<i64> {
    (v.fract() == 0.0 && v.abs() <= EXACT_INTEGERS).then_some(v as i64)
}

fn int<'a>(value: &Value<'_>) -> Option<Taken<'a>> {
    let taken = match value {
        Value::Int(v) => exact(Cell::Int(*v)),
        Value::Double(v) => converted(Cell::Int(integral(*v)?)),
        Value::Str(s) => converted(Cell::Int(s.trim().parse().ok()?)),
        _ => None,
    };
    taken.filter(|t| matches!(t.cell, Cell::Int(0..)))
}

fn double<'a>(value: &Value<'_>) -> Option<Taken<'a>> {
    match value {
        Value::Double(v) if v.is_finite() => exact(Cell::Double(*v)),
        Value::Int(v) => converted(Cell::Double(*v as f64)),
        Value::Str(s) => converted(Cell::Double(s.trim().parse().ok().filter(|v: &f64| v.is_finite())?)),
        _ => None,
    }
}

fn scaled_to_ns(value: &Value<'_>, ns_per_unit: f64) -> Option<i64> {
    let v = match value {
        Value::Int(v) => *v as f64,
        Value::Double(v) => *v,
        Value::Str(s) => s.trim().parse().ok()?,
        _ => return None,
    };
    let ns = (v * ns_per_unit).round();
    (0.0..EXACT_INTEGERS).contains(&ns).then_some(ns as i64)
}

fn usd(value: &Value<'_>) -> Option<i128> {
    let found = match value {
        Value::Int(v) => Some(i128::from(*v) * 10i128.pow(USD_SCALE as u32)),
        // The shortest text that reads back to the double is what the source meant: 0.1, not 0.1000000000000000055.
        Value::Double(v) if v.is_finite() => decimal(&format!("{v:e}")),
        Value::Str(s) => decimal(s.trim()),
        _ => None,
    };
    found.filter(|pico| pico.unsigned_abs() <= COST_MAX)
}

/// A quadrillion dollars, in pico-dollars. No call costs more, and sums of a hundred billion of these fit a column.
const COST_MAX: u128 = 10u128.pow(27);

/// Largest unscaled value of `Decimal128(38, 12)`.
const USD_MAX: i128 = 10i128.pow(crate::schema::USD_PRECISION as u32) - 1;

/// A decimal number, with or without an exponent, as pico-dollars; more digits than fit are rounded half away from
/// zero.
pub(crate) fn decimal(text: &str) -> Option<i128> {
    let (negative, text) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(e) => (&text[..e], text[e + 1..].parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    // The digit at position p (from 0, most significant first) counts 10^(last - p) pico-dollars.
    let last = (whole.len() as i64 - 1) + i64::from(exponent) + i64::from(USD_SCALE);
    let mut value: i128 = 0;
    for (p, digit) in whole.bytes().chain(fraction.bytes()).enumerate() {
        if !digit.is_ascii_digit() {
            return None;
        }
        let digit = i128::from(digit - b'0');
        match last - p as i64 {
            0.. if digit == 0 => {}
            power @ 0..=38 => value = value.checked_add(digit.checked_mul(10i128.checked_pow(power as u32)?)?)?,
            39.. => return None,
            -1 if digit >= 5 => value += 1,
            _ => {}
        }
    }
    (value <= USD_MAX).then_some(if negative { -value } else { value })
}

fn finish_reasons(value: &Value<'_>) -> Option<String> {
    let mut words: Vec<String> = Vec::new();
    match value {
        Value::Array(items) => words.extend(items.iter().filter_map(Value::as_str).map(finish_reason)),
        Value::Str(s) if s.starts_with('[') => match serde_json::from_str::<Vec<String>>(s) {
            Ok(list) => words.extend(list.iter().map(|w| finish_reason(w))),
            Err(_) => words.push(finish_reason(s)),
        },
        Value::Str(s) => words.push(finish_reason(s)),
        _ => {}
    }
    words.retain(|w| !w.is_empty());
    if words.is_empty() {
        return None;
    }
    let mut out = String::from("[");
    for (i, word) in words.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        write_string(&mut out, word);
    }
    out.push(']');
    Some(out)
}

/// One spelling per reason.
fn finish_reason(word: &str) -> String {
    let word = word.trim().to_lowercase().replace('-', "_");
    match word.as_str() {
        "tool_call" | "tool_use" | "function_call" => "tool_calls".to_owned(),
        "end_turn" | "stop_sequence" => "stop".to_owned(),
        "max_tokens" | "max_output_tokens" => "length".to_owned(),
        "safety" => "content_filter".to_owned(),
        _ => word,
    }
}

/// The sum of all amounts in a JSON object; `None` when one of its fields is no amount, or there is none.
fn sum_usd(value: &Value<'_>) -> Option<i128> {
    let Value::Map(fields) = object(value)? else { return None };
    fields
        .iter()
        .map(|(_, v)| usd(v))
        .try_fold(None, |sum: Option<i128>, v| Some(Some(sum.unwrap_or(0).checked_add(v?)?)))?
}

fn field_json(value: &Value<'_>, paths: &[&str]) -> Option<String> {
    let root = object(value)?;
    let found = paths.iter().find_map(|path| {
        path.split('.').try_fold(&root, |at, key| match at {
            Value::Map(fields) => fields.iter().find(|(k, _)| k == key).map(|(_, v)| v),
            _ => None,
        })
    })?;
    match text(found)?.cell {
        Cell::Text(s) => Some(s.into_owned()),
        _ => None,
    }
}

/// The JSON object that a text holds.
pub(crate) fn object(value: &Value<'_>) -> Option<Value<'static>> {
    read_value(object_text(value)?).ok()
}

/// A JSON object as text that is not too long to be parsed.
fn object_text<'a>(value: &'a Value<'_>) -> Option<&'a str> {
    value.as_str().filter(|s| s.len() <= PARSED_ATTRIBUTE_BYTES && s.trim_start().starts_with('{'))
}

pub(crate) fn first_field(value: &Value<'_>, paths: &[&str]) -> Option<Value<'static>> {
    let text = object_text(value)?;
    paths.iter().find_map(|path| field::find(text, path))
}
