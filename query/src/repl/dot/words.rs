//! Arguments of dot-commands.

use spanfile_query::Result;

use super::{expected, wrong};

/// Words, as a shell quotes them.
pub(super) fn split(text: &str) -> Result<Vec<String>> {
    shlex::split(text).ok_or_else(|| wrong(format!("a quote is open in: {text}")))
}

/// Exactly one word.
pub(super) fn one(text: &str) -> Result<String> {
    match <[String; 1]>::try_from(split(text)?) {
        Ok([word]) => Ok(word),
        Err(_) => Err(expected()),
    }
}

/// A path, in which `~` at the begin is the home folder; quotes are not needed for spaces.
pub(super) fn path(text: &str) -> Result<String> {
    if text.is_empty() {
        return Err(expected());
    }
    let plain = one(text).unwrap_or_else(|_| text.to_owned());
    Ok(at_home(&plain))
}

/// A path with the home folder for `~`.
pub(super) fn at_home(path: &str) -> String {
    match (path.strip_prefix('~'), std::env::var("HOME")) {
        (Some(rest), Ok(home)) if rest.is_empty() || rest.starts_with('/') => format!("{home}{rest}"),
        _ => path.to_owned(),
    }
}

/// `on` or `off`; nothing turns over what is set.
pub(super) fn switch(text: &str, now: bool) -> Result<bool> {
    match text.to_lowercase().as_str() {
        "" => Ok(!now),
        "on" | "yes" | "true" | "1" => Ok(true),
        "off" | "no" | "false" | "0" => Ok(false),
        _ => Err(expected()),
    }
}

/// A number.
pub(super) fn number<T: std::str::FromStr>(text: &str) -> Result<T> {
    text.parse().map_err(|_| expected())
}

/// Whether a name is like a pattern: with `%`, `*` or `?` as a whole, else in part.
pub(super) fn like(pattern: &str, name: &str) -> bool {
    let pattern = pattern.to_lowercase();
    if !pattern.contains(['%', '*', '?']) {
        return name.to_lowercase().contains(&pattern);
    }
    glob::Pattern::new(&pattern.replace('%', "*")).is_ok_and(|p| p.matches(&name.to_lowercase()))
}
