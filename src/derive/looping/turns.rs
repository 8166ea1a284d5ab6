//! Where a user spoke, and which LLM turns are one of a batch.
//!
//! A user's message ends what an agent did before: asked for the same thing again, it may do the same again. Frameworks
//! put other things into messages of users: observations, orders of a planner, what another agent said. So a message
//! is taken for a user's only if it is new, comes after an answer and not after a call, is nothing that was put out
//! during the run, and, within one run of an agent, is still there when the agent's next turn begins.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use memchr::memmem;

use super::super::structure::NONE;
use super::conversation::{Conversation, say, snippet};
use super::steps::{Place, Run, result};
use crate::loops::{Step, StepKind};

/// An LLM turn of an agent.
struct Turn<'r> {
    /// Position among the steps.
    step: usize,
    row: u32,
    input: Option<&'r str>,
    conversation: Option<Conversation>,
    /// The run of the agent that it is in, or [`NONE`].
    of_run: u32,
}

/// Marks steps that follow a user's message, and LLM turns whose input shows no turn before them.
pub(super) fn mark(run: &Run<'_, '_>, steps: &mut [Step], places: &[Place]) {
    let mut agents: HashMap<(Arc<str>, u32), Vec<usize>, RandomState> = HashMap::default();
    for (at, (step, _)) in steps.iter().zip(places).enumerate().filter(|(_, (_, p))| p.turn != NONE) {
        agents.entry((step.agent.clone(), step.instance)).or_default().push(at);
    }
    let of_run = runs(run);
    for of_agent in agents.into_values() {
        let turns: Vec<Turn<'_>> = of_agent
            .into_iter()
            .map(|step| {
                let row = places[step].turn;
                let input = run.rows[row as usize].input;
                let conversation = input.and_then(Conversation::of);
                Turn { step, row, input, conversation, of_run: of_run[row as usize] }
            })
            .collect();
        for (n, turn) in turns.iter().enumerate() {
            let before = n.checked_sub(1).map(|n| &turns[n]);
            let is_step = steps[turn.step].kind == StepKind::Llm;
            steps[turn.step].alone = is_step && is_alone(run, turn, before, turns.get(n + 1));
            let Some(before) = before else { continue };
            let answered = steps[before.step].kind == StepKind::Llm;
            if answered && user_spoke(run, before, turn, turns.get(n + 1)) {
                steps[turn.step].barrier = true;
            }
        }
    }
}

/// The innermost run of an agent around each row, or [`NONE`]: in one pass, for a trace may be as deep as it is long.
fn runs(run: &Run<'_, '_>) -> Vec<u32> {
    let mut of_run = vec![NONE; run.rows.len()];
    for &i in &run.tree.preorder {
        let parent = run.tree.parent[i as usize];
        of_run[i as usize] = match (run.spans[i as usize].is_agent_run, parent) {
            (true, _) => i,
            (false, NONE) => NONE,
            (false, parent) => of_run[parent as usize],
        };
    }
    of_run
}

/// Whether the input shows nothing of the agent's turn before, nor that after it of this one: prompts that are
/// answered each for itself. Of inputs that were not recorded nothing is known.
fn is_alone(run: &Run<'_, '_>, turn: &Turn<'_>, before: Option<&Turn<'_>>, after: Option<&Turn<'_>>) -> bool {
    let follows = |a: &Turn<'_>, b: &Turn<'_>| {
        let (Some(first), Some(second)) = (a.input, b.input) else { return true };
        let mut output = String::new();
        run.rows[a.row as usize].output.into_iter().for_each(|o| say(o, &mut output));
        let quoted = snippet(&output).is_some_and(|s| holds(second, s));
        first == second || b.conversation.as_ref().is_some_and(Conversation::has_answers) || quoted
    };
    before.is_none_or(|before| !follows(before, turn)) && after.is_none_or(|after| !follows(turn, after))
}

fn holds(text: &str, part: &str) -> bool {
    memmem::find(text.as_bytes(), part.as_bytes()).is_some()
}

/// Whether a user spoke between two turns of an agent, the first of which made no call.
fn user_spoke(run: &Run<'_, '_>, before: &Turn<'_>, turn: &Turn<'_>, after: Option<&Turn<'_>>) -> bool {
    let Some(now) = &turn.conversation else { return false };
    let Some(said) = now.last_of_user() else { return false };
    let earlier = before.conversation.as_ref();
    let more = earlier.is_none_or(|c| now.user_messages() > c.user_messages());
    let same_run = turn.of_run != NONE && turn.of_run == before.of_run;
    let other = earlier.and_then(Conversation::last_of_user).is_none_or(|last| last != said);
    if !more && (same_run || !other) {
        return false;
    }
    let Some(snippet) = snippet(&said) else { return true };
    let put_out = |i: u32| {
        let row = &run.rows[i as usize];
        [row.output, result(row)].into_iter().flatten().any(|text| holds(text, snippet))
    };
    if (before.row..turn.row).any(put_out) {
        return false;
    }
    let stays = after.and_then(|t| t.input).is_none_or(|input| holds(input, snippet));
    !same_run || stays
}
