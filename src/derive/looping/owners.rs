//! Which step the tokens and the cost of each span belong to.
//!
//! Those of the spans of a step are its own. A second span of the same call gives them to the call, and a span below,
//! as an embedding within a search, to the step that it is in. A span above several steps, as an agent that reports
//! their sum, gives them to none.

use super::super::structure::NONE;
use super::Known;
use super::steps::{Call, Place};

/// The step of each row, if it has one.
pub(super) fn of(known: &Known<'_, '_>, places: &[Place]) -> Vec<Option<u32>> {
    let mut owner: Vec<Option<u32>> = vec![None; known.rows.len()];
    for (at, place) in (0u32..).zip(places) {
        if place.turn != NONE {
            owner[place.turn as usize] = Some(at);
        }
        for call in &place.calls {
            if let Call::Row(i) = *call {
                owner[i as usize] = Some(at);
            }
        }
    }
    for (i, &kept) in known.duplicate_of.iter().enumerate() {
        if kept != NONE && owner[i].is_none() {
            owner[i] = owner[kept as usize];
        }
    }
    for &i in &known.tree.preorder {
        let parent = known.tree.parent[i as usize];
        if owner[i as usize].is_none() && parent != NONE {
            owner[i as usize] = owner[parent as usize];
        }
    }
    owner
}
