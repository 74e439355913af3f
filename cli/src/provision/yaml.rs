//! Writing YAML: blocks and lists, every text in quotes.

use serde_json::Value;

/// A value as a document.
pub(super) fn write(value: &Value) -> String {
    let mut text = String::new();
    block(value, 0, &mut text);
    text
}

fn block(value: &Value, depth: usize, text: &mut String) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (at, (name, value)) in map.iter().enumerate() {
                // The first stands behind the dash of its list.
                if at > 0 || !text.ends_with("- ") {
                    text.push_str(&indent);
                }
                text.push_str(&name_of(name));
                text.push(':');
                below(value, depth + 1, text);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                text.push_str(&indent);
                text.push_str("- ");
                match item {
                    Value::Object(map) if !map.is_empty() => block(item, depth + 1, text),
                    _ => text.extend([scalar(item), "\n".to_owned()]),
                }
            }
        }
        _ => text.extend([scalar(value), "\n".to_owned()]),
    }
}

fn below(value: &Value, depth: usize, text: &mut String) {
    let is_block = match value {
        Value::Object(map) => !map.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    };
    text.push(if is_block { '\n' } else { ' ' });
    block(value, if is_block { depth } else { 0 }, text);
}

/// As JSON, without the control characters that JSON lets stand and YAML does not.
fn scalar(value: &Value) -> String {
    let escape = |c: char| match c {
        '\u{7f}'..='\u{9f}' => format!("\\u{:04x}", u32::from(c)),
        c => c.to_string(),
    };
    value.to_string().chars().map(escape).collect()
}

/// Plain where nobody can take it for something else.
fn name_of(name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|b| b.is_ascii_alphanumeric())
        && !matches!(
            name.to_ascii_lowercase().as_str(),
            "y" | "n" | "yes" | "no" | "on" | "off" | "true" | "false" | "null"
        );
    if plain { name.to_owned() } else { scalar(&Value::from(name)) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use lb_core::config::Format;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let value = json!({
            "apiVersion": 1,
            "on": {"a b": "x: 'y'\n#", "empty": {}, "none": [], "null": null, "deep": {"x": [1, "2", {}]}},
            "list": [{"a": 1, "b": {"c": true}, "d": [{"e": "\u{7f}ü\"\\"}]}, "text", 2.5, false],
        });
        let text = write(&value);
        assert_eq!(Value::Object(Format::Yaml.read(text.as_bytes()).unwrap()), value, "{text}");
        assert!(text.starts_with("apiVersion: 1\n\"on\":\n  \"a b\": \"x: 'y'\\n#\"\n"), "{text}");
    }
}
