//! `lb plugins list`.

use serde_json::{Value, json};

use super::mistakes::Mistakes;
use super::shelf::{Plugin, Shelf};
use super::values::{Own, Values};
use crate::Outcome;
use crate::args::Common;
use crate::say::{Say, near};
use crate::table::{Lean, Table};

pub(super) fn run(common: &Common, say: Say) -> anyhow::Result<Outcome> {
    let config = common.flags().load()?;
    let mut mistakes = Mistakes::default();
    let shelf = Shelf::read(&config, &mut mistakes);
    let values = shelf.values(&config, &Own::of(&config), &mut mistakes);
    if say.wants_json() {
        let plugins: Vec<Value> =
            shelf.0.iter().zip(&values).map(|(p, v)| document(p, v)).collect();
        say.document(&json!({"plugins": plugins, "mistakes": mistakes.0}))?;
    } else {
        say.data(&overview(&shelf, &values))?;
        if say.is_verbose() {
            say.data(&settings(&shelf, &values))?;
        }
    }
    for mistake in &mistakes.0 {
        say.mistake(mistake);
    }
    if shelf.0.is_empty() {
        say.remark("no plugins here; `lb plugins init NAME` writes one to start with");
        return Ok(Outcome::Partly);
    }
    Ok(if mistakes.0.is_empty() { Outcome::Done } else { Outcome::Partly })
}

fn overview(shelf: &Shelf, values: &[Values]) -> String {
    let mut table = Table::new(&[
        ("PLUGIN", Lean::Left),
        ("VERSION", Lean::Left),
        ("USED", Lean::Left),
        ("DATASOURCES", Lean::Right),
        ("DASHBOARDS", Lean::Right),
        ("FROM", Lean::Left),
        ("ABOUT", Lean::Left),
    ]);
    for (plugin, values) in shelf.0.iter().zip(values) {
        let used = if values.is_enabled() { "yes" } else { "no" };
        let from = if plugin.shipped { "lb".to_owned() } else { near(&plugin.folder) };
        table.row(&[
            plugin.manifest.name.clone(),
            plugin.manifest.version.clone(),
            used.to_owned(),
            plugin.datasources.len().to_string(),
            plugin.dashboards.len().to_string(),
            from,
            plugin.manifest.description.clone(),
        ]);
    }
    table.text()
}

fn settings(shelf: &Shelf, values: &[Values]) -> String {
    let left = |name| (name, Lean::Left);
    let mut table = Table::new(&["SETTING", "VALUE", "SOURCE", "TYPE", "MEANING"].map(left));
    for (plugin, values) in shelf.0.iter().zip(values) {
        for setting in &plugin.manifest.settings {
            let (value, source) = values.get(&setting.name).unzip();
            table.row(&[
                format!("plugins.{}.{}", plugin.manifest.name, setting.name),
                value.map_or_else(|| "-".to_owned(), |value| shown(&value)),
                source.unwrap_or_else(|| "default".to_owned()),
                setting.kind.name().to_owned(),
                setting.description.clone(),
            ]);
        }
    }
    format!("\n{}", table.text())
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) if items.is_empty() => "-".to_owned(),
        Value::Array(items) => items.iter().map(shown).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

fn document(plugin: &Plugin, values: &Values) -> Value {
    let manifest = &plugin.manifest;
    let setting = |setting: &super::setting::Setting| {
        let (value, source) = values.get(&setting.name).unzip();
        json!({
            "name": setting.name,
            "type": setting.kind.name(),
            "value": value,
            "source": source,
            "default": setting.default,
            "from": setting.from,
            "description": setting.description,
        })
    };
    json!({
        "name": manifest.name,
        "version": manifest.version,
        "description": manifest.description,
        "folder": plugin.folder,
        "ships_with_lb": plugin.shipped,
        "used": values.is_enabled(),
        "datasources": plugin.datasources.iter().map(super::datasource::Declared::uid).collect::<Vec<_>>(),
        "dashboards": plugin.dashboards.iter().map(|d| &d.uid).collect::<Vec<_>>(),
        "settings": manifest.settings.iter().map(setting).collect::<Vec<_>>(),
    })
}
