//! One value of a result, as text and as JSON.
//!
//! Exactness first: integers and decimals keep every digit (in JSON as numbers, which a reader may have to take
//! care of), times are RFC 3339 with nanoseconds, nested values are JSON in every format.

use std::io::Write as _;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, Decimal256Array, Float32Array, Float64Array, Int64Array,
    StringArray, StringViewArray, UInt64Array, UnionArray,
};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, FieldRef, TimeUnit};
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::temporal_conversions::{
    timestamp_ms_to_datetime, timestamp_ns_to_datetime, timestamp_s_to_datetime, timestamp_us_to_datetime,
};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};

/// A column of one batch, ready to be written value by value.
pub(crate) struct Values {
    nulls: Option<datafusion::arrow::buffer::NullBuffer>,
    kind: Kind,
}

enum Kind {
    Null,
    Bool(BooleanArray),
    Int(Int64Array),
    UInt(UInt64Array),
    Float32(Float32Array),
    Float64(Float64Array),
    Decimal128(Decimal128Array, i8),
    Decimal256(Decimal256Array, i8),
    Utf8(StringArray),
    View(StringViewArray),
    Time {
        values: Int64Array,
        unit: TimeUnit,
        zoned: bool,
    },
    Bytes(ArrayRef),
    List {
        values: Box<Values>,
        ranges: Vec<(usize, usize)>,
    },
    Struct(Vec<(String, Values)>),
    Map {
        keys: Box<Values>,
        values: Box<Values>,
        ranges: Vec<(usize, usize)>,
    },
    Union {
        array: UnionArray,
        fields: Vec<(i8, Values)>,
    },
    /// Dates, times of day, intervals: as Arrow shows them.
    Other(ArrayRef),
}

impl Values {
    pub(crate) fn new(array: &ArrayRef) -> Result<Values, ArrowError> {
        let nulls = array.logical_nulls();
        let kind = match array.data_type() {
            DataType::Null => Kind::Null,
            DataType::Boolean => Kind::Bool(array.as_boolean().clone()),
            DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => {
                Kind::Int(cast(array, &DataType::Int64)?.as_primitive().clone())
            }
            DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64 => {
                Kind::UInt(cast(array, &DataType::UInt64)?.as_primitive().clone())
            }
            DataType::Float16 => Kind::Float32(cast(array, &DataType::Float32)?.as_primitive().clone()),
            DataType::Float32 => Kind::Float32(array.as_primitive().clone()),
            DataType::Float64 => Kind::Float64(array.as_primitive().clone()),
            DataType::Decimal32(p, s) | DataType::Decimal64(p, s) | DataType::Decimal128(p, s) => {
                Kind::Decimal128(cast(array, &DataType::Decimal128(*p, *s))?.as_primitive().clone(), *s)
            }
            DataType::Decimal256(_, s) => Kind::Decimal256(array.as_primitive().clone(), *s),
            DataType::Utf8 => Kind::Utf8(array.as_string().clone()),
            DataType::LargeUtf8 => Kind::View(cast(array, &DataType::Utf8View)?.as_string_view().clone()),
            DataType::Utf8View => Kind::View(array.as_string_view().clone()),
            // In their own unit: seconds reach further than nanoseconds.
            DataType::Timestamp(unit, zone) => Kind::Time {
                zoned: zone.is_some(),
                unit: *unit,
                values: cast(array, &DataType::Int64)?.as_primitive().clone(),
            },
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
                Kind::Bytes(cast(array, &DataType::Binary)?)
            }
            DataType::List(_) => list(array.as_list::<i32>().values(), array.as_list::<i32>().offsets().windows(2))?,
            DataType::LargeList(_) => {
                list(array.as_list::<i64>().values(), array.as_list::<i64>().offsets().windows(2))?
            }
            DataType::FixedSizeList(item, _) | DataType::ListView(item) | DataType::LargeListView(item) => {
                let plain = cast(array, &DataType::LargeList(item.clone()))?;
                list(plain.as_list::<i64>().values(), plain.as_list::<i64>().offsets().windows(2))?
            }
            DataType::Struct(fields) => Kind::Struct(named(fields, array.as_struct().columns())?),
            DataType::Map(..) => {
                let map = array.as_map();
                Kind::Map {
                    keys: Box::new(Values::new(map.keys())?),
                    values: Box::new(Values::new(map.values())?),
                    ranges: ranges(map.offsets().windows(2)),
                }
            }
            DataType::Union(fields, _) => {
                let union = array.as_union().clone();
                let fields = fields.iter().map(|(id, _)| Ok((id, Values::new(union.child(id))?))).collect::<Result<
                    _,
                    ArrowError,
                >>(
                )?;
                Kind::Union { array: union, fields }
            }
            DataType::Dictionary(_, value) => return Values::new(&cast(array, value)?),
            DataType::RunEndEncoded(_, value) => return Values::new(&cast(array, value.data_type())?),
            _ => Kind::Other(array.clone()),
        };
        Ok(Values { nulls, kind })
    }

    pub(crate) fn is_null(&self, row: usize) -> bool {
        matches!(self.kind, Kind::Null) || self.nulls.as_ref().is_some_and(|n| n.is_null(row))
    }

    /// Whether columns of this kind line up at the right.
    pub(crate) fn is_number(&self) -> bool {
        matches!(
            self.kind,
            Kind::Int(_)
                | Kind::UInt(_)
                | Kind::Float32(_)
                | Kind::Float64(_)
                | Kind::Decimal128(..)
                | Kind::Decimal256(..)
        )
    }

    /// Whether the value is text, which CSV may have to quote and JSON must.
    pub(crate) fn text(&self, row: usize) -> Option<&str> {
        match &self.kind {
            Kind::Utf8(a) => Some(a.value(row)),
            Kind::View(a) => Some(a.value(row)),
            _ => None,
        }
    }

    /// Appends the value as text; the caller has seen to NULL.
    pub(crate) fn write_text(&self, row: usize, out: &mut Vec<u8>) {
        match &self.kind {
            Kind::Utf8(a) => out.extend_from_slice(a.value(row).as_bytes()),
            Kind::View(a) => out.extend_from_slice(a.value(row).as_bytes()),
            Kind::Time { values, unit, zoned } => write_time(values.value(row), *unit, *zoned, out),
            Kind::Bytes(a) => write_hex(a.as_binary::<i32>().value(row), out),
            Kind::Float32(a) if !a.value(row).is_finite() => write_special(f64::from(a.value(row)), out),
            Kind::Float64(a) if !a.value(row).is_finite() => write_special(a.value(row), out),
            Kind::Other(a) => write_other(a, row, out),
            _ => self.write_json(row, out),
        }
    }

    /// Appends the value as JSON.
    pub(crate) fn write_json(&self, row: usize, out: &mut Vec<u8>) {
        if self.is_null(row) {
            out.extend_from_slice(b"null");
            return;
        }
        match &self.kind {
            Kind::Null => out.extend_from_slice(b"null"),
            Kind::Bool(a) => out.extend_from_slice(if a.value(row) { b"true" } else { b"false" }),
            Kind::Int(a) => put(out, format_args!("{}", a.value(row))),
            Kind::UInt(a) => put(out, format_args!("{}", a.value(row))),
            Kind::Float32(a) => write_float(serde_json::to_string(&a.value(row)), out),
            Kind::Float64(a) => write_float(serde_json::to_string(&a.value(row)), out),
            Kind::Decimal128(a, scale) => write_decimal(&a.value(row).to_string(), *scale, out),
            Kind::Decimal256(a, scale) => write_decimal(&a.value(row).to_string(), *scale, out),
            Kind::Utf8(a) => write_string(a.value(row), out),
            Kind::View(a) => write_string(a.value(row), out),
            Kind::Time { .. } | Kind::Bytes(_) | Kind::Other(_) => {
                let mut text = Vec::new();
                self.write_text(row, &mut text);
                write_string(&String::from_utf8_lossy(&text), out);
            }
            Kind::List { values, ranges } => {
                let (from, to) = ranges[row];
                joined(out, (b'[', b']'), from..to, |i, out| values.write_json(i, out));
            }
            Kind::Struct(fields) => joined(out, (b'{', b'}'), fields.iter(), |(name, v), out| {
                write_string(name, out);
                out.push(b':');
                v.write_json(row, out);
            }),
            Kind::Map { keys, values, ranges } => {
                let (from, to) = ranges[row];
                joined(out, (b'{', b'}'), from..to, |i, out| {
                    let mut key = Vec::new();
                    keys.write_text(i, &mut key);
                    write_string(&String::from_utf8_lossy(&key), out);
                    out.push(b':');
                    values.write_json(i, out);
                });
            }
            Kind::Union { array, fields } => {
                let id = array.type_id(row);
                match fields.iter().find(|(i, _)| *i == id) {
                    Some((_, v)) => v.write_union(array, row, out),
                    None => out.extend_from_slice(b"null"),
                }
            }
        }
    }

    /// A value within a union; in the JSON functions' union, arrays and objects are JSON text already.
    fn write_union(&self, array: &UnionArray, row: usize, out: &mut Vec<u8>) {
        let at = array.value_offset(row);
        let DataType::Union(fields, _) = array.data_type() else { return };
        let name = fields.iter().find(|(i, _)| *i == array.type_id(row)).map(|(_, f)| f.name().as_str());
        match (name, self.is_null(at)) {
            (Some("array" | "object"), false) => self.write_text(at, out),
            _ => self.write_json(at, out),
        }
    }
}

fn list<O: Copy>(values: &ArrayRef, windows: std::slice::Windows<'_, O>) -> Result<Kind, ArrowError>
where
    usize: TryFrom<O>,
{
    Ok(Kind::List { values: Box::new(Values::new(values)?), ranges: ranges(windows) })
}

fn ranges<O: Copy>(windows: std::slice::Windows<'_, O>) -> Vec<(usize, usize)>
where
    usize: TryFrom<O>,
{
    let at = |o: O| usize::try_from(o).unwrap_or(0);
    windows.map(|w| (at(w[0]), at(w[1]))).collect()
}

fn named(fields: &[FieldRef], columns: &[ArrayRef]) -> Result<Vec<(String, Values)>, ArrowError> {
    fields.iter().zip(columns).map(|(f, c)| Ok((f.name().clone(), Values::new(c)?))).collect()
}

fn joined<T>(
    out: &mut Vec<u8>,
    (open, close): (u8, u8),
    items: impl Iterator<Item = T>,
    mut write: impl FnMut(T, &mut Vec<u8>),
) {
    out.push(open);
    for (i, item) in items.enumerate() {
        if i > 0 {
            out.push(b',');
        }
        write(item, out);
    }
    out.push(close);
}

fn put(out: &mut Vec<u8>, args: std::fmt::Arguments<'_>) {
    // Writing to a vector cannot fail.
    let _ = out.write_fmt(args);
}

pub(crate) fn write_string(s: &str, out: &mut Vec<u8>) {
    // A string always serialises, and a vector always takes it.
    let _ = serde_json::to_writer(out, s);
}

/// JSON has no NaN and no infinities; they become null there, as JavaScript does it.
fn write_float(number: serde_json::Result<String>, out: &mut Vec<u8>) {
    out.extend_from_slice(number.as_deref().unwrap_or("null").as_bytes());
}

fn write_special(v: f64, out: &mut Vec<u8>) {
    out.extend_from_slice(if v.is_nan() {
        b"NaN"
    } else if v > 0.0 {
        b"Infinity"
    } else {
        b"-Infinity"
    });
}

/// All digits of a decimal, without the zeros that end its fraction.
fn write_decimal(unscaled: &str, scale: i8, out: &mut Vec<u8>) {
    let (sign, digits) = unscaled.strip_prefix('-').map_or(("", unscaled), |d| ("-", d));
    out.extend_from_slice(sign.as_bytes());
    let Ok(scale) = usize::try_from(scale) else {
        // A negative scale: that many zeros follow.
        out.extend_from_slice(digits.as_bytes());
        if digits != "0" {
            out.extend(std::iter::repeat_n(b'0', usize::from(scale.unsigned_abs())));
        }
        return;
    };
    let padded = format!("{digits:0>width$}", width = scale + 1);
    let (whole, fraction) = padded.split_at(padded.len() - scale);
    out.extend_from_slice(whole.as_bytes());
    let fraction = fraction.trim_end_matches('0');
    if !fraction.is_empty() {
        out.push(b'.');
        out.extend_from_slice(fraction.as_bytes());
    }
}

fn write_time(time: i64, unit: TimeUnit, zoned: bool, out: &mut Vec<u8>) {
    let at = match unit {
        TimeUnit::Second => timestamp_s_to_datetime(time),
        TimeUnit::Millisecond => timestamp_ms_to_datetime(time),
        TimeUnit::Microsecond => timestamp_us_to_datetime(time),
        TimeUnit::Nanosecond => timestamp_ns_to_datetime(time),
    };
    match at {
        Some(t) => put(out, format_args!("{}", t.format("%Y-%m-%dT%H:%M:%S%.9f"))),
        // Further than the calendar goes.
        None => put(out, format_args!("{time}")),
    }
    if zoned {
        out.push(b'Z');
    }
}

fn write_hex(bytes: &[u8], out: &mut Vec<u8>) {
    for b in bytes {
        put(out, format_args!("{b:02x}"));
    }
}

fn write_other(array: &ArrayRef, row: usize, out: &mut Vec<u8>) {
    let options = FormatOptions::new().with_display_error(true);
    match ArrayFormatter::try_new(array.as_ref(), &options) {
        Ok(f) => put(out, format_args!("{}", f.value(row))),
        Err(e) => put(out, format_args!("{e}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_keep_every_digit() {
        let text = |d: &str, s: i8| {
            let mut out = Vec::new();
            write_decimal(d, s, &mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(text("123456789012345678901234567", 12), "123456789012345.678901234567");
        assert_eq!(text("-1", 12), "-0.000000000001");
        assert_eq!(text("1500000000000", 12), "1.5");
        assert_eq!(text("0", 12), "0");
        assert_eq!(text("12", 0), "12");
        assert_eq!(text("12", -2), "1200");
    }
}
