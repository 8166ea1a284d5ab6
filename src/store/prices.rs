//! The price book of a file: its bytes in the table `prices`, its hash in the log.

use std::sync::{Arc, OnceLock};

use redb::{ReadOnlyTable, ReadableTable};

use super::file::{guarded, redb_error};
use super::format::{self, Hash, LogBody};
use super::seal::Change;
use super::snapshot::Snapshot;
use super::tables::PRICES;
use super::writer::Writer;
use crate::cost::PriceBook;
use crate::error::{Error, Result};
use crate::limits::PRICE_BOOK_BYTES;

/// Bytes of a book in one row of the table: with its checksum and what redb adds, a whole number of pages.
const PIECE_BYTES: usize = 15 * 4096;
/// Ties the checksum of a piece to the table; its number is added.
const SEED: u64 = 0x7072_6963_6573;

/// What the log says of the book.
#[derive(Debug, Clone)]
pub(super) struct BookDesc {
    /// BLAKE3 of its bytes.
    hash: Hash,
    /// The book, once it was read.
    book: Arc<OnceLock<Arc<PriceBook>>>,
}

impl BookDesc {
    pub(super) fn new(hash: Hash) -> Self {
        BookDesc { hash, book: Arc::default() }
    }
}

impl Change<'_> {
    /// Puts a book in the place of the one that the file has.
    pub(super) fn put_prices(&mut self, book: &[u8], rows: u64) -> Result<()> {
        let path = self.file.path();
        let error = |e: redb::Error| redb_error(path, "prices", e);
        if book.len() > PRICE_BOOK_BYTES {
            return Err(Error::Limit {
                path: path.to_path_buf(),
                what: "size of the price book in bytes",
                found: book.len() as u64,
                limit: PRICE_BOOK_BYTES as u64,
                hint: "",
            });
        }
        {
            let mut table = self.txn.open_table(PRICES).map_err(|e| error(e.into()))?;
            table.retain(|_, _| false).map_err(|e| error(e.into()))?;
            for (key, piece) in (0u64..).zip(book.chunks(PIECE_BYTES)) {
                let mut bytes = piece.to_vec();
                format::add_checksum(&mut bytes, SEED + key);
                table.insert(key, bytes.as_slice()).map_err(|e| error(e.into()))?;
            }
        }
        self.log(LogBody::Prices { rows, hash: *blake3::hash(book).as_bytes() })
    }
}

impl Writer {
    /// Keeps a price book in the file, in the place of the one that it has. Durable when it returns.
    ///
    /// # Errors
    /// [`Error::Limit`] for a book that is too large, and what can go wrong writing.
    pub fn set_price_book(&mut self, book: &PriceBook) -> Result<()> {
        let rows = book.models().map(|m| m.row_count() as u64).sum();
        let bytes = book.encode().map_err(|e| Error::engine(self.path(), "encode the price book", e))?;
        self.transaction(|change| change.put_prices(&bytes, rows))
    }
}

impl Snapshot {
    /// The price book that applies: the one that the file keeps, else the one that came with the program.
    ///
    /// # Errors
    /// [`Error::Corrupt`], [`Error::Io`].
    pub fn price_book(&self) -> Result<Arc<PriceBook>> {
        Ok(self.own_price_book()?.unwrap_or_else(|| PriceBook::bundled().clone()))
    }

    /// The price book that the file keeps; `None` when it has none.
    ///
    /// # Errors
    /// [`Error::Corrupt`], [`Error::Io`].
    pub fn own_price_book(&self) -> Result<Option<Arc<PriceBook>>> {
        let Some(desc) = &self.state().prices else { return Ok(None) };
        if let Some(book) = desc.book.get() {
            return Ok(Some(book.clone()));
        }
        let path = self.file().path();
        let bytes = self.price_book_bytes()?.unwrap_or_default();
        let book = PriceBook::decode(&bytes).map_err(|e| Error::corrupt(path, "prices", e.to_string()))?;
        Ok(Some(desc.book.get_or_init(|| Arc::new(book)).clone()))
    }

    /// The bytes of the file's price book; `None` when it has none.
    pub(super) fn price_book_bytes(&self) -> Result<Option<Vec<u8>>> {
        let Some(desc) = &self.state().prices else { return Ok(None) };
        let path = self.file().path();
        let book = guarded(path, "prices", || read(path, self.prices_table()))?;
        let found = blake3::hash(&book);
        if *found.as_bytes() != desc.hash {
            let reason = format!("hash is {}, the log says {}", found.to_hex(), format::hex(&desc.hash));
            return Err(Error::corrupt(path, "prices", reason));
        }
        Ok(Some(book))
    }
}

fn read(path: &std::path::Path, table: &ReadOnlyTable<u64, &'static [u8]>) -> Result<Vec<u8>> {
    let error = |e: redb::StorageError| redb_error(path, "prices", e.into());
    let mut book = Vec::new();
    for (item, expected) in table.iter().map_err(error)?.zip(0u64..) {
        let (key, value) = item.map_err(error)?;
        let place = format!("prices[{}]", key.value());
        if key.value() != expected {
            return Err(Error::corrupt(path, place, format!("piece {expected} expected")));
        }
        let piece = format::checked(path, &place, value.value(), SEED + expected)?;
        if book.len() + piece.len() > PRICE_BOOK_BYTES {
            return Err(Error::corrupt(path, place, format!("longer than {PRICE_BOOK_BYTES} bytes")));
        }
        book.extend_from_slice(piece);
    }
    Ok(book)
}
