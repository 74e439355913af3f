//! `configure --export DIR`: the same as provisioning files of Grafana.
//!
//! ```text
//! DIR/datasources/lb-log.yaml
//! DIR/dashboards/lb-log.yaml     leads to
//! DIR/dashboards/lb-log/*.json   the dashboards
//! ```

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::{Map, Value, json};

use super::session::{FOLDER, MARK};
use super::wanted::Plan;
use super::yaml;
use crate::Outcome;
use crate::plugins::datasource::{Datasource, Hidden};
use crate::say::{Say, near};
use crate::table::{Lean, Table};

const HEAD: &str = "# Written by lb provision loki-grafana configure --export; what is changed here is lost the next time.\n";

pub(super) fn run(
    plan: &Plan,
    folder: &Path,
    seen_as: Option<&str>,
    say: Say,
) -> anyhow::Result<Outcome> {
    let folder = std::path::absolute(folder).with_context(|| near(folder))?;
    let mut files: Vec<(PathBuf, String)> = Vec::new();
    let mut variables = BTreeSet::new();
    let datasources: Vec<Value> =
        plan.wanted.datasources.iter().map(|d| datasource(d, plan, &mut variables)).collect();
    let document = json!({"apiVersion": 1, "datasources": datasources});
    files.push((folder.join("datasources/lb-log.yaml"), head(&document)));
    let seen_as = seen_as.map_or_else(|| folder.display().to_string(), str::to_owned);
    let path = format!("{}/dashboards/lb-log", seen_as.trim_end_matches('/'));
    files.push((folder.join("dashboards/lb-log.yaml"), head(&provider(plan, &path))));
    let own = folder.join("dashboards/lb-log");
    for (_, dashboard) in &plan.wanted.dashboards {
        let text = format!("{:#}\n", Value::Object(dashboard.content.clone()));
        files.push((own.join(format!("{}.json", dashboard.uid)), text));
    }
    let written = write(&files, &own)?;
    tell(plan, &files, &written, &variables, say)
}

fn head(document: &Value) -> String {
    format!("{HEAD}{}", yaml::write(document))
}

fn provider(plan: &Plan, path: &str) -> Value {
    let mut provider = json!({
        "name": FOLDER,
        "folder": FOLDER,
        "folderUid": FOLDER,
        "type": "file",
        "disableDeletion": false,
        "allowUiUpdates": false,
        "options": {"path": escaped(path)},
    });
    if let Some(org) = plan.config.grafana.org_id {
        provider["orgId"] = org.into();
    }
    json!({"apiVersion": 1, "providers": [provider]})
}

/// A datasource as Grafana's files have it: secrets as the places that Grafana reads them from.
fn datasource(datasource: &Datasource, plan: &Plan, variables: &mut BTreeSet<String>) -> Value {
    let mut fields = datasource.fields.clone();
    let data = fields.entry("jsonData").or_insert_with(|| Map::new().into());
    data[MARK] = datasource.plugin.as_str().into();
    let mut value = escape(&Value::Object(fields));
    if let Some(org) = plan.config.grafana.org_id {
        value["orgId"] = org.into();
    }
    value["editable"] = false.into();
    for (name, secure) in &datasource.secure {
        let secret = match &secure.secret {
            None => String::new(),
            Some(Hidden::File(path)) => format!("$__file{{{}}}", path.display()),
            Some(Hidden::Value(_, variable)) => {
                variables.insert(variable.clone());
                format!("$__env{{{variable}}}")
            }
        };
        let (before, after) = (escaped(&secure.before), escaped(&secure.after));
        value["secureJsonData"][name] = format!("{before}{secret}{after}").into();
    }
    value
}

/// In Grafana's files a dollar begins a variable.
fn escaped(text: &str) -> String {
    text.replace('$', "$$")
}

fn escape(value: &Value) -> Value {
    match value {
        Value::String(text) => escaped(text).into(),
        Value::Array(items) => items.iter().map(escape).collect(),
        Value::Object(map) => {
            map.iter().map(|(name, value)| (name.clone(), escape(value))).collect()
        }
        other => other.clone(),
    }
}

/// Which files are new, which are changed, and which dashboards are gone.
struct Written {
    results: Vec<&'static str>,
    removed: Vec<PathBuf>,
}

fn write(files: &[(PathBuf, String)], own: &Path) -> anyhow::Result<Written> {
    let mut results = Vec::new();
    for (path, text) in files {
        let before = fs::read(path).ok();
        results.push(match &before {
            Some(before) if before == text.as_bytes() => "unchanged",
            Some(_) => "updated",
            None => "created",
        });
        if before.as_deref() != Some(text.as_bytes()) {
            write_one(path, text).with_context(|| format!("{}: cannot be written", near(path)))?;
        }
    }
    // The folder is ours alone: a dashboard that no plugin has any more would come back for ever.
    let mut removed = Vec::new();
    for entry in fs::read_dir(own).into_iter().flatten().flatten() {
        let path = entry.path();
        let is_json = path.extension().is_some_and(|ending| ending == "json");
        if is_json && !files.iter().any(|(ours, _)| *ours == path) {
            fs::remove_file(&path)
                .with_context(|| format!("{}: cannot be removed", near(&path)))?;
            removed.push(path);
        }
    }
    Ok(Written { results, removed })
}

/// Grafana may read at any moment: all of it or nothing.
fn write_one(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    // Grafana takes names that end in .json, .yaml or .yml.
    let temporary = path.with_extension("new");
    let written = fs::write(&temporary, text).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn tell(
    plan: &Plan,
    files: &[(PathBuf, String)],
    written: &Written,
    variables: &BTreeSet<String>,
    say: Say,
) -> anyhow::Result<Outcome> {
    let skipped = &plan.wanted.skipped;
    if say.wants_json() {
        let file = |((path, _), result): (&(PathBuf, String), &&str)| json!({"path": path, "result": result});
        let removed = written.removed.iter().map(|path| json!({"path": path, "result": "removed"}));
        say.document(&json!({
            "files": files.iter().zip(&written.results).map(file).chain(removed).collect::<Vec<_>>(),
            "skipped": skipped
                .iter()
                .map(|(plugin, s)| json!({"plugin": plugin, "uid": s.uid, "why": s.why}))
                .collect::<Vec<_>>(),
            "environment": variables,
        }))?;
    } else {
        let mut table = Table::new(&["FILE", "RESULT"].map(|name| (name, Lean::Left)));
        for ((path, _), result) in files.iter().zip(&written.results) {
            table.row(&[near(path), (*result).to_owned()]);
        }
        for path in &written.removed {
            table.row(&[near(path), "removed".to_owned()]);
        }
        say.data(&table.text())?;
    }
    for (_, skipped) in skipped {
        say.remark(&format!("datasource {}: skipped: {}", skipped.uid, skipped.why));
    }
    if !variables.is_empty() {
        let names = variables.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        say.remark(&format!("no secret is in the files: give Grafana in its environment {names}"));
    }
    say.remark(
        "make the folder Grafana's provisioning folder, or copy datasources and dashboards there",
    );
    Ok(Outcome::Done)
}
