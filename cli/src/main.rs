//! The `lb` command: what was logged, where it is, and what the configuration comes to.

mod args;
mod assets;
mod bar;
mod bars;
mod collect_source;
mod configuration;
mod exec;
mod init;
mod interrupt;
mod logs;
mod plugins;
mod progress;
mod provision;
mod reader;
mod record;
mod report;
mod runs;
mod say;
mod threads;
mod verify;
mod watch;

use std::process::ExitCode;

use anyhow::bail;
use clap::{CommandFactory as _, Parser as _};
use lb_core::command::{self, table};
use lb_core::runs::{blocks, log, rings, run, several};

use args::{Cli, Command, Format};
use say::Say;

/// What a command that did not fail has to tell its caller.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Outcome {
    /// All done.
    Done,
    /// Done in part, or nothing found.
    Partly,
    /// Nothing done until somebody mends something, which was said.
    Failed,
    /// As the command ended that was run.
    Exit(u8),
}

impl From<command::Outcome> for Outcome {
    fn from(outcome: command::Outcome) -> Self {
        match outcome {
            command::Outcome::Done => Self::Done,
            command::Outcome::Partly => Self::Partly,
            command::Outcome::Failed => Self::Failed,
        }
    }
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return misused(&error),
    };
    let say = Say::new(&cli.common);
    match obey(&cli, say) {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Partly) => ExitCode::from(1),
        Ok(Outcome::Failed) => ExitCode::from(2),
        Ok(Outcome::Exit(code)) => ExitCode::from(code),
        Err(error) => {
            say.error(&error);
            ExitCode::from(2)
        }
    }
}

/// Also help and version, which are no mistakes.
fn misused(error: &clap::Error) -> ExitCode {
    let _ = error.print();
    let matches = Cli::command().ignore_errors(true).try_get_matches();
    let of_exec = matches.is_ok_and(|matches| matches.subcommand_name() == Some("exec"));
    // 2 would look like the command's own status.
    let code = if error.use_stderr() && of_exec { exec::OWN_FAILURE } else { own_code(error) };
    ExitCode::from(code)
}

fn own_code(error: &clap::Error) -> u8 {
    u8::try_from(error.exit_code()).unwrap_or(2)
}

fn obey(cli: &Cli, say: Say) -> anyhow::Result<Outcome> {
    if cli.common.format == Format::Csv && !matches!(cli.command, Command::Logs(_)) {
        bail!("--format csv: only `lb logs` has that; text and json are for every command");
    }
    let flags = cli.common.flags();
    match &cli.command {
        Command::Exec(exec) => Ok(exec::run(exec, &cli.common, say)),
        Command::Logs(logs) => logs::run(logs, &cli.common, say),
        Command::Runs => runs::run(&cli.common, say),
        Command::Status(args) if args.watch => watch::run(args, &flags, say),
        Command::Status(args) => say.told(&command::status(Some(&args.run), &flags)?),
        Command::Drain { dir } => say.told(&command::drain(dir.as_deref(), &flags)?),
        Command::Push(args) => say.told(&progress::push(args, &flags, say)?),
        Command::Verify(args) => verify::run(args, &cli.common, say),
        Command::Report { runs, output } => report::run(runs, output.as_deref(), &cli.common, say),
        Command::Collect(args) => say.told(&progress::collect(args, &flags, say)?),
        Command::CollectSource(command) => collect_source::run(command),
        Command::Provision(command) => provision::run(command, &cli.common, say),
        Command::Plugins(command) => plugins::run(command, &cli.common, say),
        Command::Config(command) => configuration::run(command, &cli.common, say),
    }
}
