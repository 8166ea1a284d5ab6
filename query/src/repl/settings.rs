//! What the user has set, by options or dot-commands.

use spanfile_query::render::{Format, RenderOptions};

use crate::commands::terminal_width;

/// Rows of a table on a terminal, unless `.maxrows` says otherwise.
const MAX_ROWS: u64 = 200;
/// Lines of a value in a table on a terminal.
const VALUE_LINES: usize = 12;

/// How results are shown.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) format: Format,
    pub(super) header: bool,
    pub(super) null_text: Option<String>,
    /// Rows of tables that are shown; 0 for all.
    pub(super) max_rows: u64,
    /// Columns of characters to draw for; 0 for the terminal's.
    pub(super) max_width: usize,
    pub(super) column_widths: Vec<usize>,
    pub(super) timer: bool,
    pub(super) echo: bool,
    pub(super) bail: bool,
    pub(super) progress: bool,
    /// What shows text that is longer than the screen.
    pub(super) pager: Option<String>,
}

impl Settings {
    pub(super) fn new(format: Format, options: &RenderOptions, bail: bool, interactive: bool) -> Self {
        Settings {
            format,
            header: options.header,
            null_text: options.null_text.clone(),
            max_rows: if interactive { MAX_ROWS } else { 0 },
            max_width: 0,
            column_widths: Vec::new(),
            timer: false,
            echo: false,
            bail,
            progress: interactive,
            pager: if interactive { super::target::usual_pager() } else { None },
        }
    }

    /// Width to draw for where the terminal shows it.
    pub(super) fn width(&self) -> Option<usize> {
        if self.max_width > 0 { Some(self.max_width) } else { terminal_width() }
    }

    /// How rows are written to the terminal, or to somewhere else.
    pub(super) fn render_options(&self, to_stdout: bool) -> RenderOptions {
        let terminal = to_stdout && terminal_width().is_some();
        let asked = (self.max_width > 0).then_some(self.max_width);
        RenderOptions {
            header: self.header,
            null_text: self.null_text.clone(),
            width: asked.or_else(|| if to_stdout { terminal_width() } else { None }),
            column_widths: self.column_widths.clone(),
            value_lines: terminal.then_some(VALUE_LINES),
            terminal,
        }
    }
}

/// Names of the formats that `.mode` takes.
pub(super) const MODES: [(&str, Format); 8] = [
    ("table", Format::Table),
    ("box", Format::Box),
    ("markdown", Format::Markdown),
    ("line", Format::Line),
    ("csv", Format::Csv),
    ("tabs", Format::Tabs),
    ("json", Format::Json),
    ("jsonl", Format::Jsonl),
];

/// The name of a format.
pub(super) fn mode_name(format: &Format) -> &'static str {
    MODES.iter().find(|(_, f)| f == format).map_or("parquet", |(name, _)| name)
}
