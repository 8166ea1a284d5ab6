//! `spanfile prices ...`: the price book that came with the program, and those that files keep.

use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use datafusion::arrow::array::{ArrayRef, RecordBatch, StringArray};
use spanfile::cost::{
    Layer, PriceBook, PriceFile, PriceFormat, PriceRow, RowChange, format_moment, parse_moment, write_aliases,
    write_rows,
};
use spanfile::limits::PRICE_BOOK_BYTES;
use spanfile::{Options, Store};
use spanfile_query::render::{Format, RenderOptions, render_batches};
use spanfile_query::{QueryError, Result};

use super::query::output;
use super::{exit, grouped, output_error, store_error};
use crate::cli::{PricesArgs, PricesVerb};

/// How many names like an unknown one are shown.
const LIKE_SHOWN: usize = 5;

pub(crate) fn run(args: &PricesArgs) -> Result<u8> {
    match &args.verb {
        PricesVerb::List { file, user, format } => {
            let book = book_of(file.as_deref())?;
            let rows: Vec<PriceRow> = book.rows().filter(|r| !user || r.layer == Layer::User).collect();
            let (format, options) = output(format);
            show(rows.iter().map(cells), &format, &options)?;
            Ok(exit::FINE)
        }
        PricesVerb::Find { model, file, provider, tier, at, format } => {
            let (format, options) = output(format);
            find(
                &*book_of(file.as_deref())?,
                model,
                provider.as_deref(),
                tier.as_deref(),
                at.as_deref(),
                &format,
                &options,
            )
        }
        PricesVerb::Import { file, input } => import(file, input),
        PricesVerb::Alias { file, alias, model, provider } => {
            let Some((seller, id)) = model.split_once('/') else {
                say!("spanfile: {model} is no PROVIDER/MODEL of the price book");
                return Ok(exit::USAGE);
            };
            let added = spanfile::cost::Alias {
                alias: alias.clone(),
                for_provider: provider.clone(),
                provider: seller.to_owned(),
                model: id.to_owned(),
            };
            let book = book_of(Some(file))?;
            // Without the user's aliases: one that is about to be replaced proves nothing.
            let known = |b: &PriceBook| b.find(Some(seller), None, Some(id)).is_ok();
            if book.model(seller, id).is_none() && !known(&book.without_user()) {
                say!("spanfile: the price book has no model {model}{}", like(&book, id));
                return Ok(exit::FAILED);
            }
            keep(file, &book.with_aliases([added]).map_err(|(_, reason)| refused(Path::new(alias), reason))?)?;
            print(&format!("{alias} is {model} from now on\n"))
        }
        PricesVerb::Export { file, user, aliases, jsonl } => {
            let book = book_of(file.as_deref())?;
            let format = if *jsonl { PriceFormat::JsonLines } else { PriceFormat::Csv };
            let write = |bytes: &[u8]| std::io::stdout().lock().write_all(bytes).map_err(output_error);
            if *aliases {
                write(&write_aliases(book.aliases(), format).map_err(output_error)?)?;
                return Ok(exit::FINE);
            }
            let rows: Vec<PriceRow> = book.rows().filter(|r| !user || r.layer == Layer::User).collect();
            let (bytes, left_out) = write_rows(&rows, format).map_err(output_error)?;
            write(&bytes)?;
            if left_out > 0 {
                say!(
                    "spanfile: {} prices of what spans do not count, such as web searches, have no column here",
                    grouped(left_out as u64)
                );
            }
            Ok(exit::FINE)
        }
        PricesVerb::Update { file } => {
            let old = book_of(Some(file))?;
            let new = old.rebased(PriceBook::bundled()).map_err(|reason| refused(file, reason))?;
            keep(file, &new)?;
            let (from, to) = (version(&old), version(&new));
            print(&format!("{from} -> {to}, {} rows differ\n", grouped(old.diff(&new).len() as u64)))
        }
        PricesVerb::Diff { file, format } => {
            let old = book_of(Some(file))?;
            let new = old.rebased(PriceBook::bundled()).map_err(|reason| refused(file, reason))?;
            let (format, options) = output(format);
            let lines = old.diff(&new).into_iter().flat_map(|change| match change {
                RowChange::Added(row) => vec![changed("+", &row)],
                RowChange::Removed(row) => vec![changed("-", &row)],
                RowChange::Changed { old, new } => vec![changed("-", &old), changed("+", &new)],
            });
            show_as(["change", "model", "layer", "valid_from", "valid_to", "for", "prices"], lines, &format, &options)?;
            Ok(exit::FINE)
        }
    }
}

fn print(text: &str) -> Result<u8> {
    std::io::stdout().lock().write_all(text.as_bytes()).map_err(output_error)?;
    Ok(exit::FINE)
}

fn version(book: &PriceBook) -> String {
    format!("{} {}", book.source().name, book.source().version)
}

/// The price book that applies to a file, or the one that came with the program.
fn book_of(file: Option<&Path>) -> Result<Arc<PriceBook>> {
    let Some(path) = file else { return Ok(PriceBook::bundled().clone()) };
    let failed = |e| store_error(path, e);
    Store::open_read_only(path, Options::default()).and_then(|s| s.snapshot()?.price_book()).map_err(failed)
}

fn keep(file: &Path, book: &PriceBook) -> Result<()> {
    let failed = |e| store_error(file, e);
    let store = Store::open(file, Options::default()).map_err(failed)?;
    store.writer().and_then(|mut w| w.set_price_book(book)).map_err(failed)
}

fn refused(path: &Path, reason: impl ToString) -> QueryError {
    QueryError::Io {
        path: path.to_path_buf(),
        source: std::io::Error::new(std::io::ErrorKind::InvalidData, reason.to_string()),
    }
}

fn import(file: &Path, input: &str) -> Result<u8> {
    let io = |source| QueryError::Io { path: input.into(), source };
    let mut bytes = Vec::new();
    // One byte more than is allowed tells a file that is too long.
    let most = PRICE_BOOK_BYTES as u64 + 1;
    match input {
        "-" => std::io::stdin().lock().take(most).read_to_end(&mut bytes).map_err(io)?,
        path => std::fs::File::open(path).map_err(io)?.take(most).read_to_end(&mut bytes).map_err(io)?,
    };
    let read = PriceFile::read(&bytes).map_err(|e| refused(Path::new(input), e))?;
    let what = match &read {
        PriceFile::Rows(rows) => format!("{} price rows", grouped(rows.len() as u64)),
        PriceFile::Aliases(aliases) => format!("{} aliases", grouped(aliases.len() as u64)),
    };
    let book = book_of(Some(file))?;
    let new = read.onto(&book).map_err(|reason| refused(Path::new(input), reason))?;
    for alias in new.aliases() {
        if new.find(Some(&alias.provider), None, Some(&alias.model)).is_err() {
            say!(
                "spanfile: {input}: the alias {} leads to {}/{}, which the price book does not know",
                alias.alias,
                alias.provider,
                alias.model
            );
        }
    }
    keep(file, &new)?;
    print(&format!("{what} imported\n"))
}

fn cells(row: &PriceRow) -> [String; 6] {
    let tier = row.when.as_ref().map(|(key, value)| format!("{key}:{value}"));
    let hours = row
        .window
        .map(|(from, to)| format!("{:02}:{:02}-{:02}:{:02} UTC", from / 3600, from / 60 % 60, to / 3600, to / 60 % 60));
    [
        format!("{}/{}", row.provider, row.model),
        row.layer.name().to_owned(),
        row.valid_from.map(format_moment).unwrap_or_default(),
        row.valid_to.map(format_moment).unwrap_or_default(),
        tier.into_iter().chain(hours).collect::<Vec<_>>().join(" "),
        row.prices_text(),
    ]
}

fn changed(sign: &str, row: &PriceRow) -> [String; 7] {
    let [model, layer, from, to, when, prices] = cells(row);
    [sign.to_owned(), model, layer, from, to, when, prices]
}

fn show(lines: impl Iterator<Item = [String; 6]>, format: &Format, options: &RenderOptions) -> Result<()> {
    show_as(["model", "layer", "valid_from", "valid_to", "for", "prices"], lines, format, options)
}

/// Lines of text; what is empty is NULL.
fn show_as<const N: usize>(
    names: [&str; N],
    lines: impl Iterator<Item = [String; N]>,
    format: &Format,
    options: &RenderOptions,
) -> Result<()> {
    let mut columns: [Vec<Option<String>>; N] = std::array::from_fn(|_| Vec::new());
    for line in lines {
        for (column, cell) in columns.iter_mut().zip(line) {
            column.push(Some(cell).filter(|c| !c.is_empty()));
        }
    }
    let arrays = columns.map(|c| Arc::new(StringArray::from(c)) as ArrayRef);
    let batch = RecordBatch::try_from_iter_with_nullable(names.into_iter().zip(arrays).map(|(n, a)| (n, a, true)))
        .map_err(|e| QueryError::Execution(Box::new(e.into())))?;
    let mut options = options.clone();
    options.null_text.get_or_insert_default();
    render_batches(&batch.schema(), &[batch], format, &options, &mut std::io::stdout().lock())
}

fn find(
    book: &PriceBook,
    model: &str,
    provider: Option<&str>,
    tier: Option<&str>,
    at: Option<&str>,
    format: &Format,
    options: &RenderOptions,
) -> Result<u8> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok().and_then(|d| i64::try_from(d.as_nanos()).ok());
    let at = match at.map(parse_moment) {
        None => now.unwrap_or_default(),
        Some(Ok(at)) => at,
        Some(Err(e)) => {
            say!("spanfile: --at: {e}");
            return Ok(exit::USAGE);
        }
    };
    let found = match book.find(provider.map(str::to_lowercase).as_deref(), None, Some(model)) {
        Ok(found) => found,
        Err(e) => {
            say!("spanfile: {model}: {}{}", e.why, like(book, model));
            return Ok(exit::FAILED);
        }
    };
    let context = spanfile::cost::Context { service_tier: tier };
    let key = found.price_key();
    let now = found.rates_at(at, context);
    let line = match &now {
        Ok(rates) => format!("{model} is {key} ({}), from {}", found.kind.name(), rates.source),
        Err(e) => format!("{model} is {key} ({}), without a price then: {}", found.kind.name(), e.why),
    };
    say!("{line}");
    let rows: Vec<PriceRow> = book.rows().filter(|r| format!("{}/{}", r.provider, r.model) == key).collect();
    show(rows.iter().map(cells), format, options)?;
    Ok(if now.is_ok() { exit::FINE } else { exit::FAILED })
}

/// Names of the book that are like another.
fn like(book: &PriceBook, model: &str) -> String {
    const LIKENESS: f64 = 0.85;
    let wanted = model.rsplit('/').next().unwrap_or(model).to_lowercase();
    let mut close: Vec<(f64, String)> = book
        .models()
        .map(|m| (strsim::jaro_winkler(&wanted, &m.id().to_lowercase()), m.price_key()))
        .filter(|(score, _)| *score >= LIKENESS)
        .collect();
    close.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    let names: Vec<String> = close.into_iter().take(LIKE_SHOWN).map(|(_, key)| key).collect();
    if names.is_empty() { String::new() } else { format!("; like it are {}", names.join(", ")) }
}
