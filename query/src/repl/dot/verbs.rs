//! What the verbs of the command line show, in the shell: the same options, the same code.

use std::sync::Arc;

use spanfile_query::Result;

use super::words::split;
use super::{catalog, expected, wrong};
use crate::cli::{self, Verb};
use crate::commands::{self, Showing, quoted};
use crate::repl::session::{Next, Session};

/// Shows what a verb shows of the open files. Its options may say how; else the session's do.
fn verb(session: &mut Session, name: &str, words: Vec<String>) -> Result<Next> {
    let parsed = cli::parse_verb(name, &session.opened.main, words).map_err(wrong)?;
    let usual = Showing::in_session(
        session.look(),
        &session.settings.format,
        &session.settings.render_options(session.out.is_stdout() && session.once.is_none()),
    );
    let engine = Arc::clone(&session.engine);
    let code = session.show(false, None, move |mut out| async move {
        let out = &mut out;
        match &parsed {
            Verb::Cost(args) => commands::cost::draw(&engine, args, &usual.or(&args.shown), out).await,
            Verb::Loops(args) => commands::loops::draw(&engine, args, &usual.or(&args.shown), out).await,
            Verb::Drift(args) => commands::drift::draw(&engine, args, &usual.or(&args.shown), out).await,
            Verb::Runs(args) => commands::lists::runs(&engine, args, &usual.or(&args.shown), out).await,
            Verb::Agents(args) => commands::lists::agents(&engine, args, &usual.or(&args.shown), out).await,
            Verb::Tools(args) => commands::lists::tools(&engine, args, &usual.or(&args.shown), out).await,
            Verb::Show(args) => commands::show::show(&engine, args, &usual.or(&args.shown), out).await,
            Verb::Diff(args) => commands::diff::diff(&engine, args, &usual.or(&args.shown), out).await,
            _ => Err(expected()),
        }
    })?;
    // A gate that fails says so with its code, also in a script.
    if code != commands::exit::FINE {
        session.code = code;
    }
    Ok(Next::Go)
}

/// The options of a verb, for `.help`.
pub(super) fn options(name: &str) -> String {
    cli::options_of(name)
}

pub(super) fn runs(session: &mut Session, rest: &str) -> Result<Next> {
    verb(session, "runs", split(rest)?)
}

pub(super) fn agents(session: &mut Session, rest: &str) -> Result<Next> {
    verb(session, "agents", split(rest)?)
}

pub(super) fn tools(session: &mut Session, rest: &str) -> Result<Next> {
    verb(session, "tools", split(rest)?)
}

/// `.cost agent` is `.cost --by agent`.
pub(super) fn cost(session: &mut Session, rest: &str) -> Result<Next> {
    let mut words = split(rest)?;
    if words.first().is_some_and(|w| !w.starts_with('-')) {
        words.insert(0, "--by".to_owned());
    }
    verb(session, "cost", words)
}

pub(super) fn loops(session: &mut Session, rest: &str) -> Result<Next> {
    verb(session, "loops", split(rest)?)
}

pub(super) fn drift(session: &mut Session, rest: &str) -> Result<Next> {
    verb(session, "drift", split(rest)?)
}

pub(super) fn run(session: &mut Session, rest: &str) -> Result<Next> {
    verb(session, "show", of_run(rest)?)
}

pub(super) fn waterfall(session: &mut Session, rest: &str) -> Result<Next> {
    let mut words = of_run(rest)?;
    words.push("--waterfall".to_owned());
    verb(session, "show", words)
}

pub(super) fn diff(session: &mut Session, rest: &str) -> Result<Next> {
    verb(session, "diff", split(rest)?)
}

/// Arguments that begin with a run; the last one where they do not.
fn of_run(rest: &str) -> Result<Vec<String>> {
    let mut words = split(rest)?;
    if words.first().is_none_or(|w| w.starts_with('-')) {
        words.insert(0, "last".to_owned());
    }
    Ok(words)
}

pub(super) fn prices(session: &mut Session, model: &str) -> Result<Next> {
    let columns = "valid_from, above_input_tokens, input_usd_per_mtok, cache_read_usd_per_mtok, cache_write_usd_per_mtok, \
                   output_usd_per_mtok, layer";
    let sql = match model {
        "" => "SELECT provider, request_model, response_model, m['price_key'] AS priced_as, \
               m['input_usd_per_mtok'] AS input_usd_per_mtok, m['cache_read_usd_per_mtok'] AS cache_read_usd_per_mtok, \
               m['output_usd_per_mtok'] AS output_usd_per_mtok, m['unpriced_reason'] AS unpriced_reason \
               FROM (SELECT provider, request_model, response_model, price_match(model => response_model, \
               request_model => request_model, provider => provider) AS m FROM models) ORDER BY 1, 2, 3"
            .to_owned(),
        model => format!(
            "SELECT provider, model, {columns} FROM prices WHERE strpos(lower(model), lower({})) > 0 \
             ORDER BY provider, model, valid_from, above_input_tokens NULLS FIRST",
            quoted(model)
        ),
    };
    catalog::rows(session, sql)
}
