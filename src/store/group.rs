//! Group commit: many threads hand over rows, one sync makes all of them durable.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::writer::{Commit, Writer};
use crate::batch::SpanBatch;
use crate::error::{Error, Result};

/// A writer that threads share. Each [`GroupWriter::commit`] returns once its rows are durable; rows that come in
/// while a commit runs share the next one, so that syncs do not grow with the number of threads.
#[derive(Debug, Clone)]
pub struct GroupWriter {
    group: Arc<Group>,
}

#[derive(Debug)]
struct Group {
    state: Mutex<State>,
    done: Condvar,
}

#[derive(Debug)]
struct State {
    /// Here while no commit runs.
    writer: Option<Writer>,
    waiting: Vec<SpanBatch>,
    /// Number of the round that collects rows now, and of the last one that ended.
    round: u64,
    ended: u64,
    outcome: std::result::Result<Commit, String>,
}

impl GroupWriter {
    /// Shares a writer.
    pub fn new(writer: Writer) -> Self {
        let outcome = Ok(Commit { version: 0, spans: 0, logs: 0 });
        let state = State { writer: Some(writer), waiting: Vec::new(), round: 1, ended: 0, outcome };
        GroupWriter { group: Arc::new(Group { state: Mutex::new(state), done: Condvar::new() }) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.group.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes rows durable, together with those of other threads. The counts are those of the whole group.
    ///
    /// # Errors
    /// Those of [`Writer::commit`]; every thread of the group gets one. The writer is poisoned then.
    pub fn commit(&self, batch: SpanBatch) -> Result<Commit> {
        let mut state = self.lock();
        state.waiting.push(batch);
        let mine = state.round;
        loop {
            if state.ended >= mine {
                return state.outcome.clone().map_err(Error::Group);
            }
            // Whoever finds the writer free commits for all that wait; the others sleep until that round ends.
            let Some(mut writer) = state.writer.take() else {
                state = self.group.done.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let batches = std::mem::take(&mut state.waiting);
            let round = state.round;
            state.round += 1;
            drop(state);
            let result = batches.into_iter().try_for_each(|b| writer.append(b)).and_then(|()| writer.commit());
            state = self.lock();
            state.writer = Some(writer);
            state.ended = round;
            state.outcome = result.as_ref().map(|c| *c).map_err(ToString::to_string);
            self.group.done.notify_all();
            return result;
        }
    }

    /// The writer, once no other handle to the group is left; else the handle back.
    ///
    /// # Errors
    /// The handle itself, while clones of it live.
    pub fn into_writer(self) -> std::result::Result<Writer, Self> {
        let group = Arc::try_unwrap(self.group).map_err(|group| GroupWriter { group })?;
        let Group { state, done } = group;
        let mut state = state.into_inner().unwrap_or_else(PoisonError::into_inner);
        match state.writer.take() {
            Some(writer) => Ok(writer),
            // Only a thread that is inside `commit` holds it, and such a thread holds a handle.
            None => Err(GroupWriter { group: Arc::new(Group { state: Mutex::new(state), done }) }),
        }
    }
}
