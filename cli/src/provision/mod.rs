//! `lb provision loki-grafana`.
//!
//! `wanted` is what there shall be, by configuration and plugins; `session` brings it to `grafana`, an
//! object at a time, and `report` tells what became of each; `export` writes it into files; `scripts`
//! install and remove, and note what they made (`installed`). `saved` keeps a token for the next time.

mod configure;
mod export;
mod grafana;
mod installed;
mod remove;
mod report;
mod saved;
mod scripts;
mod secrets;
mod session;
mod status;
mod wanted;
mod yaml;

use anyhow::bail;

use crate::Outcome;
use crate::args::Common;
use crate::args::provision::{LokiGrafana, LokiGrafanaCommand, ProvisionCommand};
use crate::say::Say;

pub(crate) fn run(
    command: &ProvisionCommand,
    common: &Common,
    say: Say,
) -> anyhow::Result<Outcome> {
    let ProvisionCommand::LokiGrafana(LokiGrafana { server, configure, command }) = command;
    if command.is_some() && *configure != crate::args::provision::ConfigureFlags::default() {
        bail!(
            "flags of configure stand behind it: lb provision loki-grafana configure --export DIR"
        );
    }
    match command {
        None => configure::run(server, configure, common, say),
        Some(LokiGrafanaCommand::Configure(flags)) => configure::run(server, flags, common, say),
        Some(LokiGrafanaCommand::Status) => status::run(server, common, say),
        Some(LokiGrafanaCommand::Install(flags)) => scripts::install(server, flags, common, say),
        Some(LokiGrafanaCommand::Remove(flags)) => scripts::remove(flags),
    }
}
