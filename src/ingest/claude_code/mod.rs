//! Session files of Claude Code: one JSON object per line, `<session>.jsonl` and `<session>/subagents/agent-*.jsonl`.
//!
//! The format is not documented by who writes it; what is here was read from files and is as forgiving as can be.
//! A run (a trace) is one session. Ids are hashes of ids in the records (see `ids`), so a record that is read again,
//! from a longer version of the file or from the file of another session that it was copied into, is the same span.
//!
//! | in the file | becomes |
//! |---|---|
//! | a session | the span of the agent `claude-code`, from its first record to its last |
//! | a prompt of the user | a `turn` below it, up to the next prompt |
//! | assistant records of one message id and request id | one LLM span, from the record before the first of them to the last; the last record wins |
//! | a `tool_use` block and the `tool_result` with its id | one tool span, beside the LLM span; without an end while there is no result |
//! | records with an `agentId`, or a side chain | a child agent, below the tool call that started it; below the main agent where Claude Code started it for itself, as for compaction |
//! | an API error | a failed LLM span without usage |
//! | any other record with something to say (`system`, `summary`, `queue-operation`, `attachment`, titles, summaries of compaction, interrupts, what Claude Code says in the model's place) | a log record of its agent, named `claude_code.<type>` |
//! | `progress`, `file-history-snapshot` | not kept, but counted, in a log record `claude_code.not_kept` |
//!
//! Records of a session that another one was forked or resumed from go to the run of that one. Where a copy does not
//! say where it comes from, its calls are in two runs; the importer sees to it that they count in one.
//!
//! Every field that is not named here stays in `attributes`, as `claude_code.<field>`, with two exceptions: signatures
//! of thoughts, and of `toolUseResult` the texts that repeat the result word for word.

mod agent;
mod call;
mod ids;
mod notes;
mod object;
mod session;
mod tool;
mod waiting;

use std::borrow::Cow;

use memchr::memchr;
use serde::de::IgnoredAny;

use super::json::scan;
use super::out::{Out, Place};
use super::window::Window;
use super::{Halt, Position};
use crate::limits::RECORD_BYTES;
use crate::model::{Attributes, Span, Value};
use session::Sessions;

/// Name of the scope of all these spans.
pub(crate) const SCOPE: &str = "claude_code";

/// What stands before the names of fields that no convention has a key for.
const PREFIX: &str = "claude_code.";

/// The agent of a session.
const MAIN_AGENT: &str = "claude-code";

/// A subagent of which nobody says what kind it is.
const SUBAGENT: &str = "subagent";

/// Keys of a record that no OTLP document has at its top.
const KEYS: [&[u8]; 7] =
    [b"parentUuid", b"sessionId", b"isSidechain", b"leafUuid", b"isSnapshotUpdate", b"userType", b"toolUseID"];

/// How many lines are looked at to tell the format: the first ones may be damaged.
const LINES_LOOKED_AT: usize = 16;

/// Whether an input that begins like this is a session file: whether one of its first lines is a record, and none
/// before it is OTLP.
pub(super) fn begins(head: &[u8]) -> bool {
    for line in head.split(|b| *b == b'\n').take(LINES_LOOKED_AT) {
        for key in scan::leading_keys(line) {
            if KEYS.contains(&key) {
                return true;
            }
            if scan::is_signal(key) {
                return false;
            }
        }
    }
    false
}

pub(super) fn read(window: &mut Window<'_>, out: &mut Out<'_>) -> Result<(), Halt> {
    if window.bytes().starts_with(b"\xef\xbb\xbf") {
        window.consume(3);
    }
    let mut sessions = Sessions::default();
    let mut line = 1;
    loop {
        let position = Position { line: Some(line), byte: window.offset() };
        let Some((end, whole)) = line_end(window)? else {
            reject_long_line(window, position, out)?;
            line += 1;
            continue;
        };
        let bytes = &window.bytes()[..end];
        if !bytes.trim_ascii().is_empty() {
            if !whole && is_cut(bytes) {
                let reason = "the line is not finished: the session was being written, or the file was cut";
                out.malformed(Place { position, bytes }, None, reason)?;
            } else {
                one(bytes, position, &mut sessions, out)?;
            }
        }
        window.consume(end + usize::from(whole));
        if !whole {
            break;
        }
        line += 1;
    }
    sessions.finish(out)?;
    out.end_of_stream(window, Some(line))
}

/// Where the line at the front of the window ends, and whether a line end follows; `None` when it is too long.
fn line_end(window: &mut Window<'_>) -> Result<Option<(usize, bool)>, Halt> {
    let mut looked_at = 0;
    loop {
        if let Some(i) = memchr(b'\n', &window.bytes()[looked_at..]) {
            return Ok(Some((looked_at + i, true)));
        }
        looked_at = window.len();
        if looked_at > RECORD_BYTES {
            return Ok(None);
        }
        if !window.fill()? {
            return Ok(Some((looked_at, false)));
        }
    }
}

fn reject_long_line(window: &mut Window<'_>, position: Position, out: &mut Out<'_>) -> Result<(), Halt> {
    let reason = format!("the line is longer than {RECORD_BYTES} bytes");
    out.malformed(Place { position, bytes: window.bytes() }, None, &reason)?;
    window.consume(window.len());
    while window.fill()? {
        let end = memchr(b'\n', window.bytes());
        out.reject_more(&window.bytes()[..end.unwrap_or(window.len())])?;
        window.consume(end.map_or(window.len(), |i| i + 1));
        if end.is_some() {
            break;
        }
    }
    Ok(())
}

/// Whether JSON ends before it is complete.
fn is_cut(bytes: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(bytes).is_err_and(|e| e.is_eof())
}

fn one(bytes: &[u8], position: Position, sessions: &mut Sessions, out: &mut Out<'_>) -> Result<(), Halt> {
    let place = || Place { position, bytes };
    let Ok(text) = simdutf8::basic::from_utf8(bytes) else {
        return out.malformed(place(), None, "the line is not UTF-8");
    };
    if let Err(e) = serde_json::from_str::<IgnoredAny>(text) {
        return out.malformed(place(), None, &format!("not JSON: {e}"));
    }
    match sessions.record(text, position, out) {
        Ok(()) => Ok(()),
        Err(session::Fault::Record(reason)) => out.malformed(place(), None, reason),
        Err(session::Fault::Halt(halt)) => Err(halt),
    }
}

fn attribute<'a>(key: impl Into<Cow<'a, str>>, text: impl Into<Cow<'a, str>>) -> (Cow<'a, str>, Value<'a>) {
    (key.into(), Value::Str(text.into()))
}

/// What spans of agents have in common.
fn agent_span(
    session: &str,
    name: &str,
    id: Option<&str>,
    prompt: Option<&str>,
    answer: Option<&str>,
) -> Span<'static> {
    let mut attributes: Attributes<'static> = vec![
        attribute("gen_ai.operation.name", "invoke_agent"),
        attribute("gen_ai.conversation.id", session.to_owned()),
        attribute("gen_ai.agent.name", name.to_owned()),
    ];
    let texts = [("gen_ai.agent.id", id), ("claude_code.prompt", prompt), ("claude_code.answer", answer)];
    attributes.extend(texts.into_iter().filter_map(|(key, text)| Some(attribute(key, text?.to_owned()))));
    Span { name: Cow::Owned(format!("invoke_agent {name}")), attributes, ..Span::default() }
}
