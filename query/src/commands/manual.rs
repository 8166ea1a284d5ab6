//! `spanfile man` and `spanfile completions`: both from the command line as `cli` describes it.

use std::io::Write;

use clap::{Command, CommandFactory};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};
use spanfile_query::render::PartialFile;
use spanfile_query::{QueryError, Result};

use super::{exit, output_error};
use crate::cli::{Cli, CompletionsArgs, ManArgs};

const DASHES: &str = "Long options may be written with one dash or two: -json is --json. What begins with a dash and is no option \
                      comes after --.";
const EXIT_STATUS: [(u8, &str); 6] = [
    (exit::FINE, "Fine."),
    (exit::FAILED, "SQL or I/O failed."),
    (exit::USAGE, "The command line made no sense."),
    (exit::REJECTED, "Done, but some input was rejected."),
    (exit::GATE, "A gate failed."),
    (exit::INTERRUPTED, "Interrupted."),
];

/// Writes what a shell sources.
pub(super) fn completions(args: &CompletionsArgs) -> Result<u8> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "spanfile", &mut script);
    std::io::stdout().lock().write_all(&script).map_err(output_error)?;
    Ok(exit::FINE)
}

/// Writes the page, or all of them into a folder.
pub(super) fn man(args: &ManArgs) -> Result<u8> {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    let Some(dir) = &args.dir else {
        let page = page(&command).map_err(output_error)?;
        std::io::stdout().lock().write_all(&page).map_err(output_error)?;
        return Ok(exit::FINE);
    };
    let mut open = vec![command];
    while let Some(command) = open.pop() {
        open.extend(command.get_subcommands().cloned());
        let path = dir.join(Man::new(command.clone()).get_filename());
        let failed = |source| QueryError::Io { path: path.clone(), source };
        let text = page(&command).map_err(failed)?;
        let (file, mut out) = PartialFile::create(&path)?;
        out.write_all(&text).map_err(failed)?;
        file.finish()?;
    }
    Ok(exit::FINE)
}

/// A page. What follows the help is in sections of its own, not under the library's "extra".
fn page(command: &Command) -> std::io::Result<Vec<u8>> {
    let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let examples: Vec<&str> = help.lines().skip_while(|l| *l != "Example:").skip(1).collect();
    let man = Man::new(command.clone().after_help("")).manual("spanfile").source(env!("CARGO_PKG_VERSION"));
    let mut out = Vec::new();
    man.render_title(&mut out)?;
    man.render_name_section(&mut out)?;
    man.render_synopsis_section(&mut out)?;
    man.render_description_section(&mut out)?;
    man.render_options_section(&mut out)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut out)?;
    }
    let mut rest = Roff::new();
    rest.control("SH", ["DASHES"]).text([roman(DASHES)]);
    rest.control("SH", ["EXAMPLES"]).control("nf", []);
    for example in examples {
        rest.text([roman(example.trim_start())]);
    }
    rest.control("fi", []).control("SH", ["EXIT STATUS"]);
    for (code, meaning) in EXIT_STATUS {
        rest.control("TP", []).text([roman(code.to_string())]).text([roman(meaning)]);
    }
    rest.to_writer(&mut out)?;
    Ok(out)
}
