//! `spanfile show FILE RUN`: a run as a tree with a waterfall.

mod critical;
mod draw;
mod fold;
mod heading;
mod html;
mod messages;
mod rows;
pub(super) mod run;
mod stored;
mod waterfall;
mod which;

use std::io::Write;

use spanfile_query::{Engine, Result};

pub(super) use heading::heading;
use run::{Texts, load, resolve};

use super::drawing::{Look, for_terminal};
use super::rows::write_rows;
use super::showing::{Showing, with_files};
use super::{exit, output_error};
use crate::cli::{IoShown, ShowArgs};

/// What to draw of a run.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ShowOptions {
    /// All spans, whatever repeats.
    pub(crate) expand: bool,
    /// Levels below the roots.
    pub(crate) depth: Option<usize>,
    pub(crate) io: Io,
    /// Spans in order of their start, without the tree.
    pub(crate) waterfall: bool,
}

/// What to show of inputs and outputs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Io {
    #[default]
    No,
    /// The begin of each.
    Begin,
    Full,
}

impl Io {
    fn texts(self) -> Texts {
        if self == Io::No { Texts::Arguments } else { Texts::All }
    }
}

pub(crate) fn run(args: &ShowArgs) -> Result<u8> {
    with_files(&args.file, None, &args.shown, async |engine, showing, out| show(engine, args, showing, out).await)
}

/// Shows a run of what is open.
pub(crate) async fn show(engine: &Engine, args: &ShowArgs, showing: &Showing, out: &mut dyn Write) -> Result<u8> {
    let options = ShowOptions {
        expand: args.expand,
        depth: args.depth,
        io: match args.io {
            None => Io::No,
            Some(IoShown::Begin) => Io::Begin,
            Some(IoShown::Full) => Io::Full,
        },
        waterfall: args.waterfall,
    };
    if let Some(page) = &args.html {
        let files: Vec<_> = engine.attached().into_iter().flat_map(|(_, files)| files).collect();
        let id = resolve(engine, &args.run).await?;
        html::write(&load(engine, &id, Texts::All, engine.loops()).await?, page, &files)?;
        return Ok(exit::FINE);
    }
    match &showing.rows {
        Some((format, render)) => {
            let id = resolve(engine, &args.run).await?;
            let run = load(engine, &id, options.io.texts(), engine.loops()).await?;
            write_rows(&rows::rows(&run, options.io != Io::No)?, format, render, out)?;
        }
        None => draw(engine, &args.run, &options, showing.look, out).await?,
    }
    Ok(exit::FINE)
}

/// Draws the run that a word names: the begin of its id, `last`, `slowest` or `dearest`.
pub(crate) async fn draw(
    engine: &Engine,
    word: &str,
    options: &ShowOptions,
    look: Look,
    out: &mut dyn Write,
) -> Result<()> {
    let id = resolve(engine, word).await?;
    let run = load(engine, &id, options.io.texts(), engine.loops()).await?;
    out.write_all(for_terminal(&draw::drawn(&run, options, look)).as_bytes()).map_err(output_error)
}
