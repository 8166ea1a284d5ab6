//! Records that are no part of the conversation: log records of the agent that they are about.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::PREFIX;
use super::object::{self, Object};
use super::session::Key;
use crate::ingest::out::{Out, Place};
use crate::ingest::{Halt, Position, RejectClass};
use crate::limits::HELD_BYTES;
use crate::model::{Attributes, LogRecord, Value};

/// What a record becomes.
pub(super) struct Note<'a> {
    pub(super) name: &'a str,
    pub(super) body: String,
    pub(super) time: Option<u64>,
    pub(super) said: Attributes<'static>,
}

impl Note<'_> {
    /// The log record, with what else the record says.
    pub(super) fn into_log(self, agent: Key, mut record: Object<'_>) -> LogRecord<'static> {
        let level = record.filled("level").map(|l| l.into_owned()).unwrap_or_default();
        let mut attributes = self.said;
        let mut rest = Vec::new();
        record.rest(PREFIX, &mut rest);
        attributes.extend(object::owned(rest));
        LogRecord {
            trace_id: agent.0,
            span_id: agent.1,
            time_unix_nano: self.time.unwrap_or_default(),
            severity_number: severity(&level),
            severity_text: Cow::Owned(level),
            event_name: Cow::Owned(self.name.to_owned()),
            body: if self.body.is_empty() { Value::Null } else { Value::Str(Cow::Owned(self.body)) },
            attributes,
            ..LogRecord::default()
        }
    }
}

/// OpenTelemetry's number of a level; 0 when there is none for it.
fn severity(level: &str) -> i32 {
    match level {
        "debug" => 5,
        "info" | "suggestion" => 9,
        "warning" | "warn" => 13,
        "error" => 17,
        _ => 0,
    }
}

/// Records that came before the file named a session.
#[derive(Default)]
pub(super) struct Held {
    lines: Vec<(Position, String)>,
    bytes: usize,
    /// Records that are counted only.
    pub(super) not_kept: BTreeMap<String, u64>,
}

const NO_SESSION: &str = "a record that names no session, and no session to give it to";

impl Held {
    /// Keeps a record until there is a session; rejects it when there are too many.
    pub(super) fn hold(&mut self, place: Place<'_>, out: &mut Out<'_>) -> Result<(), Halt> {
        let line = String::from_utf8_lossy(place.bytes);
        if self.bytes + line.len() > HELD_BYTES {
            return out.reject(place, None, RejectClass::Uncorrelated, NO_SESSION);
        }
        self.bytes += line.len();
        self.lines.push((place.position, line.into_owned()));
        Ok(())
    }

    /// The records so far.
    pub(super) fn take(&mut self) -> Vec<(Position, String)> {
        self.bytes = 0;
        std::mem::take(&mut self.lines)
    }

    /// Rejects what no session came for.
    pub(super) fn reject(&mut self, out: &mut Out<'_>) -> Result<(), Halt> {
        for (position, line) in self.take() {
            out.reject(Place { position, bytes: line.as_bytes() }, None, RejectClass::Uncorrelated, NO_SESSION)?;
        }
        Ok(())
    }
}
