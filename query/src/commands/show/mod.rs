//! `spanfile show FILE RUN`: a run as a tree with a waterfall.

mod critical;
pub(super) mod run;
mod stored;
mod which;
