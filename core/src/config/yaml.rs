//! YAML 1.2, as far as a configuration needs it: one document of names, values, lists and blocks.
//!
//! What lets a small file become a large or a surprising one (anchors, aliases, tags, a second
//! document) is refused. Plain words are read by YAML's core schema: `yes` and `off` are text.

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput};
use serde_json::{Map, Number, Value};

use super::format::{position, twice};

/// More than the deepest key needs.
const MAX_DEPTH: usize = 16;

/// The values of a file.
pub(super) fn read(text: &str) -> Result<Map<String, Value>, String> {
    refuse_control_characters(text)?;
    let mut reader = Reader { parser: Parser::new_from_str(text) };
    let mut values = Map::new();
    let mut documents = 0;
    loop {
        let (event, span) = reader.next()?;
        match event {
            Event::StreamEnd => return Ok(values),
            Event::StreamStart | Event::DocumentEnd | Event::Nothing => {}
            Event::DocumentStart(_) if documents == 1 => {
                return Err(at(span, "a second document begins; a configuration is one"));
            }
            Event::DocumentStart(_) => documents += 1,
            event => match reader.value(event, span, 0)? {
                Value::Object(found) => values = found,
                Value::Null => {}
                _ => return Err(at(span, "expected names and values, as in host: node-1")),
            },
        }
    }
}

/// The parser takes a NUL for the end of the text, and YAML allows none of the others either.
fn refuse_control_characters(text: &str) -> Result<(), String> {
    for (line, content) in text.split('\n').enumerate() {
        let content = content.strip_suffix('\r').unwrap_or(content);
        let found = content
            .chars()
            .enumerate()
            .find(|(_, c)| c.is_control() && !matches!(c, '\t' | '\u{85}'));
        if let Some((column, c)) = found {
            let code = u32::from(c);
            return Err(format!(
                "{}: not YAML: the control character U+{code:04X}",
                position(line + 1, column + 1)
            ));
        }
    }
    Ok(())
}

struct Reader<'a> {
    parser: Parser<'a, StrInput<'a>>,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), String> {
        match self.parser.next_event() {
            Some(event) => event.map_err(|e| broken(&e)),
            None => Err("not YAML: the text ends too early".to_owned()),
        }
    }

    /// The value that begins with `event`.
    fn value(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Value, String> {
        if depth > MAX_DEPTH {
            return Err(at(span, &format!("more than {MAX_DEPTH} blocks or lists in each other")));
        }
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                plain_only(span, anchor, tag.is_some())?;
                Ok(if style == ScalarStyle::Plain { scalar(&text) } else { (*text).into() })
            }
            Event::SequenceStart(anchor, tag) => {
                plain_only(span, anchor, tag.is_some())?;
                self.list(depth)
            }
            Event::MappingStart(anchor, tag) => {
                plain_only(span, anchor, tag.is_some())?;
                self.block(depth)
            }
            _ => Err(at(span, NO_ANCHORS)),
        }
    }

    fn list(&mut self, depth: usize) -> Result<Value, String> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Value::Array(items)),
                (event, span) => items.push(self.value(event, span, depth + 1)?),
            }
        }
    }

    fn block(&mut self, depth: usize) -> Result<Value, String> {
        let mut values = Map::new();
        loop {
            let (name, span) = match self.next()? {
                (Event::MappingEnd, _) => return Ok(Value::Object(values)),
                (Event::Scalar(name, _, anchor, tag), span) => {
                    plain_only(span, anchor, tag.is_some())?;
                    (name.into_owned(), span)
                }
                (Event::Alias(_), span) => return Err(at(span, NO_ANCHORS)),
                (_, span) => return Err(at(span, "a name must be a word, not a block or a list")),
            };
            if values.contains_key(&name) {
                return Err(at(span, &twice(&name)));
            }
            let (event, span) = self.next()?;
            let value = self.value(event, span, depth + 1)?;
            values.insert(name, value);
        }
    }
}

const NO_ANCHORS: &str = "anchors (&) and aliases (*) are not read; write the value out";

fn plain_only(span: Span, anchor: usize, tagged: bool) -> Result<(), String> {
    match (anchor, tagged) {
        (0, false) => Ok(()),
        (0, true) => Err(at(span, "tags (!) are not read; put text in quotes")),
        _ => Err(at(span, NO_ANCHORS)),
    }
}

fn at(span: Span, why: &str) -> String {
    format!("{}: {why}", position(span.start.line(), span.start.col() + 1))
}

fn broken(error: &ScanError) -> String {
    let marker = error.marker();
    format!("{}: not YAML: {}", position(marker.line(), marker.col() + 1), error.info())
}

/// A plain word, by the core schema (YAML 1.2.2, section 10.3.2).
fn scalar(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => true.into(),
        "false" | "False" | "FALSE" => false.into(),
        _ => number(text).map_or_else(|| text.into(), Value::Number),
    }
}

fn number(text: &str) -> Option<Number> {
    let radix = |digits: &str, radix| {
        let digit = |c: char| c.is_digit(radix);
        digits.chars().all(digit).then(|| u64::from_str_radix(digits, radix).ok()).flatten()
    };
    if let Some(digits) = text.strip_prefix("0x") {
        return radix(digits, 16).map(Number::from);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return radix(digits, 8).map(Number::from);
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let starts = unsigned.strip_prefix('.').unwrap_or(unsigned);
    let in_number = |c: char| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '-' | '+');
    if !starts.starts_with(|c: char| c.is_ascii_digit()) || !unsigned.chars().all(in_number) {
        return None;
    }
    let whole = text.parse::<u64>().ok().map(Number::from);
    let negative = || text.parse::<i64>().ok().map(Number::from);
    let real = || text.parse::<f64>().ok().and_then(Number::from_f64);
    whole.or_else(negative).or_else(real)
}
