//! Contexts that a program makes while it logs: checked against the schema's rules.

use serde_json::{Map, Value};

use super::value::MAX_IDENTITY_BYTES;
use crate::error::{Error, Result};
use crate::record::Context;

/// The context that a JSON object describes; what it leaves out is `base`'s.
///
/// Fields: `component host run_id logger event_type workload repetition scenario package plugin
/// tags`. Null removes scenario, package or plugin. Tags are added to `base`'s, or replace those of
/// the same name; a nested value becomes its JSON text. Texts have 1 to 1024 bytes (`logger` may be
/// empty), `repetition` is from 1 to 2^63 - 1.
///
/// # Errors
/// [`Error::Rejected`] with every reason, one a line.
pub fn context(json: &[u8], base: &Context) -> Result<Context> {
    let fields: Value = serde_json::from_slice(json)
        .map_err(|e| Error::Rejected(format!("the context is not JSON: {e}")))?;
    let Value::Object(fields) = fields else {
        return Err(Error::Rejected("the context must be one JSON object".to_owned()));
    };
    let mut context = base.clone();
    let reasons: Vec<String> = fields
        .into_iter()
        .filter_map(|(name, value)| {
            set(&mut context, &name, value).err().map(|why| format!("{name}: {why}"))
        })
        .collect();
    if reasons.is_empty() { Ok(context) } else { Err(Error::Rejected(reasons.join("\n"))) }
}

fn set(context: &mut Context, name: &str, value: Value) -> std::result::Result<(), String> {
    match name {
        "component" => context.component = text(value, 1)?,
        "host" => context.host = text(value, 1)?,
        "run_id" => context.run_id = text(value, 1)?,
        "logger" => context.logger = text(value, 0)?,
        "event_type" => context.event_type = text(value, 1)?,
        "workload" => context.workload = text(value, 1)?,
        "repetition" => context.repetition = repetition(&value)?,
        "scenario" => context.scenario = optional(value)?,
        "package" => context.package = optional(value)?,
        "plugin" => context.plugin = optional(value)?,
        "tags" => merge(&mut context.tags, value)?,
        _ => return Err("unknown field of a context".to_owned()),
    }
    Ok(())
}

fn text(value: Value, least: usize) -> std::result::Result<String, String> {
    match value {
        Value::String(text) if (least..=MAX_IDENTITY_BYTES).contains(&text.len()) => Ok(text),
        Value::String(text) => Err(format!(
            "expected text of {least} to {MAX_IDENTITY_BYTES} bytes, found {} bytes",
            text.len()
        )),
        other => Err(format!("expected text, found {}", kind(&other))),
    }
}

fn optional(value: Value) -> std::result::Result<Option<String>, String> {
    if value.is_null() { Ok(None) } else { text(value, 1).map(Some) }
}

fn repetition(value: &Value) -> std::result::Result<u64, String> {
    value.as_u64().filter(|n| (1..=i64::MAX as u64).contains(n)).ok_or_else(|| {
        format!("expected a whole number from 1 to {}, found {}", i64::MAX, found(value))
    })
}

fn merge(tags: &mut Map<String, Value>, value: Value) -> std::result::Result<(), String> {
    let Value::Object(more) = value else {
        return Err(format!("expected an object, found {}", kind(&value)));
    };
    for (name, value) in more {
        let value = match value {
            Value::Array(_) | Value::Object(_) => value.to_string().into(),
            flat => flat,
        };
        tags.insert(name, value);
    }
    Ok(())
}

fn found(value: &Value) -> String {
    if value.is_number() { value.to_string() } else { kind(value).to_owned() }
}

const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
