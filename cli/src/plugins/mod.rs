//! Plugins: what Grafana shows. `lb plugins list`, `check` and `init`.
//!
//! `shelf` finds them; `manifest` and `setting` read plugin.toml, `datasource` and `dashboard` what is
//! for Grafana, `values` fills settings (`template`) from lb's configuration.

pub(crate) mod dashboard;
pub(crate) mod datasource;
mod files;
mod init;
mod list;
mod manifest;
pub(crate) mod mistakes;
mod setting;
pub(crate) mod shelf;
mod template;
mod uid;
pub(crate) mod values;

#[cfg(test)]
mod tests;

use std::path::PathBuf;

use serde_json::json;

use crate::Outcome;
use crate::args::Common;
use crate::args::provision::PluginsCommand;
use crate::say::{Say, counted};
use mistakes::Mistakes;
use shelf::{Plugin, Shelf};
use values::Own;

pub(crate) fn run(command: &PluginsCommand, common: &Common, say: Say) -> anyhow::Result<Outcome> {
    match command {
        PluginsCommand::List => list::run(common, say),
        PluginsCommand::Check { folders } => check(folders, common, say),
        PluginsCommand::Init { name } => init::run(name, common, say),
    }
}

fn check(folders: &[PathBuf], common: &Common, say: Say) -> anyhow::Result<Outcome> {
    let mut mistakes = Mistakes::default();
    let plugins = if folders.is_empty() {
        let config = common.flags().load()?;
        let shelf = Shelf::read(&config, &mut mistakes);
        let values = shelf.values(&config, &Own::of(&config), &mut mistakes);
        shelf.wanted(&values, &mut mistakes);
        shelf.0
    } else {
        let read = |folder: &PathBuf| {
            let folder = folder.canonicalize().unwrap_or_else(|_| folder.clone());
            Plugin::read(&folder, false, &mut mistakes)
        };
        folders.iter().map(read).collect()
    };
    let Mistakes(mistakes) = mistakes;
    if say.wants_json() {
        let names: Vec<_> = plugins.iter().map(|plugin| &plugin.manifest.name).collect();
        let ok = mistakes.is_empty();
        say.document(&json!({"ok": ok, "plugins": names, "mistakes": mistakes}))?;
    }
    if !mistakes.is_empty() {
        let count = counted(mistakes.len() as u64, "mistake");
        anyhow::bail!("{}\n{count}; docs/plugins.md tells the format", mistakes.join("\n"));
    }
    if !say.wants_json() {
        for plugin in &plugins {
            let manifest = &plugin.manifest;
            let datasources = counted(plugin.datasources.len() as u64, "datasource");
            let dashboards = counted(plugin.dashboards.len() as u64, "dashboard");
            say.data(&format!("{}: no mistakes ({datasources}, {dashboards})\n", manifest.name))?;
        }
    }
    Ok(Outcome::Done)
}
