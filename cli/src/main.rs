//! The `lb` command: what was logged, where it is, and what the configuration comes to.

mod args;
mod configuration;
mod drain;
mod init;
mod lines;
mod log;
mod rings;
mod run;
mod say;
mod status;
mod table;

use std::process::ExitCode;

use clap::Parser as _;

use args::{Cli, Command};
use say::Say;

/// What a command that did not fail has to tell its caller.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Outcome {
    /// All done.
    Done,
    /// Done in part, or nothing found.
    Partly,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let say = Say::new(&cli.common);
    match run(&cli, say) {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Partly) => ExitCode::from(1),
        Err(error) => {
            say.error(&error);
            ExitCode::from(2)
        }
    }
}

fn run(cli: &Cli, say: Say) -> anyhow::Result<Outcome> {
    match &cli.command {
        Command::Status { run } => status::run(run.as_deref(), &cli.common, say),
        Command::Drain { dir } => drain::run(dir.as_deref(), &cli.common, say),
        Command::Config(command) => configuration::run(command, &cli.common, say),
    }
}
