//! Ids that are the same whenever and from whichever file a record is read: hashes of ids in the records.

use crate::model::{SpanId, TraceId};

/// One trace per session: the files of subagents name the session that started them, and nothing else of it.
pub(super) fn trace(session: &str) -> TraceId {
    let mut id = TraceId::default();
    id.0.copy_from_slice(&digest("session", &[session])[..16]);
    id
}

/// The span of a session's main agent.
pub(super) fn main_agent(session: &str) -> SpanId {
    span("main", &[session])
}

/// The span of a subagent with an id.
pub(super) fn subagent(agent: &str) -> SpanId {
    span("agent", &[agent])
}

/// The span of a subagent of which only the first record's uuid is known.
pub(super) fn sidechain(uuid: &str) -> SpanId {
    span("sidechain", &[uuid])
}

/// The tool call that started a subagent. Named after the agent, so that the agent's own file knows it too.
pub(super) fn start_of(agent: &str) -> SpanId {
    span("start", &[agent])
}

/// What follows one prompt.
pub(super) fn turn(uuid: &str) -> SpanId {
    span("turn", &[uuid])
}

/// One call of the API.
pub(super) fn call(message: &str, request: &str) -> SpanId {
    span("call", &[message, request])
}

/// One tool call.
pub(super) fn tool(use_id: &str) -> SpanId {
    span("tool", &[use_id])
}

fn span(kind: &str, parts: &[&str]) -> SpanId {
    let mut id = SpanId::default();
    id.0.copy_from_slice(&digest(kind, parts)[..8]);
    id
}

fn digest(kind: &str, parts: &[&str]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"claude_code ").update(kind.as_bytes());
    for part in parts {
        // With the length in front no two lists of parts look alike.
        hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
    }
    *hasher.finalize().as_bytes()
}
