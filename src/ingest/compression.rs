//! Decompression, told by the first bytes.

use std::cell::Cell;
use std::io::{self, BufReader, Cursor, Read};
use std::rc::Rc;

use flate2::bufread::MultiGzDecoder;

use crate::limits::ZSTD_WINDOW_LOG;

const GZIP: [u8; 3] = [0x1f, 0x8b, 0x08];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// Zstd also begins with skippable frames, whose magic number differs in its lowest four bits.
const ZSTD_SKIPPABLE: [u8; 3] = [0x2a, 0x4d, 0x18];

/// Bytes looked at: a frame length and a magic number.
const HEAD_BYTES: usize = 8;

/// A stream after decompression, if it had any.
pub(super) struct Decompressed<'r> {
    reader: Box<dyn Read + 'r>,
    format: Option<&'static str>,
    source_failed: Rc<Cell<bool>>,
}

impl Decompressed<'_> {
    /// Whether the error that was just returned is the data's fault and not the source's.
    pub(super) fn is_damage(&self) -> bool {
        self.format.is_some() && !self.source_failed.get()
    }

    /// What to say about damaged data.
    pub(super) fn describe(&self, e: &io::Error) -> String {
        let format = self.format.unwrap_or("stream");
        if e.kind() == io::ErrorKind::UnexpectedEof {
            format!("{format} stream is cut short")
        } else {
            format!("{format} stream is damaged: {e}")
        }
    }
}

impl Read for Decompressed<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buf)
    }
}

/// Notes when an error comes from below the decompressor.
struct Watched<R> {
    inner: R,
    failed: Rc<Cell<bool>>,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.inner.read(buf).inspect_err(|e| {
            if e.kind() != io::ErrorKind::Interrupted {
                self.failed.set(true);
            }
        })
    }
}

/// Puts the right decompressor in front of a reader.
pub(super) fn open<'r>(reader: impl Read + 'r) -> io::Result<Decompressed<'r>> {
    let source_failed = Rc::new(Cell::new(false));
    let mut watched = Watched { inner: reader, failed: source_failed.clone() };
    let mut head = Vec::with_capacity(HEAD_BYTES);
    (&mut watched).take(HEAD_BYTES as u64).read_to_end(&mut head)?;
    let framed = is_framed_zstd(&head);
    let (gzip, zstd) = (head.starts_with(&GZIP), is_zstd(&head));
    let whole = Cursor::new(head).chain(watched);
    let (reader, format): (Box<dyn Read + 'r>, _) = if gzip {
        (Box::new(MultiGzDecoder::new(BufReader::with_capacity(BUFFER_BYTES, whole))), Some("gzip"))
    } else if zstd {
        (Box::new(zstd_decoder(whole)?), Some("zstd"))
    } else if framed {
        (Box::new(zstd_decoder(Unframed { inner: whole, left: 0 })?), Some("framed zstd"))
    } else {
        (Box::new(whole), None)
    };
    Ok(Decompressed { reader, format, source_failed })
}

const BUFFER_BYTES: usize = 128 << 10;

fn zstd_decoder<'r, R: Read + 'r>(reader: R) -> io::Result<zstd::Decoder<'r, BufReader<R>>> {
    let mut decoder = zstd::Decoder::with_buffer(BufReader::with_capacity(BUFFER_BYTES, reader))?;
    decoder.window_log_max(ZSTD_WINDOW_LOG)?;
    Ok(decoder)
}

fn is_zstd(head: &[u8]) -> bool {
    head.starts_with(&ZSTD) || (head.len() >= 4 && head[0] & 0xf0 == 0x50 && head[1..4] == ZSTD_SKIPPABLE)
}

/// The collector's file exporter compresses each message by itself and writes its length before it.
fn is_framed_zstd(head: &[u8]) -> bool {
    head.len() == HEAD_BYTES && head[4..] == ZSTD
}

/// Leaves out the four length bytes before each frame, so that the frames follow each other.
struct Unframed<R> {
    inner: R,
    left: u32,
}

impl<R: Read> Read for Unframed<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.left == 0 {
            let mut length = [0; 4];
            let mut have = 0;
            while have < length.len() {
                match self.inner.read(&mut length[have..])? {
                    0 if have == 0 => return Ok(0),
                    0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                    n => have += n,
                }
            }
            self.left = u32::from_be_bytes(length);
        }
        let room = buf.len().min(self.left as usize);
        let n = self.inner.read(&mut buf[..room])?;
        if n == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= n as u32;
        Ok(n)
    }
}
