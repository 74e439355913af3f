//! What the settings of a plugin come to: the block `plugins` of lb's configuration, then lb's own
//! keys, then defaults.

use std::path::PathBuf;

use lb_core::config::Config;
use serde_json::{Map, Value};

use super::manifest::Manifest;
use super::mistakes::{Mistakes, unknown};
use super::setting::{ENABLED, Kind};
use super::template::Template;

/// Values name each other no deeper than this.
const MAX_DEPTH: usize = 8;

/// lb's own keys that settings may stand in for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Own {
    pub(crate) loki: Option<String>,
    pub(crate) prometheus: Option<String>,
    pub(crate) grafana: Option<String>,
}

impl Own {
    /// As lb's configuration has them.
    pub(crate) fn of(config: &Config) -> Self {
        Self {
            loki: config.loki.as_ref().map(|loki| loki.endpoint.base()),
            prometheus: config.prometheus.url.clone(),
            grafana: config.grafana.url.clone(),
        }
    }

    fn get(&self, key: &str) -> Option<&str> {
        match key {
            "loki.endpoint" => self.loki.as_deref(),
            "prometheus.url" => self.prometheus.as_deref(),
            _ => self.grafana.as_deref(),
        }
    }
}

/// The settings of one plugin with their values.
#[derive(Clone, Debug)]
pub(crate) struct Values {
    manifest: Manifest,
    given: Map<String, Value>,
    own: Own,
}

/// A setting that has no value, in words.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Missing(pub(crate) String);

/// One item of a list: the list's name, and the item.
pub(crate) type Item<'i> = (&'i str, &'i str);

impl Values {
    /// What lb's configuration says; all that is wrong with it goes to `mistakes`.
    pub(crate) fn read(
        manifest: &Manifest,
        config: &Config,
        own: &Own,
        mistakes: &mut Mistakes,
    ) -> Self {
        let given = config.plugins.get(&manifest.name).and_then(Value::as_object).cloned();
        let given = given.unwrap_or_default();
        for (name, value) in &given {
            let at = format!("plugins.{}.{name}", manifest.name);
            let checked = match manifest.setting(name) {
                None if name == ENABLED => Kind::Boolean.check(value),
                None => {
                    let known = manifest.settings.iter().map(|setting| setting.name.as_str());
                    Err(unknown("setting", name, known.chain([ENABLED])))
                }
                Some(setting) => {
                    setting.kind.check(value).and_then(|()| check_names(manifest, value))
                }
            };
            if let Err(why) = checked {
                mistakes.0.push(format!("{at}: {why}"));
            }
        }
        Self { manifest: manifest.clone(), given, own: own.clone() }
    }

    /// Whether the plugin is used.
    pub(crate) fn is_enabled(&self) -> bool {
        self.given.get(ENABLED) != Some(&Value::Bool(false))
    }

    /// A setting's value, and where it comes from.
    pub(crate) fn get(&self, name: &str) -> Option<(Value, String)> {
        let setting = self.manifest.setting(name)?;
        if let Some(given) = self.given.get(name) {
            return Some((given.clone(), format!("plugins.{}.{name}", self.manifest.name)));
        }
        let from = setting.from.and_then(|key| Some((self.own.get(key)?, key)));
        if let Some((value, key)) = from {
            return Some((value.into(), key.to_owned()));
        }
        setting.default.clone().map(|value| (value, "default".to_owned()))
    }

    /// The lists that a text names, also by way of other settings.
    pub(crate) fn lists(&self, names: &[String]) -> Vec<String> {
        let mut found = Vec::new();
        self.add_lists(names, &mut found, 0);
        found
    }

    fn add_lists(&self, names: &[String], found: &mut Vec<String>, depth: usize) {
        for name in names {
            let Some(setting) = self.manifest.setting(name) else { continue };
            if setting.kind == Kind::List {
                if !found.contains(name) {
                    found.push(name.clone());
                }
            } else if let (Some((value, _)), true) = (self.get(name), depth < MAX_DEPTH) {
                let inner: Vec<String> = match value.as_str().map(Template::parse) {
                    Some(Ok(template)) => template.settings().map(str::to_owned).collect(),
                    _ => continue,
                };
                self.add_lists(&inner, found, depth + 1);
            }
        }
    }

    /// The items of a list.
    pub(crate) fn items(&self, list: &str) -> Vec<String> {
        let value = self.get(list).map(|(value, _)| value);
        let items = value.as_ref().and_then(Value::as_array).into_iter().flatten();
        items.filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// The file of a secret.
    pub(crate) fn secret_file(&self, name: &str) -> Option<Result<PathBuf, Missing>> {
        let setting = self.manifest.setting(name).filter(|s| s.kind == Kind::SecretFile)?;
        let path = self.get(&setting.name).and_then(|(value, _)| value.as_str().map(in_home));
        let absolute = path.map(|path| std::path::absolute(&path).unwrap_or(path));
        Some(absolute.ok_or_else(|| self.missing(name)))
    }

    /// A setting's value with everything filled in; texts stay texts, numbers numbers.
    pub(crate) fn value(&self, name: &str, item: Option<Item<'_>>) -> Result<Value, Missing> {
        self.deep(name, item, 0)
    }

    /// The same as text.
    pub(crate) fn text(&self, name: &str, item: Option<Item<'_>>) -> Result<String, Missing> {
        self.value(name, item).map(|value| as_text(&value))
    }

    fn deep(&self, name: &str, item: Option<Item<'_>>, depth: usize) -> Result<Value, Missing> {
        if let Some((_, item)) = item.filter(|(list, _)| *list == name) {
            return Ok(item.into());
        }
        if depth > MAX_DEPTH {
            return Err(Missing(format!("plugins.{}.{name} names itself", self.manifest.name)));
        }
        let (value, _) = self.get(name).ok_or_else(|| self.missing(name))?;
        match value.as_str().map(Template::parse) {
            Some(Ok(template)) => {
                let inner = |name: &str| Ok(as_text(&self.deep(name, item, depth + 1)?));
                template.fill(inner).map(Value::from)
            }
            _ => Ok(value),
        }
    }

    fn missing(&self, name: &str) -> Missing {
        let own = format!("plugins.{}.{name}", self.manifest.name);
        let from = self.manifest.setting(name).and_then(|setting| setting.from);
        Missing(match from {
            Some(key) => format!("neither {key} nor {own} is set"),
            None => format!("{own} is not set"),
        })
    }
}

/// A value from outside names settings that there are.
fn check_names(manifest: &Manifest, value: &Value) -> Result<(), String> {
    for name in super::setting::Setting::names(value)? {
        if manifest.setting(&name).is_none() {
            let known = manifest.settings.iter().map(|setting| setting.name.as_str());
            return Err(unknown("setting", &name, known));
        }
    }
    Ok(())
}

/// `~/` at the beginning of a path is the user's home.
fn in_home(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), std::env::var_os("HOME")) {
        (Some(rest), Some(home)) => PathBuf::from(home).join(rest),
        _ => PathBuf::from(path),
    }
}

fn as_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
