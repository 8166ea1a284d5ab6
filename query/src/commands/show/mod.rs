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

use std::io::{BufWriter, Write};
use std::sync::Arc;

use spanfile_query::render::Format;
use spanfile_query::{Engine, Result, expand};
use tokio::sync::Notify;

pub(super) use heading::heading;
use run::{Texts, load, resolve};

use super::drawing::{Look, for_terminal};
use super::query::{engine_options, output, runtime, until_interrupted, watch_interrupts};
use super::rows::write_rows;
use super::{exit, output_error};
use crate::cli::{IoShown, ShowArgs};

/// Where loops are from unless a verb says otherwise.
pub(super) const LOOPS: &str = "loops";

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
    let runtime = runtime(args.shown.limits.threads)?;
    let interrupt: Arc<Notify> = watch_interrupts(&runtime);
    let files = expand(&args.file)?;
    let engine = Engine::open_all(&files, engine_options(&args.shown.limits)?)?;
    let mut out = BufWriter::new(std::io::stdout().lock());
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
    let work = async {
        let (format, render) = output(&args.shown.output);
        if let Some(page) = &args.html {
            let id = resolve(&engine, &args.run).await?;
            html::write(&load(&engine, &id, Texts::All, LOOPS).await?, page, &files)?;
        } else if args.shown.output.table || format != Format::Table {
            let id = resolve(&engine, &args.run).await?;
            let run = load(&engine, &id, options.io.texts(), LOOPS).await?;
            write_rows(&rows::rows(&run, options.io != Io::No)?, &format, &render, &mut out)?;
        } else {
            draw(&engine, &args.run, &options, Look::of(args.shown.width), &mut out).await?;
        }
        out.flush().map_err(output_error)
    };
    until_interrupted(runtime, &interrupt, work)?;
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
    let run = load(engine, &id, options.io.texts(), LOOPS).await?;
    out.write_all(for_terminal(&draw::drawn(&run, options, look)).as_bytes()).map_err(output_error)
}
