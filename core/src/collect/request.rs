//! What is to be collected, from where, and how.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::address::Address;
use crate::config::{self, Config};
use crate::error::{Error, Result};

/// The longest time that a host may be silent, unless said otherwise.
const TIMEOUT: Duration = Duration::from_mins(1);

/// Sources that are worked on at once, unless said otherwise.
const JOBS: usize = 8;

/// The level of gzip, unless said otherwise.
const GZIP_LEVEL: u32 = 6;

/// What is to be collected, from where, and how.
#[derive(Clone, Debug)]
pub struct Request {
    /// The run.
    pub run_id: String,
    /// Where from.
    pub sources: Vec<Address>,
    /// The folder of all runs here; absolute.
    pub output_dir: PathBuf,
    /// The command of `ssh`, as a shell reads it.
    pub ssh: String,
    /// How long a host may be silent before it is given up.
    pub timeout: Duration,
    /// Sources that are worked on at once.
    pub jobs: usize,
    /// 1 to 9; `None`: plain files.
    pub gzip_level: Option<u32>,
    /// Delete, at the source, what was collected and verified.
    pub remove_source: bool,
    /// Change nothing anywhere; say what would be fetched.
    pub dry_run: bool,
}

/// The keys of a request in JSON.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    run_id: String,
    from: Vec<String>,
    timeout_s: Option<f64>,
    jobs: Option<usize>,
    gzip: Option<bool>,
    gzip_level: Option<u32>,
    remove_source: Option<bool>,
    dry_run: Option<bool>,
    output_dir: Option<Value>,
    config: Option<Value>,
    ssh: Option<Value>,
}

impl Request {
    /// A request with everything as it is unless said otherwise; folder and ssh as configured.
    ///
    /// # Errors
    /// [`Error::Argument`] for a run that cannot be one.
    pub fn new(run_id: &str, sources: Vec<Address>, config: &Config) -> Result<Self> {
        if run_id.is_empty() || run_id.contains('/') {
            let text = format!("{run_id:?} is no run's id; the folder is another setting");
            return Err(Error::Argument(text));
        }
        Ok(Self {
            run_id: run_id.to_owned(),
            sources,
            output_dir: config.output_dir.clone(),
            ssh: config.ssh.clone(),
            timeout: TIMEOUT,
            jobs: JOBS,
            gzip_level: Some(GZIP_LEVEL),
            remove_source: false,
            dry_run: false,
        })
    }

    /// Reads a request in JSON: `run_id` and `from` (a list), and any of `output_dir`, `config` (a
    /// file), `ssh`, `timeout_s`, `jobs`, `gzip`, `gzip_level`, `remove_source` and `dry_run`.
    ///
    /// # Errors
    /// [`Error::Config`], [`Error::Argument`].
    pub fn from_json(text: &[u8]) -> Result<Self> {
        let keys: Keys = serde_json::from_slice(text)
            .map_err(|error| Error::Config(format!("the collection's settings: {error}")))?;
        let mut settings = json!({});
        for (name, value) in [("output_dir", keys.output_dir), ("config", keys.config)] {
            if let Some(value) = value {
                settings[name] = value;
            }
        }
        if let Some(ssh) = keys.ssh {
            settings["collect"] = json!({"ssh": ssh});
        }
        let config = config::load(settings.to_string().as_bytes())?;
        let sources = keys.from.iter().map(|text| Address::parse(text)).collect::<Result<_>>()?;
        let mut request = Self::new(&keys.run_id, sources, &config)?;
        if let Some(seconds) = keys.timeout_s {
            request.timeout = timeout(seconds)?;
        }
        request.jobs = keys.jobs.unwrap_or(request.jobs);
        request.gzip_level =
            keys.gzip.unwrap_or(true).then_some(keys.gzip_level.unwrap_or(GZIP_LEVEL));
        if request.gzip_level.is_some_and(|level| !(1..=9).contains(&level)) {
            return Err(Error::Argument("gzip_level: expected 1 to 9".to_owned()));
        }
        request.remove_source = keys.remove_source.unwrap_or(false);
        request.dry_run = keys.dry_run.unwrap_or(false);
        Ok(request)
    }
}

/// Seconds that a host may be silent.
///
/// # Errors
/// [`Error::Argument`] for a number that is no such time.
pub fn timeout(seconds: f64) -> Result<Duration> {
    let sensible = (0.001..=1e6).contains(&seconds);
    let wrong = || Error::Argument(format!("{seconds} s: expected 0.001 to 1000000 seconds"));
    sensible.then(|| Duration::from_secs_f64(seconds)).ok_or_else(wrong)
}
