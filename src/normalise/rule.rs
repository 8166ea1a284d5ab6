//! The vocabulary that dialect tables are written in.

use super::kind::{Kind, KindKey, NamedKind};

/// One dialect: everything that is particular to it.
pub(crate) struct Dialect {
    /// Value of the `dialect` column.
    pub(crate) name: &'static str,
    /// When several dialects are on one span, the lowest names it in the `dialect` column.
    pub(crate) rank: u8,
    /// Keys whose presence means this dialect.
    pub(crate) marks: &'static [&'static str],
    /// Keys that mean this dialect when they have this value.
    pub(crate) valued_marks: &'static [(&'static str, &'static str)],
    /// Beginnings of scope names that mean this dialect.
    pub(crate) scopes: &'static [&'static str],
    /// Keys that say the kind.
    pub(crate) kinds: &'static [KindKey],
    /// Span names that say the kind, on spans where this dialect is recognised.
    pub(crate) names: &'static [NamedKind],
    /// Keys that are asked before the rules of any dialect.
    pub(crate) overrides: &'static [Rule],
    /// Keys by column, best first. They come before any rule of the dialects further down the list.
    pub(crate) rules: &'static [Rule],
    /// Families of dotted keys that are assembled into one JSON column; asked after `rules`.
    pub(crate) groups: &'static [Group],
    /// Keys that are asked only when no dialect's rules or groups filled the column.
    pub(crate) fallbacks: &'static [Rule],
}

impl Dialect {
    /// What a dialect has that says nothing about a field.
    pub(crate) const BLANK: Dialect = Dialect {
        name: "",
        rank: u8::MAX,
        marks: &[],
        valued_marks: &[],
        scopes: &[],
        kinds: &[],
        names: &[],
        overrides: &[],
        rules: &[],
        groups: &[],
        fallbacks: &[],
    };
}

/// One key that may fill one column.
pub(crate) struct Rule {
    pub(crate) key: &'static str,
    pub(crate) column: usize,
    pub(crate) take: Take,
    pub(crate) when: When,
}

/// A rule that always holds.
pub(crate) const fn rule(key: &'static str, column: usize, take: Take) -> Rule {
    Rule { key, column, take, when: When::Always }
}

/// A rule with a condition.
pub(crate) const fn rule_when(key: &'static str, column: usize, take: Take, when: When) -> Rule {
    Rule { key, column, take, when }
}

/// A family of dotted keys, `prefix<index>.<level><path>`.
pub(crate) struct Group {
    pub(crate) prefix: &'static str,
    /// Constant level after the index, with its dot; dropped from the JSON.
    pub(crate) level: &'static str,
    pub(crate) column: usize,
    pub(crate) when: When,
}

/// When a rule holds.
#[derive(Clone, Copy)]
pub(crate) enum When {
    /// On every span.
    Always,
    /// On spans of these kinds.
    Kinds(&'static [Kind]),
    /// On spans of all but these kinds.
    NotKinds(&'static [Kind]),
    /// In scopes with one of these names.
    Scopes(&'static [&'static str]),
    /// In all other scopes.
    NotScopes(&'static [&'static str]),
    /// On spans where the rule's own dialect is recognised: for keys without a prefix of their own.
    Own,
    /// Likewise, on spans of these kinds.
    OwnKinds(&'static [Kind]),
}

impl When {
    /// Whether it holds on a span; `own` says whether the rule's dialect was recognised there.
    pub(crate) fn holds(self, kind: Kind, scope: &str, own: bool) -> bool {
        match self {
            When::Always => true,
            When::Kinds(kinds) => kinds.contains(&kind),
            When::NotKinds(kinds) => !kinds.contains(&kind),
            When::Scopes(names) => names.contains(&scope),
            When::NotScopes(names) => !names.contains(&scope),
            When::Own => own,
            When::OwnKinds(kinds) => own && kinds.contains(&kind),
        }
    }
}

/// How a value becomes a column's value.
#[derive(Clone, Copy)]
pub(crate) enum Take {
    /// Text as it is; other types as their text.
    Text,
    /// Text as it is, unless it is one of these, which stand for nothing.
    TextBut(&'static [&'static str]),
    /// Messages as JSON text, unless not one of them has content.
    Messages,
    /// Text after this beginning; text with another beginning is not taken.
    After(&'static str),
    /// Text that must be one JSON document.
    Json,
    /// One of these words (a boolean counts as `true` or `false`), as the word beside it. Any other is not present.
    Words(&'static [(&'static str, &'static str)]),
    /// Text as a provider name: lower case, older names replaced by today's.
    Provider,
    /// Likewise, up to the first dot: what follows names the provider's API.
    ProviderBeforeDot,
    /// Text that may be a JSON string, without its quotes.
    Unquoted,
    /// Integer that is not negative, also from text or an integral double.
    Int,
    /// Float, also from text or an integer.
    Double,
    /// Dollars, exact to the digits of the shortest text.
    Usd,
    /// One or several finish reasons, as a JSON array in one spelling.
    FinishReasons,
    /// Seconds as float, to nanoseconds.
    SecondsToNs,
    /// Milliseconds to nanoseconds.
    MsToNs,
    /// RFC 3339 time that may be a JSON string, as nanoseconds since the span's start.
    TimeSinceStart,
    /// Milliseconds when an integer, seconds when a float, to nanoseconds.
    MsOrSecondsToNs,
    /// The first of these dotted paths (a number is an index) that leads to a value in a JSON text, taken as text.
    FieldText(&'static [&'static str]),
    /// Likewise, taken as integer.
    FieldInt(&'static [&'static str]),
    /// Likewise, taken as float.
    FieldDouble(&'static [&'static str]),
    /// Likewise, taken as finish reason.
    FieldFinishReason(&'static [&'static str]),
    /// Likewise, taken as dollars.
    FieldUsd(&'static [&'static str]),
    /// The array of that name in a JSON object, as JSON.
    FieldArray(&'static str),
    /// The first of these dotted paths that leads to a value, an object or array too; taken as JSON.
    FieldJson(&'static [&'static str]),
    /// Dollars: the sum of all fields of a JSON object.
    SumUsd,
}

impl Take {
    /// Whether any value but a number is a mistake of who sent it.
    pub(crate) fn wants_number(self) -> bool {
        matches!(self, Take::Int | Take::Double | Take::Usd | Take::SecondsToNs | Take::MsToNs | Take::MsOrSecondsToNs)
    }
}

/// Whether a guardrail stopped the run.
pub(crate) const VERDICTS: Take = Take::Words(&[("true", "block"), ("false", "allow")]);
