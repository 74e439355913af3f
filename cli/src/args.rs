//! The command line as it is written; what it means is found out by each command.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use clap::{Args, Parser, Subcommand, ValueEnum};

const EXAMPLES: &str = "\
Examples:
  lb status                     the newest run: its files, and records still in rings
  lb status run-20261122-101112 --format json
  lb drain /data/results        move what dead processes left behind into the files
  lb push nightly-7             what Loki does not have yet
  lb verify nightly-7           whether Loki holds what the files hold
  lb config check               every mistake in file and environment at once
  lb config init                a commented lb.toml to start with
  lb config show -v             every key with its value, source and meaning

Exit status: 0 all done; 1 done in part, nothing found, or not equal; 2 error.
Data goes to stdout, everything else to stderr. NO_COLOR is respected.";

/// Finds, completes and checks what a benchmark campaign logged.
#[derive(Debug, Parser)]
#[command(name = "lb", version = version(), after_help = EXAMPLES, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Command,
}

// The comments are the help: names stand in it as one types them.
#[allow(clippy::doc_markdown)]
/// Flags of every command.
#[derive(Debug, Args)]
pub(crate) struct Common {
    /// Configuration file: .toml, .json, .yaml (otherwise $LB_CONFIG, ./lb.toml, ~/.config/lb/config.toml)
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Folder of all runs (otherwise as configured; benchmark_results)
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) output_dir: Option<PathBuf>,
    /// Loki's URL (otherwise as configured); without a path, /loki/api/v1/push
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) loki_endpoint: Option<String>,
    /// How data is printed
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
    /// Errors only, no warnings and no remarks
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Say more
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
}

/// How data is printed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Text,
    /// One document
    Json,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Each file of a run: lines, bytes, last record, records still in rings, drops
    ///
    /// Records that dead processes left in their rings are moved into the file first.
    Status {
        /// A run's id, `latest`, or a path
        #[arg(default_value = "latest")]
        run: Option<String>,
    },
    /// Move what dead processes left in their rings into their files
    ///
    /// For those who collect logs by other means. Safe beside running programs, and repeatable.
    Drain {
        /// The folder below which the logs are (otherwise the folder of all runs)
        dir: Option<PathBuf>,
    },
    /// Push to Loki what it has not acknowledged yet
    ///
    /// Goes on where the program that logged, or the last push, came to; safe to repeat and to
    /// interrupt. A log whose own process ships it is left to that.
    Push(PushArgs),
    /// Prove that Loki holds what the files hold, line by line
    ///
    /// From the lowest level that is shipped (`loki.min_level`) up. Names each gap.
    Verify(VerifyArgs),
    /// Show or check the configuration, or write a file to start with
    #[command(subcommand)]
    Config(ConfigCommand),
}

/// What to compare or push.
#[derive(Clone, Debug, Args)]
pub(crate) struct Shipped {
    /// Runs' ids, `latest`, or paths of folders and log files
    #[arg(required = true, value_name = "RUN|FILE")]
    pub(crate) runs: Vec<String>,
    /// Give up after so many seconds
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    timeout: Option<Duration>,
}

impl Shipped {
    /// When to give up.
    pub(crate) fn deadline(&self, now: Instant) -> Option<Instant> {
        self.timeout.and_then(|timeout| now.checked_add(timeout))
    }
}

/// `lb push`.
#[derive(Clone, Debug, Args)]
pub(crate) struct PushArgs {
    #[command(flatten)]
    pub(crate) what: Shipped,
    /// Look everything up, and push what Loki lacks, whatever was acknowledged
    #[arg(long)]
    pub(crate) from_start: bool,
}

/// `lb verify`.
#[derive(Clone, Debug, Args)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    pub(crate) what: Shipped,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "expected a number of seconds".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|_| "expected a number of seconds".to_owned())
}

/// What to do with the configuration.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Every key with its value and where that comes from; secrets hidden (-v: and its meaning)
    Show,
    /// Every mistake at once, and the keys that have no effect yet
    Check,
    /// Write a file that names every key, commented out, with its meaning and default
    Init {
        /// Where to, in TOML; - is stdout
        #[arg(short, long, value_name = "FILE", default_value = "lb.toml")]
        output: PathBuf,
        /// Replace the file when it exists
        #[arg(long)]
        force: bool,
    },
}

/// Of the program, of the record schema, and the commit where the build named it.
fn version() -> &'static str {
    static VERSION: OnceLock<String> = OnceLock::new();
    VERSION.get_or_init(|| {
        let mut text = concat!(env!("CARGO_PKG_VERSION"), "\nrecord schema 1").to_owned();
        if let Some(commit) = option_env!("LBLOG_COMMIT").filter(|commit| !commit.is_empty()) {
            text.push_str("\ncommit ");
            text.push_str(commit);
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }
}
