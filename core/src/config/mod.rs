//! Configuration: one table of keys, one validator for every language.
//!
//! Sources, each over the ones before it:
//!
//! 1. defaults
//! 2. layers of rank `default`
//! 3. the file: `"config"`, else `LB_CONFIG`, else `./lb.toml`, else `~/.config/lb/config.toml`
//! 4. layers of rank `file`
//! 5. the environment: `LB_<KEY>`, `LB_<BLOCK>_<KEY>`
//! 6. layers of rank `argument`, in their order
//! 7. explicit keys
//!
//! The argument is a JSON object. Its own keys are explicit keys, nested or dotted; two names are
//! reserved: `"config"` (the path of the file) and `"layers"`, a list of
//!
//! ```json
//! {"source": "--out", "rank": "argument", "text": true, "block": "k6",
//!  "values": {"samples": "raw", "ring_bytes": "1MiB"}}
//! ```
//!
//! `source` is what messages call the layer, `rank` is `default`, `file` or `argument`. With `text`,
//! strings are parsed as in the environment. With `block`, bare names that are no top-level key are
//! looked up in that block. With `env_prefix` (such as `K6_LB_`), names are variables with that
//! prefix in the place of `LB_`, and `block` holds there too. Null means: not set.
//!
//! A secret is a value of its own key or the content of the file that `…_file` names. The two are
//! one setting: what a higher source gives replaces either.

pub mod access;
mod context;
mod effective;
mod environment;
mod file;
mod flags;
mod format;
pub mod grafana;
pub mod key;
pub mod keys;
pub mod loki;
mod nearest;
mod request;
mod servers;
mod starting_file;
mod units;
pub mod value;
mod values;
mod yaml;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

pub use context::context;
pub use flags::Flags;
pub use format::Format;
pub use grafana::{GrafanaConfig, PrometheusConfig};
pub use keys::{BLOCKS, Block, Effect, KEYS, Key};
pub use loki::LokiConfig;
pub use nearest::nearest;
pub use starting_file::starting_file;
pub use value::Kind;

use crate::error::{Error, Result};
use crate::names::{self, Names};
use crate::record::{Context, Level};
use request::{Rank, Request};
use values::{DEFAULT, Style, Values};

/// A checked configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// The identity that records have unless they bring their own.
    pub context: Context,
    /// The folder of all runs; absolute.
    pub output_dir: PathBuf,
    /// The log file; absolute.
    pub log_path: PathBuf,
    /// What it was made from; absolute, or in `output_dir`.
    log_template: String,
    /// The configuration file, when there is one.
    pub file: Option<PathBuf>,
    /// The lowest level that is written.
    pub min_level: Level,
    /// When to rotate.
    pub rotation: Rotation,
    /// How many rotated files stay.
    pub retention: RetentionConfig,
    /// When lines are forced to the disk.
    pub sync: SyncConfig,
    /// The rings of the process.
    pub ring: RingConfig,
    /// The longest line, bytes; at most a quarter of a ring and of a segment.
    pub max_record_bytes: usize,
    /// Pushing to Loki, when an endpoint is given.
    pub loki: Option<LokiConfig>,
    /// Where Grafana is.
    pub grafana: GrafanaConfig,
    /// Where Prometheus is.
    pub prometheus: PrometheusConfig,
    /// The folder of the user's own plugins; absolute.
    pub plugins_dir: PathBuf,
    /// What is set for each plugin, as it was given: which keys there are, plugins say themselves.
    pub plugins: Map<String, Value>,
    /// The command that reaches hosts, as a shell reads it.
    pub ssh: String,
    /// Every key with its value and source, secrets hidden, in the order of [`KEYS`].
    pub settings: Vec<Setting>,
    /// What the user should know, one sentence each.
    pub warnings: Vec<String>,
}

/// When to rotate.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Rotation {
    /// Before the file would grow beyond this, bytes.
    pub max_bytes: Option<u64>,
    /// When the file is older than this.
    pub max_age: Option<Duration>,
}

/// How many rotated files stay.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct RetentionConfig {
    /// So many, the newest; `None`: all.
    pub backups: Option<u64>,
    /// None goes that Loki has not acknowledged.
    pub needs_delivery: bool,
}

/// When lines are forced to the disk.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SyncConfig {
    /// A flush waits for the disk.
    pub always: bool,
    /// So long after a line was written at the latest.
    pub interval: Duration,
}

/// The rings of a process.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RingConfig {
    /// Where they live.
    pub dir: RingDir,
    /// One thread's ring, bytes; a power of two, at least 64 KiB.
    pub bytes: u64,
    /// All rings of the process, bytes; at least `bytes`.
    pub total_bytes: u64,
    /// What a full ring means.
    pub on_full: OnFull,
    /// The longest wait with [`OnFull::Wait`].
    pub full_timeout: Duration,
}

/// Where rings live.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RingDir {
    /// `/dev/shm` where it outlives the process, else beside the log, else memory.
    Auto,
    /// `/dev/shm`.
    Shm,
    /// Beside the log.
    Log,
    /// Plain memory.
    Memory,
}

/// What a full ring means for the caller.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OnFull {
    /// It waits up to `full_timeout`.
    Wait,
    /// The record is dropped, and counted.
    Drop,
}

/// One key's effective value.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The key.
    pub key: &'static Key,
    /// Canonical: bytes, milliseconds (seconds for keys named so), 0 for off; null: not set;
    /// `"***"` for a secret.
    pub value: Value,
    /// `default`, a file's path, a variable's name, a layer's source, or `argument`.
    pub source: String,
}

impl Config {
    /// The log file of the process with this id: another one only where the template has `{pid}`.
    #[must_use]
    pub fn log_path_of(&self, pid: u32) -> PathBuf {
        let names = Names {
            output_dir: &self.output_dir.to_string_lossy(),
            run_id: &self.context.run_id,
            component: &self.context.component,
            host: &self.context.host,
            pid,
        };
        let own = self.log_template.contains("{pid}");
        let resolved = own.then(|| names::resolve(&self.log_template, &names).ok()).flatten();
        resolved.unwrap_or_else(|| self.log_path.clone())
    }

    /// The same for a log in another folder, which nothing ships.
    #[must_use]
    pub fn elsewhere(mut self, folder: &Path) -> Self {
        let name = self.log_path.file_name().unwrap_or_default();
        self.log_path = folder.join(name);
        self.log_template.clear();
        self.loki = None;
        self
    }

    /// The settings that a log which is open by this configuration keeps, where another one asks for
    /// something else: one sentence for each.
    pub(crate) fn keeps(&self, other: &Self, concerns: impl Fn(&Key) -> bool) -> Vec<String> {
        let pairs = self.settings.iter().zip(&other.settings);
        pairs
            .filter(|(kept, asked)| concerns(kept.key) && kept.value != asked.value)
            .map(|(kept, asked)| {
                let name = kept.key.name;
                let (value, source) = (&asked.value, &asked.source);
                format!("{name} stays {}, though {value} was asked for ({source})", kept.value)
            })
            .collect()
    }

    /// `{"path": …, "values": {key: {"value": …, "source": …}}, "warnings": […]}`.
    #[must_use]
    pub fn to_json(&self) -> String {
        let values: Map<String, Value> = self
            .settings
            .iter()
            .map(|s| (s.key.name.to_owned(), json!({"value": s.value, "source": s.source})))
            .collect();
        let path = self.log_path.to_string_lossy();
        json!({"path": path, "values": values, "warnings": self.warnings}).to_string()
    }
}

/// What a configuration takes from the process and its machine.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// The environment.
    pub env: Vec<(OsString, OsString)>,
    /// The working directory; relative paths start here.
    pub cwd: PathBuf,
    /// The user's home.
    pub home: Option<PathBuf>,
    /// The host name.
    pub host: String,
    /// The time in the default `run_id`.
    pub started: SystemTime,
    /// `{pid}`.
    pub pid: u32,
}

impl Surroundings {
    /// Those of this process. The default `run_id` is the same for the whole process.
    ///
    /// # Errors
    /// [`Error::Io`] when the working directory is gone.
    pub fn of_process() -> Result<Self> {
        static STARTED: OnceLock<SystemTime> = OnceLock::new();
        let cwd = std::env::current_dir().map_err(|e| {
            Error::io(
                std::path::Path::new("."),
                "finding the working directory; change to one that exists",
                e,
            )
        })?;
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        Ok(Self {
            env: std::env::vars_os().collect(),
            cwd,
            home: std::env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from),
            host: if host.is_empty() { "localhost".to_owned() } else { host },
            started: *STARTED.get_or_init(SystemTime::now),
            pid: std::process::id(),
        })
    }

    /// The same without `LB_*` variables that are no key: for programs that have variables of
    /// their own with such names, where one of them is no mistake.
    #[must_use]
    pub fn tolerant(mut self) -> Self {
        self.env.retain(|(name, _)| environment::is_known(name));
        self
    }
}

/// The configuration of this process. `json` is the argument; empty means none.
///
/// # Errors
/// [`Error::Config`] with every mistake, one a line, each with its source, key and, for an unknown
/// one, the nearest known key.
pub fn load(json: &[u8]) -> Result<Config> {
    load_with(json, &Surroundings::of_process()?)
}

/// As [`load`], with surroundings of the caller's choice.
///
/// # Errors
/// As [`load`].
pub fn load_with(json: &[u8], around: &Surroundings) -> Result<Config> {
    let (mut values, file) = gather(json, around)?;
    match effective::build(&mut values, around) {
        Some(config) => Ok(Config { file, ..config }),
        None => Err(Error::Config(values.mistakes.join("\n"))),
    }
}

/// Every key with the value that it has when mistakes are left out, for showing them to a user
/// whose configuration cannot be loaded.
///
/// # Errors
/// [`Error::Config`] when `json` is not a JSON object.
pub fn settings_despite_mistakes(json: &[u8], around: &Surroundings) -> Result<Vec<Setting>> {
    gather(json, around).map(|(values, _)| effective::settings(&values))
}

/// The values of all sources, and the file that was read.
fn gather(json: &[u8], around: &Surroundings) -> Result<(Values, Option<PathBuf>)> {
    let mut values = Values::default();
    put_defaults(&mut values, around);
    let request = Request::read(json, &mut values)?;
    request.put_layers(Rank::Default, &mut values);
    let mut file = None;
    match file::read(request.file.as_deref(), around) {
        Ok(None) => {}
        Ok(Some((path, found))) => {
            values.put_all(&found, &path.to_string_lossy(), Style::default());
            file = Some(path);
        }
        Err(why) => values.mistakes.push(why),
    }
    request.put_layers(Rank::File, &mut values);
    environment::put_all(&mut values, &around.env);
    request.put_layers(Rank::Argument, &mut values);
    request.put_explicit(&mut values);
    Ok((values, file))
}

fn put_defaults(values: &mut Values, around: &Surroundings) {
    for key in KEYS {
        if let Some(default) = key.default {
            values.put(key, key.kind.parse(default), DEFAULT);
        }
    }
    for (name, text) in [("host", around.host.clone()), ("run_id", run_id(around.started))] {
        if let Some(key) = keys::find(name) {
            values.put(key, key.kind.parse(&text), DEFAULT);
        }
    }
}

/// `run-YYYYmmdd-HHMMSS`, UTC.
fn run_id(at: SystemTime) -> String {
    let seconds = at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Years begin in March here, so that the leap day is the last of its year; eras have 400 years.
    let shifted = days + 719_468;
    let (era, day) = (shifted / 146_097, shifted % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let date = day - (153 * month + 2) / 5 + 1;
    let year = era * 400 + year + u64::from(month >= 10);
    let month = if month < 10 { month + 3 } else { month - 9 };
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("run-{year:04}{month:02}{date:02}-{hour:02}{minute:02}{second:02}")
}

#[cfg(test)]
mod tests;
