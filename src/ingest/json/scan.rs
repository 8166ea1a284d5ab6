//! The structure of JSON without its values: where a value ends, what an object's members and an array's elements are.
//!
//! Works on bytes, so that one span with invalid text does not hide where the next one begins.

use std::ops::Range;

use memchr::{memchr2, memchr3};

use crate::limits::{JSON_DEPTH, JSON_KEY_BYTES};

/// Where a scan stands.
pub(super) enum Step {
    /// The value ends before this offset.
    Done(usize),
    /// The bytes end within the value.
    More,
    /// The value is not JSON.
    Broken(Broken),
}

/// Where structure breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ingest) struct Broken {
    pub(super) at: usize,
    pub(super) reason: String,
    /// The break is where another document begins, at the start of a line.
    pub(super) next_document: bool,
}

impl Broken {
    pub(super) fn new(at: usize, reason: impl Into<String>) -> Self {
        Broken { at, reason: reason.into(), next_document: false }
    }
}

/// Finds the end of a value; can be resumed when more bytes have come.
#[derive(Clone)]
pub(super) struct Skipper {
    /// Next byte to look at.
    pub(super) at: usize,
    depth: usize,
    /// One bit per level: set for an array.
    arrays: [u64; JSON_DEPTH / 64],
    in_string: bool,
    started: bool,
}

/// Bytes that mean something outside strings.
const fn structural() -> [bool; 256] {
    let mut table = [false; 256];
    let mut i = 0;
    while i < 5 {
        table[b"\"{}[]"[i] as usize] = true;
        i += 1;
    }
    table
}

static STRUCTURAL: [bool; 256] = structural();

impl Skipper {
    /// Begins at the first byte of a value.
    pub(super) fn new(at: usize) -> Self {
        Skipper { at, depth: 0, arrays: [0; JSON_DEPTH / 64], in_string: false, started: false }
    }

    /// Begins within an object, to find its end.
    pub(super) fn within_object(at: usize) -> Self {
        Skipper { depth: 1, started: true, ..Skipper::new(at) }
    }

    /// Goes on as far as the bytes allow. `last` says that no more will come.
    pub(super) fn advance(&mut self, bytes: &[u8], last: bool) -> Step {
        if !self.started {
            match bytes.get(self.at) {
                None => return Step::More,
                Some(b'"' | b'{' | b'[') => self.started = true,
                Some(_) => return self.scalar(bytes, last),
            }
        }
        loop {
            if self.in_string {
                // JSON has no raw line ends in strings, so one means that a line was cut.
                match memchr3(b'"', b'\\', b'\n', &bytes[self.at.min(bytes.len())..]) {
                    None => {
                        self.at = self.at.max(bytes.len());
                        return Step::More;
                    }
                    Some(i) => self.at += i,
                }
                match bytes[self.at] {
                    b'\\' if self.at + 1 >= bytes.len() => return Step::More,
                    b'\\' if bytes[self.at + 1] == b'\n' => {
                        return Step::Broken(Broken::new(self.at + 1, "line ends within a string"));
                    }
                    b'\\' => self.at += 2,
                    b'\n' => return Step::Broken(Broken::new(self.at, "line ends within a string")),
                    _ => {
                        self.at += 1;
                        self.in_string = false;
                        if self.depth == 0 {
                            return Step::Done(self.at);
                        }
                    }
                }
                continue;
            }
            match bytes[self.at..].iter().position(|b| STRUCTURAL[*b as usize]) {
                None => {
                    self.at = bytes.len();
                    return Step::More;
                }
                Some(i) => self.at += i,
            }
            match bytes[self.at] {
                b'"' => self.in_string = true,
                open @ (b'{' | b'[') => {
                    if open == b'{' && self.at > 0 && bytes[self.at - 1] == b'\n' {
                        match document_begins(&bytes[self.at..]) {
                            Some(true) => return Step::Broken(next_document(self.at)),
                            None if !last => return Step::More,
                            _ => {}
                        }
                    }
                    if self.depth == JSON_DEPTH {
                        let reason = format!("JSON nests deeper than {JSON_DEPTH}");
                        return Step::Broken(Broken::new(self.at, reason));
                    }
                    let bit = 1 << (self.depth % 64);
                    if open == b'[' {
                        self.arrays[self.depth / 64] |= bit;
                    } else {
                        self.arrays[self.depth / 64] &= !bit;
                    }
                    self.depth += 1;
                }
                close => {
                    self.depth -= 1;
                    let array = self.arrays[self.depth / 64] & (1 << (self.depth % 64)) != 0;
                    if array != (close == b']') {
                        let reason = format!("`{}` where it closes nothing", char::from(close));
                        return Step::Broken(Broken::new(self.at, reason));
                    }
                    if self.depth == 0 {
                        return Step::Done(self.at + 1);
                    }
                }
            }
            self.at += 1;
        }
    }

    fn scalar(&mut self, bytes: &[u8], last: bool) -> Step {
        let rest = &bytes[self.at..];
        let ends = |b: &u8| matches!(b, b',' | b']' | b'}' | b':' | b'"' | b'{' | b'[') || b.is_ascii_whitespace();
        match rest.iter().position(ends) {
            Some(0) => Step::Broken(Broken::new(self.at, format!("`{}` where a value should be", char::from(rest[0])))),
            Some(n) => Step::Done(self.at + n),
            // Whoever resumes has to keep all of it in view.
            None if rest.len() > JSON_KEY_BYTES => Step::Broken(Broken::new(self.at, "number without end")),
            None if last => Step::Done(bytes.len()),
            None => Step::More,
        }
    }
}

pub(super) fn next_document(at: usize) -> Broken {
    Broken { at, reason: "document is cut short: another one begins here".to_owned(), next_document: true }
}

/// Longest beginning of a document that is looked at: brace, white space, key.
pub(super) const DOCUMENT_START_BYTES: usize = 256;

/// Keys at the top of OTLP documents, in their quotes.
const KEYS: [&[u8]; 4] = [b"\"resourceSpans\"", b"\"resourceLogs\"", b"\"resourceMetrics\"", b"\"resourceProfiles\""];

/// Whether a key at the top of a document, without its quotes, says that it is OTLP.
pub(in crate::ingest) fn is_signal(key: &[u8]) -> bool {
    KEYS.iter().any(|k| &k[1..k.len() - 1] == key)
}

/// Whether an OTLP document begins at the front of these bytes; `None` when there are too few to tell.
pub(super) fn document_begins(bytes: &[u8]) -> Option<bool> {
    let Some(rest) = bytes.strip_prefix(b"{") else {
        return if bytes.is_empty() { None } else { Some(false) };
    };
    let key = rest.trim_ascii_start();
    if KEYS.iter().any(|k| key.starts_with(k)) {
        return Some(true);
    }
    let undecided = KEYS.iter().any(|k| k.starts_with(key)) && bytes.len() < DOCUMENT_START_BYTES;
    if undecided { None } else { Some(false) }
}

/// Where another document begins at the start of a line, looked for from `from`. `Err` is where to look again when
/// more bytes have come.
pub(super) fn find_document(bytes: &[u8], mut from: usize) -> Result<usize, usize> {
    while let Some(i) = memchr::memchr(b'\n', &bytes[from..]) {
        match document_begins(&bytes[from + i + 1..]) {
            Some(true) => return Ok(from + i + 1),
            Some(false) => from += i + 1,
            None => return Err(from + i),
        }
    }
    Err(bytes.len())
}

/// Offset of the first byte that is no white space.
pub(super) fn skip_space(bytes: &[u8], from: usize) -> usize {
    bytes[from..].iter().position(|b| !matches!(b, b' ' | b'\n' | b'\r' | b'\t')).map_or(bytes.len(), |n| from + n)
}

/// Offset behind the closing quote of a string that begins at `from`; `None` when the bytes end before.
pub(super) fn string_end(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from + 1;
    loop {
        at += memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes[at] == b'"' {
            return Some(at + 1);
        }
        at += 2;
    }
}

/// How many objects there are in a value, at any depth.
pub(super) fn objects(bytes: &[u8]) -> usize {
    let mut count = 0;
    let mut at = 0;
    while let Some(i) = bytes.get(at..).and_then(|rest| memchr2(b'"', b'{', rest)) {
        at += i;
        if bytes[at] == b'{' {
            count += 1;
            at += 1;
        } else {
            match string_end(bytes, at) {
                Some(end) => at = end,
                None => break,
            }
        }
    }
    count
}

fn token(bytes: &[u8], at: &mut usize) -> Result<u8, Broken> {
    *at = skip_space(bytes, *at);
    bytes.get(*at).copied().ok_or_else(|| Broken::new(*at, "ends too early"))
}

fn expect(bytes: &[u8], at: &mut usize, want: u8) -> Result<(), Broken> {
    let got = token(bytes, at)?;
    if got != want {
        return Err(unexpected(*at, got, char::from(want)));
    }
    *at += 1;
    Ok(())
}

pub(super) fn unexpected(at: usize, got: u8, want: impl std::fmt::Display) -> Broken {
    Broken::new(at, format!("`{}` where `{want}` should be", got.escape_ascii()))
}

fn value(bytes: &[u8], at: &mut usize) -> Result<Range<usize>, Broken> {
    token(bytes, at)?;
    let from = *at;
    match Skipper::new(from).advance(bytes, true) {
        Step::Done(end) => {
            *at = end;
            Ok(from..end)
        }
        Step::More => Err(Broken::new(bytes.len(), "ends too early")),
        Step::Broken(b) => Err(b),
    }
}

/// A member of an object: raw key without quotes, and where the value is.
pub(in crate::ingest) type Member<'a> = (&'a [u8], Range<usize>);

/// Members of the object that these bytes are.
pub(in crate::ingest) fn members(bytes: &[u8]) -> Result<Vec<Member<'_>>, Broken> {
    let mut out = Vec::new();
    let mut at = 0;
    expect(bytes, &mut at, b'{')?;
    if token(bytes, &mut at)? == b'}' {
        return Ok(out);
    }
    loop {
        let got = token(bytes, &mut at)?;
        if got != b'"' {
            return Err(unexpected(at, got, '"'));
        }
        let end = string_end(bytes, at).ok_or_else(|| Broken::new(bytes.len(), "ends too early"))?;
        let key = &bytes[at + 1..end - 1];
        at = end;
        expect(bytes, &mut at, b':')?;
        out.push((key, value(bytes, &mut at)?));
        match token(bytes, &mut at)? {
            b',' => at += 1,
            b'}' => return Ok(out),
            other => return Err(unexpected(at, other, ", or }")),
        }
    }
}

/// Keys at the top of an object, as far as it is there and whole.
pub(in crate::ingest) fn leading_keys(bytes: &[u8]) -> Vec<&[u8]> {
    let mut out = Vec::new();
    let mut at = 0;
    let mut open = b'{';
    while expect(bytes, &mut at, open).is_ok() && token(bytes, &mut at).is_ok_and(|b| b == b'"') {
        let Some(end) = string_end(bytes, at) else { break };
        out.push(&bytes[at + 1..end - 1]);
        at = end;
        if expect(bytes, &mut at, b':').is_err() || value(bytes, &mut at).is_err() {
            break;
        }
        open = b',';
    }
    out
}

/// Calls `each` with where every element of the array that these bytes are is.
///
/// # Errors
/// What `each` returns, or where the array breaks; the elements before were handed over.
pub(in crate::ingest) fn elements<E: From<Broken>>(
    bytes: &[u8],
    mut each: impl FnMut(Range<usize>) -> Result<(), E>,
) -> Result<(), E> {
    let mut at = 0;
    expect(bytes, &mut at, b'[')?;
    if token(bytes, &mut at)? == b']' {
        return Ok(());
    }
    loop {
        each(value(bytes, &mut at)?)?;
        match token(bytes, &mut at)? {
            b',' => at += 1,
            b']' => return Ok(()),
            other => return Err(unexpected(at, other, ", or ]").into()),
        }
    }
}
