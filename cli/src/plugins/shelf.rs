//! All plugins: those that come with lb, and the user's own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use lb_core::config::Config;

use super::dashboard::Dashboard;
use super::datasource::{Datasource, Declared, Skipped};
use super::files::entries;
use super::manifest::{self, Manifest};
use super::mistakes::{Mistakes, unknown};
use super::values::{Own, Values};
use crate::assets;

/// A plugin.
#[derive(Clone, Debug)]
pub(crate) struct Plugin {
    pub(crate) folder: PathBuf,
    /// Whether it comes with lb.
    pub(crate) shipped: bool,
    pub(crate) manifest: Manifest,
    pub(crate) datasources: Vec<Declared>,
    pub(crate) dashboards: Vec<Dashboard>,
}

/// All plugins, by name.
#[derive(Debug, Default)]
pub(crate) struct Shelf(pub(crate) Vec<Plugin>);

/// What all plugins together want in Grafana.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) datasources: Vec<Datasource>,
    pub(crate) skipped: Vec<(String, Skipped)>,
    /// With the plugin that each is of.
    pub(crate) dashboards: Vec<(String, Dashboard)>,
}

impl Plugin {
    /// Reads a plugin's folder.
    pub(crate) fn read(folder: &Path, shipped: bool, mistakes: &mut Mistakes) -> Self {
        let manifest = Manifest::read(folder, mistakes);
        let datasources = Declared::read_all(folder, &manifest, mistakes);
        let dashboards = Dashboard::read_all(folder, mistakes);
        Self { folder: folder.to_owned(), shipped, manifest, datasources, dashboards }
    }
}

impl Shelf {
    /// Reads all. One of the user's own goes before one of the same name that comes with lb.
    pub(crate) fn read(config: &Config, mistakes: &mut Mistakes) -> Self {
        let shipped = assets::plugins();
        let own = config.plugins_dir.canonicalize().unwrap_or_else(|_| config.plugins_dir.clone());
        let mut found: BTreeMap<String, Plugin> = BTreeMap::new();
        let folders = shipped.iter().map(|folder| (folder, true));
        for (folder, shipped) in
            folders.chain([(&own, false)].into_iter().filter(|_| shipped.as_ref() != Some(&own)))
        {
            for path in plugin_folders(folder, mistakes) {
                let plugin = Plugin::read(&path, shipped, mistakes);
                found.insert(plugin.manifest.name.clone(), plugin);
            }
        }
        let shelf = Self(found.into_values().collect());
        shelf.check(mistakes);
        shelf
    }

    /// What only shows when all are seen together.
    fn check(&self, mistakes: &mut Mistakes) {
        let mut uids: BTreeMap<(&str, &str), &Path> = BTreeMap::new();
        for plugin in &self.0 {
            let datasources = plugin.datasources.iter().map(|d| ("datasource", d.uid()));
            let dashboards = plugin.dashboards.iter().map(|d| ("dashboard", d.uid.as_str()));
            for (kind, uid) in datasources.chain(dashboards) {
                if let Some(other) = uids.insert((kind, uid), &plugin.folder) {
                    let why = format!("{kind} {uid}: there is one in {} already", other.display());
                    mistakes.file(&plugin.folder, why);
                }
            }
        }
        let declared: Vec<&str> =
            self.0.iter().flat_map(|plugin| &plugin.datasources).map(Declared::uid).collect();
        for dashboard in self.0.iter().flat_map(|plugin| &plugin.dashboards) {
            for uid in dashboard.datasources.iter().filter(|uid| !is_declared(uid, &declared)) {
                let why = unknown("datasource", uid, declared.iter().copied());
                mistakes.file(&dashboard.path, why);
            }
        }
    }

    /// The settings of each plugin. All that is wrong in the block `plugins` goes to `mistakes`.
    pub(crate) fn values(
        &self,
        config: &Config,
        own: &Own,
        mistakes: &mut Mistakes,
    ) -> Vec<Values> {
        let known = self.0.iter().map(|plugin| plugin.manifest.name.as_str());
        for name in config.plugins.keys().filter(|name| !known.clone().any(|known| known == *name))
        {
            mistakes.0.push(format!("plugins.{name}: {}", unknown("plugin", name, known.clone())));
        }
        let values = |plugin: &Plugin| Values::read(&plugin.manifest, config, own, mistakes);
        self.0.iter().map(values).collect()
    }

    /// What all of them want in Grafana.
    pub(crate) fn wanted(&self, values: &[Values], mistakes: &mut Mistakes) -> Wanted {
        let mut wanted = Wanted::default();
        for (plugin, values) in self.0.iter().zip(values).filter(|(_, values)| values.is_enabled())
        {
            let name = &plugin.manifest.name;
            for declared in &plugin.datasources {
                for filled in declared.fill(name, values, mistakes) {
                    match filled {
                        Ok(datasource) => wanted.datasources.push(datasource),
                        Err(skipped) => wanted.skipped.push((name.clone(), skipped)),
                    }
                }
            }
            let dashboards = plugin.dashboards.iter().cloned();
            wanted.dashboards.extend(dashboards.map(|dashboard| (name.clone(), dashboard)));
        }
        let mut uids: Vec<&str> = wanted.datasources.iter().map(|d| d.uid.as_str()).collect();
        uids.sort_unstable();
        for [twice, _] in uids.array_windows().filter(|[a, b]| a == b) {
            mistakes.0.push(format!(
                "datasource {twice}: two would have this uid; give the items of the list other names",
            ));
        }
        wanted
    }
}

/// The folders with a plugin.toml.
fn plugin_folders(folder: &Path, mistakes: &mut Mistakes) -> Vec<PathBuf> {
    let paths = entries(folder).unwrap_or_else(|why| {
        mistakes.file(folder, why);
        Vec::new()
    });
    paths.into_iter().filter(|path| path.join(manifest::FILE).is_file()).collect()
}

/// Whether a uid is one of those that are declared; a declared one may have settings in it.
fn is_declared(uid: &str, declared: &[&str]) -> bool {
    declared.iter().any(|known| match known.split_once("${") {
        Some((before, _)) => uid.starts_with(before) && uid.len() > before.len(),
        None => *known == uid,
    })
}
