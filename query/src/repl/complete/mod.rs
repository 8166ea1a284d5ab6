//! What may stand where the cursor is: commands and their arguments, or SQL names that fit the place.

use rustyline::completion::{FilenameCompleter, Pair};
use spanfile_query::{FunctionKind, LexToken, TokenKind, lex};

use super::dot::{self, Takes};
use super::names::Names;
use super::settings::MODES;
use crate::cli;

/// Words that begin or join clauses, in the order in which they are offered.
pub(super) const KEYWORDS: [&str; 64] = [
    "SELECT",
    "FROM",
    "WHERE",
    "GROUP",
    "BY",
    "ORDER",
    "LIMIT",
    "HAVING",
    "JOIN",
    "LEFT",
    "RIGHT",
    "FULL",
    "INNER",
    "OUTER",
    "CROSS",
    "ON",
    "USING",
    "AS",
    "AND",
    "OR",
    "NOT",
    "IN",
    "IS",
    "NULL",
    "LIKE",
    "ILIKE",
    "BETWEEN",
    "EXISTS",
    "CASE",
    "WHEN",
    "THEN",
    "ELSE",
    "END",
    "DISTINCT",
    "UNION",
    "ALL",
    "EXCEPT",
    "INTERSECT",
    "WITH",
    "RECURSIVE",
    "VALUES",
    "ASC",
    "DESC",
    "NULLS",
    "FIRST",
    "LAST",
    "OFFSET",
    "OVER",
    "PARTITION",
    "ROWS",
    "RANGE",
    "FILTER",
    "WITHIN",
    "QUALIFY",
    "CAST",
    "INTERVAL",
    "TIMESTAMP",
    "DATE",
    "TRUE",
    "FALSE",
    "EXPLAIN",
    "ANALYZE",
    "DESCRIBE",
    "SHOW",
];

/// Candidates and where what they replace begins.
pub(super) type Completion = (usize, Vec<Pair>);

fn pair(display: impl Into<String>, replacement: impl Into<String>) -> Pair {
    Pair { display: display.into(), replacement: replacement.into() }
}

/// Completes a line with the cursor at `pos`.
pub(super) fn complete(line: &str, pos: usize, names: &Names, files: &FilenameCompleter) -> Completion {
    if dot::is_command(line) || line.trim_end() == "." || line.trim_end() == "\\" {
        return command(line, pos, names, files);
    }
    sql(line, pos, names)
}

fn command(line: &str, pos: usize, names: &Names, files: &FilenameCompleter) -> Completion {
    let typed = &line[..pos];
    let Some(space) = typed.find(char::is_whitespace) else {
        let begun = typed.strip_prefix('.').unwrap_or(typed);
        let all = dot::COMMANDS.iter().flat_map(|c| c.names.iter().take(1).chain(&c.names[1..]).map(move |n| (c, n)));
        let fits = all.filter(|(c, n)| match typed.starts_with('\\') {
            true => n.starts_with(begun),
            // Other names of a command are completed where they are what was begun.
            false => {
                !n.starts_with('\\')
                    && n.len() > 1
                    && n.starts_with(begun)
                    && (**n == c.names[0] || !c.names[0].starts_with(begun))
            }
        });
        let fits = fits.map(|(c, n)| {
            let written = if n.starts_with('\\') { (*n).to_owned() } else { format!(".{n}") };
            let space = if c.arguments.is_empty() { "" } else { " " };
            pair(written.clone(), format!("{written}{space}"))
        });
        return (0, fits.collect());
    };
    let (name, _) = dot::parts(line);
    let Some(command) = dot::find(name) else { return (pos, Vec::new()) };
    let from = typed.rfind(char::is_whitespace).map_or(0, |i| i + 1);
    let word = &typed[from..];
    let words = |all: Vec<String>| -> Completion {
        let fits = all.into_iter().filter(|w| w.starts_with(word));
        (from, fits.map(|w| pair(w.clone(), format!("{w} "))).collect())
    };
    match command.takes {
        Takes::Nothing => (pos, Vec::new()),
        Takes::Path => match files.complete_path(line, pos) {
            Ok(found) => found,
            Err(_) => (pos, Vec::new()),
        },
        Takes::Table => words(tables(names)),
        Takes::Database => words(names.databases.iter().filter(|d| *d != "main").cloned().collect()),
        Takes::Command => words(dot::COMMANDS.iter().map(|c| c.names[0].to_owned()).collect()),
        Takes::Function => words(names.functions.iter().map(|f| f.name.clone()).collect()),
        Takes::Words(all) => words(all.iter().map(|w| (*w).to_owned()).collect()),
        Takes::Mode => words(MODES.iter().map(|(n, _)| (*n).to_owned()).collect()),
        Takes::Run if word.starts_with('-') => words(cli::option_names("show")),
        Takes::Run => {
            let fixed = ["last", "slowest", "dearest"].map(str::to_owned);
            words(fixed.into_iter().chain(names.runs.iter().cloned()).collect())
        }
        Takes::Verb(verb) => {
            let before: Vec<&str> = typed[..from].split_whitespace().collect();
            let values = match before.last() {
                Some(&"--agent") => names.values_of("agent_name").iter().map(|v| quoted_word(v)).collect(),
                Some(&"--run") => names.runs.clone(),
                Some(option) if option.starts_with("--") => cli::option_values(verb, option),
                _ => Vec::new(),
            };
            let first = verb == "cost" && before.len() == 1 && !word.starts_with('-');
            match (values.is_empty(), first) {
                (false, _) => words(values),
                (true, true) => words(cli::option_values(verb, "--by")),
                (true, false) => words(cli::option_names(verb)),
            }
        }
        Takes::Sql => sql_from(line, space + 1, pos, names),
    }
}

/// A value as one word of a command.
fn quoted_word(value: &str) -> String {
    shlex::try_quote(value).map(std::borrow::Cow::into_owned).unwrap_or_default()
}

/// Completes the SQL that begins somewhere in a line.
fn sql_from(line: &str, begin: usize, pos: usize, names: &Names) -> Completion {
    let (from, found) = sql(&line[begin..], pos - begin, names);
    (from + begin, found)
}

/// All tables as SQL writes them.
fn tables(names: &Names) -> Vec<String> {
    let others = names.databases.iter().filter(|d| *d != "main");
    let of_others = others.flat_map(|d| names.tables.iter().map(move |t| format!("{d}.{t}")));
    names.tables.iter().cloned().chain(of_others).collect()
}

/// A token and its text.
struct Word<'a> {
    kind: TokenKind,
    text: &'a str,
    from: usize,
    to: usize,
}

fn words(text: &str) -> Vec<Word<'_>> {
    let word = |t: LexToken| Word { kind: t.kind, text: &text[t.place.clone()], from: t.place.start, to: t.place.end };
    lex(text).into_iter().map(word).filter(|w| w.kind != TokenKind::Comment).collect()
}

impl Word<'_> {
    fn is(&self, keyword: &str) -> bool {
        self.kind == TokenKind::Word && self.text.eq_ignore_ascii_case(keyword)
    }

    fn is_any(&self, keywords: &[&str]) -> bool {
        keywords.iter().any(|k| self.is(k))
    }

    fn is_keyword(&self) -> bool {
        self.is_any(&KEYWORDS)
    }

    fn name(&self) -> &str {
        self.text.trim_matches(['"', '`'])
    }
}

/// Tables of a statement: what they are called in it, and what they are.
fn scope(tokens: &[&Word<'_>]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut i = 0;
    // After FROM and JOIN, and after commas among tables.
    let mut expects = false;
    while i < tokens.len() {
        let t = tokens[i];
        if t.is("FROM") || t.is("JOIN") {
            expects = true;
        } else if expects && matches!(t.kind, TokenKind::Word | TokenKind::QuotedName) && !t.is_keyword() {
            let mut table = t.name().to_lowercase();
            while tokens.get(i + 1).is_some_and(|n| n.text == ".") && tokens.get(i + 2).is_some() {
                table = tokens[i + 2].name().to_lowercase();
                i += 2;
            }
            // Over the arguments of a table function.
            if tokens.get(i + 1).is_some_and(|n| n.text == "(") {
                let mut depth = 0;
                while let Some(n) = tokens.get(i + 1) {
                    match n.text {
                        "(" => depth += 1,
                        ")" => depth -= 1,
                        _ => {}
                    }
                    i += 1;
                    if depth == 0 {
                        break;
                    }
                }
            }
            if tokens.get(i + 1).is_some_and(|n| n.is("AS")) {
                i += 1;
            }
            let alias = tokens
                .get(i + 1)
                .filter(|n| matches!(n.kind, TokenKind::Word | TokenKind::QuotedName) && !n.is_keyword());
            let name = alias.map_or_else(|| table.clone(), |a| a.name().to_lowercase());
            i += usize::from(alias.is_some());
            found.push((name, table));
            expects = tokens.get(i + 1).is_some_and(|n| n.text == ",");
            i += usize::from(expects);
        } else if t.text != "(" {
            expects = false;
        }
        i += 1;
    }
    found
}

fn sql(text: &str, pos: usize, names: &Names) -> Completion {
    // The statement in which the cursor is; those before it end with semicolons.
    let all = words(text);
    let begin = all.iter().rposition(|w| w.text == ";" && w.to <= pos).map_or(0, |i| i + 1);
    let end = all[begin..].iter().position(|w| w.text == ";").map_or(all.len(), |i| begin + i);
    let statement = &all[begin..end];
    let before = words(&text[..pos]);
    let before = &before[before.iter().rposition(|w| w.text == ";").map_or(0, |i| i + 1)..];

    // In a text that is open: the values of the column that it is compared with.
    if let Some(open) = before.last().filter(|w| w.kind == TokenKind::Open && w.text.starts_with('\'')) {
        let begun = &open.text[1..];
        let values = compared(&before[..before.len() - 1]).map_or(&[][..], |column| names.values_of(column));
        let closes = if text[pos..].starts_with('\'') { "" } else { "'" };
        return (open.from + 1, starting(values, begun, |v| format!("{}{closes}", v.replace('\'', "''"))));
    }
    let touching = before.last().filter(|w| w.to == pos && w.kind == TokenKind::Word);
    let (from, word) = touching.map_or((pos, ""), |w| (w.from, w.text));
    let context = if touching.is_some() { &before[..before.len() - 1] } else { before };
    // What is being typed is not an alias yet.
    let others: Vec<&Word<'_>> = statement.iter().filter(|w| touching.is_none_or(|t| w.from != t.from)).collect();
    let scope = scope(&others);

    // After a dot: columns of a table, or tables of a database.
    if let [.., qualifier, dot] = context
        && dot.text == "."
    {
        let name = qualifier.name().to_lowercase();
        let table = scope.iter().find(|(alias, _)| *alias == name).map_or(name.clone(), |(_, table)| table.clone());
        let mut found: Vec<Pair> =
            names.columns.get(&table).map(|c| starting(c, word, str::to_owned)).unwrap_or_default();
        if names.databases.contains(&name) {
            found.extend(starting(&names.tables, word, str::to_owned));
        }
        return (from, found);
    }
    let last = context.last();
    // Where a table is wanted.
    let after_table = |w: &Word<'_>| w.is_any(&["FROM", "JOIN", "DESCRIBE", "DESC", "TABLE"]);
    let listed = last.is_some_and(|w| w.text == ",") && in_from(context);
    if last.is_some_and(after_table) || listed {
        let mut found = starting(&names.tables, word, str::to_owned);
        let own: Vec<String> = ctes(statement);
        found.splice(0..0, starting(&own, word, str::to_owned));
        let functions = names
            .functions
            .iter()
            .filter(|f| f.kind == FunctionKind::Table && f.name.starts_with(&word.to_lowercase()));
        // Some tables are functions too; without arguments the table is meant.
        found.extend(
            functions
                .filter(|f| !names.tables.contains(&f.name))
                .map(|f| pair(format!("{}(", f.name), format!("{}(", f.name))),
        );
        found.extend(
            names.databases.iter().filter(|d| d.starts_with(word)).map(|d| pair(format!("{d}."), format!("{d}."))),
        );
        return (from, found);
    }
    // After a comparison: values, with quotes.
    if word.is_empty()
        && let Some(column) = compared(context)
    {
        let values = names.values_of(column);
        if !values.is_empty() {
            return (from, starting(values, "", |v| format!("'{}'", v.replace('\'', "''"))));
        }
    }
    (from, expression(word, context, &scope, names))
}

/// Columns, functions and keywords that begin with a word.
fn expression(word: &str, context: &[Word<'_>], scope: &[(String, String)], names: &Names) -> Vec<Pair> {
    let mut found: Vec<Pair> = Vec::new();
    let mut add = |more: Vec<Pair>| {
        for p in more {
            if found.iter().all(|f| f.replacement != p.replacement) {
                found.push(p);
            }
        }
    };
    let no_tables = scope.iter().all(|(_, table)| !names.columns.contains_key(table));
    if !context.is_empty() {
        for (_, table) in scope {
            add(names.columns.get(table).map(|c| starting(c, word, str::to_owned)).unwrap_or_default());
        }
        // The tables come after the columns; of the most used ones something is likely meant.
        if no_tables && !word.is_empty() {
            for table in ["spans", "runs", "usage"] {
                add(names.columns.get(table).map(|c| starting(c, word, str::to_owned)).unwrap_or_default());
            }
        }
        let aliases: Vec<String> = scope.iter().map(|(alias, _)| alias.clone()).collect();
        add(starting(&aliases, word, str::to_owned));
    }
    if !word.is_empty() {
        let lower = word.to_lowercase();
        if !context.is_empty() {
            let called = names.functions.iter().filter(|f| f.kind != FunctionKind::Table && f.name.starts_with(&lower));
            add(called.map(|f| pair(format!("{}(", f.name), format!("{}(", f.name))).collect());
        }
        let as_typed =
            |k: &&str| if word.chars().any(char::is_lowercase) { k.to_lowercase() } else { (**k).to_owned() };
        let keywords = KEYWORDS.iter().filter(|k| k.to_lowercase().starts_with(&lower)).map(as_typed);
        add(keywords.map(|k| pair(k.clone(), format!("{k} "))).collect());
    } else if context.is_empty() {
        add(["SELECT", "WITH", "EXPLAIN", "DESCRIBE"].map(|k| pair(k, format!("{k} "))).to_vec());
    }
    // Nobody knows how a name begins of which he knows the middle.
    if found.is_empty() && word.len() >= 3 {
        let lower = word.to_lowercase();
        for (_, table) in scope {
            let columns = names.columns.get(table).into_iter().flatten().filter(|c| c.contains(&lower));
            found.extend(columns.map(|c| pair(c.clone(), c.clone())));
        }
    }
    found
}

/// What begins with a word, whatever the case.
fn starting(all: &[String], word: &str, replacement: impl Fn(&str) -> String) -> Vec<Pair> {
    let lower = word.to_lowercase();
    all.iter().filter(|n| n.to_lowercase().starts_with(&lower)).map(|n| pair(n.clone(), replacement(n))).collect()
}

/// Whether the commas at the end of some tokens are those between tables.
fn in_from(context: &[Word<'_>]) -> bool {
    let clauses = ["SELECT", "FROM", "WHERE", "GROUP", "ORDER", "HAVING", "ON", "VALUES", "BY", "IN"];
    let mut depth = 0;
    for w in context.iter().rev() {
        match w.text {
            ")" => depth += 1,
            "(" if depth == 0 => return false,
            "(" => depth -= 1,
            _ if depth == 0 && w.is_any(&clauses) => return w.is("FROM"),
            _ => {}
        }
    }
    false
}

/// The column that is compared with what comes next: `column =`, `column IN ('a',`, `column LIKE`; or the parameter
/// of a function that takes the id of a run.
fn compared<'a>(context: &'a [Word<'a>]) -> Option<&'a str> {
    let is_name = |w: &Word<'_>| matches!(w.kind, TokenKind::Word | TokenKind::QuotedName) && !w.is_keyword();
    let mut i = context.len().checked_sub(1)?;
    if matches!(context[i].text, "=" | "<>" | "!=") || context[i].is_any(&["LIKE", "ILIKE"]) {
        i = i.checked_sub(1)?;
        i -= usize::from(context[i].is("NOT") && i > 0);
        return is_name(&context[i]).then(|| context[i].name());
    }
    // In a list: back over what is in it.
    while matches!(context[i].text, ",") || context[i].kind == TokenKind::Text {
        i = i.checked_sub(1)?;
    }
    if context[i].text != "(" {
        return None;
    }
    let head = context.get(i.checked_sub(1)?)?;
    if head.is("IN") {
        let mut at = i.checked_sub(2)?;
        at -= usize::from(context[at].is("NOT") && at > 0);
        return is_name(&context[at]).then(|| context[at].name());
    }
    // `trace('...')` takes a run; the other functions of the tree take one after the span.
    let first = i + 1 == context.len();
    let takes_run =
        if first { head.is("trace") } else { head.is_any(&["descendants", "ancestors", "children", "parent", "path"]) };
    takes_run.then_some("trace_id")
}

/// Names that a WITH gives.
fn ctes(statement: &[Word<'_>]) -> Vec<String> {
    if !statement.first().is_some_and(|w| w.is("WITH")) {
        return Vec::new();
    }
    let named = statement.windows(3).filter(|w| w[1].is("AS") && w[2].text == "(" && w[0].kind == TokenKind::Word);
    named.map(|w| w[0].text.to_owned()).collect()
}

/// The function whose arguments are being written, for a hint.
pub(super) fn call_at<'a>(text: &'a str, names: &'a Names) -> Option<&'a str> {
    let tokens = words(text);
    let mut depth = 0;
    for (i, w) in tokens.iter().enumerate().rev() {
        match w.text {
            ")" => depth += 1,
            "(" if depth > 0 => depth -= 1,
            "(" => {
                let name = tokens.get(i.checked_sub(1)?)?;
                return names.function(name.text).map(|f| f.syntax.as_str());
            }
            ";" => return None,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests;
