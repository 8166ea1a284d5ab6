//! Traces, logs or metrics: requests of all signals look alike down to their records, which differ in the wire types
//! of their fields.

use super::wire::{Field, Reader};

/// What kind of records a `ResourceSpans`-like message holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    Traces,
    Logs,
    Metrics,
}

/// Bit per signal.
const TRACES: u8 = 1;
const LOGS: u8 = 2;
const METRICS: u8 = 4;

/// Signals whose record may have this field. A number that none of them has says nothing.
fn fits(number: u32, field: Field<'_>) -> u8 {
    match (number, field) {
        // 1: trace_id, 16 bytes | time | metric name
        (1, Field::Fixed64(_)) => LOGS,
        (1, Field::Bytes(b)) if b.len() == 16 => TRACES | METRICS,
        (1, Field::Bytes(_)) => METRICS,
        // 2: span_id, 8 bytes | severity | description
        (2, Field::Varint(_)) => LOGS,
        (2, Field::Bytes(b)) if b.len() == 8 => TRACES | METRICS,
        (2, Field::Bytes(_)) => METRICS,
        // 3: trace_state | severity text | unit
        (3, Field::Bytes(_)) => TRACES | LOGS | METRICS,
        // 4: parent_span_id
        (4, Field::Bytes(_)) => TRACES,
        // 5: name | body | gauge
        (5, Field::Bytes(_)) => TRACES | LOGS | METRICS,
        // 6: kind | attributes
        (6, Field::Varint(_)) => TRACES,
        (6, Field::Bytes(_)) => LOGS,
        // 7: start time | dropped attributes | sum
        (7, Field::Fixed64(_)) => TRACES,
        (7, Field::Varint(_)) => LOGS,
        (7, Field::Bytes(_)) => METRICS,
        // 8: end time | flags
        (8, Field::Fixed64(_)) => TRACES,
        (8, Field::Fixed32(_)) => LOGS,
        // 9: attributes | trace id | histogram
        (9, Field::Bytes(b)) if b.len() == 16 => TRACES | LOGS | METRICS,
        (9, Field::Bytes(_)) => TRACES | METRICS,
        // 10: dropped attributes | span id | exponential histogram
        (10, Field::Varint(_)) => TRACES,
        (10, Field::Bytes(_)) => LOGS | METRICS,
        // 11: events | observed time | summary
        (11, Field::Fixed64(_)) => LOGS,
        (11, Field::Bytes(_)) => TRACES | METRICS,
        // 12: dropped events | event name | metadata
        (12, Field::Varint(_)) => TRACES,
        (12, Field::Bytes(_)) => LOGS | METRICS,
        // 13: links, 14: dropped links, 15: status, 16: flags
        (13 | 15, Field::Bytes(_)) | (14, Field::Varint(_)) | (16, Field::Fixed32(_)) => TRACES,
        _ => TRACES | LOGS | METRICS,
    }
}

/// The signal of one record, as far as its fields say: each rules out the signals that it cannot belong to, and the
/// one that is contradicted least remains. Damaged spans are spans still, so doubt is in favour of traces.
pub(super) fn of_record(bytes: &[u8]) -> Signal {
    let mut against = [0u32; 3];
    let mut r = Reader::new(bytes);
    while let Ok(Some((number, field))) = r.next() {
        let fits = fits(number, field);
        for (signal, bit) in [TRACES, LOGS, METRICS].into_iter().enumerate() {
            against[signal] += u32::from(fits & bit == 0);
        }
    }
    let [traces, logs, metrics] = against;
    if traces <= logs && traces <= metrics {
        Signal::Traces
    } else if logs <= metrics {
        Signal::Logs
    } else {
        Signal::Metrics
    }
}
