//! How results look: `.mode`, `.width` and the like.

use spanfile_query::render::Format;
use spanfile_query::{Result, alike};

use super::words::{number, switch};
use super::{write, wrong};
use crate::repl::session::{Next, Session};
use crate::repl::settings::{MODES, mode_name};
use crate::repl::target::{is_there, usual_pager};

/// Says what is set now, to a person.
fn said(session: &mut Session, text: &str) -> Result<Next> {
    if session.interactive {
        return write(session, &format!("{text}\n"));
    }
    Ok(Next::Go)
}

pub(super) fn mode(session: &mut Session, name: &str) -> Result<Next> {
    if name.is_empty() {
        let text = format!("{}\n", mode_name(&session.settings.format));
        return write(session, &text);
    }
    let found = MODES.iter().find(|(known, _)| *known == name.to_lowercase());
    let Some((_, format)) = found else {
        // Names that others have for these.
        let meant = match name.to_lowercase().as_str() {
            "list" | "ascii" | "column" | "columns" | "duckbox" | "qbox" => Some("table".to_owned()),
            "tsv" => Some("tabs".to_owned()),
            "ndjson" | "jsonlines" => Some("jsonl".to_owned()),
            other => alike(other, MODES.iter().map(|(n, _)| (*n).to_owned())).into_iter().next(),
        };
        let meant = meant.map(|m| format!("; did you mean {m}?")).unwrap_or_default();
        return Err(wrong(format!("there is no format {name}{meant}")));
    };
    session.settings.format = format.clone();
    Ok(Next::Go)
}

pub(super) fn expanded(session: &mut Session, _: &str) -> Result<Next> {
    let line = session.settings.format == Format::Line;
    session.settings.format = if line { Format::Box } else { Format::Line };
    let text = format!("mode {}", mode_name(&session.settings.format));
    said(session, &text)
}

pub(super) fn headers(session: &mut Session, text: &str) -> Result<Next> {
    session.settings.header = switch(text, session.settings.header)?;
    Ok(Next::Go)
}

pub(super) fn nullvalue(session: &mut Session, text: &str) -> Result<Next> {
    let inner = |q: char| text.strip_prefix(q).and_then(|t| t.strip_suffix(q));
    session.settings.null_text = Some(inner('"').or_else(|| inner('\'')).unwrap_or(text).to_owned());
    Ok(Next::Go)
}

pub(super) fn maxrows(session: &mut Session, text: &str) -> Result<Next> {
    session.settings.max_rows = number(text)?;
    Ok(Next::Go)
}

pub(super) fn maxwidth(session: &mut Session, text: &str) -> Result<Next> {
    session.settings.max_width = number(text)?;
    Ok(Next::Go)
}

pub(super) fn width(session: &mut Session, text: &str) -> Result<Next> {
    let widths: Result<Vec<usize>> = text.split_whitespace().map(number).collect();
    session.settings.column_widths = widths?;
    Ok(Next::Go)
}

pub(super) fn timer(session: &mut Session, text: &str) -> Result<Next> {
    session.settings.timer = switch(text, session.settings.timer)?;
    Ok(Next::Go)
}

pub(super) fn echo(session: &mut Session, text: &str) -> Result<Next> {
    session.settings.echo = switch(text, session.settings.echo)?;
    Ok(Next::Go)
}

pub(super) fn bail(session: &mut Session, text: &str) -> Result<Next> {
    session.settings.bail = switch(text, session.settings.bail)?;
    Ok(Next::Go)
}

pub(super) fn progress(session: &mut Session, text: &str) -> Result<Next> {
    session.settings.progress = switch(text, session.settings.progress)?;
    Ok(Next::Go)
}

pub(super) fn pager(session: &mut Session, text: &str) -> Result<Next> {
    let on = session.settings.pager.is_some();
    session.settings.pager = match switch(text, on) {
        Ok(false) => None,
        Ok(true) => match usual_pager() {
            None => return Err(wrong("there is no pager: set PAGER, or name one: .pager COMMAND")),
            some => some,
        },
        Err(_) if is_there(text) => Some(text.to_owned()),
        Err(_) => return Err(wrong(format!("there is no program for {text}"))),
    };
    Ok(Next::Go)
}

pub(super) fn show(session: &mut Session, _: &str) -> Result<Next> {
    let s = &session.settings;
    let switch = |on: bool| if on { "on" } else { "off" }.to_owned();
    let widths: Vec<String> = s.column_widths.iter().map(usize::to_string).collect();
    let rows = [
        ("file", session.opened.main.clone()),
        ("output", session.once.as_ref().unwrap_or(&session.out).name()),
        ("mode", mode_name(&s.format).to_owned()),
        ("headers", switch(s.header)),
        ("nullvalue", s.null_text.clone().unwrap_or_else(|| "(of the format)".to_owned())),
        ("maxrows", if s.max_rows == 0 { "all".to_owned() } else { s.max_rows.to_string() }),
        ("maxwidth", if s.max_width == 0 { "of the terminal".to_owned() } else { s.max_width.to_string() }),
        ("width", widths.join(" ")),
        ("timer", switch(s.timer)),
        ("echo", switch(s.echo)),
        ("bail", switch(s.bail)),
        ("progress", switch(s.progress)),
        ("pager", s.pager.clone().unwrap_or_else(|| "off".to_owned())),
    ];
    let text: String = rows.iter().map(|(name, value)| format!("{name:>10}: {value}\n")).collect();
    write(session, &text)
}
