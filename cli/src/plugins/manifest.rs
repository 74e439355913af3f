//! plugin.toml: what a plugin is called, and its settings.

use std::path::Path;

use lb_core::config::Format;
use serde_json::Value;

use super::files::read;
use super::mistakes::{Mistakes, unknown};
use super::setting::{Setting, text};

/// The file that makes a folder a plugin.
pub(crate) const FILE: &str = "plugin.toml";

/// What plugin.toml says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Manifest {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) description: String,
    pub(crate) settings: Vec<Setting>,
}

impl Manifest {
    /// Reads the file of a plugin's folder; all that is wrong with it goes to `mistakes`.
    pub(crate) fn read(folder: &Path, mistakes: &mut Mistakes) -> Self {
        let path = folder.join(FILE);
        let fields = match read(&path).and_then(|bytes| Format::Toml.read(&bytes)) {
            Ok(fields) => fields,
            Err(why) => {
                mistakes.file(&path, why);
                return Self::default();
            }
        };
        let mut wrong = Vec::new();
        let known = ["name", "version", "description", "config"];
        for field in fields.keys().filter(|field| !known.contains(&field.as_str())) {
            wrong.push(unknown("key", field, known.into_iter()));
        }
        let mut needed = |name: &str| match text(&fields, name) {
            Ok(Some(text)) => text.to_owned(),
            Ok(None) => {
                wrong.push(format!("{name}: it is missing"));
                String::new()
            }
            Err(why) => {
                wrong.push(why);
                String::new()
            }
        };
        let (name, version) = (needed("name"), needed("version"));
        let description = needed("description");
        let of_folder = folder.file_name().map(|name| name.to_string_lossy().into_owned());
        if !name.is_empty() && !is_name(&name) {
            wrong.push(format!(
                "name: {name:?}: a name is made of a-z, 0-9 and -, and begins with a letter"
            ));
        } else if let Some(folder) = of_folder.filter(|folder| !name.is_empty() && *folder != name)
        {
            wrong.push(format!(
                "name: {name:?}, but its folder is called {folder:?}; give both one name"
            ));
        }
        let settings = match fields.get("config") {
            None => Vec::new(),
            Some(Value::Object(all)) => all
                .iter()
                .filter_map(|(name, value)| Setting::read(name, value, &mut wrong))
                .collect(),
            Some(_) => {
                wrong.push("config: expected tables, [config.NAME]".to_owned());
                Vec::new()
            }
        };
        check_names(&settings, &mut wrong);
        for why in wrong {
            mistakes.file(&path, why);
        }
        Self { name, version, description, settings }
    }

    /// A setting by its name.
    pub(crate) fn setting(&self, name: &str) -> Option<&Setting> {
        self.settings.iter().find(|setting| setting.name == name)
    }
}

/// Defaults name settings that there are.
fn check_names(settings: &[Setting], wrong: &mut Vec<String>) {
    let known = settings.iter().map(|setting| setting.name.as_str());
    for setting in settings {
        let Some(default) = &setting.default else { continue };
        let at = format!("config.{}: default", setting.name);
        match Setting::names(default) {
            Err(why) => wrong.push(format!("{at}: {why}")),
            Ok(names) => {
                for name in names.iter().filter(|name| !known.clone().any(|known| known == *name)) {
                    wrong.push(format!("{at}: {}", unknown("setting", name, known.clone())));
                }
            }
        }
    }
}

/// Whether it can be the name of a plugin.
pub(crate) fn is_name(name: &str) -> bool {
    name.len() <= 40
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}
