use std::ffi::OsString;

use clap::CommandFactory;

use super::parse::double_dashes;
use super::*;

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn one_dash_or_two() {
    let words = |a: &[&str]| double_dashes(a.iter().map(OsString::from));
    assert_eq!(
        words(&["x", "-json", "--csv", "-c", "-", "-1.5", "--", "-json"]),
        ["x", "--json", "--csv", "-c", "-", "-1.5", "--", "-json"]
    );
    assert_eq!(
        words(&["a", "-attach", "b.spans", "AS", "b", "--attach", "c=d", "-- x\nselect 1 = 1"]),
        ["a", "--attach", "b.spans=b", "--attach", "c=d", " -- x\nselect 1 = 1"]
    );
}

/// All commands below this one, with the words that lead to them.
fn all(command: &clap::Command, words: &[String]) -> Vec<(Vec<String>, clap::Command)> {
    let words = [words, &[command.get_name().to_owned()]].concat();
    let below = command.get_subcommands().flat_map(|c| all(c, &words));
    let mut found: Vec<_> = below.collect();
    found.push((words, command.clone()));
    found
}

fn examples(command: &clap::Command) -> Vec<String> {
    let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let lines = help.lines().skip_while(|l| *l != "Example:").skip(1);
    lines.map(|l| l.strip_prefix("  ").unwrap_or_else(|| panic!("{l:?} is no example")).to_owned()).collect()
}

/// Words as a shell would read them, up to where its output goes.
fn words(line: &str) -> Vec<String> {
    let (mut out, mut quote, mut word): (Vec<String>, _, Option<String>) = (Vec::new(), None, None);
    for c in line.chars() {
        match (quote, c) {
            (Some(q), _) if c == q => quote = None,
            (None, '\'' | '"') => (quote, word) = (Some(c), Some(word.unwrap_or_default())),
            (None, ' ') => out.extend(word.take()),
            _ => word.get_or_insert_default().push(c),
        }
    }
    assert_eq!(quote, None, "{line}");
    out.extend(word);
    out.into_iter().take_while(|w| w != ">").collect()
}

#[test]
fn every_verb_and_option_is_explained() {
    for (path, command) in all(&Cli::command(), &[]) {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        assert!(!about.is_empty(), "{path:?} says nothing of itself");
        for arg in command.get_arguments().filter(|a| !matches!(a.get_id().as_str(), "help" | "version")) {
            assert!(arg.get_help().is_some(), "{path:?} does not explain {}", arg.get_id());
        }
        assert!(!examples(&command).is_empty(), "{path:?} has no example");
    }
}

#[test]
fn every_example_is_understood() {
    for (path, command) in all(&Cli::command(), &[]) {
        for example in examples(&command) {
            let given = words(&example);
            let verbs: Vec<&String> = given.iter().filter(|w| path.contains(w)).collect();
            assert!(path.iter().all(|w| verbs.contains(&w)), "{example} is no example of {path:?}");
            let parsed = Cli::try_parse_from(double_dashes(given.iter().map(OsString::from)));
            assert!(parsed.is_ok(), "{example}: {}", parsed.unwrap_err());
        }
    }
}
