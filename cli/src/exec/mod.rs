//! `lb exec`: runs a command, and makes records of its output, its start and its end.
//!
//! The command stays in lb's process group and keeps its standard input, so that job control,
//! Ctrl-C and Ctrl-Z are what they were; only its output goes through lb, one thread for each of
//! the two streams. With `--tty` it has a session and a terminal of its own instead.

mod command;
mod level;
mod lines;
mod pump;
mod records;
mod signals;
mod terminal;

use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use anyhow::bail;
use lb_core::Logger;
use lb_core::config::Config;

use crate::Outcome;
use crate::args::{Common, Exec};
use crate::say::Say;
use command::Running;
use records::Records;
use signals::Signals;

/// As env(1) ends where it fails itself.
pub(crate) const OWN_FAILURE: u8 = 125;
const CANNOT_RUN: u8 = 126;
const NOT_FOUND: u8 = 127;

/// The longest wait for a full ring, unless another is configured. Who writes into a pipe is used to
/// waiting for its reader, and where a load takes all processors our writer may not run for a while.
const FULL_TIMEOUT: Duration = Duration::from_secs(5);

/// The longest wait at the end for file and Loki.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

pub(crate) fn run(exec: &Exec, common: &Common, say: Say) -> Outcome {
    match logged(exec, common, say) {
        Ok(code) => Outcome::Exit(code),
        Err(error) => {
            say.error(&error);
            Outcome::Exit(OWN_FAILURE)
        }
    }
}

fn logged(exec: &Exec, common: &Common, say: Say) -> anyhow::Result<u8> {
    let config = configured(exec, common)?;
    if say.is_verbose() {
        for warning in &config.warnings {
            say.warning(warning);
        }
    }
    // Whatever comes from now on belongs to the command.
    let signals = Signals::catch(exec.tty)?;
    let logger = Logger::with(config)?;
    let records = Records::new(&logger, exec.parse)?;
    let code = ran(exec, &records, signals, say);
    // What is not finished now stays in rings and file, for the next one.
    if let Err(error) = logger.close(CLOSE_TIMEOUT) {
        say.warning(&error.to_string());
    }
    let stats = logger.stats();
    if stats.dropped > 0 {
        let path = logger.config().log_path.display();
        say.warning(&format!("{path}: {} records were dropped: the disk is slow", stats.dropped));
    }
    Ok(code)
}

fn configured(exec: &Exec, common: &Common) -> anyhow::Result<Config> {
    let given = [
        ("--component", "component", &exec.component),
        ("--workload", "workload", &exec.workload),
        ("--repetition", "repetition", &exec.repetition),
        ("--scenario", "scenario", &exec.scenario),
        ("--phase", "phase", &exec.phase),
    ];
    let flags: Vec<_> = given
        .iter()
        .filter_map(|(flag, key, value)| Some((*flag, *key, value.as_deref()?)))
        .collect();
    let mut config = common.flags().load_for(&flags)?;
    let unnamed =
        |name: &str| config.settings.iter().any(|s| s.key.name == name && s.source == "default");
    if unnamed("component") {
        bail!(
            "whose output is this? name it: lb exec --component NAME -- CMD, or set LB_COMPONENT"
        );
    }
    if unnamed("full_timeout_ms") {
        config.ring.full_timeout = FULL_TIMEOUT;
    }
    Ok(config)
}

/// Runs the command to its end; the exit code.
fn ran(exec: &Exec, records: &Records<'_>, signals: Signals, say: Say) -> u8 {
    let began = Instant::now();
    let (running, signals) = match Running::start(exec, records.identity(), signals) {
        Ok(running) => running,
        Err(error) => {
            let found = error.kind() != io::ErrorKind::NotFound;
            let code = if found { CANNOT_RUN } else { NOT_FOUND };
            records.not_started(&exec.command, &error, code);
            say.mistake(&format!("lb exec: {}: {error}", exec.command[0].display()));
            return code;
        }
    };
    records.started(&exec.command, running.pid());
    let status = running.wait(records, &signals, say);
    match status {
        Ok(status) => {
            records.ended(status, began.elapsed());
            code_of(status)
        }
        Err(error) => {
            say.mistake(&format!("waiting for the command: {error}"));
            OWN_FAILURE
        }
    }
}

/// As a shell tells it.
fn code_of(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(OWN_FAILURE)
}
