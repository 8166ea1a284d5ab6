//! What is known of the sessions of one file while it is read: agents, their open calls, tools without an answer.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use foldhash::fast::RandomState;

use super::agent::{Agent, Turn};
use super::call::{Call, Record, failed, plain_text, user_message};
use super::notes::{Held, Note};
use super::object::{self, Object};
use super::tool::{Answer, Context, Tool};
use super::waiting::Waiting;
use super::{MAIN_AGENT, PREFIX, SCOPE, attribute, ids};
use crate::ingest::out::{Out, Place};
use crate::ingest::{Halt, Position};
use crate::instant;
use crate::limits::{OPEN_AGENTS, OPEN_BYTES, OPEN_CALLS, SIDECHAIN_RECORDS};
use crate::model::{LogRecord, Resource, Scope, Span, SpanId, TraceId, Value};

/// Why a record was not taken.
pub(super) enum Fault {
    /// The record is at fault.
    Record(&'static str),
    /// Nothing more can be done.
    Halt(Halt),
}

impl From<Halt> for Fault {
    fn from(halt: Halt) -> Self {
        Fault::Halt(halt)
    }
}

/// What stands for the model where Claude Code itself speaks.
const NO_MODEL: &str = "<synthetic>";

/// Texts in the user's place that are no prompts.
const INTERRUPT: &str = "[Request interrupted by user";
const COMMAND_OUTPUT: &str = "<local-command-";

/// An agent: its trace and its span.
pub(super) type Key = (TraceId, SpanId);

/// All that is held while one file is read.
#[derive(Default)]
pub(super) struct Sessions {
    agents: HashMap<Key, Agent, RandomState>,
    /// The agent of the session that was seen last.
    latest: Option<Key>,
    waiting: Waiting,
    /// Which side chain a record is of.
    chains: HashMap<String, SpanId, RandomState>,
    forks: BTreeMap<String, (String, String)>,
    held: Held,
    /// Memory that agents and their calls hold, roughly.
    open_bytes: usize,
    /// The version that the resource given last names.
    version: Option<Option<String>>,
}

/// A record of a conversation, the members taken that every record has.
struct Spoken<'a> {
    record: Object<'a>,
    message: Object<'a>,
    uuid: Option<Cow<'a, str>>,
    key: Key,
    time: u64,
    position: Position,
}

impl Sessions {
    /// Takes one record, a line that is JSON.
    pub(super) fn record(&mut self, line: &str, position: Position, out: &mut Out<'_>) -> Result<(), Fault> {
        let mut record = Object::read(line).ok_or(Fault::Record("not an object, or it nests too deep"))?;
        let kind = record.filled("type").ok_or(Fault::Record("a record without a type"))?;
        let time = match record.filled("timestamp") {
            Some(text) => {
                let ns = instant::parse(&text).and_then(|ns| u64::try_from(ns).ok());
                Some(ns.ok_or(Fault::Record("the timestamp is no time after 1970"))?)
            }
            None => None,
        };
        let session = self.session_of(&mut record);
        match &*kind {
            "assistant" | "user" => {
                let message = record.object("message").ok_or(Fault::Record("a record without a message"))?;
                if kind == "assistant" && message.look("id").is_none() {
                    return Err(Fault::Record("an assistant record without a message id"));
                }
                let session = session.ok_or(Fault::Record("a record without a sessionId"))?;
                let time = time.ok_or(Fault::Record("a record without a timestamp"))?;
                let prompt = message.look("content");
                let key = self.agent_of(&session, &mut record, prompt.as_deref(), Some(time), position, out)?;
                let uuid = record.filled("uuid");
                let spoken = Spoken { record, message, uuid, key, time, position };
                if kind == "user" {
                    self.user(spoken, line, out)?
                } else {
                    self.assistant(spoken, out)?
                }
                self.make_room(key, out)
            }
            _ => {
                let key = match session {
                    Some(session) => Some(self.agent_of(&session, &mut record, None, time, position, out)?),
                    None => self.latest,
                };
                self.other(&kind, record, time, key, Place { position, bytes: line.as_bytes() }, out)
            }
        }
    }

    /// The session that a record belongs to: of a copy, the one that it was copied from.
    fn session_of(&mut self, record: &mut Object<'_>) -> Option<String> {
        let session = record.filled("sessionId").map(|s| s.into_owned());
        let Some(mut fork) = record.object("forkedFrom") else { return session };
        let origin = fork.filled("sessionId").map(|s| s.into_owned());
        if let (Some(session), Some(origin)) = (&session, &origin) {
            let message = fork.filled("messageUuid").unwrap_or_default().into_owned();
            if self.forks.len() < OPEN_AGENTS {
                self.forks.insert(session.clone(), (origin.clone(), message));
            }
        }
        origin.or(session)
    }

    /// The agent that a record is of, which from now on reaches to the record's time.
    fn agent_of(
        &mut self,
        session: &str,
        record: &mut Object<'_>,
        prompt: Option<&str>,
        time: Option<u64>,
        position: Position,
        out: &mut Out<'_>,
    ) -> Result<Key, Fault> {
        let trace = ids::trace(session);
        let main = ids::main_agent(session);
        let agent_id = record.filled("agentId").map(|id| id.into_owned());
        let (span, sub) = match (agent_id, record.flag("isSidechain")) {
            (Some(id), _) => {
                // Claude Code names the agents that it starts for itself: `acompact-` and a number.
                let parent = if id.contains('-') { main } else { ids::start_of(&id) };
                (ids::subagent(&id), Some((Some(id), parent)))
            }
            (None, true) => {
                let (span, parent) = self.chain_of(record, prompt, main);
                (span, Some((None, parent)))
            }
            (None, false) => (main, None),
        };
        let key = (trace, span);
        if sub.is_none() {
            self.latest = Some(key);
        }
        if self.agents.len() >= OPEN_AGENTS && !self.agents.contains_key(&key) {
            self.finish_agents(out)?;
        }
        let agent = self.agents.entry(key).or_insert_with(|| Agent::new(session, sub, position));
        let version = record.filled("version");
        if version.is_some() && version.as_deref() != agent.version.as_deref() {
            agent.version = version.map(|v| v.into_owned());
        }
        agent.position = position;
        if let Some(time) = time {
            agent.reach(time);
        }
        Ok(key)
    }

    /// The side chain that a record continues or begins, and the span above it.
    fn chain_of(&mut self, record: &Object<'_>, prompt: Option<&str>, main: SpanId) -> (SpanId, SpanId) {
        let uuid = record.look("uuid").unwrap_or_default().into_owned();
        let known = record.look("parentUuid").and_then(|p| self.chains.get(&*p).copied());
        let span = known.unwrap_or_else(|| ids::sidechain(&uuid));
        if self.chains.len() >= SIDECHAIN_RECORDS {
            self.chains.clear();
        }
        self.chains.insert(uuid, span);
        let starter = prompt.and_then(|prompt| self.waiting.starter(prompt));
        (span, starter.map_or(main, |tool| ids::tool(&tool.id)))
    }

    fn assistant(&mut self, spoken: Spoken<'_>, out: &mut Out<'_>) -> Result<(), Fault> {
        let Spoken { mut record, mut message, uuid, key, time, position } = spoken;
        let Some(agent) = self.agents.get_mut(&key) else { return Ok(()) };
        let is_error = record.flag("isApiErrorMessage");
        let request_id = record.filled("requestId");
        if !is_error && message.look("model").as_deref() == Some(NO_MODEL) {
            let text = message.json("content").map(plain_text).unwrap_or_default();
            let note = Note { name: "claude_code.synthetic", body: text, time: Some(time), said: Vec::new() };
            return self.note(key, note, record, position, out);
        }
        let message_id = message.filled("id").unwrap_or_default();
        let record = Record { envelope: record, message, message_id, request_id, uuid };
        let span = record.call_id();
        if is_error {
            let start = agent.next_start(time);
            let failed = failed(record, key.0, &agent.session, agent.parent_of_steps(key.1), (start, time));
            agent.answered = agent.answered.max(time);
            let version = agent.version.clone();
            return self.emit(&failed, version.as_deref(), position, out);
        }
        self.call(key, span, record, time, position, out)
    }

    /// Takes a record of a call.
    fn call(
        &mut self,
        key: Key,
        span: SpanId,
        mut record: Record<'_>,
        time: u64,
        position: Position,
        out: &mut Out<'_>,
    ) -> Result<(), Fault> {
        let Some(agent) = self.agents.get_mut(&key) else { return Ok(()) };
        let mut call = match agent.calls.iter().position(|c| c.span == span).and_then(|i| agent.calls.remove(i)) {
            Some(call) => {
                self.open_bytes = self.open_bytes.saturating_sub(call.bytes());
                call
            }
            None => {
                let start = agent.next_start(time);
                let input = std::mem::take(&mut agent.input);
                Call::new(span, agent.parent_of_steps(key.1), start, input, position)
            }
        };
        let content = record.message.json("content").unwrap_or_default();
        // Text alone is one block.
        let alone = content.starts_with('"').then(|| format!("{{\"type\":\"text\",\"text\":{content}}}"));
        let blocks = alone.as_deref().map_or_else(|| object::elements(content), |block| vec![block]);
        let message_id = record.message_id.clone().into_owned();
        let context = Context {
            trace: key.0,
            session: &agent.session,
            parent: call.parent,
            time,
            version: agent.version.as_deref(),
            position,
        };
        let tools: Vec<Tool> = blocks.iter().filter_map(|json| Tool::asked(json, &message_id, context)).collect();
        blocks.iter().for_each(|json| call.block(json));
        if let Some(text) = blocks.iter().filter_map(|json| said_text(json)).next_back() {
            if let Some(turn) = &mut agent.turn {
                turn.answer = Some(text.clone());
            }
            agent.answer = Some(text);
        }
        call.record(record, time, position);
        agent.answered = agent.answered.max(time);
        self.open_bytes += call.bytes();
        agent.calls.push_back(call);
        let session = agent.session.clone();
        let version = agent.version.clone();
        let mut done = Vec::new();
        while agent.calls.len() > OPEN_CALLS {
            done.extend(agent.calls.pop_front());
        }
        tools.into_iter().for_each(|tool| self.waiting.ask(tool));
        done.into_iter().try_for_each(|call| self.close(call, key.0, &session, version.as_deref(), out))
    }

    fn user(&mut self, spoken: Spoken<'_>, line: &str, out: &mut Out<'_>) -> Result<(), Fault> {
        let Spoken { mut record, mut message, uuid, key, time, position } = spoken;
        let content = message.json("content").unwrap_or_default();
        let results: Vec<&str> = object::elements(content).into_iter().filter(|json| is_tool_result(json)).collect();
        if !results.is_empty() {
            // What the record says besides is about its result; of several nobody knows which.
            for (i, json) in results.iter().enumerate() {
                let mut envelope = if i == 0 { Object::read(line).unwrap_or_default() } else { Object::default() };
                envelope.take(&TAKEN);
                let details = envelope.json("toolUseResult");
                if let Some(block) = Object::read(json) {
                    self.answer(key, block, details, envelope, time, position, out)?;
                }
            }
        }
        let Some(agent) = self.agents.get_mut(&key) else { return Ok(()) };
        let text = plain_text(content);
        if record.flag("isCompactSummary") {
            let note = Note { name: "claude_code.compact_summary", body: text, time: Some(time), said: Vec::new() };
            return self.note(key, note, record, position, out);
        }
        if text.starts_with(INTERRUPT) || text.starts_with(COMMAND_OUTPUT) {
            let name = if text.starts_with('[') { "claude_code.interrupt" } else { "claude_code.command_output" };
            let note = Note { name, body: text, time: Some(time), said: Vec::new() };
            return self.note(key, note, record, position, out);
        }
        agent.asked = agent.asked.max(time);
        let spoken = user_message(content);
        if spoken.is_empty() {
            return Ok(());
        }
        let is_prompt = !record.flag("isMeta");
        if !agent.input.is_empty() {
            agent.input.push(',');
        }
        agent.input.push_str(&spoken);
        if is_prompt && agent.prompt.is_none() {
            agent.prompt = Some(text.clone());
        }
        if !is_prompt || !results.is_empty() {
            return Ok(());
        }
        let mut said = Vec::new();
        record.rest(PREFIX, &mut said);
        let said = object::owned(said);
        if agent.sub.is_some() {
            if agent.said.is_empty() {
                agent.said = said;
            }
            return Ok(());
        }
        let Some(uuid) = uuid else { return Ok(()) };
        let turn = Turn { span: ids::turn(&uuid), start: time, last: time, prompt: text, answer: None, said };
        let before = agent.turn.replace(turn);
        let (session, version) = (agent.session.clone(), agent.version.clone());
        match before {
            Some(turn) if turn.span != ids::turn(&uuid) => {
                self.emit(&turn.into_span(key, &session), version.as_deref(), position, out)
            }
            _ => Ok(()),
        }
    }

    #[expect(clippy::too_many_arguments, reason = "a result is nothing without its surroundings")]
    fn answer(
        &mut self,
        key: Key,
        mut block: Object<'_>,
        details: Option<&str>,
        envelope: Object<'_>,
        time: u64,
        position: Position,
        out: &mut Out<'_>,
    ) -> Result<(), Fault> {
        let id = block.filled("tool_use_id").ok_or(Fault::Record("a tool result without a tool_use_id"))?.into_owned();
        let Some(agent) = self.agents.get(&key) else { return Ok(()) };
        let version = agent.version.clone();
        let mut answer = Answer::read(block, details, envelope);
        let tool = match self.waiting.answered(&id) {
            Some(tool) => tool,
            None if self.waiting.was_given_up(&id) => {
                let log = answer.into_log(key.0, ids::tool(&id), time);
                return self.log(&log, version.as_deref(), position, out);
            }
            None => {
                let parent = agent.parent_of_steps(key.1);
                let session = &agent.session;
                let version = version.as_deref();
                Tool::unknown(id, Context { trace: key.0, session, parent, time, version, position })
            }
        };
        // An agent that is sent on its way again is still the one that was started.
        let agent = answer.agent.take().filter(|_| tool.is_starter());
        answer.agent = agent.filter(|agent| self.waiting.is_first_start(agent));
        let (span, subagent) = tool.into_answered(answer, time);
        self.emit(&span, version.as_deref(), position, out)?;
        subagent.map_or(Ok(()), |span| self.emit(&span, version.as_deref(), position, out))
    }

    /// Takes a record that is no part of the conversation.
    fn other(
        &mut self,
        kind: &str,
        mut record: Object<'_>,
        time: Option<u64>,
        key: Option<Key>,
        place: Place<'_>,
        out: &mut Out<'_>,
    ) -> Result<(), Fault> {
        if matches!(kind, "progress" | "file-history-snapshot") {
            let agent = key.and_then(|key| self.agents.get_mut(&key));
            let counts = agent.map_or(&mut self.held.not_kept, |agent| &mut agent.not_kept);
            *counts.entry(kind.to_owned()).or_default() += 1;
            return Ok(());
        }
        let Some(key) = key else {
            return Ok(self.held.hold(place, out)?);
        };
        let name = match record.filled("subtype") {
            Some(subtype) => format!("{PREFIX}{kind}.{subtype}"),
            None => format!("{PREFIX}{kind}"),
        };
        let body = record.text("content").unwrap_or_default().into_owned();
        self.note(key, Note { name: &name, body, time, said: Vec::new() }, record, place.position, out)
    }

    fn note(
        &mut self,
        key: Key,
        note: Note<'_>,
        record: Object<'_>,
        position: Position,
        out: &mut Out<'_>,
    ) -> Result<(), Fault> {
        self.attach_held(key, out)?;
        let version = self.agents.get(&key).and_then(|agent| agent.version.clone());
        self.log(&note.into_log(key, record), version.as_deref(), position, out)
    }

    /// Gives records that came before any session to the first one.
    fn attach_held(&mut self, key: Key, out: &mut Out<'_>) -> Result<(), Fault> {
        for (position, line) in self.held.take() {
            let mut record = Object::read(&line).unwrap_or_default();
            let kind = record.filled("type").unwrap_or_default();
            self.other(&kind, record, None, Some(key), Place { position, bytes: b"" }, out)?;
        }
        Ok(())
    }

    /// Lets go of what is open when it takes too much memory: the oldest tools, then the calls of other agents, then all.
    fn make_room(&mut self, key: Key, out: &mut Out<'_>) -> Result<(), Fault> {
        if let Some(agent) = self.agents.get_mut(&key) {
            let bytes = agent.bytes();
            self.open_bytes =
                (self.open_bytes + bytes).saturating_sub(std::mem::replace(&mut agent.counted_bytes, bytes));
        }
        while self.open_bytes + self.waiting.bytes() > OPEN_BYTES
            && let Some(tool) = self.waiting.give_up()
        {
            self.unanswered(tool, out)?;
        }
        if self.open_bytes > OPEN_BYTES {
            let keys: Vec<Key> = self.agents.keys().copied().filter(|other| *other != key).collect();
            keys.into_iter().try_for_each(|key| self.close_calls(key, out))?;
        }
        if self.open_bytes > OPEN_BYTES { self.finish_agents(out) } else { Ok(()) }
    }

    fn unanswered(&mut self, tool: Tool, out: &mut Out<'_>) -> Result<(), Fault> {
        let (version, position) = (tool.version.clone(), tool.position);
        self.emit(&tool.into_unanswered(), version.as_deref(), position, out)
    }

    fn close_calls(&mut self, key: Key, out: &mut Out<'_>) -> Result<(), Fault> {
        let Some(agent) = self.agents.get_mut(&key) else { return Ok(()) };
        let calls = std::mem::take(&mut agent.calls);
        let (session, version) = (agent.session.clone(), agent.version.clone());
        calls.into_iter().try_for_each(|call| self.close(call, key.0, &session, version.as_deref(), out))
    }

    fn close(
        &mut self,
        call: Call,
        trace: TraceId,
        session: &str,
        version: Option<&str>,
        out: &mut Out<'_>,
    ) -> Result<(), Fault> {
        self.open_bytes = self.open_bytes.saturating_sub(call.bytes());
        let position = call.position;
        self.emit(&call.into_span(trace, session), version, position, out)
    }

    fn finish_agents(&mut self, out: &mut Out<'_>) -> Result<(), Fault> {
        // In the order of the file, so that what comes out does not depend on hashes.
        let mut keys: Vec<(u64, Key)> = self.agents.iter().map(|(key, agent)| (agent.first, *key)).collect();
        keys.sort_unstable();
        for (_, key) in keys {
            self.close_calls(key, out)?;
            let Some(mut agent) = self.agents.remove(&key) else { continue };
            self.open_bytes = self.open_bytes.saturating_sub(agent.counted_bytes);
            let (version, position) = (agent.version.clone(), agent.position);
            if agent.sub.is_none() && self.latest == Some(key) {
                for (kind, n) in std::mem::take(&mut self.held.not_kept) {
                    *agent.not_kept.entry(kind).or_default() += n;
                }
            }
            if let Some(turn) = agent.turn.take() {
                self.emit(&turn.into_span(key, &agent.session), version.as_deref(), position, out)?;
            }
            if let Some((origin, message)) = self.forks.get(&agent.session).filter(|_| agent.sub.is_none()) {
                let said = vec![
                    attribute("claude_code.forkedFrom.sessionId", origin.clone()),
                    attribute("claude_code.forkedFrom.messageUuid", message.clone()),
                ];
                let note = Note { name: "claude_code.forked", body: String::new(), time: Some(agent.first), said };
                self.log(&note.into_log(key, Object::default()), version.as_deref(), position, out)?;
            }
            if !agent.input.is_empty() {
                let body = format!("[{}]", std::mem::take(&mut agent.input));
                let note = Note { name: "claude_code.input", body, time: Some(agent.asked), said: Vec::new() };
                self.log(&note.into_log(key, Object::default()), version.as_deref(), position, out)?;
            }
            if !agent.not_kept.is_empty() {
                let count = |(kind, n): (String, u64)| (kind.into(), Value::Int(i64::try_from(n).unwrap_or(i64::MAX)));
                let said = std::mem::take(&mut agent.not_kept).into_iter().map(count).collect();
                let note = Note { name: "claude_code.not_kept", body: String::new(), time: Some(agent.last), said };
                self.log(&note.into_log(key, Object::default()), version.as_deref(), position, out)?;
            }
            if let Some(span) = agent.into_span(key) {
                self.emit(&span, version.as_deref(), position, out)?;
            }
        }
        Ok(())
    }

    /// At the end of the file: everything that is still open.
    pub(super) fn finish(mut self, out: &mut Out<'_>) -> Result<(), Halt> {
        let done = self.finish_all(out);
        match done {
            Err(Fault::Halt(halt)) => Err(halt),
            // Nothing but records is at fault, and there are none left.
            Ok(()) | Err(Fault::Record(_)) => Ok(()),
        }
    }

    fn finish_all(&mut self, out: &mut Out<'_>) -> Result<(), Fault> {
        if let Some(key) = self.latest.or_else(|| self.agents.keys().min().copied()) {
            self.attach_held(key, out)?;
        }
        while let Some(tool) = self.waiting.give_up() {
            self.unanswered(tool, out)?;
        }
        self.finish_agents(out)?;
        Ok(self.held.reject(out)?)
    }

    fn emit(
        &mut self,
        span: &Span<'_>,
        version: Option<&str>,
        position: Position,
        out: &mut Out<'_>,
    ) -> Result<(), Fault> {
        self.begin(version, out);
        Ok(out.span(span, || Place { position, bytes: b"" })?)
    }

    fn log(
        &mut self,
        log: &LogRecord<'_>,
        version: Option<&str>,
        position: Position,
        out: &mut Out<'_>,
    ) -> Result<(), Fault> {
        self.begin(version, out);
        Ok(out.log(log, || Place { position, bytes: b"" })?)
    }

    fn begin(&mut self, version: Option<&str>, out: &mut Out<'_>) {
        if self.version.as_ref().is_some_and(|v| v.as_deref() == version) {
            return;
        }
        self.version = Some(version.map(str::to_owned));
        let mut attributes = vec![attribute("service.name", MAIN_AGENT)];
        attributes.extend(version.map(|v| attribute("service.version", v)));
        out.begin_resource(&Resource { attributes, ..Resource::default() });
        out.begin_scope(&Scope { name: SCOPE.into(), ..Scope::default() });
    }
}

/// Members that say what a record is and where it belongs.
const TAKEN: [&str; 8] =
    ["type", "sessionId", "forkedFrom", "agentId", "isSidechain", "version", "timestamp", "message"];

fn is_tool_result(json: &str) -> bool {
    Object::read(json).is_some_and(|block| block.look("type").as_deref() == Some("tool_result"))
}

/// The text of a block of an answer that is text.
fn said_text(json: &str) -> Option<String> {
    let block = Object::read(json)?;
    let text = block.look("text").filter(|_| block.look("type").as_deref() == Some("text"))?;
    Some(text.trim()).filter(|text| !text.is_empty()).map(str::to_owned)
}
