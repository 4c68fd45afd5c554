//! What a plain scalar means to Helm: YAML 1.1 as the library `go-yaml` reads it.

use serde_json::Number;

use crate::config::located::Node;

/// The value of a scalar without quotes; nothing when JSON, which Helm works with, has none for it.
pub(super) fn resolve(text: &str) -> Option<Node> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Some(Node::Null),
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Some(Node::Bool(true));
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Some(Node::Bool(false));
        }
        ".nan" | ".NaN" | ".NAN" | ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF"
        | "-.inf" | "-.Inf" | "-.INF" => return None,
        _ => {}
    }
    let number = match text.as_bytes().first() {
        Some(b'.') => float(text),
        Some(b'+' | b'-' | b'0'..=b'9') => {
            let plain = text.replace('_', "");
            integer(&plain).or_else(|| styled_float(&plain))
        }
        _ => None,
    };
    Some(number.map_or_else(|| Node::Text(text.to_owned()), Node::Number))
}

/// Decimal, or with a prefix: `0x`, `0o`, `0b`, or a bare `0` for octal.
fn integer(text: &str) -> Option<Number> {
    let (sign, digits) = match text.strip_prefix(['+', '-']) {
        Some(digits) => (&text[..1], digits),
        None => ("", text),
    };
    let lower = digits.to_ascii_lowercase();
    let (radix, digits) = match lower.get(..2) {
        Some("0x") => (16, lower.get(2..)?),
        Some("0o") => (8, lower.get(2..)?),
        Some("0b") => (2, lower.get(2..)?),
        _ if lower.len() > 1 && lower.starts_with('0') => (8, lower.get(1..)?),
        _ => (10, lower.as_str()),
    };
    if !digits.bytes().next()?.is_ascii_alphanumeric() {
        return None;
    }
    if let Ok(value) = i64::from_str_radix(&format!("{sign}{digits}"), radix) {
        return Some(value.into());
    }
    // Without a sign only, as in Go.
    if !sign.is_empty() {
        return None;
    }
    u64::from_str_radix(digits, radix).ok().map(Into::into)
}

/// A decimal number with at most one point and an exponent: no `1e`, no `infinity`.
fn styled_float(text: &str) -> Option<Number> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let exponent_fits = exponent.is_none_or(|exponent| {
        let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
    });
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let fits = digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty());
    if fits && exponent_fits { float(text) } else { None }
}

fn float(text: &str) -> Option<Number> {
    let only = |b: u8| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-');
    if !text.bytes().all(only) {
        return None;
    }
    let value: f64 = text.parse().ok()?;
    if value.is_infinite() {
        return None;
    }
    // A whole number is one to JSON, however it was written.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "only whole numbers that i64 holds exactly"
    )]
    let whole = (value.fract() == 0.0 && value.abs() < 9e15).then_some(value as i64);
    whole.map_or_else(|| Number::from_f64(value), |whole| Some(whole.into()))
}
