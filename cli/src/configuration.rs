//! `lb config show`, `lb config check` and `lb config init`.

use lb_core::config::{self, Effect, LokiConfig, Setting, Surroundings};
use lb_core::error::Error;
use serde_json::{Value, json};

use crate::args::{Common, ConfigCommand};
use crate::say::{Say, counted};
use crate::table::{Lean, Table};
use crate::{Outcome, init};

pub(crate) fn run(command: &ConfigCommand, common: &Common, say: Say) -> anyhow::Result<Outcome> {
    match command {
        ConfigCommand::Show => show(common, say),
        ConfigCommand::Check => check(common, say),
        ConfigCommand::Init { output, force } => init::run(output, *force, say),
    }
}

/// The Loki that the common flags, the environment and the file come to, whether programs push there
/// or not.
pub(crate) fn loki(common: &Common, say: Say) -> anyhow::Result<LokiConfig> {
    let (loki, warnings) = common.flags().loki()?;
    for warning in &warnings {
        say.warning(warning);
    }
    Ok(loki)
}

fn show(common: &Common, say: Say) -> anyhow::Result<Outcome> {
    let request = common.flags().request(&[])?;
    let config = match config::load(&request) {
        Ok(config) => config,
        Err(error) if say.wants_json() => return Err(error.into()),
        Err(error) => {
            // Whoever looks for the right name of a key needs the list most when one is wrong.
            let around = Surroundings::of_process()?;
            table(&config::settings_despite_mistakes(&request, &around)?, say)?;
            return Err(error.into());
        }
    };
    for warning in &config.warnings {
        say.warning(warning);
    }
    if say.wants_json() {
        let document: Value = serde_json::from_str(&config.to_json())?;
        say.document(&document)?;
        return Ok(Outcome::Done);
    }
    table(&config.settings, say)?;
    say.remark(&format!("log file: {}", config.log_path.display()));
    Ok(Outcome::Done)
}

fn table(settings: &[Setting], say: Say) -> anyhow::Result<()> {
    let left = |name| (name, Lean::Left);
    let mut table = if say.is_verbose() {
        Table::new(&["KEY", "VALUE", "SOURCE", "ENVIRONMENT", "MEANING"].map(left))
    } else {
        Table::new(&["KEY", "VALUE", "SOURCE"].map(left))
    };
    for setting in settings {
        let mut row = vec![setting.key.name.to_owned(), written(setting), setting.source.clone()];
        if say.is_verbose() {
            row.extend([setting.key.variable(), meaning(setting)]);
        }
        table.row(&row);
    }
    say.data(&table.text())
}

fn written(setting: &Setting) -> String {
    match (&setting.value, setting.key.is_secret()) {
        (Value::Null, _) => "-".to_owned(),
        (_, true) => "***".to_owned(),
        (value, false) => setting.key.kind.show(value),
    }
}

fn meaning(setting: &Setting) -> String {
    match setting.key.effect {
        Effect::Now => setting.key.doc.to_owned(),
        Effect::Later => format!("(no effect in this version) {}", setting.key.doc),
    }
}

fn check(common: &Common, say: Say) -> anyhow::Result<Outcome> {
    let config = match common.flags().load() {
        Ok(config) => config,
        Err(Error::Config(mistakes)) => {
            if say.wants_json() {
                let lines: Vec<&str> = mistakes.lines().collect();
                say.document(&json!({"ok": false, "mistakes": lines, "warnings": []}))?;
            }
            let count = counted(mistakes.lines().count() as u64, "mistake");
            anyhow::bail!("{mistakes}\n{count}; correct them where they are named and check again");
        }
        Err(other) => return Err(other.into()),
    };
    if say.wants_json() {
        say.document(&json!({"ok": true, "mistakes": [], "warnings": config.warnings}))?;
        return Ok(Outcome::Done);
    }
    let file = config.file.as_deref().map_or_else(
        || "no configuration file, environment only".to_owned(),
        |file| file.display().to_string(),
    );
    say.data(&format!("no mistakes ({file})\nlog file: {}\n", config.log_path.display()))?;
    for warning in &config.warnings {
        say.warning(warning);
    }
    Ok(Outcome::Done)
}
