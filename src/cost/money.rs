//! Decimal numbers without floats.

use std::fmt::Write;

/// Quintillionths of a dollar (10^-18) per token or per request: what prices are kept in. A price per million tokens
/// with twelve decimals is a whole number of these.
pub type AttoUsd = i128;

/// Trillionths of a dollar (10^-12): what costs are given in.
pub type PicoUsd = i128;

/// Atto-dollars in a pico-dollar.
pub(super) const ATTO_PER_PICO: i128 = 1_000_000;

/// Largest number before the point of any price: a billion dollars per million tokens.
const MAX_WHOLE_DIGITS: i64 = 9;

/// A decimal number, times ten to the power of `scale`. Signs, blanks and digits beyond `scale` are errors: no price is
/// negative and none is rounded in silence. Exponents are read, since JSON writers make them of small numbers.
pub(super) fn parse_decimal(text: &str, scale: u32) -> Result<i128, String> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((m, e)) => (m, e.parse::<i8>().map_err(|_| format!("{text:?} has an exponent out of range"))?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let has_digits = if mantissa.contains('.') { !fraction.is_empty() } else { !whole.is_empty() };
    let is_number = has_digits && whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit());
    if !is_number || mantissa.len() > 64 {
        return Err(format!("{:?} is no decimal number such as 2.50, zero or more", shown(text)));
    }
    let digits = format!("{whole}{fraction}");
    let digits = digits.trim_start_matches('0');
    let trailing = digits.len() - digits.trim_end_matches('0').len();
    let significant = &digits[..digits.len() - trailing];
    if significant.is_empty() {
        return Ok(0);
    }
    // The number is `significant` times ten to the power of this.
    let power = i64::from(exponent) - fraction.len() as i64 + trailing as i64;
    let zeros = power + i64::from(scale);
    if zeros < 0 {
        return Err(format!("{text} has more than {} decimals", scale.min(12)));
    }
    if significant.len() as i64 + power > MAX_WHOLE_DIGITS {
        return Err(format!("{text} is too large for an amount"));
    }
    let number: i128 = significant.parse().map_err(|_| format!("{text} is too large for an amount"))?;
    u32::try_from(zeros)
        .ok()
        .and_then(|z| 10i128.checked_pow(z))
        .and_then(|p| number.checked_mul(p))
        .ok_or_else(|| format!("{text} is too large for an amount"))
}

fn shown(text: &str) -> String {
    text.chars().take(40).collect()
}

/// The shortest decimal text of `value` times ten to the power of minus `scale`.
pub(super) fn format_decimal(value: i128, scale: u32) -> String {
    let digits = value.unsigned_abs().to_string();
    let scale = scale as usize;
    let padded = format!("{digits:0>width$}", width = scale + 1);
    let (whole, fraction) = padded.split_at(padded.len() - scale);
    let mut out = String::new();
    if value < 0 {
        out.push('-');
    }
    out.push_str(whole);
    let fraction = fraction.trim_end_matches('0');
    if !fraction.is_empty() {
        let _ = write!(out, ".{fraction}");
    }
    out
}

/// Pico-dollars as dollars, all decimals that are not zero.
///
/// ```
/// assert_eq!(spanfile::cost::format_usd(1_250_000), "0.00000125");
/// ```
pub fn format_usd(pico: PicoUsd) -> String {
    format_decimal(pico, 12)
}

/// Dollars as decimal text, to pico-dollars: digits, a point, digits, perhaps an exponent; no sign, no currency.
///
/// ```
/// assert_eq!(spanfile::cost::parse_usd("2.50"), Ok(2_500_000_000_000));
/// assert!(spanfile::cost::parse_usd("-1").is_err());
/// ```
///
/// # Errors
/// What is wrong with the text, below zero included; nothing is rounded.
pub fn parse_usd(text: &str) -> Result<PicoUsd, String> {
    parse_decimal(text, 12)
}

/// Atto-dollars to pico-dollars, half to even.
pub(super) fn round_to_pico(atto: i128) -> i128 {
    let whole = atto.div_euclid(ATTO_PER_PICO);
    let rest = atto.rem_euclid(ATTO_PER_PICO);
    match (rest * 2).cmp(&ATTO_PER_PICO) {
        std::cmp::Ordering::Less => whole,
        std::cmp::Ordering::Greater => whole + 1,
        std::cmp::Ordering::Equal => whole + whole.rem_euclid(2),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_exact() {
        assert_eq!(parse_decimal("2.50", 12), Ok(2_500_000_000_000));
        assert_eq!(parse_decimal("0", 12), Ok(0));
        assert_eq!(parse_decimal(".5", 1), Ok(5));
        assert_eq!(parse_decimal("1e-7", 12), Ok(100_000));
        assert_eq!(parse_decimal("1.5E3", 0), Ok(1500));
        assert_eq!(parse_decimal("0.000000000001", 12), Ok(1));
        assert_eq!(parse_decimal("0.0000000000010", 12), Ok(1));
        for bad in
            ["", ".", "1.", "-1", "+1", " 1", "1 ", "1,5", "NaN", "inf", "0x1", "1e", "1e999", "1e-13", "9999999999"]
        {
            assert!(parse_decimal(bad, 12).is_err(), "{bad}");
        }
        assert!(parse_decimal("0.0833333333333333", 12).unwrap_err().contains("12 decimals"));
        assert!(parse_decimal(&"9".repeat(70), 12).is_err());
    }

    #[test]
    fn text_of_decimals_is_short() {
        for (value, scale, text) in
            [(0, 12, "0"), (5, 12, "0.000000000005"), (2_500, 3, "2.5"), (-7_000, 3, "-7"), (42, 0, "42")]
        {
            assert_eq!(format_decimal(value, scale), text);
        }
    }

    #[test]
    fn half_goes_to_even() {
        for (atto, pico) in
            [(500_000, 0), (500_001, 1), (1_500_000, 2), (2_500_000, 2), (-500_000, 0), (-1_500_000, -2)]
        {
            assert_eq!(round_to_pico(atto), pico);
        }
    }
}
