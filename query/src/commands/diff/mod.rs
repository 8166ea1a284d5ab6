//! `spanfile diff FILE RUN RUN`: two runs, step by step.

mod align;
mod changes;
mod draw;
mod rows;
mod totals;

use std::io::Write;

use spanfile_query::{Engine, Result, expand};

use super::drawing::{Look, for_terminal};
use super::query::engine_options;
use super::rows::write_rows;
use super::show::run::{Run, Texts, load, resolve};
use super::showing::{Showing, with_files};
use super::{exit, output_error};
use crate::cli::DiffArgs;
use align::{align, steps};

/// How to draw what differs.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct DiffOptions {
    /// All steps, also long stretches of those that are the same.
    pub(crate) expand: bool,
}

pub(crate) fn run(args: &DiffArgs) -> Result<u8> {
    with_files(&args.file, None, &args.shown, async |engine, showing, out| diff(engine, args, showing, out).await)
}

/// Shows how two runs of what is open differ, or one of it and one of another file.
pub(crate) async fn diff(engine: &Engine, args: &DiffArgs, showing: &Showing, out: &mut dyn Write) -> Result<u8> {
    let against = match &args.against {
        Some(path) => Some(Engine::open_all(&expand(path)?, engine_options(&args.shown.limits)?)?),
        None => None,
    };
    let sides = [(engine, args.a.as_str()), (against.as_ref().unwrap_or(engine), args.b.as_str())];
    match &showing.rows {
        Some((format, render)) => {
            let [a, b] = runs(sides).await?;
            let (steps_a, steps_b) = (steps(&a), steps(&b));
            let pairs = align(&steps_a, &steps_b);
            write_rows(&rows::rows(&steps_a, &steps_b, &pairs)?, format, render, out)?;
        }
        None => draw(sides, &DiffOptions { expand: args.expand }, showing.look, out).await?,
    }
    Ok(exit::FINE)
}

/// Draws how two runs differ; each is named by a word, as for `show`, and looked for in its own files.
pub(crate) async fn draw(
    sides: [(&Engine, &str); 2],
    options: &DiffOptions,
    look: Look,
    out: &mut dyn Write,
) -> Result<()> {
    let [a, b] = runs(sides).await?;
    out.write_all(for_terminal(&draw::drawn(&a, &b, options, look)).as_bytes()).map_err(output_error)
}

async fn runs(sides: [(&Engine, &str); 2]) -> Result<[Run; 2]> {
    // Both words first: a wrong one should not wait for the other's run.
    let ids = [resolve(sides[0].0, sides[0].1).await?, resolve(sides[1].0, sides[1].1).await?];
    Ok([
        load(sides[0].0, &ids[0], Texts::Arguments, sides[0].0.loops()).await?,
        load(sides[1].0, &ids[1], Texts::Arguments, sides[1].0.loops()).await?,
    ])
}
