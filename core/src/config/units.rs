//! Texts of values, read: sizes, durations, lists, labels, URLs.

use serde_json::{Map, Value};

use super::value::HIDDEN;

pub(super) fn parse_boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Some(true),
        "false" | "no" | "off" | "0" => Some(false),
        _ => None,
    }
}

/// `4096`, `64KiB`, `64 KiB`, `1MB`, `1m`. With an `i`, or as a single letter, powers of 1024.
pub(super) fn parse_size(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let number: u64 = text[..digits].parse().ok()?;
    let unit: u64 = match text[digits..].trim_start().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        _ => return None,
    };
    number.checked_mul(unit)
}

/// Bytes in the largest unit that divides them, for messages.
pub(super) fn show_size(bytes: u64) -> String {
    let (number, unit) = in_unit(bytes);
    format!("{number} {}", if unit.is_empty() { "bytes" } else { unit })
}

/// Bytes in the largest unit that divides them, as one would write them.
pub(super) fn write_size(bytes: u64) -> String {
    let (number, unit) = in_unit(bytes);
    format!("{number}{unit}")
}

fn in_unit(bytes: u64) -> (u64, &'static str) {
    [(30, "GiB"), (20, "MiB"), (10, "KiB")]
        .into_iter()
        .find(|(shift, _)| bytes >= 1 << shift && bytes.is_multiple_of(1 << shift))
        .map_or((bytes, ""), |(shift, unit)| (bytes >> shift, unit))
}

/// Milliseconds of `500ms`, `1.5s`, `1m30s`, `2h`, `1d`, or of a number in units of `bare_ms`.
/// Fractions are exact or refused.
pub(super) fn parse_duration(text: &str, bare_ms: u64) -> Option<u64> {
    let mut total: u64 = 0;
    let mut rest = text;
    loop {
        let number = rest.bytes().take_while(|b| b.is_ascii_digit() || *b == b'.').count();
        let letters = rest[number..].bytes().take_while(u8::is_ascii_alphabetic).count();
        let (amount, unit) = (&rest[..number], &rest[number..number + letters]);
        let unit_ms = match unit {
            "" if rest.len() == text.len() && number == text.len() => bare_ms,
            "ms" => 1,
            "s" => 1_000,
            "m" | "min" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        };
        total = total.checked_add(scaled(amount, unit_ms)?)?;
        rest = &rest[number + letters..];
        if rest.is_empty() {
            return Some(total);
        }
    }
}

/// A decimal number times `unit`, when that is a whole number.
fn scaled(amount: &str, unit: u64) -> Option<u64> {
    let (whole, fraction) = amount.split_once('.').unwrap_or((amount, ""));
    if fraction.len() > 9 || (whole.is_empty() && fraction.is_empty()) {
        return None;
    }
    let parse = |digits: &str| if digits.is_empty() { Some(0) } else { digits.parse::<u64>().ok() };
    let parts = 10_u64.pow(u32::try_from(fraction.len()).ok()?);
    let fraction = parse(fraction)?.checked_mul(unit)?;
    if !fraction.is_multiple_of(parts) {
        return None;
    }
    parse(whole)?.checked_mul(unit)?.checked_add(fraction / parts)
}

/// The words between commas, without the blanks around them; empty ones are left out.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|word| !word.is_empty())
}

/// `name=value,name=value`; a name twice is no value.
pub(super) fn parse_pairs(text: &str) -> Option<Map<String, Value>> {
    let mut pairs = Map::new();
    for word in words(text) {
        let (name, value) = word.split_once('=')?;
        if pairs.insert(name.trim().to_owned(), value.trim().into()).is_some() {
            return None;
        }
    }
    Some(pairs)
}

/// Prometheus' rule for the names of labels.
pub(super) fn is_label(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Names and values of HTTP headers: RFC 9110, sections 5.1 (in any case, so none twice) and 5.5.
pub(super) fn are_headers(pairs: &Map<String, Value>) -> bool {
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    let visible = |b: u8| b == b' ' || b == b'\t' || b.is_ascii_graphic();
    pairs.iter().enumerate().all(|(at, (name, value))| {
        !name.is_empty()
            && name.bytes().all(token)
            && value.as_str().is_some_and(|text| text.bytes().all(visible))
            && !pairs.keys().take(at).any(|earlier| earlier.eq_ignore_ascii_case(name))
    })
}

/// Milliseconds in the largest unit that divides them, for messages.
pub(super) fn show_duration(ms: u64) -> String {
    let (number, unit) = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s")]
        .into_iter()
        .find(|(size, _)| ms >= *size && ms.is_multiple_of(*size))
        .map_or((ms, "ms"), |(size, unit)| (ms / size, unit));
    format!("{number} {unit}")
}

pub(super) fn is_url(text: &str) -> bool {
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    rest.is_some_and(|rest| {
        !rest.is_empty()
            && !rest.starts_with('/')
            && !rest.contains(|c: char| c.is_whitespace() || c.is_control())
    })
}

/// A URL without the name and password that may stand before its host, and without its query, which
/// may hold a token. Whatever stands before an `@` is hidden, wherever a broken URL has one.
pub(super) fn hide_in_url(url: &Value) -> Value {
    let Some(text) = url.as_str() else { return url.clone() };
    let (scheme, rest) = text.split_at(text.find("://").map_or(0, |at| at + 3));
    let (user, rest) = rest.rfind('@').map_or(("", rest), |at| (HIDDEN, &rest[at..]));
    match rest.split_once('?') {
        Some((rest, _)) => format!("{scheme}{user}{rest}?{HIDDEN}").into(),
        None => format!("{scheme}{user}{rest}").into(),
    }
}
