//! From text to statements: splitting, parsing, and refusing what is not a query.

use std::ops::ControlFlow;

use datafusion::sql::parser::{DFParserBuilder, Statement as DfStatement};
use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr, SetExpr, Statement as Sql, visit_expressions};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};

use crate::dialect::SpanfileDialect;
use crate::error::{Position, QueryError, Result};

/// Statements may nest this deep.
const RECURSION_LIMIT: usize = 64;

/// Operators of one statement. Each hangs from the one before: planning takes time and stack for every level.
const OPERATORS_MAX: usize = 4_000;

const READ_ONLY: &str = "SQL over .spans files is read-only";

/// The text of one statement and where it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece<'a> {
    /// The statement without its semicolon.
    pub text: &'a str,
    /// Line of its first character in the whole text, from 1.
    pub line: u64,
    /// Whether a semicolon ended it.
    pub complete: bool,
}

/// Cuts text into statements at the semicolons that the SQL lexer sees: not those in strings, comments or
/// quoted names. Statements that are only space and comments are left out. A last piece without a semicolon
/// is marked incomplete.
pub fn split(text: &str) -> Vec<Piece<'_>> {
    let mut out = Vec::new();
    let mut tokens: Vec<TokenWithSpan> = Vec::new();
    // An unterminated string or comment is an error of the lexer; the tokens before it are still good.
    let lexed =
        Tokenizer::new(&SpanfileDialect, text).with_unescape(false).tokenize_with_location_into_buf(&mut tokens);
    let starts = line_starts(text);
    let mut begin: Option<(usize, u64)> = None;
    for t in &tokens {
        match t.token {
            Token::SemiColon => {
                if let Some((from, line)) = begin.take() {
                    let to = offset(text, &starts, t.span.start);
                    out.push(Piece { text: text[from..to].trim_end(), line, complete: true });
                }
            }
            Token::Whitespace(_) => {}
            _ if begin.is_none() => begin = Some((offset(text, &starts, t.span.start), t.span.start.line)),
            _ => {}
        }
    }
    if begin.is_none() && lexed.is_err() {
        // What follows the last semicolon begins with the broken token.
        let end = tokens.iter().rev().find(|t| t.token == Token::SemiColon);
        let from = end.map_or(0, |t| offset(text, &starts, t.span.end));
        let skipped = text[from..].len() - text[from..].trim_start().len();
        let line = text[..from + skipped].matches('\n').count() as u64 + 1;
        begin = Some((from + skipped, line));
    }
    if let Some((from, line)) = begin
        && !text[from..].trim_end().is_empty()
    {
        out.push(Piece { text: text[from..].trim_end(), line, complete: false });
    }
    out
}

pub(crate) fn line_starts(text: &str) -> Vec<usize> {
    std::iter::once(0).chain(text.match_indices('\n').map(|(i, _)| i + 1)).collect()
}

/// Byte offset of a lexer position; its columns count characters.
pub(crate) fn offset(text: &str, starts: &[usize], at: Location) -> usize {
    let line = usize::try_from(at.line).unwrap_or(1).saturating_sub(1);
    let from = starts.get(line).copied().unwrap_or(text.len());
    let column = usize::try_from(at.column).unwrap_or(1).saturating_sub(1);
    text[from..].char_indices().nth(column).map_or(text.len(), |(i, _)| from + i)
}

/// Parses exactly one statement and checks that it only reads.
pub(crate) fn parse(text: &str) -> Result<DfStatement> {
    check_operators(text)?;
    let mut statements = DFParserBuilder::new(text)
        .with_dialect(&SpanfileDialect)
        .with_recursion_limit(RECURSION_LIMIT)
        .build()
        .and_then(|mut p| p.parse_statements())
        .map_err(syntax_error)?;
    match (statements.pop_front(), statements.len()) {
        (None, _) => Err(QueryError::sql("there is no statement")),
        (Some(s), 0) => check(&s).map(|()| s),
        (Some(_), more) => Err(QueryError::sql(format!("expected one statement, found {}", more + 1))),
    }
}

/// Checks that a text is one expression and nothing more.
pub(crate) fn check_expression(text: &str) -> Result<()> {
    check_operators(text)?;
    let parser = Parser::new(&SpanfileDialect).with_recursion_limit(RECURSION_LIMIT).try_with_sql(text);
    let end = parser.and_then(|mut p| p.parse_expr().map(|_| p.peek_token()));
    match end {
        Ok(next) if next.token == Token::EOF => Ok(()),
        Ok(next) => Err(QueryError::sql(format!("expected the end, found {next}"))),
        Err(e) => Err(syntax_error(e.into())),
    }
}

fn check_operators(text: &str) -> Result<()> {
    let mut tokens: Vec<TokenWithSpan> = Vec::new();
    // What the lexer does not take, the parser complains about.
    let _ = Tokenizer::new(&SpanfileDialect, text).tokenize_with_location_into_buf(&mut tokens);
    let operator = |t: &&TokenWithSpan| match &t.token {
        Token::Plus | Token::Minus | Token::Mul | Token::Div | Token::Mod | Token::StringConcat => true,
        Token::Word(w) => {
            matches!(w.keyword, Keyword::AND | Keyword::OR | Keyword::UNION | Keyword::EXCEPT | Keyword::INTERSECT)
        }
        _ => false,
    };
    match tokens.iter().filter(operator).count() {
        n if n > OPERATORS_MAX => Err(QueryError::sql(format!(
            "a statement of {n} operators, more than {OPERATORS_MAX}; for many values of one column use IN (...)"
        ))),
        _ => Ok(()),
    }
}

fn not_allowed(what: impl Into<String>) -> QueryError {
    QueryError::NotAllowed { what: what.into(), hint: READ_ONLY }
}

fn check(statement: &DfStatement) -> Result<()> {
    match statement {
        DfStatement::Explain(e) => check(&e.statement),
        DfStatement::CopyTo(_) => Err(QueryError::NotAllowed {
            what: "COPY".into(),
            hint: "SQL cannot write files; use -parquet FILE, or -csv and redirect the output",
        }),
        DfStatement::CreateExternalTable(_) => Err(QueryError::NotAllowed {
            what: "CREATE EXTERNAL TABLE".into(),
            hint: "SQL cannot read other files; attach .spans files with --attach FILE=NAME",
        }),
        DfStatement::Reset(_) => Err(not_allowed("RESET")),
        DfStatement::Statement(s) => check_sql(s),
    }
}

/// `a IS DISTINCT FROM b AND c` should mean `(a IS DISTINCT FROM b) AND c`; the parser takes `b AND c` for the operand.
/// Asking for parentheses is better than other rows.
fn check_distinct_from(statement: &Sql) -> Result<()> {
    let swallows = |e: &Expr| {
        matches!(e, Expr::BinaryOp { op: BinaryOperator::And | BinaryOperator::Or | BinaryOperator::Xor, .. })
    };
    let found = visit_expressions(statement, |e: &Expr| match e {
        Expr::IsDistinctFrom(_, right) | Expr::IsNotDistinctFrom(_, right) if swallows(right) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    match found {
        ControlFlow::Break(()) => Err(QueryError::sql(
            "put parentheses around a IS [NOT] DISTINCT FROM b where AND or OR follows: (a IS DISTINCT FROM b) AND ...",
        )),
        ControlFlow::Continue(()) => Ok(()),
    }
}

fn check_sql(statement: &Sql) -> Result<()> {
    check_distinct_from(statement)?;
    match statement {
        Sql::Query(q) => match q.body.as_ref() {
            SetExpr::Insert(_) => Err(not_allowed("INSERT")),
            SetExpr::Update(_) => Err(not_allowed("UPDATE")),
            SetExpr::Delete(_) => Err(not_allowed("DELETE")),
            SetExpr::Merge(_) => Err(not_allowed("MERGE")),
            _ => Ok(()),
        },
        Sql::Explain { statement, .. } => check_sql(statement),
        Sql::ExplainTable { .. }
        | Sql::ShowTables { .. }
        | Sql::ShowColumns { .. }
        | Sql::ShowVariable { .. }
        | Sql::ShowFunctions { .. } => Ok(()),
        Sql::CreateView(_) => Err(QueryError::NotAllowed {
            what: "CREATE VIEW".into(),
            hint: "SQL over .spans files is read-only; use WITH name AS (...) in the query",
        }),
        Sql::Set(_) => Err(QueryError::NotAllowed {
            what: "SET".into(),
            hint: "limits and formats are options of the command line, see --help, or dot-commands, see .help",
        }),
        Sql::AttachDatabase { .. } | Sql::AttachDuckDBDatabase { .. } => Err(QueryError::NotAllowed {
            what: "ATTACH".into(),
            hint: "attach other files with --attach FILE=NAME, or .open FILE AS NAME",
        }),
        other => {
            // The statement's first words name it well enough: INSERT INTO, CREATE TABLE, DROP TABLE, ...
            let text = other.to_string();
            let words: Vec<&str> = text.split_whitespace().take(2).collect();
            let two = matches!(words.first(), Some(&("CREATE" | "DROP" | "ALTER" | "INSERT" | "DELETE" | "START")));
            Err(not_allowed(words.into_iter().take(1 + usize::from(two)).collect::<Vec<_>>().join(" ").to_uppercase()))
        }
    }
}

/// The parser's message, with the position that it appends taken out into a field.
fn syntax_error(e: datafusion::error::DataFusionError) -> QueryError {
    let mut message = match e.find_root() {
        datafusion::error::DataFusionError::SQL(p, _) => match p.as_ref() {
            datafusion::sql::sqlparser::parser::ParserError::TokenizerError(m)
            | datafusion::sql::sqlparser::parser::ParserError::ParserError(m) => m.clone(),
            other => other.to_string(),
        },
        other => other.strip_backtrace(),
    };
    let mut position = None;
    if let Some(at) = message.rfind(" at Line: ") {
        let digits = |s: &str| s.trim().chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok();
        let mut parts = message[at + " at Line: ".len()..].split(", Column: ");
        if let (Some(line), Some(column)) = (parts.next().and_then(digits), parts.next().and_then(digits)) {
            position = Some(Position { line, column });
            message.truncate(at);
        }
    }
    QueryError::Sql { message: format!("syntax error: {}", lower_first(&message)), position, suggestions: Vec::new() }
}

pub(crate) fn lower_first(s: &str) -> String {
    let mut c = s.chars();
    match c.next() {
        Some(first) if !s.chars().nth(1).is_some_and(char::is_uppercase) => first.to_lowercase().chain(c).collect(),
        _ => s.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(sql: &str) -> Vec<(&str, bool)> {
        split(sql).into_iter().map(|p| (p.text, p.complete)).collect()
    }

    #[test]
    fn semicolons_in_strings_comments_and_names_do_not_split() {
        assert_eq!(
            texts("select ';' ; -- a;b\n select \"x;y\" /* ; */;select 1"),
            [("select ';'", true), ("select \"x;y\" /* ; */", true), ("select 1", false)]
        );
        assert_eq!(texts(" -- nothing\n;;"), []);
        assert_eq!(
            texts("select 'it''s; fine'; select 'open;"),
            [("select 'it''s; fine'", true), ("select 'open;", false)]
        );
        assert_eq!(texts("'open;"), [("'open;", false)]);
        assert_eq!(texts("select 'é';select 'ü' ;"), [("select 'é'", true), ("select 'ü'", true)]);
        assert_eq!(split("select 1;\n\n  select 2;")[1].line, 3);
    }

    #[test]
    fn only_queries_pass() {
        for ok in [
            "select 1",
            "with a as (select 1) select * from a",
            "values (1)",
            "explain analyze select 1",
            "describe spans",
            "show tables",
            "show columns from spans",
        ] {
            assert!(parse(ok).is_ok(), "{ok}: {:?}", parse(ok).err());
        }
        for bad in [
            "insert into spans values (1)",
            "update spans set name = 'x'",
            "delete from spans",
            "create table t (a int)",
            "create view v as select 1",
            "create external table t stored as csv location '/etc/passwd'",
            "copy spans to 'x.csv'",
            "copy (select 1) to 'x.csv'",
            "explain insert into spans values (1)",
            "set datafusion.execution.batch_size = 1",
            "drop table spans",
            "truncate table spans",
            "begin",
            "with a as (select 1) insert into spans select * from a",
            "prepare p as select 1",
            "execute p",
            "attach 'x' as y",
            "reset datafusion.execution.batch_size",
        ] {
            assert!(
                matches!(parse(bad), Err(QueryError::NotAllowed { .. } | QueryError::Sql { .. })),
                "{bad}: {:?}",
                parse(bad)
            );
        }
        assert!(
            matches!(parse("insert into spans values (1)"), Err(QueryError::NotAllowed { what, .. }) if what.starts_with("INSERT"))
        );
    }

    #[test]
    fn distinct_from_wants_parentheses_before_and_and_or() {
        let refused = |sql: &str| parse(sql).is_err();
        assert!(refused("select * from t where a is distinct from b and c"));
        assert!(refused("select true is not distinct from true or true"));
        assert!(refused("with x as (select a is distinct from 1 or b from t) select * from x"));
        assert!(!refused("select * from t where (a is distinct from b) and c is distinct from d + 1"));
        assert!(!refused("select a is distinct from (b and c)"));
    }

    #[test]
    fn chains_of_operators_have_an_end() {
        let sum = |n: usize| format!("select 1{}", " + 1".repeat(n));
        assert!(parse(&sum(OPERATORS_MAX)).is_ok());
        let refused = parse(&sum(OPERATORS_MAX + 1)).unwrap_err().to_string();
        assert!(refused.contains("4001 operators, more than 4000"), "{refused}");
        let list = format!("select 1 in ({}1)", "1, ".repeat(50_000));
        assert!(parse(&list).is_ok());
    }

    #[test]
    fn syntax_errors_have_a_position() {
        let e = parse("select 1\nfrom )").unwrap_err();
        assert!(matches!(e, QueryError::Sql { position: Some(Position { line: 2, .. }), .. }), "{e:?}");
    }
}
