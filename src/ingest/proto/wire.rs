//! Protobuf's wire format over a slice: tags, varints, fixed-width and length-delimited fields.

use std::borrow::Cow;

/// Wire type of a field, with its value.
#[derive(Debug, Clone, Copy)]
pub(super) enum Field<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32(u32),
}

/// What is wrong with a message, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WireError {
    /// Offset within the slice that was being read.
    pub(super) at: usize,
    pub(super) reason: Cow<'static, str>,
}

pub(super) type Result<T> = std::result::Result<T, WireError>;

/// Reads a message field by field.
#[derive(Clone)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Offset of `bytes` in the slice that errors are counted from.
    base: usize,
}

/// Most bytes that a varint has.
pub(super) const VARINT_BYTES: usize = 10;

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Reader { bytes, at: 0, base: 0 }
    }

    /// A reader for a nested message that this reader returned the bytes of just now.
    pub(super) fn nested(&self, bytes: &'a [u8]) -> Self {
        Reader { bytes, at: 0, base: self.base + self.at - bytes.len() }
    }

    /// Where the next byte is, counted like errors.
    pub(super) fn position(&self) -> usize {
        self.base + self.at
    }

    pub(super) fn fail<T>(&self, reason: impl Into<Cow<'static, str>>) -> Result<T> {
        Err(WireError { at: self.position(), reason: reason.into() })
    }

    /// The next field's number and value; `None` at the end of the message.
    #[inline]
    pub(super) fn next(&mut self) -> Result<Option<(u32, Field<'a>)>> {
        if self.at == self.bytes.len() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let number = match u32::try_from(tag >> 3) {
            Ok(n) if n != 0 && n < 1 << 29 => n,
            _ => return self.fail("field number out of range"),
        };
        let field = match tag & 7 {
            0 => Field::Varint(self.varint()?),
            1 => Field::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => {
                let length = self.varint()?;
                match usize::try_from(length).ok().and_then(|n| self.bytes[self.at..].get(..n)) {
                    Some(bytes) => {
                        self.at += bytes.len();
                        Field::Bytes(bytes)
                    }
                    None => return self.fail(format!("field {number} says {length} bytes, more than its message has")),
                }
            }
            5 => Field::Fixed32(u32::from_le_bytes(self.array()?)),
            wire_type => return self.fail(format!("field {number} has wire type {wire_type}")),
        };
        Ok(Some((number, field)))
    }

    #[inline]
    pub(super) fn varint(&mut self) -> Result<u64> {
        match varint(&self.bytes[self.at..]) {
            Varint::Value(v, n) => {
                self.at += n;
                Ok(v)
            }
            Varint::Short => self.fail("message ends within a number"),
            Varint::TooLong => self.fail("number of more than 10 bytes"),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        match self.bytes[self.at..].first_chunk::<N>() {
            Some(chunk) => {
                self.at += N;
                Ok(*chunk)
            }
            None => self.fail("message ends within a number"),
        }
    }

    fn wrong_type<T>(&self, what: &'static str) -> Result<T> {
        self.fail(format!("{what} has the wrong wire type"))
    }

    /// The value of a string field.
    #[inline]
    pub(super) fn text(&self, what: &'static str, field: Field<'a>) -> Result<Cow<'a, str>> {
        match simdutf8::basic::from_utf8(self.bytes_of(what, field)?) {
            Ok(s) => Ok(Cow::Borrowed(s)),
            Err(_) => self.fail(format!("{what} is not UTF-8")),
        }
    }

    /// The value of a bytes or message field.
    #[inline]
    pub(super) fn bytes_of(&self, what: &'static str, field: Field<'a>) -> Result<&'a [u8]> {
        match field {
            Field::Bytes(b) => Ok(b),
            _ => self.wrong_type(what),
        }
    }

    /// The value of a varint field.
    pub(super) fn number(&self, what: &'static str, field: Field<'a>) -> Result<u64> {
        match field {
            Field::Varint(v) => Ok(v),
            _ => self.wrong_type(what),
        }
    }

    /// The value of a uint32 field; protobuf cuts longer numbers to 32 bits.
    pub(super) fn number32(&self, what: &'static str, field: Field<'a>) -> Result<u32> {
        self.number(what, field).map(|v| v as u32)
    }

    /// The value of a fixed64 field.
    pub(super) fn fixed64(&self, what: &'static str, field: Field<'a>) -> Result<u64> {
        match field {
            Field::Fixed64(v) => Ok(v),
            _ => self.wrong_type(what),
        }
    }

    /// The value of a fixed32 field.
    pub(super) fn fixed32(&self, what: &'static str, field: Field<'a>) -> Result<u32> {
        match field {
            Field::Fixed32(v) => Ok(v),
            _ => self.wrong_type(what),
        }
    }
}

/// Outcome of reading a varint at the front of some bytes.
pub(super) enum Varint {
    /// Value, and how many bytes it took.
    Value(u64, usize),
    /// The bytes end before it does.
    Short,
    TooLong,
}

#[inline]
pub(super) fn varint(bytes: &[u8]) -> Varint {
    let mut value = 0u64;
    for (i, &b) in bytes.iter().take(VARINT_BYTES).enumerate() {
        value |= u64::from(b & 0x7f) << (7 * i);
        if b < 0x80 {
            return Varint::Value(value, i + 1);
        }
    }
    if bytes.len() < VARINT_BYTES { Varint::Short } else { Varint::TooLong }
}
