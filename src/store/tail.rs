//! Tail batches: committed rows that no segment holds yet.
//!
//! A batch is a header, the span rows and the log rows as Arrow IPC streams compressed with zstd as a whole (each
//! column by itself would cost more time than it saves space), and a checksum.

use std::io::Read;
use std::path::Path;

use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow::compute::concat_batches;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::ipc::reader::StreamDecoder;
use arrow::ipc::writer::StreamWriter;
use zstd::bulk::{Compressor, Decompressor};
use zstd::stream::read::Decoder;

use super::file::guarded;
use super::format::{TailHeader, add_checksum, checked, decode_prefixed, encode_prefixed};
use crate::batch::SpanBatch;
use crate::error::{Error, Result};
use crate::limits::{RUN_BYTES, RUN_PAGE_BYTES, RUN_ROWS, TAIL_BATCH_BYTES};
use crate::model::TraceId;
use crate::schema;
use crate::segment::arrivals::{Arrivals, Place, chunk_len, project};

/// zstd level of commits, which may stay in the tail for a while.
const COMMIT_LEVEL: i32 = 1;
/// zstd level of sorted runs, which are written again as soon as an import ends: speed is all that counts.
const RUN_LEVEL: i32 = -2;

/// How full of its page a run should be: runs vary a little, and one byte too many takes a page twice as large.
const RUN_FILL_PERCENT: u128 = 95;

/// Rows rarely compress better than this.
const USUAL_RATIO: usize = 8;

/// Encodes one batch. `traces` are the smallest and largest trace id in it.
pub(super) fn encode(
    path: &Path,
    sequence: u64,
    batch: &SpanBatch,
    traces: (TraceId, TraceId),
    sorted: bool,
) -> Result<Vec<u8>> {
    let failed = |e: String| Error::engine(path, "encode tail batch", e);
    let mut compressor =
        Compressor::new(if sorted { RUN_LEVEL } else { COMMIT_LEVEL }).map_err(|e| failed(e.to_string()))?;
    let mut header = TailHeader {
        spans: batch.spans.num_rows() as u64,
        logs: batch.logs.num_rows() as u64,
        raw_bytes: [0; 2],
        stored_bytes: [0; 2],
        traces: (traces.0.0, traces.1.0),
        sorted,
    };
    let mut bodies = [Vec::new(), Vec::new()];
    for (i, rows) in [&batch.spans, &batch.logs].into_iter().enumerate() {
        if rows.num_rows() == 0 {
            continue;
        }
        let raw = stream(rows).map_err(|e| failed(e.to_string()))?;
        if raw.len() > TAIL_BATCH_BYTES {
            return Err(Error::Limit {
                path: path.to_path_buf(),
                what: "size of one committed batch in bytes",
                found: raw.len() as u64,
                limit: TAIL_BATCH_BYTES as u64,
                hint: "; commit more often",
            });
        }
        bodies[i] = compressor.compress(&raw).map_err(|e| failed(e.to_string()))?;
        header.raw_bytes[i] = raw.len() as u64;
        header.stored_bytes[i] = bodies[i].len() as u64;
    }
    let mut out = encode_prefixed(path, &header)?;
    bodies.iter().for_each(|b| out.extend_from_slice(b));
    add_checksum(&mut out, sequence);
    Ok(out)
}

/// Only columns that hold something travel.
fn stream(rows: &RecordBatch) -> Result<Vec<u8>, arrow::error::ArrowError> {
    let used: Vec<_> = rows
        .schema_ref()
        .fields()
        .iter()
        .zip(rows.columns())
        .filter(|(f, c)| !f.is_nullable() || c.null_count() < c.len())
        .map(|(f, _)| f.clone())
        .collect();
    let rows = project(rows, &std::sync::Arc::new(Schema::new(used)))?;
    let room = Vec::with_capacity(rows.get_array_memory_size().min(TAIL_BATCH_BYTES));
    let mut writer = StreamWriter::try_new(room, rows.schema_ref())?;
    writer.write(&rows)?;
    writer.finish()?;
    writer.into_inner()
}

/// The header of a batch; the checksum of the whole is verified.
pub(super) fn header(path: &Path, sequence: u64, bytes: &[u8]) -> Result<TailHeader> {
    let place = place(sequence);
    Ok(decode_prefixed(path, &place, checked(path, &place, bytes, sequence)?)?.0)
}

/// Decodes a batch.
pub(super) fn decode(path: &Path, sequence: u64, bytes: &[u8]) -> Result<SpanBatch> {
    let place = place(sequence);
    let (header, rest): (TailHeader, _) = decode_prefixed(path, &place, checked(path, &place, bytes, sequence)?)?;
    let damaged = |reason: String| Error::corrupt(path, &place, reason);
    let stored = header.stored_bytes[0].checked_add(header.stored_bytes[1]);
    if stored != Some(rest.len() as u64) {
        return Err(damaged(format!("{} bytes of rows, {:?} expected", rest.len(), header.stored_bytes)));
    }
    let (spans, logs) = rest.split_at(header.stored_bytes[0] as usize);
    let mut tables = Vec::with_capacity(2);
    for (i, (body, schema, rows)) in
        [(spans, schema::pipeline(), header.spans), (logs, schema::events(), header.logs)].into_iter().enumerate()
    {
        let table = guarded(path, &place, || decode_rows(body, header.raw_bytes[i], &schema).map_err(damaged))?;
        if table.num_rows() as u64 != rows {
            return Err(damaged(format!("{} rows, {rows} expected", table.num_rows())));
        }
        tables.push(table);
    }
    let logs = tables.pop().unwrap_or_else(|| RecordBatch::new_empty(schema::events()));
    let spans = tables.pop().unwrap_or_else(|| RecordBatch::new_empty(schema::pipeline()));
    Ok(SpanBatch { spans, logs })
}

fn decode_rows(body: &[u8], raw_bytes: u64, schema: &SchemaRef) -> Result<RecordBatch, String> {
    if body.is_empty() {
        return Ok(RecordBatch::new_empty(schema.clone()));
    }
    let raw = usize::try_from(raw_bytes).ok().filter(|n| *n <= TAIL_BATCH_BYTES);
    let raw = raw.ok_or_else(|| format!("{raw_bytes} bytes of rows are more than {TAIL_BATCH_BYTES}"))?;
    let mut bytes = Buffer::from_vec(decompress(body, raw).map_err(|e| e.to_string())?);
    // The stream reader would allocate whatever length a message claims; the decoder only takes what is there.
    let mut decoder = StreamDecoder::new();
    let mut batches = Vec::new();
    while !bytes.is_empty() {
        batches.extend(decoder.decode(&mut bytes).map_err(|e| e.to_string())?);
    }
    decoder.finish().map_err(|e| e.to_string())?;
    let stored = batches.first().map(RecordBatch::schema).ok_or("no rows in the stream")?;
    let rows = concat_batches(&stored, &batches).map_err(|e| e.to_string())?;
    project(&rows, schema).map_err(|e| e.to_string())
}

/// Decompresses to `raw` bytes. That length is only a claim, so much more than usual is not allocated in advance.
fn decompress(body: &[u8], raw: usize) -> std::io::Result<Vec<u8>> {
    let bytes = if raw <= body.len().saturating_mul(USUAL_RATIO) {
        Decompressor::new()?.decompress(body, raw)?
    } else {
        let mut out = Vec::new();
        Decoder::with_buffer(body)?.single_frame().take(raw as u64 + 1).read_to_end(&mut out)?;
        out
    };
    if bytes.len() == raw {
        Ok(bytes)
    } else {
        Err(std::io::Error::other(format!("{} bytes of rows, {raw} expected", bytes.len())))
    }
}

pub(super) fn place(sequence: u64) -> String {
    format!("tail[{sequence}]")
}

/// Rows sorted by trace id, with the smallest and the largest.
type Run = (SpanBatch, (TraceId, TraceId));

/// All rows as batches sorted by trace id, made one after the other, each small enough to be decoded beside many others.
pub(super) struct Runs<'a> {
    arrivals: &'a Arrivals,
    spans: Vec<Place>,
    logs: Vec<Place>,
    /// Bytes per row of each batch, of both.
    row_bytes: [Vec<usize>; 2],
    /// How many of both were handed out.
    done: [usize; 2],
    /// Spans in the next run.
    rows: usize,
}

impl<'a> Runs<'a> {
    pub(super) fn new(arrivals: &'a Arrivals) -> Self {
        let (spans, logs) = arrivals.sorted_by_trace();
        let row_bytes = [arrivals.row_bytes(|b| &b.spans), arrivals.row_bytes(|b| &b.logs)];
        Runs { arrivals, spans, logs, row_bytes, done: [0; 2], rows: RUN_ROWS }
    }

    pub(super) fn next(&mut self) -> Result<Option<Run>, arrow::error::ArrowError> {
        let [spans, logs] = [&self.spans[self.done[0]..], &self.logs[self.done[1]..]];
        if !spans.is_empty() {
            let chunk = &spans[..chunk_len(spans, &self.row_bytes[0], self.rows, RUN_BYTES)];
            self.done[0] += chunk.len();
            let rows = self.arrivals.gather_spans(chunk, &schema::pipeline())?;
            return Ok(Some(with_range(SpanBatch::of_spans(rows))));
        }
        if !logs.is_empty() {
            let chunk = &logs[..chunk_len(logs, &self.row_bytes[1], RUN_ROWS, RUN_BYTES)];
            self.done[1] += chunk.len();
            let rows = self.arrivals.gather_logs(chunk)?;
            return Ok(Some(with_range(SpanBatch::of_logs(rows))));
        }
        Ok(None)
    }

    /// Learns how many bytes a run took. redb's pages double in size, and the whole page is written: the next run
    /// should nearly fill one, not reach a little into the next size.
    pub(super) fn took(&mut self, spans: usize, bytes: usize) {
        if spans > 0 && bytes > 0 {
            let aim = RUN_PAGE_BYTES as u128 * RUN_FILL_PERCENT / 100;
            let rows = spans as u128 * aim / bytes as u128;
            self.rows = usize::try_from(rows).unwrap_or(RUN_ROWS).clamp(RUN_ROWS / 4, RUN_ROWS * 4);
        }
    }
}

fn with_range(batch: SpanBatch) -> Run {
    use arrow::array::AsArray;
    let ids = [&batch.spans, &batch.logs].map(|b| b.column(0).as_fixed_size_binary().clone());
    let all = || ids.iter().flat_map(|c| (0..c.len()).map(|i| crate::segment::arrivals::trace_id(c.value(i))));
    use arrow::array::Array;
    let range = (all().min().unwrap_or_default(), all().max().unwrap_or_default());
    (batch, range)
}

/// Smallest and largest trace id of a batch.
pub(super) fn trace_range(batch: &SpanBatch) -> (TraceId, TraceId) {
    with_range(batch.clone()).1
}
