//! A setting of a plugin: what its plugin.toml declares, and what values it takes.

use lb_core::config::Kind as CoreKind;
use serde_json::{Map, Value};

use super::mistakes::unknown;
use super::template::Template;

/// What values a setting takes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Text,
    Url,
    Integer,
    Boolean,
    List,
    SecretFile,
}

const KINDS: [(&str, Kind); 6] = [
    ("text", Kind::Text),
    ("url", Kind::Url),
    ("integer", Kind::Integer),
    ("boolean", Kind::Boolean),
    ("list", Kind::List),
    ("secret_file", Kind::SecretFile),
];

/// Keys of lb's own configuration that a setting may stand in for.
pub(crate) const FROM: [&str; 3] = ["loki.endpoint", "prometheus.url", "grafana.url"];

/// A setting.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) default: Option<Value>,
    pub(crate) from: Option<&'static str>,
    pub(crate) description: String,
}

impl Kind {
    /// As it is written in plugin.toml.
    pub(crate) fn name(self) -> &'static str {
        KINDS.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }

    /// Whether a value is one of this kind.
    pub(crate) fn check(self, value: &Value) -> Result<(), String> {
        let fits = match (self, value) {
            (Self::Text | Self::SecretFile, Value::String(text)) => !text.is_empty(),
            (Self::Url, Value::String(text)) => return check_url(text),
            (Self::Integer, Value::Number(n)) => n.is_i64() || n.is_u64(),
            (Self::Boolean, Value::Bool(_)) => true,
            (Self::List, Value::Array(items)) => {
                items.iter().all(|item| item.as_str().is_some_and(|text| !text.is_empty()))
            }
            _ => false,
        };
        if fits {
            return Ok(());
        }
        let expected = match self {
            Self::Text => "text",
            Self::Url => "an http or https URL",
            Self::Integer => "a whole number",
            Self::Boolean => "true or false",
            Self::List => "a list of texts",
            Self::SecretFile => "the path of a file",
        };
        Err(format!("expected {expected}, found {value}"))
    }
}

/// What stands in it is shown to whoever may see the datasource.
fn check_url(text: &str) -> Result<(), String> {
    let kind = CoreKind::Url;
    kind.check(&Value::from(text))?;
    // In the host's part alone: a path may have an @.
    let host = text.split_once("://").map_or("", |(_, rest)| rest);
    if host.split('/').next().is_some_and(|host| host.contains('@')) {
        return Err(
            "it holds a user, which everybody would see in Grafana; put user and password \
            into the block loki or prometheus"
                .to_owned(),
        );
    }
    Ok(())
}

impl Setting {
    /// Reads `[config.NAME]`; all that is wrong with it goes to `mistakes`.
    pub(super) fn read(name: &str, value: &Value, mistakes: &mut Vec<String>) -> Option<Self> {
        let mut wrong = |why: String| mistakes.push(format!("config.{name}: {why}"));
        if !is_name(name) {
            wrong("a name is made of a-z, 0-9 and _, and begins with a letter".to_owned());
        }
        if name == ENABLED {
            wrong("every plugin has this setting: whether it is used".to_owned());
        }
        let Value::Object(fields) = value else {
            wrong("expected a table with type and description".to_owned());
            return None;
        };
        let known = ["type", "default", "from", "description"];
        for field in fields.keys().filter(|field| !known.contains(&field.as_str())) {
            wrong(unknown("field", field, known.into_iter()));
        }
        let kind = match text(fields, "type") {
            Ok(Some(word)) => {
                let found = KINDS.iter().find(|(name, _)| *name == word).map(|(_, kind)| *kind);
                if found.is_none() {
                    wrong(unknown("type", word, KINDS.iter().map(|(name, _)| *name)));
                }
                found
            }
            Ok(None) => {
                wrong("it has no type".to_owned());
                None
            }
            Err(why) => {
                wrong(why);
                None
            }
        };
        let description = match text(fields, "description") {
            Ok(Some(text)) => text.to_owned(),
            Ok(None) => {
                wrong("it has no description".to_owned());
                String::new()
            }
            Err(why) => {
                wrong(why);
                String::new()
            }
        };
        let from = match text(fields, "from") {
            Ok(Some(word)) => {
                let found = FROM.into_iter().find(|key| *key == word);
                match (found, kind) {
                    (None, _) => wrong(format!("from: {}", unknown("key", word, FROM.into_iter()))),
                    (Some(_), Some(Kind::Url) | None) => {}
                    (Some(_), Some(_)) => wrong("from: what it stands in for is a url".to_owned()),
                }
                found
            }
            Ok(None) => None,
            Err(why) => {
                wrong(why);
                None
            }
        };
        let default = fields.get("default").cloned();
        if let (Some(kind), Some(default)) = (kind, &default)
            && let Err(why) = kind.check(default)
        {
            wrong(format!("default: {why}"));
        }
        Some(Self { name: name.to_owned(), kind: kind?, default, from, description })
    }

    /// The settings that a value of it names.
    pub(crate) fn names(value: &Value) -> Result<Vec<String>, String> {
        let Some(text) = value.as_str() else { return Ok(Vec::new()) };
        Ok(Template::parse(text)?.settings().map(str::to_owned).collect())
    }
}

/// The setting that every plugin has.
pub(crate) const ENABLED: &str = "enabled";

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// A text field, where it is there.
pub(super) fn text<'f>(
    fields: &'f Map<String, Value>,
    name: &str,
) -> Result<Option<&'f str>, String> {
    match fields.get(name) {
        None => Ok(None),
        Some(Value::String(text)) if !text.trim().is_empty() => Ok(Some(text)),
        Some(other) => Err(format!("{name}: expected text, found {other}")),
    }
}
