//! How a verb shows what it found: drawn for people, or as rows for programs.

use std::io::{BufWriter, Stdout, Write};
use std::path::Path;

use spanfile_query::render::{Format, RenderOptions, render};
use spanfile_query::{Engine, Result, expand};

use super::drawing::Look;
use super::query::{engine_options, output, parquet_path, runtime, until_interrupted, watch_interrupts};
use super::{grouped, output_error};
use crate::cli::{OutputArgs, ShownArgs};

/// How to show it.
#[derive(Debug, Clone)]
pub(crate) struct Showing {
    /// How drawings look.
    pub(crate) look: Look,
    /// The format of rows, where they are wanted in the place of a drawing.
    pub(crate) rows: Option<(Format, RenderOptions)>,
}

impl Showing {
    /// On stdout, as the options of a verb say.
    fn on_stdout(args: &ShownArgs) -> Self {
        Showing { look: Look::of(args.width), rows: rows(&args.output) }
    }

    /// As a session is set: its tables are drawings.
    pub(crate) fn in_session(look: Look, format: &Format, options: &RenderOptions) -> Self {
        let drawn = matches!(format, Format::Table | Format::Box);
        Showing { look, rows: (!drawn).then(|| (format.clone(), options.clone())) }
    }

    /// The same, unless options say otherwise.
    pub(crate) fn or(&self, args: &ShownArgs) -> Self {
        let look = Look { width: args.width.unwrap_or(self.look.width), ..self.look };
        Showing { look, rows: rows(&args.output).or_else(|| self.rows.clone()) }
    }

    /// Writes the rows of a statement where rows are wanted. Says whether they were.
    pub(crate) async fn rows_of(&self, engine: &Engine, sql: &str, out: &mut impl Write) -> Result<bool> {
        let Some((format, options)) = &self.rows else { return Ok(false) };
        let rows = render(engine.sql(sql).await?.stream()?, format, options, out).await?;
        if let Some(path) = parquet_path(format) {
            say!("{}: {} rows", path.display(), grouped(rows));
        }
        Ok(true)
    }
}

/// The format that was asked for.
fn rows(args: &OutputArgs) -> Option<(Format, RenderOptions)> {
    let (format, options) = output(args);
    (args.table || format != Format::Table).then_some((format, options))
}

/// Runs a verb that shows something of files: the main one, or a pattern, and perhaps another under a name.
pub(super) fn with_files(
    file: &str,
    attached: Option<(&Path, &str)>,
    shown: &ShownArgs,
    work: impl AsyncFnOnce(&Engine, &Showing, &mut BufWriter<Stdout>) -> Result<u8>,
) -> Result<u8> {
    let runtime = runtime(shown.limits.threads)?;
    let interrupt = watch_interrupts(&runtime);
    let engine = Engine::open_all(&expand(file)?, engine_options(&shown.limits)?)?;
    if let Some((path, alias)) = attached {
        engine.attach(&[path.to_path_buf()], alias)?;
    }
    let mut out = BufWriter::new(std::io::stdout());
    let showing = Showing::on_stdout(shown);
    until_interrupted(runtime, &interrupt, async {
        let code = work(&engine, &showing, &mut out).await?;
        out.flush().map_err(output_error)?;
        Ok(code)
    })
}
