//! Tools that wait for their answers.

use std::collections::{BTreeMap, HashMap, HashSet};

use foldhash::fast::RandomState;

use super::ids;
use super::tool::Tool;
use crate::limits::TRACKED_SPANS;
use crate::model::SpanId;

/// Tools without an answer, and what has to be remembered of those that had one.
#[derive(Default)]
pub(super) struct Waiting {
    /// By the order in which they were asked for.
    tools: BTreeMap<u64, Tool>,
    numbers: HashMap<String, u64, RandomState>,
    asked: u64,
    /// Memory that the tools hold, roughly.
    bytes: usize,
    /// Tools that were given up because there were too many.
    given_up: HashSet<SpanId, RandomState>,
    /// Subagents whose start is known.
    started: HashSet<SpanId, RandomState>,
}

impl Waiting {
    /// A tool was asked for.
    pub(super) fn ask(&mut self, tool: Tool) {
        self.asked += 1;
        self.bytes += tool.bytes();
        if let Some(before) = self.numbers.insert(tool.id.clone(), self.asked) {
            self.take(before);
        }
        self.tools.insert(self.asked, tool);
    }

    /// The tool that an answer is for, which waits no longer.
    pub(super) fn answered(&mut self, id: &str) -> Option<Tool> {
        let number = self.numbers.remove(id)?;
        self.take(number)
    }

    /// The tool that waited longest, given up.
    pub(super) fn give_up(&mut self) -> Option<Tool> {
        let number = *self.tools.first_key_value()?.0;
        let tool = self.take(number)?;
        self.numbers.remove(&tool.id);
        remember(&mut self.given_up, ids::tool(&tool.id));
        Some(tool)
    }

    fn take(&mut self, number: u64) -> Option<Tool> {
        let tool = self.tools.remove(&number)?;
        self.bytes = self.bytes.saturating_sub(tool.bytes());
        Some(tool)
    }

    /// Whether a tool was given up before its answer came.
    pub(super) fn was_given_up(&self, id: &str) -> bool {
        self.given_up.contains(&ids::tool(id))
    }

    /// The tool that starts a subagent with this prompt, the newest if there are several.
    pub(super) fn starter(&self, prompt: &str) -> Option<&Tool> {
        self.tools.values().rev().find(|tool| tool.has_prompt(prompt))
    }

    /// Whether an agent was not started before.
    pub(super) fn is_first_start(&mut self, agent: &str) -> bool {
        remember(&mut self.started, ids::subagent(agent))
    }

    /// Memory that the tools hold, roughly.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

/// Adds to a set that does not grow for ever; whether it was new.
fn remember(set: &mut HashSet<SpanId, RandomState>, id: SpanId) -> bool {
    if set.len() >= TRACKED_SPANS {
        set.clear();
    }
    set.insert(id)
}
