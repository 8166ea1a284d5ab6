//! The price books of the files, row by row: `prices`.

use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, Decimal128Array, Int64Array, RecordBatch, StringArray, TimestampNanosecondArray,
};
use datafusion::common::Result as DfResult;
use spanfile::cost::{AttoUsd, Bucket, PriceRow};
use spanfile::schema::{USD_PRECISION, USD_SCALE};

use crate::provider::{FileView, store_error};

/// Columns before the prices: name, unit and meaning.
const ABOUT: [(&str, &str, &str); 11] = [
    ("file", "", "File whose price book it is."),
    ("provider", "", "Provider in the book."),
    ("model", "", "Model in the book."),
    ("layer", "", "bundled with the program, or user."),
    ("match", "", "What the row answers to beside the names that the book has for the model: exact or prefix."),
    ("valid_from", "", "First moment; NULL when ever since."),
    ("valid_to", "", "First moment after it; NULL when no end is known."),
    ("hours_utc", "", "Hours of the day that it is for; NULL for all."),
    ("service_tier", "", "Calls that it is for, when not for all, as in service_tier:flex or processing:batch."),
    ("above_input_tokens", "tokens", "It holds for calls with more input tokens than this; NULL for all."),
    ("source", "", "Where the prices are from; NULL for those of the bundled list."),
];

/// Prices: bucket, column, and meaning. The unit of all but the last is dollars per million tokens.
const PRICES: [(Bucket, &str, &str); Bucket::COUNT] = [
    (Bucket::Input, "input_usd_per_mtok", "Text input."),
    (Bucket::CacheRead, "cache_read_usd_per_mtok", "Read from the cache; NULL: as input."),
    (Bucket::CacheWrite, "cache_write_usd_per_mtok", "Written to the cache; NULL: as input."),
    (Bucket::CacheWrite1h, "cache_write_1h_usd_per_mtok", "Written for an hour; NULL: as other writes."),
    (Bucket::InputAudio, "input_audio_usd_per_mtok", "Audio input; NULL: as input."),
    (Bucket::InputImage, "input_image_usd_per_mtok", "Image input; NULL: as input."),
    (Bucket::CacheReadAudio, "cache_read_audio_usd_per_mtok", "Audio read from the cache."),
    (Bucket::CacheReadImage, "cache_read_image_usd_per_mtok", "Images read from the cache."),
    (Bucket::Output, "output_usd_per_mtok", "Text output."),
    (Bucket::Reasoning, "reasoning_usd_per_mtok", "Reasoning; NULL: as output."),
    (Bucket::OutputAudio, "output_audio_usd_per_mtok", "Audio output; NULL: as output."),
    (Bucket::OutputImage, "output_image_usd_per_mtok", "Image output; NULL: as output."),
    (Bucket::Requests, "request_usd", "Fee per call."),
];

/// Last column.
const FACTS: (&str, &str, &str) =
    ("not_applied", "", "Prices of the list for what spans do not count, such as web searches; never applied.");

/// All columns: name, unit and meaning.
pub(super) fn columns() -> Vec<(&'static str, &'static str, &'static str)> {
    let unit = |bucket| if bucket == Bucket::Requests { "USD" } else { "USD/Mtok" };
    let prices = PRICES.iter().map(|(bucket, name, meaning)| (*name, unit(*bucket), *meaning));
    ABOUT.into_iter().chain(prices).chain([FACTS]).collect()
}

struct Line<'a> {
    file: &'a str,
    row: &'a PriceRow,
    above: Option<i64>,
    amounts: &'a [Option<AttoUsd>; Bucket::COUNT],
}

/// One row per price row and threshold.
pub(super) fn prices(files: &[FileView]) -> DfResult<RecordBatch> {
    let mut books = Vec::new();
    for f in files {
        let book = f.snapshot.price_book().map_err(store_error)?;
        books.push((f.path.display().to_string(), book.rows().collect::<Vec<_>>()));
    }
    let lines: Vec<Line<'_>> = books
        .iter()
        .flat_map(|(file, rows)| {
            rows.iter().flat_map(move |row| row.tiers().map(move |(above, amounts)| Line { file, row, above, amounts }))
        })
        .collect();
    let text = |of: &dyn Fn(&Line<'_>) -> Option<String>| -> ArrayRef {
        Arc::new(lines.iter().map(of).collect::<StringArray>())
    };
    let time = |of: fn(&PriceRow) -> Option<i64>| -> ArrayRef {
        Arc::new(lines.iter().map(|l| of(l.row)).collect::<TimestampNanosecondArray>().with_timezone("UTC"))
    };
    let mut arrays: Vec<ArrayRef> = vec![
        text(&|l| Some(l.file.to_owned())),
        text(&|l| Some(l.row.provider.clone())),
        text(&|l| Some(l.row.model.clone())),
        text(&|l| Some(l.row.layer.name().to_owned())),
        text(&|l| Some(l.row.matches.name().to_owned())),
        time(|r| r.valid_from),
        time(|r| r.valid_to),
        text(&|l| l.row.window.map(|(from, to)| format!("{}-{}", hour(from), hour(to)))),
        text(&|l| l.row.when.as_ref().map(|(key, value)| format!("{key}:{value}"))),
        Arc::new(lines.iter().map(|l| l.above).collect::<Int64Array>()),
        text(&|l| l.row.source.clone()),
    ];
    for (bucket, ..) in PRICES {
        let at = Bucket::ALL.iter().position(|b| *b == bucket).unwrap_or_default();
        // 10^-18 dollars per token are 10^-12 per million; fees are per call, as money is.
        let scaled = |atto: AttoUsd| if bucket == Bucket::Requests { atto / 1_000_000 } else { atto };
        let values: Decimal128Array = lines.iter().map(|l| l.amounts[at].map(scaled)).collect();
        arrays.push(Arc::new(values.with_precision_and_scale(USD_PRECISION, USD_SCALE)?));
    }
    arrays.push(text(&|l| {
        let facts: Vec<String> = l.row.facts().iter().map(|f| format!("{}={}", f.unit, f.usd)).collect();
        (!facts.is_empty() && l.above.is_none()).then(|| facts.join(" "))
    }));
    let names = columns().into_iter().map(|(name, ..)| name);
    Ok(RecordBatch::try_from_iter_with_nullable(names.zip(arrays).map(|(name, array)| (name, array, true)))?)
}

fn hour(second: u32) -> String {
    format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60)
}
