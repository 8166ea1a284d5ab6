//! From words to options: dashes as sqlite's and DuckDB's shells take them, and what was meant where it is wrong.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, Parser};

use super::{Cli, Verb};

/// Parses the command line. On a usage error, and for help, it prints and says with which code to exit.
pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Cli, u8> {
    Cli::try_parse_from(double_dashes(args)).map_err(|e| match e.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            // Nothing is left to do when stdout is gone.
            let _ = e.print();
            0
        }
        ErrorKind::UnknownArgument => {
            say!("spanfile: {}", unknown(&e));
            2
        }
        _ => {
            let _ = e.print();
            2
        }
    })
}

/// `--attach FILE AS NAME` comes as four words and is one option with one value.
fn join_attachments(args: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut out: Vec<OsString> = Vec::new();
    for arg in args {
        let n = out.len();
        let after_as = n >= 3
            && out[n - 1].eq_ignore_ascii_case("as")
            && matches!(out[n - 3].to_str(), Some("--attach" | "-attach"));
        if after_as {
            out.pop();
            if let Some(file) = out.last_mut() {
                file.push("=");
                file.push(arg);
            }
        } else {
            out.push(arg);
        }
    }
    out
}

/// `-json` is `--json`: sqlite's and DuckDB's shells write long options with one dash. Short options keep
/// theirs, and so do numbers and a lone dash.
pub(super) fn double_dashes(args: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut rest_is_plain = false;
    join_attachments(args)
        .into_iter()
        .map(|arg| {
            let Some(text) = arg.to_str() else { return arg };
            rest_is_plain |= text == "--";
            let word = text.strip_prefix('-').unwrap_or("");
            let long = word.chars().count() > 1 && word.starts_with(|c: char| c.is_ascii_alphabetic());
            let space = text.find(char::is_whitespace);
            if text.starts_with("--") && space.is_some_and(|s| text.find('=').is_none_or(|value| s < value)) {
                // SQL that begins with a comment, not an option and its value.
                return OsString::from(format!(" {text}"));
            }
            if long && !rest_is_plain { OsString::from(format!("-{text}")) } else { arg }
        })
        .collect()
}

/// Parses the arguments of a verb for a file that is open, as the shell takes them.
pub(crate) fn parse_verb(verb: &str, file: &str, words: Vec<String>) -> Result<Verb, String> {
    let words = ["spanfile", verb, file].into_iter().map(OsString::from).chain(words.into_iter().map(OsString::from));
    let cli = Cli::try_parse_from(double_dashes(words)).map_err(|e| match e.kind() {
        ErrorKind::DisplayHelp => options_of(verb),
        ErrorKind::UnknownArgument => unknown(&e),
        _ => {
            // Usage is that of the command line; what is wrong is said in the first part.
            let text = e.to_string();
            let wrong = text.split("\n\nUsage:").next().unwrap_or(&text);
            wrong.trim_start_matches("error: ").trim_end().to_owned()
        }
    })?;
    cli.verb.ok_or_else(|| format!("there is no verb {verb}"))
}

/// What options a verb has, a line each; how to write results and what queries may use is left out.
pub(crate) fn options_of(verb: &str) -> String {
    let command = Cli::command();
    let Some(verb) = command.find_subcommand(verb) else { return String::new() };
    let everywhere = Cli::command();
    let everywhere: Vec<&str> = everywhere.get_arguments().filter_map(|a| a.get_long()).collect();
    let mut out = String::new();
    for a in verb.get_arguments() {
        let Some(long) = a.get_long().filter(|l| !everywhere.contains(l) && *l != "help") else { continue };
        let values = a.get_value_names().unwrap_or_default();
        let takes = a.get_action().takes_values();
        let value = values.first().filter(|_| takes).map(|v| format!(" {v}")).unwrap_or_default();
        let help = a.get_help().map(ToString::to_string).unwrap_or_default();
        let option = format!("--{long}{value}");
        out += &format!("    {option:<24} {}\n", help.split(". ").next().unwrap_or_default().trim_end_matches('.'));
    }
    out
}

/// Names of the verbs.
pub(crate) fn verbs() -> Vec<String> {
    Cli::command().get_subcommands().map(|c| c.get_name().to_owned()).collect()
}

/// The long options of a verb.
pub(crate) fn option_names(verb: &str) -> Vec<String> {
    let command = Cli::command();
    let verb = command.find_subcommand(verb);
    verb.into_iter()
        .flat_map(clap::Command::get_arguments)
        .filter_map(|a| a.get_long())
        .map(|l| format!("--{l}"))
        .collect()
}

/// The values that an option of a verb may have, where they are few.
pub(crate) fn option_values(verb: &str, option: &str) -> Vec<String> {
    let command = Cli::command();
    let arguments = command.find_subcommand(verb).into_iter().flat_map(clap::Command::get_arguments);
    let found = arguments.filter(|a| a.get_long().is_some_and(|l| option.trim_start_matches('-') == l));
    found.flat_map(clap::Arg::get_possible_values).map(|v| v.get_name().to_owned()).collect()
}

fn unknown(e: &clap::Error) -> String {
    let text = |kind| match e.get(kind) {
        Some(ContextValue::String(s)) => Some(s.clone()),
        Some(ContextValue::Strings(v)) => v.first().cloned(),
        _ => None,
    };
    let given = text(ContextKind::InvalidArg).unwrap_or_default();
    let meant = text(ContextKind::SuggestedArg).or_else(|| closest(&given));
    match meant {
        Some(m) => format!("unknown option {given}; did you mean {m}?"),
        None => format!("unknown option {given}; see --help"),
    }
}

fn closest(given: &str) -> Option<String> {
    const LIKENESS: f64 = 0.7;
    let given = given.trim_start_matches('-');
    let command = Cli::command();
    let names = command.get_arguments().filter_map(|a| a.get_long());
    names
        .map(|n| (strsim::jaro_winkler(given, n), n))
        .filter(|(score, _)| *score >= LIKENESS)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, n)| format!("--{n}"))
}
