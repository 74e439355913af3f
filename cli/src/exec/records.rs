//! What `lb exec` writes: the command's lines, its start and its end.

use std::cell::Cell;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::time::Duration;

use lb_core::Logger;
use lb_core::logger::Record;
use lb_core::record::{Context, Level, TagValue};
use serde_json::{Map, Value, json};

use super::level::{self, Said};
use super::lines::Line;
use crate::args::Parse;

/// The two streams.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Stream {
    Out,
    Err,
}

impl Stream {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Out => "stdout",
            Self::Err => "stderr",
        }
    }

    const fn level(self) -> Level {
        match self {
            Self::Out => Level::Info,
            Self::Err => Level::Warning,
        }
    }
}

/// The records of one command.
pub(super) struct Records<'l> {
    logger: &'l Logger,
    parse: Parse,
    start: u32,
    end: u32,
    out: u32,
    err: u32,
}

/// Each record's logger.
const LOGGER: &str = "lb.exec";

impl<'l> Records<'l> {
    pub(super) fn new(logger: &'l Logger, parse: Parse) -> lb_core::Result<Self> {
        let context = |event_type: &str, tags: Value| {
            let fields = json!({"logger": LOGGER, "event_type": event_type, "tags": tags});
            logger.context(fields.to_string().as_bytes())
        };
        Ok(Self {
            parse,
            start: context("command_start", json!({}))?,
            end: context("command_end", json!({}))?,
            out: context("output", json!({"stream": Stream::Out.name()}))?,
            err: context("output", json!({"stream": Stream::Err.name()}))?,
            logger,
        })
    }

    pub(super) fn identity(&self) -> Identity<'_> {
        let config = self.logger.config();
        Identity { context: &config.context, output_dir: config.output_dir.as_os_str() }
    }

    /// Most bytes that a piece of a line may take in JSON for its record to be whole.
    pub(super) fn room(&self) -> usize {
        let Context { component, host, run_id, workload, scenario, package, plugin, tags, .. } =
            &self.logger.config().context;
        let texts = [Some(component), Some(host), Some(run_id), Some(workload)];
        let optional = [scenario.as_ref(), package.as_ref(), plugin.as_ref()];
        let named: usize = texts.iter().chain(&optional).flatten().map(|text| text.len() * 6).sum();
        // The names of the fields, time and level, and the tags of a piece.
        let around = 512 + named + Value::from(tags.clone()).to_string().len();
        let most = self.logger.config().max_record_bytes;
        most.saturating_sub(around).max(most / 4)
    }

    /// Records one line, or one piece; what cannot be accepted is counted by the logger. A piece
    /// has the level of its line's first one, which `level` keeps.
    pub(super) fn line(&self, stream: Stream, line: Line<'_>, level: &Cell<Option<Level>>) {
        let said = match line.piece {
            None => level::read(line.bytes, self.parse),
            Some(piece) => {
                if piece.number == 1 {
                    level.set(level::of_first_piece(line.bytes, self.parse));
                }
                Said { level: level.get(), message: line.bytes.into(), tags: Map::new() }
            }
        };
        let mut tags: Vec<(&[u8], TagValue<'_>)> = Vec::new();
        // Their text must outlive the call.
        let nested: Vec<String> = said.tags.values().map(Value::to_string).collect();
        for ((name, value), text) in said.tags.iter().zip(&nested) {
            tags.push((name.as_bytes(), tag(value, text)));
        }
        if let Some(piece) = line.piece {
            tags.push((b"piece", TagValue::Unsigned(piece.number)));
            tags.push((b"last_piece", TagValue::Boolean(piece.last)));
        }
        let context = if stream == Stream::Out { self.out } else { self.err };
        self.log(context, said.level.unwrap_or(stream.level()), &said.message, &tags);
    }

    pub(super) fn started(&self, command: &[OsString], pid: u32) {
        let line = shown(command);
        let tags =
            [(&b"command"[..], TagValue::String(&line)), (b"pid", TagValue::Unsigned(pid.into()))];
        self.log(self.start, Level::Info, &[b"started: ", &line[..]].concat(), &tags);
    }

    pub(super) fn not_started(&self, command: &[OsString], error: &io::Error, code: u8) {
        let line = shown(command);
        let message = [format!("not started: {error}: ").as_bytes(), &line].concat();
        let tags = [
            (&b"command"[..], TagValue::String(&line)),
            (b"exit_code", TagValue::Unsigned(code.into())),
        ];
        self.log(self.end, Level::Error, &message, &tags);
    }

    pub(super) fn ended(&self, status: ExitStatus, took: Duration) {
        // To the nanosecond.
        let took_ms = (took.as_secs_f64() * 1e9).round() / 1e6;
        let seconds = took.as_secs_f64();
        let duration = (&b"duration_ms"[..], TagValue::Number(took_ms));
        if let Some(signal) = status.signal() {
            let known = signal_hook::low_level::signal_name(signal);
            let name = known.map_or_else(|| signal.to_string(), str::to_owned);
            let message = format!("ended by signal {name} after {seconds:.3} s");
            let tags = [(&b"signal"[..], TagValue::String(name.as_bytes())), duration];
            return self.log(self.end, Level::Error, message.as_bytes(), &tags);
        }
        let code = status.code().unwrap_or_default();
        let level = if code == 0 { Level::Info } else { Level::Error };
        let message = format!("ended with status {code} after {seconds:.3} s");
        let tags = [(&b"exit_code"[..], TagValue::Integer(code.into())), duration];
        self.log(self.end, level, message.as_bytes(), &tags);
    }

    /// Drops and rejections are counted by the logger, and told at the end.
    fn log(&self, context: u32, level: Level, message: &[u8], tags: &[(&[u8], TagValue<'_>)]) {
        let _ = self.logger.log(Record { context, level, timestamp_ns: None, message, tags });
    }
}

fn tag<'a>(value: &'a Value, text: &'a str) -> TagValue<'a> {
    match value {
        Value::Null => TagValue::Null,
        Value::Bool(value) => TagValue::Boolean(*value),
        Value::String(text) => TagValue::String(text.as_bytes()),
        Value::Number(number) => number
            .as_i64()
            .map(TagValue::Integer)
            .or_else(|| number.as_u64().map(TagValue::Unsigned))
            .or_else(|| number.as_f64().map(TagValue::Number))
            .unwrap_or(TagValue::String(text.as_bytes())),
        Value::Array(_) | Value::Object(_) => TagValue::String(text.as_bytes()),
    }
}

/// A command as one would type it.
fn shown(command: &[OsString]) -> Vec<u8> {
    command.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(&b' ')
}

fn quoted(word: &OsStr) -> Vec<u8> {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"%+,-./:=@_".contains(byte);
    let bytes = word.as_bytes();
    if !bytes.is_empty() && bytes.iter().all(plain) {
        return bytes.to_vec();
    }
    let mut text = vec![b'\''];
    for byte in bytes {
        match byte {
            b'\'' => text.extend_from_slice(br"'\''"),
            other => text.push(*other),
        }
    }
    text.push(b'\'');
    text
}

/// What the command is told about itself.
#[derive(Clone, Copy)]
pub(super) struct Identity<'c> {
    context: &'c Context,
    output_dir: &'c OsStr,
}

impl Identity<'_> {
    /// Variables of its environment.
    pub(super) fn variables(self) -> Vec<(&'static str, OsString)> {
        let Context { component, host, run_id, workload, repetition, scenario, tags, .. } =
            self.context;
        let phase = tags.get("phase").and_then(Value::as_str);
        let mut variables: Vec<(&str, OsString)> = vec![
            ("LB_RUN_ID", run_id.into()),
            ("LB_COMPONENT", component.into()),
            ("LB_HOST", host.into()),
            ("LB_WORKLOAD", workload.into()),
            ("LB_REPETITION", repetition.to_string().into()),
            ("LB_OUTPUT_DIR", self.output_dir.into()),
        ];
        variables.extend(scenario.as_ref().map(|scenario| ("LB_SCENARIO", scenario.into())));
        variables.extend(phase.map(|phase| ("LB_PHASE", phase.into())));
        variables
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_as_one_would_type_it() {
        let words = ["k6", "run", "--tag", "a=b", "my script.js", "it's", ""].map(OsString::from);
        assert_eq!(shown(&words), br"k6 run --tag a=b 'my script.js' 'it'\''s' ''");
    }
}
