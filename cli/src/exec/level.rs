//! Which level a line of output names.

use std::borrow::Cow;

use lb_core::record::Level;
use serde_json::{Map, Value};

use crate::args::Parse;

/// What a line says.
#[derive(Debug, PartialEq)]
pub(super) struct Said<'a> {
    /// None where it names none.
    pub(super) level: Option<Level>,
    pub(super) message: Cow<'a, [u8]>,
    /// What else a JSON line holds.
    pub(super) tags: Map<String, Value>,
}

/// Names under which programs write the level and the message into JSON lines.
const LEVELS: [&str; 4] = ["level", "severity", "lvl", "levelname"];
const MESSAGES: [&str; 2] = ["message", "msg"];

/// Reads a line that is whole.
pub(super) fn read(line: &[u8], parse: Parse) -> Said<'_> {
    if parse != Parse::None
        && line.trim_ascii_start().starts_with(b"{")
        && let Some(said) = of_json(line)
    {
        return said;
    }
    Said { level: of_first_piece(line, parse), message: line.into(), tags: Map::new() }
}

/// The level of a line whose first piece this is.
pub(super) fn of_first_piece(piece: &[u8], parse: Parse) -> Option<Level> {
    if parse == Parse::Auto { at_beginning(piece) } else { None }
}

/// An object that names its level. Where it has a message, too, the rest becomes tags; else the
/// line is the message.
fn of_json(line: &[u8]) -> Option<Said<'_>> {
    let Value::Object(mut fields) = serde_json::from_slice(line).ok()? else { return None };
    let (name, level) = LEVELS
        .iter()
        .find_map(|name| Some((*name, Level::from_name(fields.get(*name)?.as_str()?)?)))?;
    let level = Some(level);
    let message = MESSAGES.iter().find(|name| fields.get(**name).is_some_and(Value::is_string));
    let Some(Value::String(message)) = message.and_then(|name| fields.shift_remove(*name)) else {
        return Some(Said { level, message: line.into(), tags: Map::new() });
    };
    fields.shift_remove(name);
    Some(Said { level, message: message.into_bytes().into(), tags: fields })
}

/// `ERROR …`, `[warn] …`, `info: …`, also in colour. Outside of brackets a level that is not in
/// capitals needs a colon: "Error handling began" names none.
fn at_beginning(line: &[u8]) -> Option<Level> {
    let line = without_colours(line).trim_ascii_start();
    let bracket = line.first().filter(|first| b"[<(".contains(first));
    let line = if bracket.is_some() { without_colours(&line[1..]) } else { line };
    let letters = line.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let (word, rest) = line.split_at(letters);
    let level = Level::from_name(str::from_utf8(word).ok()?)?;
    let capitals = word.iter().all(u8::is_ascii_uppercase);
    let ends = match without_colours(rest).trim_ascii_start().first() {
        Some(b']' | b'>' | b')') => bracket.is_some(),
        Some(b':') => bracket.is_none(),
        _ => {
            capitals
                && bracket.is_none()
                && !rest.first().is_some_and(|b| b"_-./0123456789".contains(b))
        }
    };
    ends.then_some(level)
}

/// What stands behind escape sequences for colours.
fn without_colours(mut line: &[u8]) -> &[u8] {
    while let Some(rest) = line.strip_prefix(b"\x1b[") {
        let numbers = rest.iter().take_while(|b| b.is_ascii_digit() || **b == b';').count();
        if rest.get(numbers) != Some(&b'm') {
            break;
        }
        line = &rest[numbers + 1..];
    }
    line
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn level(line: &str) -> Option<Level> {
        read(line.as_bytes(), Parse::Auto).level
    }

    #[test]
    fn levels_at_the_beginning() {
        for (line, expected) in [
            ("ERROR no disk", Level::Error),
            ("ERROR", Level::Error),
            ("WARN: slow", Level::Warning),
            ("warning: unused", Level::Warning),
            ("Error: EACCES", Level::Error),
            ("  [info] up", Level::Info),
            ("[FATAL]", Level::Critical),
            ("<debug> x", Level::Debug),
            ("\u{1b}[1m\u{1b}[31merror\u{1b}[0m: no such crate", Level::Error),
            ("[\u{1b}[33mWARN\u{1b}[0m] slow", Level::Warning),
            ("TRACE\tx", Level::Trace),
        ] {
            assert_eq!(level(line), Some(expected), "{line:?}");
        }
    }

    #[test]
    fn lines_that_name_none() {
        for line in [
            "",
            "up",
            "Error handling began",
            "information: x",
            "ERRORS 0",
            "INFO_LEVEL=3",
            "ERROR-42 is known",
            "error",
            "[error",
            "[error: x",
            "2026-11-22 ERROR x",
            "{",
            "[]",
            "\u{1b}[2Jx",
        ] {
            assert_eq!(level(line), None, "{line:?}");
        }
        assert_eq!(read(b"\xff ERROR", Parse::Auto).level, None);
    }

    #[test]
    fn json_lines() {
        let said = read(br#"{"level":"warn","time":1,"msg":"slow","a":{"b":1}}"#, Parse::Json);
        assert_eq!(said.level, Some(Level::Warning));
        assert_eq!(&*said.message, b"slow");
        assert_eq!(Value::from(said.tags).to_string(), r#"{"time":1,"a":{"b":1}}"#);
        let whole = br#" {"severity":"ERROR","text":"x"}"#;
        let said = read(whole, Parse::Auto);
        assert_eq!((said.level, &*said.message), (Some(Level::Error), &whole[..]));
        for line in
            [r#"{"level":30,"msg":"x"}"#, r#"{"msg":"x"}"#, r#"{"level":"x"}"#, "{\"level\""]
        {
            assert_eq!(level(line), None, "{line}");
        }
    }

    #[test]
    fn what_is_not_to_be_parsed_is_not() {
        assert_eq!(read(b"ERROR x", Parse::Json).level, None);
        assert_eq!(read(br#"{"level":"error","msg":"x"}"#, Parse::None).level, None);
        assert_eq!(read(b"ERROR x", Parse::None).level, None);
    }
}
