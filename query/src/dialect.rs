//! The SQL dialect: DataFusion's generic one, with lambdas and with JSON arrows that bind tightly.
//!
//! Two traps of the parser are closed here. The generic dialect reads `a->>'k' = 'x'` as `a->>('k' = 'x')`.
//! Dialects with lambdas in addition take every `word ->` for the head of a lambda, even where a JSON column
//! is meant, as in `attributes->'usage'->>'input'`.

use std::any::TypeId;

use datafusion::sql::sqlparser::ast::Expr;
use datafusion::sql::sqlparser::dialect::{Dialect, GenericDialect};
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::Token;

/// Above multiplication (40), below casts (50): `a->'n' + 1` adds, `a->>'n'::int` casts the key as in PostgreSQL.
const ARROW_PRECEDENCE: u8 = 45;

/// SQL as the shell and the library parse it.
#[derive(Debug, Default, Clone, Copy)]
pub struct SpanfileDialect;

/// Features of the generic dialect, and lambdas, switched on by name.
macro_rules! supported {
    ($($feature:ident)*) => { $(fn $feature(&self) -> bool { true })* };
}

impl Dialect for SpanfileDialect {
    // The parser asks for concrete dialects in places; there this one counts as the generic one.
    fn dialect(&self) -> TypeId {
        TypeId::of::<GenericDialect>()
    }

    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        GenericDialect.is_delimited_identifier_start(ch)
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        GenericDialect.is_identifier_start(ch)
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        GenericDialect.is_identifier_part(ch)
    }

    /// Takes `word -> 'key'` and `word -> 0` for a JSON access; any other `word ->` is left to be a lambda.
    fn parse_prefix(&self, parser: &mut Parser<'_>) -> Option<Result<Expr, ParserError>> {
        let step = |t: &Token| matches!(t, Token::SingleQuotedString(_) | Token::Number(..) | Token::Placeholder(_));
        let json = matches!(parser.peek_token_ref().token, Token::Word(_))
            && parser.peek_nth_token_ref(1).token == Token::Arrow
            && step(&parser.peek_nth_token_ref(2).token);
        json.then(|| parser.parse_identifier().map(Expr::Identifier))
    }

    fn get_next_precedence(&self, parser: &Parser<'_>) -> Option<Result<u8, ParserError>> {
        match parser.peek_token_ref().token {
            Token::Arrow
            | Token::LongArrow
            | Token::HashArrow
            | Token::HashLongArrow
            | Token::Question
            | Token::QuestionAnd
            | Token::QuestionPipe => Some(Ok(ARROW_PRECEDENCE)),
            _ => None,
        }
    }

    supported! {
        supports_lambda_functions
        supports_unicode_string_literal
        supports_partition_by_after_order_by
        supports_array_join_syntax
        supports_group_by_expr
        supports_group_by_with_modifier
        supports_left_associative_joins_without_parens
        supports_match_recognize
        supports_pipe_operator
        supports_window_function_null_treatment_arg
        supports_dictionary_syntax
        supports_window_clause_named_window_reference
        supports_parenthesized_set_variables
        supports_select_wildcard_except
        support_map_literal_syntax
        allow_extract_custom
        allow_extract_single_quotes
        supports_extract_comma_syntax
        supports_parens_around_table_factor
        supports_values_as_table_factor
        supports_explain_with_utility_options
        supports_limit_comma
        supports_from_first_select
        supports_projection_trailing_commas
        supports_try_convert
        supports_bitwise_shift_operators
        supports_named_fn_args_with_assignment_operator
        supports_struct_literal
        supports_empty_projections
        supports_nested_comments
        supports_string_escape_constant
        supports_array_typedef_with_brackets
        supports_filter_during_aggregation
        supports_select_wildcard_exclude
        supports_select_wildcard_replace
        supports_select_wildcard_ilike
        supports_select_wildcard_rename
        supports_interval_options
        supports_quote_delimited_string
        supports_limit_by
        supports_comma_separated_trim
        supports_cte_without_as
    }
}
