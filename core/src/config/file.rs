//! The configuration file: which one, and what it says.

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::Surroundings;

/// A file's path and what it says.
type Found = (PathBuf, Map<String, Value>);

/// More than any configuration needs; an endless file is refused instead of read.
const MAX_FILE_BYTES: u64 = 4 << 20;

/// The file's path and its values; None when there is none. `explicit` is the "config" argument.
///
/// A file that was named must exist; `./lb.toml` and `~/.config/lb/config.toml` may be absent.
pub(super) fn read(explicit: Option<&str>, around: &Surroundings) -> Result<Option<Found>, String> {
    let variable = around.env.iter().find(|(name, _)| name == "LB_CONFIG").map(|(_, value)| value);
    if let Some(path) = explicit {
        return named(Path::new(path), "argument config", around).map(Some);
    }
    if let Some(path) = variable {
        return named(Path::new(path), "LB_CONFIG", around).map(Some);
    }
    let home = around.home.as_ref().map(|home| home.join(".config/lb/config.toml"));
    for path in [Some(around.cwd.join("lb.toml")), home].into_iter().flatten() {
        match text(&path) {
            Ok(text) => return values(&path, &text).map(|values| Some((path, values))),
            Err((ErrorKind::NotFound | ErrorKind::NotADirectory, _)) => {}
            // A folder that may not be entered: nobody meant a file in there for us.
            Err((ErrorKind::PermissionDenied, _)) if path.symlink_metadata().is_err() => {}
            Err((_, why)) => return Err(format!("{}: {why}", path.display())),
        }
    }
    Ok(None)
}

fn named(path: &Path, source: &str, around: &Surroundings) -> Result<Found, String> {
    if path.as_os_str().is_empty() {
        return Err(format!("{source}: empty; name a file or leave it out"));
    }
    let path = around.cwd.join(path);
    let text = text(&path).map_err(|(_, why)| format!("{}: {why} ({source})", path.display()))?;
    let values = values(&path, &text)?;
    Ok((path, values))
}

fn text(path: &Path) -> Result<String, (ErrorKind, String)> {
    let mut text = String::new();
    let read = File::open(path)
        .and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_string(&mut text))
        .map_err(|e| (e.kind(), format!("cannot be read: {e}")))?;
    if read as u64 > MAX_FILE_BYTES {
        return Err((ErrorKind::FileTooLarge, format!("more than {MAX_FILE_BYTES} bytes")));
    }
    Ok(text)
}

fn values(path: &Path, text: &str) -> Result<Map<String, Value>, String> {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let parsed = match ending.to_ascii_lowercase().as_str() {
        "json" => from_json(text),
        "yaml" | "yml" => {
            Err("YAML is not read by this version; write it as .toml or .json".to_owned())
        }
        "toml" | "" => from_toml(text),
        _ => Err("the file's name must end in .toml or .json".to_owned()),
    };
    parsed.map_err(|why| format!("{}: {why}", path.display()))
}

fn from_json(text: &str) -> Result<Map<String, Value>, String> {
    match serde_json::from_str(text) {
        Ok(Value::Object(values)) => Ok(values),
        Ok(_) => Err("expected one JSON object".to_owned()),
        Err(e) => Err(format!("not JSON: {e}")),
    }
}

fn from_toml(text: &str) -> Result<Map<String, Value>, String> {
    // The parser's own text shows the line, which may hold a secret.
    let table: toml::Table = toml::from_str(text).map_err(|e| {
        let line = e
            .span()
            .map_or(0, |span| text.bytes().take(span.start).filter(|b| *b == b'\n').count() + 1);
        format!("not TOML: line {line}: {}", e.message())
    })?;
    Ok(table.into_iter().map(|(name, value)| (name, to_json(value))).collect())
}

fn to_json(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(n) => n.into(),
        toml::Value::Boolean(b) => b.into(),
        // JSON knows no NaN and no infinity; as text they are a wrong type.
        toml::Value::Float(n) => {
            serde_json::Number::from_f64(n).map_or_else(|| n.to_string().into(), Value::Number)
        }
        toml::Value::Datetime(time) => time.to_string().into(),
        toml::Value::Array(items) => items.into_iter().map(to_json).collect(),
        toml::Value::Table(table) => {
            Value::Object(table.into_iter().map(|(name, value)| (name, to_json(value))).collect())
        }
    }
}
