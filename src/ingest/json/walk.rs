//! Walks one document in the window, of any length and over any number of lines, and finds the way on where one
//! breaks.
//!
//! What has been handed over is consumed at once, so what is in view when something breaks is what gets rejected.

use memchr::memchr;

use super::element::{self, Base, Halted, LIBRARY_SPANS, LIBRARY_SPANS_REASON, Signal};
use super::scan::{self, Broken, DOCUMENT_START_BYTES, Skipper, Step, unexpected};
use super::typed::{ResourceJson, ScopeJson};
use super::value::Text;
use super::{NO_SIGNAL, UNSUPPORTED, newlines};
use crate::ingest::out::{Out, Place};
use crate::ingest::window::Window;
use crate::ingest::{Halt, Position, RejectClass};
use crate::limits::{DOCUMENT_BYTES, JSON_KEY_BYTES, RECORD_BYTES};

type Result<T> = std::result::Result<T, Halted>;

struct Walker<'w, 'r, 'o, 's> {
    window: &'w mut Window<'r>,
    out: &'o mut Out<'s>,
    /// Cursor, counted from the front of the window.
    at: usize,
    /// Line of the front of the window.
    line: u64,
    /// Line on which the document begins.
    first_line: u64,
    /// Whether anything of the document was handed over. Until then all of it is kept in view, so that a document of
    /// which nothing is good is rejected whole.
    begun: bool,
}

/// Takes the document at the front of the window, which is no white space. Returns the line on which it ends.
pub(super) fn document(window: &mut Window<'_>, line: u64, out: &mut Out<'_>) -> std::result::Result<u64, Halt> {
    let mut walker = Walker { window, out, at: 0, line, first_line: line, begun: false };
    match walker.document() {
        Ok(()) => walker.consume(),
        Err(Halted::Broken(b)) => walker.recover(b)?,
        Err(Halted::Halt(h)) => return Err(h),
    }
    Ok(walker.line)
}

/// How long a value is.
enum Extent {
    /// It ends before this offset.
    End(usize),
    TooLong,
    Broken(Broken),
}

impl Walker<'_, '_, '_, '_> {
    fn document(&mut self) -> Result<()> {
        let mut empty = true;
        let mut known = false;
        let start = self.window.offset();
        self.object(|w, key| {
            empty = false;
            if let Some(signal) = [Signal::Traces, Signal::Logs].into_iter().find(|s| s.resources() == key) {
                known = true;
                return w.array(|w| w.resource(signal));
            }
            if key == b"resourceMetrics" || key == b"resourceProfiles" {
                known = true;
                return w.reject_value(RejectClass::Unsupported, UNSUPPORTED);
            }
            w.skip_value()
        })?;
        if !known && !empty {
            // Unless it was too long, the document is still in view.
            let whole = if self.window.offset() == start { self.at } else { 0 };
            let place = Place { position: self.position(), bytes: &self.window.bytes()[..whole] };
            self.out.malformed(place, None, NO_SIGNAL)?;
        }
        Ok(())
    }

    /// An element of `resourceSpans` or `resourceLogs`.
    fn resource(&mut self, signal: Signal) -> Result<()> {
        if let Extent::End(end) = self.extent(DOCUMENT_BYTES)? {
            element::resource(&self.window.bytes()[self.at..end], self.base(), signal, self.out)?;
            self.at = end;
            self.consume();
            return Ok(());
        }
        self.settle();
        let mut resource: Option<Copied> = None;
        let mut url = Copied::null();
        let mut began = false;
        self.object(|w, key| match key {
            b"resource" if !began => {
                resource = Some(w.copy_value("resource")?);
                Ok(())
            }
            b"schemaUrl" if !began => {
                url = w.copy_value("schemaUrl")?;
                Ok(())
            }
            b"resource" | b"schemaUrl" => w.late_value("resource or schema URL"),
            LIBRARY_SPANS => Err(Broken::new(w.at, LIBRARY_SPANS_REASON).into()),
            key if key == signal.scopes() => {
                if !began {
                    // Whether a resource comes behind all these spans cannot be known without holding them.
                    let Some(resource) = &resource else {
                        let reason =
                            format!("spans before their resource, in more than {DOCUMENT_BYTES} bytes or cut short");
                        return w.reject_object(&reason);
                    };
                    match (resource.parse::<Option<ResourceJson<'_>>>(), url.parse::<Text<'_>>()) {
                        (Ok(header), Ok(url)) => w.out.begin_resource(&super::resource(header, url.0)),
                        (Err(e), _) | (_, Err(e)) => return w.reject_object(&format!("resource: {e}")),
                    }
                    began = true;
                }
                w.array(|w| w.scope(signal))
            }
            _ => w.skip_value(),
        })
    }

    /// An element of `scopeSpans` or `scopeLogs`.
    fn scope(&mut self, signal: Signal) -> Result<()> {
        if let Extent::End(end) = self.extent(DOCUMENT_BYTES)? {
            element::scope(&self.window.bytes()[self.at..end], self.base(), signal, self.out)?;
            self.at = end;
            self.consume();
            return Ok(());
        }
        self.settle();
        let mut scope = Copied::null();
        let mut url = Copied::null();
        let mut began = false;
        self.object(|w, key| match key {
            b"scope" if !began => {
                scope = w.copy_value("scope")?;
                Ok(())
            }
            b"schemaUrl" if !began => {
                url = w.copy_value("schemaUrl")?;
                Ok(())
            }
            b"scope" | b"schemaUrl" => w.late_value("scope or schema URL"),
            key if key == signal.records() => {
                if !began {
                    match (scope.parse::<Option<ScopeJson<'_>>>(), url.parse::<Text<'_>>()) {
                        (Ok(header), Ok(url)) => w.out.begin_scope(&super::scope(header, url.0)),
                        (Err(e), _) | (_, Err(e)) => return w.reject_object(&format!("scope: {e}")),
                    }
                    began = true;
                }
                w.array(|w| w.record(signal))
            }
            _ => w.skip_value(),
        })
    }

    fn record(&mut self, signal: Signal) -> Result<()> {
        match self.extent(RECORD_BYTES)? {
            Extent::End(end) => {
                let base = self.base();
                element::record(&self.window.bytes()[self.at..end], || base, signal, self.out)?;
                self.at = end;
                self.consume();
                Ok(())
            }
            Extent::TooLong => {
                let reason = format!("record of more than {RECORD_BYTES} bytes");
                self.reject_value(RejectClass::Malformed, &reason)
            }
            Extent::Broken(b) => Err(b.into()),
        }
    }

    /// Calls `member` with every key of the object at the cursor, the cursor at the value; it moves the cursor behind.
    fn object(&mut self, mut member: impl FnMut(&mut Self, &[u8]) -> Result<()>) -> Result<()> {
        self.expect(b'{')?;
        if self.token()? == b'}' {
            self.at += 1;
            return Ok(());
        }
        loop {
            if self.at > DOCUMENT_BYTES {
                // Many members that nobody wants must not fill the memory.
                self.consume();
            }
            let got = self.token()?;
            if got != b'"' {
                return Err(unexpected(self.at, got, '"').into());
            }
            let end = match self.extent(JSON_KEY_BYTES)? {
                Extent::End(end) => end,
                Extent::TooLong => return Err(Broken::new(self.at, "key too long").into()),
                Extent::Broken(b) => return Err(b.into()),
            };
            let key = self.window.bytes()[self.at + 1..end - 1].to_vec();
            self.at = end;
            self.expect(b':')?;
            self.token()?;
            member(self, &key)?;
            match self.token()? {
                b',' => self.at += 1,
                b'}' => {
                    self.at += 1;
                    return Ok(());
                }
                other => return Err(unexpected(self.at, other, ", or }").into()),
            }
        }
    }

    /// Calls `element` with the cursor at every element of the array at the cursor; it moves the cursor behind.
    fn array(&mut self, mut element: impl FnMut(&mut Self) -> Result<()>) -> Result<()> {
        if self.token()? == b'n'
            && let Extent::End(end) = self.extent(JSON_KEY_BYTES)?
            && &self.window.bytes()[self.at..end] == b"null"
        {
            self.at = end;
            return Ok(());
        }
        self.expect(b'[')?;
        if self.token()? == b']' {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.token()?;
            self.settle();
            element(self)?;
            match self.token()? {
                b',' => self.at += 1,
                b']' => {
                    self.at += 1;
                    return Ok(());
                }
                other => return Err(unexpected(self.at, other, ", or ]").into()),
            }
        }
    }

    /// Moves the cursor to the next byte that is no white space, and returns that.
    fn token(&mut self) -> Result<u8> {
        loop {
            let bytes = self.window.bytes();
            self.at = scan::skip_space(bytes, self.at);
            match bytes.get(self.at).copied() {
                Some(b'{') if self.at > 0 && bytes[self.at - 1] == b'\n' => {
                    match scan::document_begins(&bytes[self.at..]) {
                        Some(true) => return Err(scan::next_document(self.at).into()),
                        None if self.fill()? => {}
                        _ => return Ok(b'{'),
                    }
                }
                Some(b) => return Ok(b),
                None if self.fill()? => {}
                None => return Err(self.cut_short().into()),
            }
        }
    }

    fn expect(&mut self, want: u8) -> Result<()> {
        let got = self.token()?;
        if got != want {
            return Err(unexpected(self.at, got, char::from(want)).into());
        }
        self.at += 1;
        Ok(())
    }

    fn fill(&mut self) -> Result<bool> {
        self.window.fill().map_err(|e| Halted::Halt(e.into()))
    }

    fn cut_short(&mut self) -> Broken {
        let reason = self.window.take_failure();
        Broken::new(self.window.len(), reason.unwrap_or_else(|| "input ends within a document".to_owned()))
    }

    /// Finds the end of the value at the cursor, bringing it into view.
    fn extent(&mut self, limit: usize) -> Result<Extent> {
        let mut skipper = Skipper::new(self.at);
        let mut last = false;
        loop {
            match skipper.advance(self.window.bytes(), last) {
                Step::Done(end) if end - self.at > limit => return Ok(Extent::TooLong),
                Step::Done(end) => return Ok(Extent::End(end)),
                Step::Broken(b) => return Ok(Extent::Broken(b)),
                Step::More if last => {
                    // Whoever gets this may still take the value apart, and will come upon the end again.
                    return Ok(Extent::Broken(Broken::new(self.window.len(), "input ends within a document")));
                }
                Step::More if self.window.len() - self.at > limit => return Ok(Extent::TooLong),
                Step::More => last = !self.fill()?,
            }
        }
    }

    /// A short value's bytes; moves the cursor behind it.
    fn copy_value(&mut self, what: &str) -> Result<Copied> {
        match self.extent(RECORD_BYTES)? {
            Extent::End(end) => {
                let bytes = self.window.bytes()[self.at..end].to_vec();
                let base = self.window.offset() + self.at as u64;
                self.at = end;
                Ok(Copied { bytes, base })
            }
            Extent::TooLong => Err(Broken::new(self.at, format!("{what} of more than {RECORD_BYTES} bytes")).into()),
            Extent::Broken(b) => Err(self.with_failure(b).into()),
        }
    }

    /// The reason of a break at the end of the stream is why it ended.
    fn with_failure(&mut self, b: Broken) -> Broken {
        if b.at == self.window.len() && !b.next_document { self.cut_short() } else { b }
    }

    /// Moves the cursor behind the value, which nobody wants.
    fn skip_value(&mut self) -> Result<()> {
        let mut skipper = Skipper::new(self.at);
        let mut last = false;
        loop {
            match skipper.advance(self.window.bytes(), last) {
                Step::Done(end) => {
                    self.at = end;
                    return Ok(());
                }
                Step::Broken(b) => return Err(b.into()),
                Step::More if last => return Err(self.cut_short().into()),
                Step::More => {
                    if self.window.len() > DOCUMENT_BYTES {
                        // One byte is kept: the scanner looks back at it.
                        self.at = skipper.at.saturating_sub(1);
                        skipper.at -= self.at;
                        self.consume();
                    }
                    last = !self.fill()?;
                }
            }
        }
    }

    /// A header that comes behind the spans it is for, which were too long to be held.
    fn late_value(&mut self, what: &str) -> Result<()> {
        if self.window.bytes()[self.at..].starts_with(b"\"\"") {
            return self.skip_value();
        }
        self.consume();
        let reason = format!("{what} behind a long list of spans, which were kept without it");
        self.reject_value(RejectClass::Malformed, &reason)
    }

    /// One reject for the value at the cursor, however long it is.
    fn reject_value(&mut self, class: RejectClass, reason: &str) -> Result<()> {
        self.consume();
        self.reject_until_done(Skipper::new(0), class, reason)
    }

    /// One reject for what is left of the object that the cursor is in.
    fn reject_object(&mut self, reason: &str) -> Result<()> {
        self.consume();
        self.reject_until_done(Skipper::within_object(0), RejectClass::Malformed, reason)?;
        // The caller goes on to the brace.
        self.at -= 1;
        Ok(())
    }

    fn reject_until_done(&mut self, mut skipper: Skipper, class: RejectClass, reason: &str) -> Result<()> {
        let mut first = true;
        let mut last = false;
        loop {
            let (give, done) = match skipper.advance(self.window.bytes(), last) {
                Step::Done(end) => (end, true),
                Step::Broken(b) => return Err(b.into()),
                Step::More if last => return Err(self.cut_short().into()),
                Step::More if self.window.len() <= DOCUMENT_BYTES => {
                    last = !self.fill()?;
                    continue;
                }
                // One byte is kept: the scanner looks back at it.
                Step::More => (skipper.at.min(self.window.len()) - 1, false),
            };
            let position = self.position();
            let bytes = &self.window.bytes()[..give];
            if first {
                self.out.reject(Place { position, bytes }, None, class, reason)?;
                first = false;
            } else {
                self.out.reject_more(bytes)?;
            }
            self.at = give;
            if done {
                return Ok(());
            }
            skipper.at -= give;
            self.consume();
            last = !self.fill()?;
        }
    }

    fn position(&self) -> Position {
        Position { line: Some(self.line), byte: self.window.offset() }
    }

    /// Where the cursor is.
    fn base(&self) -> Base {
        let before = &self.window.bytes()[..self.at];
        Base { byte: self.window.offset() + self.at as u64, line: self.line + newlines(before) }
    }

    /// Drops what is before the cursor, unless it may still have to be rejected with what comes.
    fn settle(&mut self) {
        if self.begun {
            self.consume();
        }
    }

    /// Drops what is before the cursor from the window: it was handed over.
    fn consume(&mut self) {
        self.begun = true;
        self.line += newlines(&self.window.bytes()[..self.at]);
        self.window.consume(self.at);
        self.at = 0;
    }

    /// Rejects from the front of the window to where the input makes sense again.
    ///
    /// A break on the document's first line is a broken JSON line: the next line is the next document. Otherwise the
    /// way on is where a line begins like an OTLP document.
    fn recover(&mut self, broken: Broken) -> std::result::Result<(), Halt> {
        let broken = self.with_failure(broken);
        let one_line = self.line + newlines(&self.window.bytes()[..broken.at]) == self.first_line;
        let reason = format!("{} (byte {})", broken.reason, self.window.offset() + broken.at as u64);
        let mut from = broken.at;
        let mut first = true;
        loop {
            let bytes = self.window.bytes();
            let found = if broken.next_document {
                Ok(broken.at)
            } else if one_line {
                memchr(b'\n', &bytes[from..]).map(|i| from + i).ok_or(bytes.len())
            } else {
                // The line end before a document may be the byte at which this one broke.
                scan::find_document(bytes, from.saturating_sub(1))
            };
            let (upto, done) = match found {
                Ok(end) => (end, true),
                Err(next) if bytes.len() <= DOCUMENT_BYTES => {
                    from = next;
                    if self.window.fill()? {
                        continue;
                    }
                    (self.window.len(), true)
                }
                Err(next) => {
                    from = next;
                    (next.saturating_sub(DOCUMENT_START_BYTES), false)
                }
            };
            let position = self.position();
            let bytes = &self.window.bytes()[..upto];
            if first {
                self.out.malformed(Place { position, bytes }, None, &reason)?;
                first = false;
            } else {
                self.out.reject_more(bytes)?;
            }
            self.at = upto;
            self.consume();
            if done {
                return Ok(());
            }
            from -= upto;
            self.window.fill()?;
        }
    }
}

/// A short value, kept while the window moves on.
struct Copied {
    bytes: Vec<u8>,
    /// Where it was in the input.
    base: u64,
}

impl Copied {
    fn null() -> Self {
        Copied { bytes: b"null".to_vec(), base: 0 }
    }

    fn parse<'a, T: serde::Deserialize<'a>>(&'a self) -> std::result::Result<T, String> {
        element::parse(&self.bytes, self.base)
    }
}
