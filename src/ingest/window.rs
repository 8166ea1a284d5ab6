//! A sliding view of a stream: the part that is being looked at, and no more.

use std::io::{self, Read};

use super::compression::Decompressed;
use crate::limits::{FIRST_READ_BYTES, READ_BYTES};

/// The unread part of a stream, filled on demand and consumed from the front.
pub(super) struct Window<'r> {
    reader: Decompressed<'r>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Offset in the stream of the first byte in view.
    offset: u64,
    finished: bool,
    failure: Option<String>,
}

impl<'r> Window<'r> {
    pub(super) fn new(reader: Decompressed<'r>) -> Self {
        Window { reader, buffer: Vec::new(), start: 0, end: 0, offset: 0, finished: false, failure: None }
    }

    /// What is in view.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// How many bytes are in view.
    pub(super) fn len(&self) -> usize {
        self.end - self.start
    }

    /// Offset in the stream of the first byte in view.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Why the stream ended before its data did, when its compression is damaged. Asked once, when it is reported.
    pub(super) fn take_failure(&mut self) -> Option<String> {
        self.failure.take()
    }

    /// Brings more into view; false at the end of the stream.
    ///
    /// # Errors
    /// When reading fails. Damaged compression is not a failure to read but an end of the stream, see `failure`.
    pub(super) fn fill(&mut self) -> io::Result<bool> {
        if self.finished {
            return Ok(false);
        }
        // Small inputs are common and should not pay for a large buffer.
        let room = if self.offset + self.len() as u64 > READ_BYTES as u64 { READ_BYTES } else { FIRST_READ_BYTES };
        if self.buffer.len() - self.end < room && self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.buffer.len() - self.end < room {
            let doubled = (self.buffer.len() * 2).max(self.end + room);
            self.buffer.resize(doubled, 0);
        }
        loop {
            match self.reader.read(&mut self.buffer[self.end..]) {
                Ok(0) => {
                    self.finished = true;
                    return Ok(false);
                }
                Ok(n) => {
                    self.end += n;
                    return Ok(true);
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if self.reader.is_damage() => {
                    self.failure = Some(self.reader.describe(&e));
                    self.finished = true;
                    return Ok(false);
                }
                Err(e) => return Err(e),
            }
        }
    }

    /// Brings at least `n` bytes into view; false when the stream ends before.
    pub(super) fn ensure(&mut self, n: usize) -> io::Result<bool> {
        while self.len() < n {
            if !self.fill()? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Drops the first `n` bytes in view.
    pub(super) fn consume(&mut self, n: usize) {
        debug_assert!(n <= self.len());
        self.start += n;
        self.offset += n as u64;
    }
}
