//! All dialects merged into one look-up by key.

use std::collections::HashMap;
use std::sync::LazyLock;

use foldhash::fast::FixedState;

use super::dialects::DIALECTS;
use super::kind::KindKey;
use super::rule::{Dialect, Group, Rule};

/// Overrides of one dialect start this far after those of the dialect before; all come before everything else.
const OVERRIDE_STEP: usize = 50;
/// Where the first dialect's own rules start.
const RULES: usize = 1000;
/// Ranks of one dialect's rules start this far after those of the dialect before.
const DIALECT_STEP: usize = 1000;
/// Where a dialect's groups start after its rules.
const GROUP_STEP: usize = 500;
/// Fallbacks of all dialects come after everything else.
const FALLBACKS: usize = 32_000;

/// What is known about one key.
#[derive(Default)]
pub(crate) struct Entry {
    /// Dialect that the key proves, by position; only with that value if there is one.
    pub(crate) marks: Option<(usize, Option<&'static str>)>,
    /// How the key's value names the kind.
    pub(crate) kinds: Vec<&'static KindKey>,
    /// Columns that it may fill.
    pub(crate) rules: Vec<Ranked>,
    /// The family of dotted keys that it is of as well, by position.
    pub(crate) group: Option<usize>,
}

/// A rule and its precedence within its column; lower wins.
pub(crate) struct Ranked {
    pub(crate) rank: u16,
    /// Dialect that it belongs to.
    pub(crate) dialect: usize,
    pub(crate) rule: &'static Rule,
}

/// A group and its precedence within its column.
pub(crate) struct RankedGroup {
    pub(crate) rank: u16,
    /// Dialect that it belongs to.
    pub(crate) dialect: usize,
    pub(crate) group: &'static Group,
}

/// The merged table.
pub(crate) struct Table {
    entries: HashMap<&'static str, Entry, FixedState>,
    groups: Vec<RankedGroup>,
}

pub(crate) static TABLE: LazyLock<Table> = LazyLock::new(Table::new);

impl Table {
    fn new() -> Self {
        let mut entries: HashMap<&'static str, Entry, FixedState> = HashMap::default();
        let mut groups = Vec::new();
        for (d, dialect) in DIALECTS.iter().enumerate() {
            for key in dialect.marks {
                entries.entry(key).or_default().marks = Some((d, None));
            }
            for (key, value) in dialect.valued_marks {
                entries.entry(key).or_default().marks = Some((d, Some(value)));
            }
            for kinds in dialect.kinds {
                entries.entry(kinds.key).or_default().kinds.push(kinds);
            }
            let first = dialect.overrides.iter().enumerate().map(|(i, r)| (d * OVERRIDE_STEP + i, r));
            let own = dialect.rules.iter().enumerate().map(|(i, r)| (RULES + d * DIALECT_STEP + i, r));
            let late = dialect.fallbacks.iter().enumerate().map(|(i, r)| (FALLBACKS + d * DIALECT_STEP + i, r));
            for (rank, rule) in first.chain(own).chain(late) {
                entries.entry(rule.key).or_default().rules.push(Ranked { rank: rank as u16, dialect: d, rule });
            }
            for (i, group) in dialect.groups.iter().enumerate() {
                let rank = RULES + d * DIALECT_STEP + GROUP_STEP + i;
                groups.push(RankedGroup { rank: rank as u16, dialect: d, group });
            }
        }
        let mut table = Table { entries: HashMap::default(), groups };
        for (key, entry) in &mut entries {
            entry.group = table.group_of(key);
        }
        table.entries = entries;
        table
    }

    /// What is known about a key.
    #[inline]
    pub(crate) fn get(&self, key: &str) -> Option<&Entry> {
        self.entries.get(key)
    }

    /// Every key that is known.
    #[cfg(test)]
    pub(crate) fn keys(&self) -> impl Iterator<Item = &'static str> {
        self.entries.keys().copied()
    }

    /// The family of dotted keys that a key belongs to.
    pub(crate) fn group_of(&self, key: &str) -> Option<usize> {
        self.groups.iter().position(|g| {
            key.strip_prefix(g.group.prefix).is_some_and(|rest| rest.as_bytes().first().is_some_and(u8::is_ascii_digit))
        })
    }

    pub(crate) fn group(&self, position: usize) -> &RankedGroup {
        &self.groups[position]
    }

    /// The dialect that a scope's name proves.
    pub(crate) fn dialect_of_scope(&self, scope: &str) -> Option<usize> {
        DIALECTS.iter().position(|d| d.scopes.iter().any(|s| scope.starts_with(s)))
    }

    pub(crate) fn dialect(&self, position: usize) -> &'static Dialect {
        DIALECTS[position]
    }

    pub(crate) fn dialect_rank(&self, dialect: usize) -> u8 {
        DIALECTS[dialect].rank
    }

    pub(crate) fn dialect_name(&self, dialect: usize) -> &'static str {
        DIALECTS[dialect].name
    }
}
