//! The file that `lb config init` writes: every key, commented out, with what one has to know.

use std::fmt::Write as _;

use serde_json::Value;

use super::key::{Block, Effect, Key};
use super::keys::BLOCKS;
use super::value::Kind;

const HEAD: &str = "\
# The configuration of lb-log. Every key stands here with its default, commented out: take the `#`
# away before those that you change. Where nothing stands behind the `=`, there is no default.
# `lb config check` names every mistake, `lb config show` says what all sources come to.
#
# Read when it is ./lb.toml or ~/.config/lb/config.toml, or where LB_CONFIG or --config name it.
# The environment goes over this file, arguments of a program over the environment.
#
# A size is a number of bytes or a text such as \"64KiB\"; a duration is a text such as \"500ms\" or
# \"1m30s\", or a number in the unit that the key's name tells (seconds where it tells none).
";

/// A configuration file in TOML that changes nothing.
#[must_use]
pub fn starting_file() -> String {
    let mut text = HEAD.to_owned();
    for block in BLOCKS {
        heading(&mut text, block);
        for key in block.keys() {
            entry(&mut text, key);
        }
    }
    text
}

fn heading(text: &mut String, block: &Block) {
    let rule = "-".repeat(90_usize.saturating_sub(block.title.chars().count()));
    text.extend(["\n# --- ", block.title, " ", &rule, "\n"]);
    for line in wrapped(block.about) {
        text.extend(["# ", &line, "\n"]);
    }
    if !block.name.is_empty() {
        text.extend(["[", block.name, "]\n"]);
    }
}

fn entry(text: &mut String, key: &Key) {
    text.push('\n');
    let effect = match key.effect {
        Effect::Now => "",
        Effect::Later => " No effect in this version.",
    };
    let about = format!("{}{effect}", key.doc);
    let takes = format!("Takes {}. Environment: {}.", key.kind.expects(), key.variable());
    for line in wrapped(&about).into_iter().chain(wrapped(&takes)) {
        text.extend(["# ", &line, "\n"]);
    }
    let default = key.default.and_then(|default| key.kind.parse(default).ok());
    let _ = match default {
        Some(value) => writeln!(text, "#{} = {}", key.own_name(), written(key, &value)),
        // Not a value: nothing that could be loaded by mistake.
        None => writeln!(text, "#{} =", key.own_name()),
    };
}

/// A canonical value as TOML that reads back as the same.
fn written(key: &Key, value: &Value) -> String {
    match value {
        Value::Bool(_) => value.to_string(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| quoted(&as_text(item))).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(pairs) => {
            let pair = |(name, value): (&String, &Value)| {
                format!("{} = {}", quoted(name), quoted(&as_text(value)))
            };
            let pairs: Vec<String> = pairs.iter().map(pair).collect();
            format!("{{{}}}", pairs.join(", "))
        }
        Value::Number(n) if matches!(key.kind, Kind::Integer { .. } | Kind::Number { .. }) => {
            n.to_string()
        }
        _ => quoted(&key.kind.show(value)),
    }
}

fn as_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// Lines of at most 96 characters.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= 96 => {
                line.extend([" ", word]);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
