//! grafana/dashboards/*.json.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use lb_core::config::Format;
use serde_json::{Map, Value};

use super::files::{entries, read};
use super::mistakes::Mistakes;
use super::uid;

/// Where dashboards are, in a plugin's folder.
pub(crate) const FOLDER: &str = "grafana/dashboards";

/// By this lb knows what it has made.
pub(crate) const TAG: &str = "lb-log";

/// A dashboard.
#[derive(Clone, Debug)]
pub(crate) struct Dashboard {
    pub(crate) path: PathBuf,
    pub(crate) uid: String,
    pub(crate) title: String,
    /// As Grafana gets it: with our tag, without `id` and `version`.
    pub(crate) content: Map<String, Value>,
    /// The datasources that it refers to, by uid.
    pub(crate) datasources: BTreeSet<String>,
}

impl Dashboard {
    /// Reads those of a plugin's folder, by name.
    pub(crate) fn read_all(folder: &Path, mistakes: &mut Mistakes) -> Vec<Self> {
        let folder = folder.join(FOLDER);
        let paths = entries(&folder).unwrap_or_else(|why| {
            mistakes.file(&folder, why);
            Vec::new()
        });
        let mut dashboards = Vec::new();
        for path in paths {
            if path.extension() != Some(OsStr::new("json")) {
                mistakes.file(&path, "it is no dashboard: only .json files belong here");
                continue;
            }
            match read(&path).and_then(|bytes| Format::Json.read(&bytes)) {
                Ok(content) => dashboards.push(Self::read(&path, content, mistakes)),
                Err(why) => mistakes.file(&path, why),
            }
        }
        dashboards
    }

    fn read(path: &Path, mut content: Map<String, Value>, mistakes: &mut Mistakes) -> Self {
        let mut wrong = Vec::new();
        let mut needed = |name: &str| match content.get(name).and_then(Value::as_str) {
            Some(text) if !text.is_empty() => text.to_owned(),
            _ => {
                wrong.push(format!("{name}: expected text"));
                String::new()
            }
        };
        let (uid, title) = (needed("uid"), needed("title"));
        if let (false, Err(why)) = (uid.is_empty(), uid::check(&uid)) {
            wrong.push(why);
        }
        if content.shift_remove("id").is_some_and(|id| !id.is_null()) {
            wrong.push("id: a dashboard of one Grafana alone has it; take it away".to_owned());
        }
        content.shift_remove("version");
        let mut panels = Vec::new();
        ids(&content, &mut panels);
        panels.sort_unstable();
        if let Some([twice, _]) = panels.array_windows().find(|[a, b]| a == b) {
            wrong.push(format!("panels: two have the id {twice}"));
        }
        let mut datasources = BTreeSet::new();
        let variables = datasource_variables(&content);
        references(&Value::Object(content.clone()), &mut |reference| {
            check_reference(reference, &variables, &mut datasources, &mut wrong);
        });
        match content.entry("tags").or_insert_with(|| Value::Array(Vec::new())) {
            Value::Array(tags) if tags.iter().all(Value::is_string) => {
                if !tags.contains(&TAG.into()) {
                    tags.push(TAG.into());
                }
            }
            _ => wrong.push("tags: expected a list of texts".to_owned()),
        }
        wrong.dedup();
        for why in wrong {
            mistakes.file(path, why);
        }
        Self { path: path.to_owned(), uid, title, content, datasources }
    }
}

/// The ids of panels, those in rows included.
fn ids(of: &Map<String, Value>, found: &mut Vec<u64>) {
    for panel in of.get("panels").and_then(Value::as_array).into_iter().flatten() {
        if let Some(panel) = panel.as_object() {
            found.extend(panel.get("id").and_then(Value::as_u64));
            ids(panel, found);
        }
    }
}

/// The names of the variables that stand for a datasource.
fn datasource_variables(content: &Map<String, Value>) -> BTreeSet<String> {
    let list = content.get("templating").and_then(|templating| templating.get("list"));
    let variables = list.and_then(Value::as_array).into_iter().flatten();
    let of_type = variables.filter(|variable| variable["type"] == "datasource");
    of_type.filter_map(|variable| variable["name"].as_str()).map(str::to_owned).collect()
}

/// Every value that is called `datasource`.
fn references(value: &Value, with: &mut impl FnMut(&Value)) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| references(item, with)),
        Value::Object(map) => {
            for (name, value) in map {
                if name == "datasource" {
                    with(value);
                } else {
                    references(value, with);
                }
            }
        }
        _ => {}
    }
}

fn check_reference(
    reference: &Value,
    variables: &BTreeSet<String>,
    datasources: &mut BTreeSet<String>,
    wrong: &mut Vec<String>,
) {
    let uid = match reference {
        Value::Null => return,
        Value::Object(fields) => match fields.get("uid").and_then(Value::as_str) {
            Some(uid) => uid,
            None => return wrong.push(format!("datasource {reference}: it has no uid")),
        },
        _ => return wrong.push(format!("datasource {reference}: expected type and uid")),
    };
    let variable = uid.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    match variable.or_else(|| uid.strip_prefix('$')) {
        Some(name) if variables.contains(name) => {}
        Some(name) => {
            wrong.push(format!("datasource {uid}: no variable {name} of type datasource is there"));
        }
        // Grafana's own: annotations, mixed panels, results of other panels.
        None if uid == "grafana" || uid.starts_with("--") => {}
        None => {
            datasources.insert(uid.to_owned());
        }
    }
}
