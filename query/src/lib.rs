//! SQL over `.spans` files.
//!
//! [`Engine`] attaches files and plans statements, [`Query`] runs one, [`render`] writes its rows. SQL can read
//! the attached files and nothing else.

#![forbid(unsafe_code)]

mod budgets;
mod cancel;
mod catalog;
mod costs;
mod diagnose;
mod dialect;
mod drift;
mod engine;
mod error;
mod functions;
mod ids;
mod lex;
mod naming;
mod provider;
pub mod render;
mod statement;
mod structure;
mod views;

pub use budgets::budget_status_sql;
pub use diagnose::alike;
pub use dialect::SpanfileDialect;
pub use engine::{Engine, EngineOptions, FunctionInfo, FunctionKind, Query, expand};
pub use error::{Position, QueryError, Result};
pub use lex::{LexToken, TokenKind, lex};
pub use statement::{Piece, split};
