//! The command line as it is written; what it means is found out by each command.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use clap::{Args, Parser, Subcommand, ValueEnum};
use lb_core::command::Collecting;
use lb_core::config::Flags;

use provision::{PLUGINS_EXAMPLES, PROVISION_EXAMPLES, PluginsCommand, ProvisionCommand};

#[path = "args/provision.rs"]
pub(crate) mod provision;

const EXAMPLES: &str = "\
Examples:
  lb status                     the newest run: its files, and records still in rings
  lb status run-20261122-101112 --format json
  lb status --watch             the newest run while it is written
  lb runs                       all runs: when, hosts, components, lines, errors
  lb logs --level warning -f    what goes wrong in the newest run, now and from now on
  lb exec --component setup -- ./prepare.sh
  lb drain /data/results        move what dead processes left behind into the files
  lb push nightly-7             what Loki does not have yet
  lb verify nightly-7           whether Loki holds what the files hold
  lb report -o run.html         a page on the newest run
  lb report run-1 run-2         two runs compared
  lb collect run-20261122-101112 --from node-1: --from me@node-2:/data/results
  lb provision loki-grafana     datasources and dashboards for a Grafana; install, status, remove
  lb plugins list               what Grafana can show
  lb config check               every mistake in file and environment at once
  lb config init                a commented lb.toml to start with
  lb config show -v             every key with its value, source and meaning

Exit status: 0 all done; 1 done in part, nothing found, or not equal; 2 error.
Data goes to stdout, everything else to stderr. NO_COLOR is respected.";

const COLLECT_EXAMPLES: &str = "\
Examples:
  lb collect run-1 --from node-1 --from me@node-2:/data/results
  lb collect run-1 --from /mnt/share/benchmark_results --dry-run
  lb collect run-1 --from node-1 --remove-source --ssh 'ssh -F my_config'

The files are <output folder>/run-1/logs/<component>-<host>.jsonl.gz, listed in
<output folder>/run-1/manifest.json with lines, bytes, SHA-256 and what could not be had.";

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

impl Common {
    /// What of them says where logs are and how they are written.
    pub(crate) fn flags(&self) -> Flags {
        Flags {
            config: self.config.clone(),
            output_dir: self.output_dir.clone(),
            loki_endpoint: self.loki_endpoint.clone(),
        }
    }
}

/// How data is printed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Text,
    /// One document; of `lb logs` the records' own lines
    Json,
    /// A table for other programs, of `lb logs` alone
    Csv,
}

/// What to do.
#[allow(clippy::doc_markdown)] // As above.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run any command; each line of its output becomes a record, and is shown as ever
    ///
    /// The command gets its identity as LB_RUN_ID, LB_COMPONENT, LB_HOST, LB_WORKLOAD,
    /// LB_REPETITION, LB_SCENARIO, LB_PHASE and LB_OUTPUT_DIR. Its start and its end, with status
    /// and duration, are records, too. lb exits with the command's status, with 128 + N where
    /// signal N has ended it, and with 125, 126 or 127 where it could not be run.
    #[command(after_help = EXEC_EXAMPLES)]
    Exec(Exec),
    /// The records of a run, or of several, by time
    #[command(after_help = LOGS_EXAMPLES)]
    Logs(Logs),
    /// All runs: when, how long, hosts, components, lines, errors
    #[command(after_help = RUNS_EXAMPLES)]
    Runs,
    /// Each file of a run: lines, bytes, last record, records still in rings, drops
    ///
    /// Records that dead processes left in their rings are moved into the file first.
    #[command(after_help = STATUS_EXAMPLES)]
    Status(StatusArgs),
    /// Move what dead processes left in their rings into their files
    ///
    /// For those who collect logs by other means. Safe beside running programs, and repeatable.
    #[command(after_help = DRAIN_EXAMPLES)]
    Drain {
        /// The folder below which the logs are (otherwise the folder of all runs)
        dir: Option<PathBuf>,
    },
    /// Push to Loki what it has not acknowledged yet
    ///
    /// Goes on where the program that logged, or the last push, came to; safe to repeat and to
    /// interrupt. A log whose own process ships it is left to that.
    #[command(after_help = PUSH_EXAMPLES)]
    Push(PushArgs),
    /// Prove that Loki holds what the files hold, line by line
    ///
    /// From the lowest level that is shipped (`loki.min_level`) up. Names each gap.
    #[command(after_help = VERIFY_EXAMPLES)]
    Verify(VerifyArgs),
    /// One page of HTML on a run, or on several compared: requests, latency, errors
    ///
    /// The page needs no network and no other file. It is made of the run's .jsonl and .jsonl.gz files.
    #[command(after_help = REPORT_EXAMPLES)]
    Report {
        /// A run's id, `latest`, or a path; several are compared with the first
        #[arg(value_name = "RUN", default_value = "latest")]
        runs: Vec<String>,
        /// Where to (otherwise report.html in the run's folder); - is stdout
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Fetch the logs of a run: gzipped, checked, listed in its manifest.json
    ///
    /// Repeatable: what has not changed is not fetched again. A host that fails stops no other.
    #[command(after_help = COLLECT_EXAMPLES)]
    Collect(CollectArgs),
    /// What lb asks of an lb on another machine
    #[command(subcommand, hide = true)]
    CollectSource(CollectSourceCommand),
    /// Loki and Grafana for a person: installed, and given datasources and dashboards
    #[command(subcommand, after_help = PROVISION_EXAMPLES)]
    Provision(ProvisionCommand),
    /// What Grafana shows: datasources and dashboards that come with lb, and your own
    #[command(subcommand, after_help = PLUGINS_EXAMPLES)]
    Plugins(PluginsCommand),
    /// Show or check the configuration, or write a file to start with
    #[command(subcommand, after_help = CONFIG_EXAMPLES)]
    Config(ConfigCommand),
}

const STATUS_EXAMPLES: &str = "\
Examples:
  lb status                     the newest run
  lb status --watch             the same, looked at again every 2 seconds, until Ctrl-C
  lb status benchmark_results/nightly-7/node-2 --format json
  lb status nightly-7 --watch --interval 10 --format json >>status.jsonl";

/// `lb status`.
#[derive(Clone, Debug, Args)]
pub(crate) struct StatusArgs {
    /// A run's id, `latest`, or a path
    #[arg(default_value = "latest")]
    pub(crate) run: String,
    /// Look again and again, until Ctrl-C: redrawn in place on a terminal, with lines a second
    ///
    /// With --format json one document a line.
    #[arg(short, long)]
    pub(crate) watch: bool,
    /// Seconds between two looks
    #[arg(long, value_name = "SECONDS", default_value = "2", requires = "watch", value_parser = pause,
          allow_negative_numbers = true)]
    pub(crate) interval: Duration,
}

fn pause(text: &str) -> Result<Duration, String> {
    let pause = seconds(text)?;
    let least = Duration::from_millis(100);
    if pause < least { Err("expected 0.1 or more seconds".to_owned()) } else { Ok(pause) }
}

const DRAIN_EXAMPLES: &str = "\
Examples:
  lb drain                      the folder of all runs
  lb drain /data/results";

const PUSH_EXAMPLES: &str = "\
Examples:
  lb push nightly-7 --loki-endpoint http://loki:3100
  lb push nightly-6 nightly-7 --timeout 600";

const VERIFY_EXAMPLES: &str = "\
Examples:
  lb verify nightly-7
  lb verify benchmark_results/nightly-7/logs/k6-node-1.jsonl --format json";

const REPORT_EXAMPLES: &str = "\
Examples:
  lb report                            the newest run: report.html in its folder
  lb report nightly-7 nightly-8 -o nights.html
  lb report -o - latest | ssh web 'cat >/var/www/last.html'";

const CONFIG_EXAMPLES: &str = "\
Examples:
  lb config show -v             every key with its value, source and meaning
  lb config check               every mistake in file and environment at once
  lb config init                a commented lb.toml to start with";

/// What to compare or push.
#[derive(Clone, Debug, Args)]
pub(crate) struct Shipped {
    /// Runs' ids, `latest`, or paths of folders and log files
    #[arg(required = true, value_name = "RUN|FILE")]
    pub(crate) runs: Vec<String>,
    /// Give up after so many seconds
    #[arg(long, value_name = "SECONDS", value_parser = seconds, allow_negative_numbers = true)]
    timeout: Option<Duration>,
}

impl CollectArgs {
    /// What they mean.
    pub(crate) fn collecting(&self) -> Collecting {
        Collecting {
            run: self.run.clone(),
            from: self.from.clone(),
            remove_source: self.remove_source,
            timeout: self.timeout,
            jobs: self.jobs.into(),
            dry_run: self.dry_run,
            gzip_level: (!self.no_gzip).then_some(self.gzip_level),
            ssh: self.ssh.clone(),
        }
    }
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
    /// Push what is missing, and compare again
    #[arg(long)]
    pub(crate) repair: bool,
}

fn number_of_seconds(text: &str) -> Result<f64, String> {
    text.parse().map_err(|_| "expected a number of seconds".to_owned())
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = number_of_seconds(text)?;
    Duration::try_from_secs_f64(seconds).map_err(|_| "expected a number of seconds".to_owned())
}

const EXEC_EXAMPLES: &str = "\
Examples:
  lb exec --component setup --phase setup -- ./prepare.sh --all
  lb exec --component generator --workload cpu --repetition 3 -- stress-ng --cpu 4 -t 30
  lb exec --component shell --tty -- bash";

/// Which command to run, and whose output it is.
#[derive(Debug, Args)]
pub(crate) struct Exec {
    /// Which program this is: runner, generator, … (otherwise as configured)
    #[arg(long, value_name = "NAME")]
    pub(crate) component: Option<String>,
    /// The workload (otherwise as configured; none)
    #[arg(long, value_name = "NAME")]
    pub(crate) workload: Option<String>,
    /// The repetition, from 1 (otherwise as configured; 1)
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) repetition: Option<String>,
    /// The scenario
    #[arg(long, value_name = "NAME")]
    pub(crate) scenario: Option<String>,
    /// The phase of the run: install, setup, run, teardown, collect
    #[arg(long, value_name = "NAME")]
    pub(crate) phase: Option<String>,
    /// Which lines tell their level (others: INFO from stdout, WARNING from stderr)
    #[arg(long, value_enum, default_value_t = Parse::Auto)]
    pub(crate) parse: Parse,
    /// Give the command a terminal of its own: colours, progress bars, full-screen programs
    #[arg(long)]
    pub(crate) tty: bool,
    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true, value_name = "CMD")]
    pub(crate) command: Vec<OsString>,
}

/// Which lines tell their level.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Parse {
    /// JSON objects with a level, and lines that begin with one
    Auto,
    /// JSON objects with a level
    Json,
    /// None
    None,
}

const LOGS_EXAMPLES: &str = "\
Examples:
  lb logs                                     the newest run
  lb logs --level warning --since 10m -f      what goes wrong, from ten minutes ago on
  lb logs run-a run-b --workload cpu --grep 'timed? out'
  lb logs --around 14:03:20 --host node-2     a minute before and after
  lb logs --format json | jq .tags.duration_ms

TIME is 10m (ago), 14:03 or 14:03:20.5 (on the run's last day), 2026-11-22, 2026-11-22T14:03:20,
all in UTC, or with an offset as in 2026-11-22T14:03:20+01:00.";

/// Which records to show.
#[derive(Debug, Args)]
pub(crate) struct Logs {
    /// Runs: ids, `latest`, or paths (otherwise latest)
    #[arg(value_name = "RUN")]
    pub(crate) runs: Vec<String>,
    /// Only of this level and above: trace, debug, info, warning, error, critical
    #[arg(short, long)]
    pub(crate) level: Option<String>,
    /// Only of this component; may be repeated, as the others may
    #[arg(long, value_name = "NAME")]
    pub(crate) component: Vec<String>,
    /// Only of this host
    #[arg(long, value_name = "NAME")]
    pub(crate) host: Vec<String>,
    /// Only of this workload
    #[arg(long, value_name = "NAME")]
    pub(crate) workload: Vec<String>,
    /// Only of this repetition
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) repetition: Vec<u64>,
    /// Only of this phase
    #[arg(long, value_name = "NAME")]
    pub(crate) phase: Vec<String>,
    /// Not before
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Not after
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    /// From a minute before to a minute after
    #[arg(long, value_name = "TIME", conflicts_with_all = ["since", "until"])]
    pub(crate) around: Option<String>,
    /// Only where this regular expression is found in the message, the event type or a tag's value
    #[arg(short, long, value_name = "REGEX")]
    pub(crate) grep: Option<String>,
    /// Go on with what is written from now on, until interrupted
    #[arg(short, long)]
    pub(crate) follow: bool,
}

const RUNS_EXAMPLES: &str = "\
Examples:
  lb runs
  lb runs --output-dir /data/results --format json";

// The comments are the help: names stand in it as one types them.
#[allow(clippy::doc_markdown, clippy::struct_excessive_bools)]
/// What to collect, from where, and how.
#[derive(Debug, Args)]
pub(crate) struct CollectArgs {
    /// The run's id, or `latest`
    pub(crate) run: String,
    /// A folder of all runs: here, or host:folder, user@host:folder as with scp (repeatable)
    ///
    /// A host alone means benchmark_results in its home. Hosts are reached by ssh as you have
    /// configured it: agent, jump hosts, ControlMaster. Nothing is installed there.
    #[arg(long, value_name = "SOURCE", required = true)]
    pub(crate) from: Vec<String>,
    /// Delete at the source what was collected and verified (hosts need lb for it)
    ///
    /// Files whose owner lives stay.
    #[arg(long)]
    pub(crate) remove_source: bool,
    /// Seconds a host may be silent before it is given up
    #[arg(long, value_name = "S", default_value_t = 60.0, value_parser = number_of_seconds,
          allow_negative_numbers = true)]
    pub(crate) timeout: f64,
    /// Sources at once
    #[arg(long, value_name = "N", default_value_t = 8, allow_negative_numbers = true, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) jobs: u16,
    /// Change nothing; say what would be fetched
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Keep plain files
    #[arg(long)]
    pub(crate) no_gzip: bool,
    /// 1 is fast, 9 is small
    #[arg(long, value_name = "LEVEL", default_value_t = 6, allow_negative_numbers = true, conflicts_with = "no_gzip",
          value_parser = clap::value_parser!(u32).range(1..=9))]
    pub(crate) gzip_level: u32,
    /// The command that reaches hosts (otherwise as configured; ssh)
    #[arg(long, value_name = "COMMAND")]
    pub(crate) ssh: Option<String>,
}

/// What lb asks of an lb on another machine.
#[derive(Debug, Subcommand)]
pub(crate) enum CollectSourceCommand {
    /// Say what lies below a run's folder
    List {
        /// Leave rings where they are
        #[arg(long)]
        dry_run: bool,
        /// The run's folder
        #[arg(default_value = ".")]
        folder: PathBuf,
    },
    /// Remove a log's files that were collected
    Remove {
        /// The live file of the log
        live: PathBuf,
        /// Path, bytes and SHA-256 of each
        files: Vec<OsString>,
    },
}

/// What to do with the configuration.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Every key with its value and where that comes from; secrets hidden (-v: and its meaning)
    #[command(after_help = CONFIG_EXAMPLES)]
    Show,
    /// Every mistake at once, and the keys that have no effect yet
    #[command(after_help = CONFIG_EXAMPLES)]
    Check,
    /// Write a file that names every key, commented out, with its meaning and default
    #[command(after_help = CONFIG_EXAMPLES)]
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
