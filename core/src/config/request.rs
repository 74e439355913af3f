//! The JSON that a program passes when it opens a logger: explicit keys, and layers of its own.

use serde_json::{Map, Value};

use super::format::Format;
use super::values::{Style, Values};
use crate::error::{Error, Result};

/// Where a layer stands among the sources.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Rank {
    /// Above our defaults, below the file.
    Default,
    /// Above the file, below the environment.
    File,
    /// Above the environment, below explicit keys.
    Argument,
}

#[derive(Debug)]
struct Layer {
    source: String,
    rank: Rank,
    text: bool,
    block: Option<String>,
    env_prefix: Option<String>,
    values: Map<String, Value>,
}

/// What the program passed.
#[derive(Debug, Default)]
pub(super) struct Request {
    /// The configuration file, when it is named here.
    pub(super) file: Option<String>,
    layers: Vec<Layer>,
    explicit: Map<String, Value>,
}

impl Request {
    /// Reads the JSON; nothing at all means: no argument. Mistakes in it go to `values`.
    pub(super) fn read(json: &[u8], values: &mut Values) -> Result<Self> {
        if json.is_empty() {
            return Ok(Self::default());
        }
        let mut explicit = Format::Json
            .read(json)
            .map_err(|why| Error::Config(format!("the configuration: {why}")))?;
        let file = match explicit.shift_remove("config") {
            None | Some(Value::Null) => None,
            Some(Value::String(path)) => Some(path),
            Some(other) => {
                values.mistake(ARGUMENT, format!("config: expected a path, found {other}"));
                None
            }
        };
        let mut layers = Vec::new();
        match explicit.shift_remove("layers") {
            None | Some(Value::Null) => {}
            Some(Value::Array(items)) => {
                for (at, item) in items.into_iter().enumerate() {
                    match layer(item) {
                        Ok(layer) => layers.push(layer),
                        Err(why) => values.mistake(ARGUMENT, format!("layers[{at}]: {why}")),
                    }
                }
            }
            Some(_) => values.mistake(ARGUMENT, "layers: expected a list of objects"),
        }
        Ok(Self { file, layers, explicit })
    }

    /// Puts the layers of one rank, in their order.
    pub(super) fn put_layers(&self, rank: Rank, values: &mut Values) {
        for layer in self.layers.iter().filter(|layer| layer.rank == rank) {
            let style = Style {
                text: layer.text,
                block: layer.block.as_deref(),
                env_prefix: layer.env_prefix.as_deref(),
            };
            values.put_all(&layer.values, &layer.source, style);
        }
    }

    /// Puts the explicit keys.
    pub(super) fn put_explicit(&self, values: &mut Values) {
        values.put_all(&self.explicit, ARGUMENT, Style::default());
    }
}

/// The source of explicit keys.
const ARGUMENT: &str = "argument";

fn layer(item: Value) -> std::result::Result<Layer, String> {
    let Value::Object(fields) = item else { return Err("expected an object".to_owned()) };
    let mut layer = Layer {
        source: String::new(),
        rank: Rank::Argument,
        text: false,
        block: None,
        env_prefix: None,
        values: Map::new(),
    };
    let mut ranked = false;
    for (name, value) in fields {
        match (name.as_str(), value) {
            (_, Value::Null) => {}
            ("source", Value::String(source)) => layer.source = source,
            ("rank", Value::String(rank)) => {
                layer.rank = match rank.as_str() {
                    "default" => Rank::Default,
                    "file" => Rank::File,
                    "argument" => Rank::Argument,
                    _ => {
                        return Err(format!(
                            "rank: expected default, file or argument, found {rank}"
                        ));
                    }
                };
                ranked = true;
            }
            ("text", Value::Bool(text)) => layer.text = text,
            ("block", Value::String(block)) => layer.block = Some(block),
            ("env_prefix", Value::String(prefix)) => layer.env_prefix = Some(prefix),
            ("values", Value::Object(values)) => layer.values = values,
            ("source" | "rank" | "text" | "block" | "env_prefix" | "values", _) => {
                return Err(format!("{name}: wrong type"));
            }
            _ => return Err(format!("{name}: unknown field")),
        }
    }
    if layer.source.is_empty() || !ranked {
        return Err("source and rank must be given".to_owned());
    }
    Ok(layer)
}
