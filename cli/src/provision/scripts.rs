//! `lb provision loki-grafana install` and `remove`: the scripts that come with lb.

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;

use anyhow::Context as _;

use super::configure;
use super::installed::Installed;
use crate::args::Common;
use crate::args::provision::{ConfigureFlags, GrafanaFlags, InstallFlags, RemoveFlags};
use crate::interrupt::Interrupt;
use crate::say::Say;
use crate::{Outcome, assets};

pub(super) fn install(
    server: &GrafanaFlags,
    flags: &InstallFlags,
    common: &Common,
    say: Say,
) -> anyhow::Result<Outcome> {
    // lb configures itself: it has the flags.
    let mut arguments = vec![OsString::from("--no-configure")];
    let mut given = |flag: &str, value: Option<&OsString>| {
        if let Some(value) = value {
            arguments.extend([flag.into(), value.clone()]);
        }
    };
    given("--method", flags.method.as_ref().map(OsString::from).as_ref());
    given("--mode", flags.mode.as_ref().map(OsString::from).as_ref());
    given("--data-dir", flags.data_dir.as_ref());
    given("--retention", flags.retention.as_ref());
    given("--listen", flags.listen.as_ref());
    given("--loki-port", flags.loki_port.as_ref());
    given("--grafana-port", flags.grafana_port.as_ref());
    let switches =
        [("--yes", flags.yes), ("--dry-run", flags.dry_run), ("--no-grafana", server.no_grafana)];
    arguments.extend(switches.iter().filter(|(_, on)| *on).map(|(flag, _)| (*flag).into()));
    arguments.extend(flags.more.iter().cloned());
    let outcome = run("install-loki-grafana.sh", &arguments)?;
    let helps = flags.more.iter().any(|argument| argument == "--help" || argument == "-h");
    if outcome != Outcome::Done || flags.dry_run || flags.no_configure || helps {
        return Ok(outcome);
    }
    if server.no_grafana || (server.grafana_url.is_none() && Installed::read().grafana.is_none()) {
        return Ok(outcome);
    }
    configure::run(server, &ConfigureFlags::default(), common, say)
}

pub(super) fn remove(flags: &RemoveFlags) -> anyhow::Result<Outcome> {
    let switches = [("--purge", flags.purge), ("--yes", flags.yes), ("--dry-run", flags.dry_run)];
    let given = switches.iter().filter(|(_, on)| *on).map(|(flag, _)| OsString::from(flag));
    let arguments: Vec<OsString> = given.chain(flags.more.iter().cloned()).collect();
    run("uninstall-loki-grafana.sh", &arguments)
}

/// Runs a script with our terminal, and ends as it does.
fn run(name: &str, arguments: &[OsString]) -> anyhow::Result<Outcome> {
    let script = assets::script(name).with_context(|| {
        format!(
            "scripts/{name} is not beside lb, nor below <prefix>/share/lb-log: take it from lb's \
             source, or install lb with make install"
        )
    })?;
    // Ctrl-C reaches the script, too, which has something to clean up.
    let _interrupt = Interrupt::watch()?;
    let status = Command::new(&script).args(arguments).status();
    let status = status.with_context(|| format!("{}: cannot be run", script.display()))?;
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(2);
    Ok(match u8::try_from(code).unwrap_or(2) {
        0 => Outcome::Done,
        code => Outcome::Exit(code),
    })
}
