//! `spanfile verify FILE`: every checksum and the whole log.

use std::io::Write;

use spanfile::{Options, Store};
use spanfile_query::Result;

use super::{exit, output_error, store_error};
use crate::cli::FileArgs;

pub(crate) fn run(args: &FileArgs) -> Result<u8> {
    let store = Store::open_read_only(&args.file, Options::default()).map_err(|e| store_error(&args.file, e))?;
    let report = store.verify().map_err(|e| store_error(&args.file, e))?;
    writeln!(std::io::stdout().lock(), "{report}").map_err(output_error)?;
    Ok(exit::FINE)
}
