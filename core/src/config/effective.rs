//! From the values that won to a [`Config`]: what only shows when several keys are seen together.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value};

use super::keys::KEYS;
use super::units::show_size;
use super::values::{DEFAULT, Values};
use super::{
    Config, GrafanaConfig, OnFull, PrometheusConfig, RetentionConfig, RingConfig, RingDir,
    Rotation, Setting, Surroundings, SyncConfig, loki, servers,
};
use crate::names::{self, Names};
use crate::record::{Context, Level};

/// The configuration, or at least one mistake more in `values`.
pub(super) fn build(values: &mut Values, around: &Surroundings) -> Option<Config> {
    let log_path = log_path(values, around);
    check_sizes(values);
    servers::check(values);
    let loki = loki::build(values, around);
    let grafana = GrafanaConfig::build(values, around);
    let prometheus = PrometheusConfig::build(values, around);
    let log_path = log_path.filter(|_| values.mistakes.is_empty())?;
    let ms = |name: &str| Duration::from_millis(values.number(name));
    let rotation = rotation(values);
    let backups = values.get("jsonl.log_backups").map(|_| values.number("jsonl.log_backups"));
    let mut warnings: Vec<String> = values
        .without_effect()
        .into_iter()
        .chain(loki::warnings(values))
        .chain(servers::warnings(values))
        .collect();
    if backups == Some(0) && rotation != Rotation::default() {
        warnings.push(NEVER_ROTATED.to_owned());
    }
    Some(Config {
        context: context(values),
        output_dir: around.cwd.join(output_dir(values, around)),
        log_path,
        log_template: log_template(values, around),
        file: None,
        min_level: values.text("min_level").and_then(Level::from_name).unwrap_or(Level::Trace),
        rotation: if backups == Some(0) { Rotation::default() } else { rotation },
        retention: RetentionConfig {
            backups: backups.filter(|backups| *backups > 0),
            needs_delivery: values.flag("loki.enabled") && !values.flag("retention_over_delivery"),
        },
        sync: SyncConfig {
            always: values.text("sync") == Some("always"),
            interval: ms("sync_interval_ms"),
        },
        ring: RingConfig {
            dir: match values.text("ring_dir") {
                Some("shm") => RingDir::Shm,
                Some("log") => RingDir::Log,
                Some("memory") => RingDir::Memory,
                _ => RingDir::Auto,
            },
            bytes: values.number("ring_bytes"),
            total_bytes: values.number("ring_total_bytes"),
            on_full: match values.text("on_full") {
                Some("drop") => OnFull::Drop,
                _ => OnFull::Wait,
            },
            full_timeout: ms("full_timeout_ms"),
        },
        max_record_bytes: usize::try_from(values.number("max_record_bytes")).unwrap_or(usize::MAX),
        loki,
        grafana,
        prometheus,
        plugins_dir: around
            .cwd
            .join(expand(values.text("plugins_dir").unwrap_or_default(), around)),
        plugins: values
            .get("plugins")
            .and_then(|given| given.value.as_object().cloned())
            .unwrap_or_default(),
        ssh: values.text("collect.ssh").unwrap_or_default().to_owned(),
        settings: settings(values),
        warnings,
    })
}

/// What it means to keep no rotated file: to delete each as soon as it is there would lose it.
const NEVER_ROTATED: &str = "jsonl.log_backups is 0: no rotated file is to be kept, so the log is \
    never rotated (as Python's RotatingFileHandler does it); set it to 1 or more, or leave it out to \
    keep all";

fn rotation(values: &Values) -> Rotation {
    let off = |name: &str| Some(values.number(name)).filter(|n| *n > 0);
    Rotation {
        max_bytes: off("jsonl.log_rotate_bytes"),
        max_age: off("jsonl.log_rotate_seconds").map(Duration::from_secs),
    }
}

fn context(values: &Values) -> Context {
    let text = |name: &str| values.text(name).unwrap_or_default().to_owned();
    let optional = |name: &str| values.text(name).map(str::to_owned);
    let mut tags = Map::new();
    if let Some(phase) = optional("phase") {
        tags.insert("phase".to_owned(), phase.into());
    }
    Context {
        component: text("component"),
        host: text("host"),
        run_id: text("run_id"),
        logger: text("logger"),
        event_type: "log".to_owned(),
        workload: text("workload"),
        repetition: values.number("repetition"),
        scenario: optional("scenario"),
        package: optional("package"),
        plugin: optional("plugin"),
        tags,
    }
}

/// `~/` at the beginning of a path is the user's home.
pub(super) fn expand(path: &str, around: &Surroundings) -> String {
    let home = around.home.as_ref().and_then(|home| home.to_str());
    match (path.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => format!("{home}/{rest}"),
        _ => path.to_owned(),
    }
}

fn output_dir(values: &Values, around: &Surroundings) -> String {
    let path = expand(values.text("output_dir").unwrap_or_default(), around);
    match path.trim_end_matches('/') {
        "" if !path.is_empty() => "/.".to_owned(),
        trimmed => trimmed.to_owned(),
    }
}

fn log_path(values: &mut Values, around: &Surroundings) -> Option<PathBuf> {
    let text = |name: &str| values.text(name).unwrap_or_default();
    let names = Names {
        output_dir: &output_dir(values, around),
        run_id: text("run_id"),
        component: text("component"),
        host: text("host"),
        pid: around.pid,
    };
    match names::resolve(&expand(text("jsonl.log_path"), around), &names) {
        Ok(path) => Some(around.cwd.join(path)),
        Err(why) => {
            let source = values.source("jsonl.log_path").to_owned();
            values.mistake(&source, format!("jsonl.log_path: {why}"));
            None
        }
    }
}

/// The template of the log's path, with the working folder of now before a relative one.
fn log_template(values: &Values, around: &Surroundings) -> String {
    let template = expand(values.text("jsonl.log_path").unwrap_or_default(), around);
    if template.starts_with('/') || template.starts_with("{output_dir}") {
        return template;
    }
    let folder = around.cwd.to_string_lossy().replace('{', "{{").replace('}', "}}");
    format!("{folder}/{template}")
}

/// The longest record must fit in a quarter of a ring and of a segment; the default shrinks to it.
fn check_sizes(values: &mut Values) {
    let ring = values.number("ring_bytes");
    if ring > values.number("ring_total_bytes") {
        let (name, other) = if values.is_set("ring_total_bytes") {
            ("ring_total_bytes", "at least ring_bytes")
        } else {
            ("ring_bytes", "at most ring_total_bytes, which is not set: set it too")
        };
        let source = values.source(name).to_owned();
        values.mistake(&source, format!("{name}: it must be {other}"));
    }
    let rotate = values.number("jsonl.log_rotate_bytes");
    let (holder, most) = match rotate {
        1.. if rotate < ring => ("jsonl.log_rotate_bytes", rotate / 4),
        _ => ("ring_bytes", ring / 4),
    };
    if values.number("max_record_bytes") <= most {
        return;
    }
    if values.is_set("max_record_bytes") {
        let source = values.source("max_record_bytes").to_owned();
        let most = show_size(most);
        values.mistake(
            &source,
            format!("max_record_bytes: it must be at most a quarter of {holder}, that is {most}"),
        );
    } else {
        values.shrink(
            "max_record_bytes",
            most.into(),
            format!("{DEFAULT} (a quarter of {holder})"),
        );
    }
}

pub(super) fn settings(values: &Values) -> Vec<Setting> {
    let setting = |key: &'static super::Key| {
        let value = values.get(key.name).map_or(Value::Null, |given| key.kind.hide(&given.value));
        Setting { key, value, source: values.source(key.name).to_owned() }
    };
    KEYS.iter().map(setting).collect()
}
