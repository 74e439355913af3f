//! The values that win, where each came from, and every mistake on the way.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use super::keys::{self, Effect, KEYS, Key};
use super::nearest;

/// A value and the source that gave it.
#[derive(Clone, Debug)]
pub(super) struct Given {
    pub(super) value: Value,
    pub(super) source: String,
}

/// Values by key; what is put later wins.
#[derive(Debug, Default)]
pub(super) struct Values {
    given: HashMap<&'static str, Given>,
    pub(super) mistakes: Vec<String>,
}

/// How the names and values of one source are written.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Style<'a> {
    /// Strings are texts to be parsed, as on a command line.
    pub(super) text: bool,
    /// Bare names that are no top-level key belong to this block.
    pub(super) block: Option<&'a str>,
    /// Names are environment variables with this prefix instead of `LB_`.
    pub(super) env_prefix: Option<&'a str>,
}

impl Values {
    /// Says what is wrong, and where.
    pub(super) fn mistake(&mut self, source: &str, what: impl AsRef<str>) {
        self.mistakes.push(format!("{source}: {}", what.as_ref()));
    }

    /// Takes a value that was checked, or the reason why it was not.
    pub(super) fn put(&mut self, key: &'static Key, value: Result<Value, String>, source: &str) {
        match value {
            Ok(value) => {
                self.forget_other_form(key, source);
                self.given.insert(key.name, Given { value, source: source.to_owned() });
            }
            // A variable's name says which key it is.
            Err(why) if is_variable(source) => self.mistake(source, why),
            Err(why) => self.mistake(source, format!("{}: {why}", key.name)),
        }
    }

    /// A secret replaces the file that a lower source names, and the other way round. What one
    /// source gives in both forms stays, and is a mistake.
    fn forget_other_form(&mut self, key: &Key, source: &str) {
        let Some(other) = key.other_form() else { return };
        if self.get(other.name).is_some_and(|given| family(&given.source) != family(source)) {
            self.given.remove(other.name);
        }
    }

    /// Takes all values of a JSON object with nested or dotted names. Null means: not set.
    pub(super) fn put_all(&mut self, values: &Map<String, Value>, source: &str, style: Style<'_>) {
        let mut seen = HashSet::new();
        self.walk("", values, source, style, &mut seen);
    }

    fn walk(
        &mut self,
        prefix: &str,
        values: &Map<String, Value>,
        source: &str,
        style: Style<'_>,
        seen: &mut HashSet<&'static str>,
    ) {
        for (name, value) in values {
            let path = format!("{prefix}{name}");
            let Some(key) = lookup(&path, style) else {
                match value {
                    Value::Object(inner) if keys::is_block(&path) => {
                        self.walk(&format!("{path}."), inner, source, style, seen);
                    }
                    Value::Null if keys::is_block(&path) => {}
                    _ if keys::is_block(&path) => {
                        self.mistake(source, format!("{path}: expected a block of keys"));
                    }
                    _ if style.env_prefix.is_some() => {
                        self.mistake(source, unknown_variable(&path, style));
                    }
                    _ => {
                        let hint = nearest::hint(&path);
                        self.mistake(source, format!("{path}: unknown key{hint}"));
                    }
                }
                continue;
            };
            if value.is_null() {
                continue;
            }
            if !seen.insert(key.name) {
                self.mistake(source, format!("{}: given twice", key.name));
                continue;
            }
            let checked = match value {
                Value::String(text) if style.text => key.kind.parse(text),
                _ => key.kind.check(value),
            };
            self.put(key, checked, if style.env_prefix.is_some() { &path } else { source });
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&Given> {
        self.given.get(name)
    }

    /// Where a key's value came from.
    pub(super) fn source(&self, name: &str) -> &str {
        self.get(name).map_or(DEFAULT, |given| &given.source)
    }

    /// Whether somebody set the key.
    pub(super) fn is_set(&self, name: &str) -> bool {
        self.source(name) != DEFAULT
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(|given| given.value.as_str())
    }

    /// Replaces a default that other values make too large.
    pub(super) fn shrink(&mut self, name: &'static str, value: Value, source: String) {
        self.given.insert(name, Given { value, source });
    }

    /// A whole number; 0 when nobody gave one, which the table of keys excludes.
    pub(super) fn number(&self, name: &str) -> u64 {
        self.get(name).and_then(|given| given.value.as_u64()).unwrap_or(0)
    }

    pub(super) fn flag(&self, name: &str) -> bool {
        self.get(name).and_then(|given| given.value.as_bool()).unwrap_or(false)
    }

    /// Names and values of a key that has such.
    pub(super) fn pairs(&self, name: &str) -> impl Iterator<Item = (String, String)> + use<> {
        let map = self.get(name).and_then(|given| given.value.as_object()).cloned();
        map.into_iter().flatten().map(|(name, value)| {
            let value = value.as_str().unwrap_or_default().to_owned();
            (name, value)
        })
    }

    /// One warning that names every key that was set and has no effect yet.
    pub(super) fn without_effect(&self) -> Option<String> {
        let names: Vec<String> = KEYS
            .iter()
            .filter(|key| key.effect == Effect::Later && self.is_set(key.name))
            .filter(|key| {
                let default = key.default.and_then(|text| key.kind.parse(text).ok());
                self.get(key.name).map(|given| &given.value) != default.as_ref()
            })
            .map(|key| format!("{} ({})", key.name, self.source(key.name)))
            .collect();
        (!names.is_empty()).then(|| format!("without effect in this version: {}", names.join(", ")))
    }
}

/// What `source` says of a value that nobody set.
pub(super) const DEFAULT: &str = "default";

fn is_variable(source: &str) -> bool {
    let in_name = |byte: u8| byte == b'_' || byte.is_ascii_uppercase() || byte.is_ascii_digit();
    source.contains("LB_") && source.bytes().all(in_name)
}

/// All variables with one prefix are one source.
fn family(source: &str) -> &str {
    match source.find("LB_") {
        Some(at) if is_variable(source) => &source[..at + 3],
        _ => source,
    }
}

fn lookup(name: &str, style: Style<'_>) -> Option<&'static Key> {
    if let Some(prefix) = style.env_prefix {
        let rest = name.strip_prefix(prefix)?;
        let own = format!("LB_{rest}");
        let in_block = style.block.map(|block| format!("LB_{}_{rest}", block.to_ascii_uppercase()));
        return KEYS
            .iter()
            .find(|key| key.variable() == own)
            .or_else(|| KEYS.iter().find(|key| Some(key.variable()) == in_block));
    }
    keys::find(name).or_else(|| keys::find(&format!("{}.{name}", style.block?)))
}

fn unknown_variable(name: &str, style: Style<'_>) -> String {
    let prefix = style.env_prefix.unwrap_or("LB_");
    let Some(rest) = name.strip_prefix(prefix) else {
        return format!("{name}: expected a name that begins with {prefix}");
    };
    let hint = match style.block {
        Some(block) => {
            let in_block =
                nearest::variable_hint(&format!("LB_{}_{rest}", block.to_ascii_uppercase()));
            let own = nearest::variable_hint(&format!("LB_{rest}"));
            let hint = if own.contains("did you mean") { own } else { in_block };
            hint.replace(&format!("LB_{}_", block.to_ascii_uppercase()), prefix)
        }
        None => nearest::variable_hint(&format!("LB_{rest}")),
    };
    format!("{name}: unknown environment variable{}", hint.replace(" LB_", &format!(" {prefix}")))
}
