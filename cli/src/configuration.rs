//! `lb config show`, `lb config check` and `lb config init`.

use std::path::Path;

use anyhow::Context as _;
use lb_core::config::{self, Config, Effect, LokiConfig, Setting, Surroundings};
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

/// The configuration that the common flags, the environment and the file come to.
pub(crate) fn load(common: &Common) -> anyhow::Result<Config> {
    load_for(common, &[])
}

/// The same, with values of flags of one command: flag, key, value.
pub(crate) fn load_for(common: &Common, flags: &[(&str, &str, &str)]) -> anyhow::Result<Config> {
    Ok(config::load(&request(common, flags)?)?)
}

/// The Loki that the common flags, the environment and the file come to, whether programs push there
/// or not.
pub(crate) fn loki(common: &Common, say: Say) -> anyhow::Result<LokiConfig> {
    let config = load(common)?;
    for warning in config.warnings.iter().filter(|warning| warning.starts_with("loki.")) {
        say.warning(warning);
    }
    config.loki.context(
        "no Loki is configured: name it with --loki-endpoint URL, LB_LOKI_ENDPOINT, or loki.endpoint in lb.toml",
    )
}

/// The flags as the core's validator wants them.
fn request(common: &Common, flags: &[(&str, &str, &str)]) -> anyhow::Result<Vec<u8>> {
    let text = |path: &Path, flag: &str| {
        let text = path.to_str().map(str::to_owned);
        text.with_context(|| format!("{flag}: {}: the path is not UTF-8", path.display()))
    };
    let (mut request, mut layers) = (json!({}), Vec::new());
    if let Some(file) = &common.config {
        request["config"] = text(file, "--config")?.into();
    }
    if let Some(folder) = &common.output_dir {
        let values = json!({"output_dir": text(folder, "--output-dir")?});
        layers.push(json!({"source": "--output-dir", "rank": "argument", "values": values}));
    }
    if let Some(endpoint) = &common.loki_endpoint {
        let values = json!({"loki.endpoint": endpoint});
        layers.push(json!({"source": "--loki-endpoint", "rank": "argument", "values": values}));
    }
    for (flag, key, value) in flags {
        let values = json!({*key: value});
        layers.push(json!({"source": flag, "rank": "argument", "text": true, "values": values}));
    }
    request["layers"] = layers.into();
    Ok(request.to_string().into_bytes())
}

fn show(common: &Common, say: Say) -> anyhow::Result<Outcome> {
    let request = request(common, &[])?;
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
    let config = match config::load(&request(common, &[])?) {
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
