//! SQL as an editor sees it: words, texts, numbers and comments with their places, also where a statement is not
//! finished yet.

use std::ops::Range;

use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer, Whitespace};

use crate::dialect::SpanfileDialect;
use crate::statement::{line_starts, offset};

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// A name or a keyword.
    Word,
    /// A name in double quotes or backticks.
    QuotedName,
    /// A text in single quotes, of any of the notations.
    Text,
    /// A number.
    Number,
    /// A comment.
    Comment,
    /// An operator, bracket, comma, and the like.
    Sign,
    /// What the lexer makes nothing of: a text, name or comment that does not end.
    Open,
}

/// A piece of SQL that is no space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LexToken {
    /// What it is.
    pub kind: TokenKind,
    /// Where it lies, in bytes.
    pub place: Range<usize>,
}

/// Cuts text into tokens, in order; space is left out. What begins a text, name or comment without an end is the last
/// one, [`TokenKind::Open`].
///
/// ```
/// use spanfile_query::{TokenKind, lex};
/// let sql = "select 'a; b";
/// let tokens = lex(sql);
/// assert_eq!((tokens[0].kind, &sql[tokens[0].place.clone()]), (TokenKind::Word, "select"));
/// assert_eq!((tokens[1].kind, &sql[tokens[1].place.clone()]), (TokenKind::Open, "'a; b"));
/// ```
pub fn lex(text: &str) -> Vec<LexToken> {
    let mut tokens: Vec<TokenWithSpan> = Vec::new();
    let lexed =
        Tokenizer::new(&SpanfileDialect, text).with_unescape(false).tokenize_with_location_into_buf(&mut tokens);
    let starts = line_starts(text);
    let mut out = Vec::with_capacity(tokens.len());
    let mut end = 0;
    for t in &tokens {
        let place = offset(text, &starts, t.span.start)..offset(text, &starts, t.span.end);
        end = place.end;
        let kind = match &t.token {
            Token::Whitespace(Whitespace::SingleLineComment { .. } | Whitespace::MultiLineComment(_)) => {
                TokenKind::Comment
            }
            Token::Whitespace(_) | Token::EOF => continue,
            Token::Word(w) if w.quote_style.is_some() => TokenKind::QuotedName,
            Token::Word(_) => TokenKind::Word,
            Token::Number(..) => TokenKind::Number,
            Token::SingleQuotedString(_)
            | Token::TripleSingleQuotedString(_)
            | Token::NationalStringLiteral(_)
            | Token::EscapedStringLiteral(_)
            | Token::UnicodeStringLiteral(_)
            | Token::HexStringLiteral(_)
            | Token::DollarQuotedString(_)
            | Token::SingleQuotedByteStringLiteral(_)
            | Token::SingleQuotedRawStringLiteral(_) => TokenKind::Text,
            _ => TokenKind::Sign,
        };
        out.push(LexToken { kind, place });
    }
    if lexed.is_err() {
        let rest = &text[end..];
        let from = end + (rest.len() - rest.trim_start().len());
        if from < text.len() {
            out.push(LexToken { kind: TokenKind::Open, place: from..text.len() });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<(TokenKind, &str)> {
        lex(text).into_iter().map(|t| (t.kind, &text[t.place])).collect()
    }

    #[test]
    fn tokens_have_kinds_and_places() {
        use TokenKind::*;
        assert_eq!(
            kinds("SELECT \"a b\", 'é''x' -- note\nFROM t /* c */ WHERE n>=1.5"),
            [
                (Word, "SELECT"),
                (QuotedName, "\"a b\""),
                (Sign, ","),
                (Text, "'é''x'"),
                (Comment, "-- note\n"),
                (Word, "FROM"),
                (Word, "t"),
                (Comment, "/* c */"),
                (Word, "WHERE"),
                (Word, "n"),
                (Sign, ">="),
                (Number, "1.5"),
            ]
        );
        assert_eq!(kinds("select * from t where a = 'ü").last(), Some(&(Open, "'ü")));
        assert_eq!(kinds("select \"na").last(), Some(&(Open, "\"na")));
        assert_eq!(kinds("select 1 /* for ever").last(), Some(&(Open, "/* for ever")));
        assert_eq!(kinds(""), []);
    }
}
