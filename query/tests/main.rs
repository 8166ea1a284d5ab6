//! SQL over files as their users see it. One binary, one module per topic:
//!
//! * `data` builds the files that the others query,
//! * `pruning` shows by metrics and plans that only what is needed is read,
//! * `dialect` and `functions`: what may be written, and what it means,
//! * `readonly`: what is refused,
//! * `render`: golden output of every format,
//! * `views`: what each view says of captures, and that it is the same as asking the spans,
//! * `structure`: the tree functions against a walk along parents,
//! * `cost_views`: that all views of costs agree; prices by time, by name, of one's own,
//! * `loops`: the table, its views, other settings, the verb,
//! * `command`: the binary, by its stdout, stderr and exit code,
//! * `session`: scripts, options and dot-commands, without a terminal,
//! * `terminal`: the shell on a pseudo-terminal, its screen as a person sees it,
//! * `show`: its verbs `show` and `diff`,
//! * `manual`: manual pages and completions,
//! * `page`: what `show --html` writes, in a browser,
//! * `cost`: its verbs `cost` and `budget`, and the view `budget_status`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod command;
mod cost;
mod cost_views;
mod data;
mod dialect;
mod drift;
mod functions;
mod loops;
mod manual;
mod page;
mod pruning;
mod readonly;
mod render;
mod session;
mod show;
mod structure;
mod terminal;
mod views;
