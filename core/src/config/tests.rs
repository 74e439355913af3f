#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use super::*;
use crate::record::Context;

mod contexts;
mod grafana;
mod loki;
mod mistakes;
mod servers;
mod sources;
mod starting_file;

/// A folder of its own for files, and surroundings that touch nothing of this process.
struct World {
    folder: tempfile::TempDir,
    around: Surroundings,
}

impl World {
    fn new(env: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (cwd, home) = (folder.path().join("cwd"), folder.path().join("home"));
        std::fs::create_dir_all(&cwd).unwrap();
        std::fs::create_dir_all(home.join(".config/lb")).unwrap();
        let around = Surroundings {
            env: env.iter().map(|(n, v)| (n.into(), v.into())).collect(),
            cwd,
            home: Some(home),
            host: "node-1".to_owned(),
            started: UNIX_EPOCH + Duration::from_secs(1_795_342_272),
            pid: 42,
        };
        Self { folder, around }
    }

    fn file(&self, path: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(path);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn load(&self, json: &str) -> Result<Config> {
        load_with(json.as_bytes(), &self.around)
    }

    fn config(&self, json: &str) -> Config {
        self.load(json).unwrap_or_else(|e| panic!("{e}"))
    }

    /// The mistakes, one a line.
    fn mistakes(&self, json: &str) -> Vec<String> {
        match self.load(json) {
            Err(Error::Config(text)) => text.lines().map(str::to_owned).collect(),
            other => panic!("{other:?}"),
        }
    }
}

fn shown<'a>(config: &'a Config, key: &str) -> (&'a Value, &'a str) {
    let setting = config.settings.iter().find(|s| s.key.name == key).unwrap();
    (&setting.value, &setting.source)
}

#[test]
fn defaults() {
    let world = World::new(&[]);
    let config = world.config("");
    let context = Context {
        component: "app".to_owned(),
        host: "node-1".to_owned(),
        run_id: "run-20261122-101112".to_owned(),
        logger: "lb".to_owned(),
        event_type: "log".to_owned(),
        workload: "none".to_owned(),
        repetition: 1,
        scenario: None,
        package: None,
        plugin: None,
        tags: Map::new(),
    };
    assert_eq!(config.context, context);
    let path = "benchmark_results/run-20261122-101112/logs/app-node-1.jsonl";
    assert_eq!(config.log_path, world.around.cwd.join(path));
    assert_eq!(config.output_dir, world.around.cwd.join("benchmark_results"));
    assert_eq!(config.min_level, Level::Trace);
    assert_eq!(config.rotation, Rotation::default());
    let ring = RingConfig {
        dir: RingDir::Auto,
        bytes: 1 << 20,
        total_bytes: 32 << 20,
        on_full: OnFull::Wait,
        full_timeout: Duration::from_millis(100),
    };
    assert_eq!(config.ring, ring);
    assert_eq!(config.max_record_bytes, 256 << 10);
    assert_eq!(config.retention, RetentionConfig::default());
    assert_eq!(config.sync, SyncConfig { always: false, interval: Duration::from_secs(5) });
    assert!(config.warnings.is_empty());
    assert_eq!(config.settings.len(), KEYS.len());
    assert_eq!(shown(&config, "k6.summary_interval"), (&json!(10_000), "default"));
    assert_eq!(shown(&config, "jsonl.log_rotate_bytes"), (&json!(0), "default"));
    assert_eq!(shown(&config, "scenario"), (&Value::Null, "default"));
}

#[test]
fn the_default_run_has_the_calendars_date() {
    for (seconds, expected) in [
        (0, "run-19700101-000000"),
        (951_782_400, "run-20000229-000000"),
        (1_709_251_199, "run-20240229-235959"),
        (1_709_251_200, "run-20240301-000000"),
        (4_107_542_399, "run-21000228-235959"),
        (4_107_542_400, "run-21000301-000000"),
    ] {
        assert_eq!(run_id(UNIX_EPOCH + Duration::from_secs(seconds)), expected);
    }
}

#[test]
fn every_key_does_what_it_says() {
    let config = World::new(&[]).config(
        r#"{"component": "k6", "host": "h", "run_id": "r", "logger": "l", "workload": "w",
            "repetition": 3, "scenario": "s", "package": "p", "plugin": "q", "phase": "run",
            "output_dir": "/data/", "min_level": "info", "ring_dir": "shm", "ring_bytes": "64KiB",
            "ring_total_bytes": 131072, "on_full": "drop", "full_timeout_ms": 5,
            "max_record_bytes": 4096, "sync": "always", "sync_interval_ms": 250,
            "jsonl": {"log_rotate_bytes": "10MiB", "log_rotate_seconds": "1h", "log_backups": 3}}"#,
    );
    let context = &config.context;
    assert_eq!((context.component.as_str(), context.repetition), ("k6", 3));
    assert_eq!(context.scenario.as_deref(), Some("s"));
    assert_eq!(context.package.as_deref(), Some("p"));
    assert_eq!(context.plugin.as_deref(), Some("q"));
    assert_eq!(Value::Object(context.tags.clone()), json!({"phase": "run"}));
    assert_eq!(config.log_path, Path::new("/data/r/logs/k6-h.jsonl"));
    assert_eq!(config.min_level, Level::Info);
    assert_eq!(config.rotation.max_bytes, Some(10 << 20));
    assert_eq!(config.rotation.max_age, Some(Duration::from_hours(1)));
    let ring = RingConfig {
        dir: RingDir::Shm,
        bytes: 64 << 10,
        total_bytes: 128 << 10,
        on_full: OnFull::Drop,
        full_timeout: Duration::from_millis(5),
    };
    assert_eq!(config.ring, ring);
    assert_eq!(config.max_record_bytes, 4096);
    assert_eq!(config.sync, SyncConfig { always: true, interval: Duration::from_millis(250) });
    assert_eq!(config.retention, RetentionConfig { backups: Some(3), needs_delivery: false });
    let config = World::new(&[]).config(r#"{"ring_dir": "log"}"#);
    assert_eq!(config.ring.dir, RingDir::Log);
    let config = World::new(&[]).config(r#"{"ring_dir": "memory", "output_dir": "/"}"#);
    assert_eq!(config.ring.dir, RingDir::Memory);
    assert!(config.log_path.starts_with("/run-20261122-101112"), "{:?}", config.log_path);
}

#[test]
fn a_log_without_backups_is_never_rotated() {
    let config =
        World::new(&[]).config(r#"{"jsonl": {"log_rotate_bytes": "1MiB", "log_backups": 0}}"#);
    assert_eq!((config.rotation, config.retention.backups), (Rotation::default(), None));
    assert!(config.warnings.iter().any(|w| w.contains("never rotated")), "{:?}", config.warnings);
    assert!(World::new(&[]).config(r#"{"jsonl": {"log_backups": 0}}"#).warnings.is_empty());
}

#[test]
fn loki_holds_rotated_files_back_unless_told_otherwise() {
    for (json, needs_delivery) in [
        (r#"{"loki": {"enabled": true, "endpoint": "http://l"}}"#, true),
        (
            r#"{"loki.enabled": true, "loki.endpoint": "http://l", "retention_over_delivery": true}"#,
            false,
        ),
        (r#"{"retention_over_delivery": true}"#, false),
    ] {
        let retention = World::new(&[]).config(json).retention;
        assert_eq!(retention, RetentionConfig { backups: None, needs_delivery }, "{json}");
    }
}

#[test]
fn the_longest_record_fits_in_a_ring_and_in_a_segment() {
    let world = World::new(&[]);
    for (json, bytes, source) in [
        ("{}", 262_144, "default"),
        (r#"{"ring_bytes": 65536}"#, 16_384, "default (a quarter of ring_bytes)"),
        (
            r#"{"jsonl.log_rotate_bytes": 8192}"#,
            2_048,
            "default (a quarter of jsonl.log_rotate_bytes)",
        ),
        (r#"{"ring_bytes": 65536, "max_record_bytes": 16384}"#, 16_384, "argument"),
    ] {
        let config = world.config(json);
        assert_eq!(config.max_record_bytes, bytes, "{json}");
        assert_eq!(shown(&config, "max_record_bytes"), (&json!(bytes), source));
    }
    for (json, expected) in [
        (
            r#"{"ring_bytes": 65536, "max_record_bytes": 16385}"#,
            "argument: max_record_bytes: it must be at most a quarter of ring_bytes, that is 16 KiB",
        ),
        (
            r#"{"jsonl.log_rotate_bytes": "8KiB", "max_record_bytes": 4096}"#,
            "argument: max_record_bytes: it must be at most a quarter of jsonl.log_rotate_bytes, that is 2 KiB",
        ),
        (
            r#"{"ring_bytes": "64MiB"}"#,
            "argument: ring_bytes: it must be at most ring_total_bytes, which is not set: set it too",
        ),
        (
            r#"{"ring_total_bytes": "64KiB"}"#,
            "argument: ring_total_bytes: it must be at least ring_bytes",
        ),
    ] {
        assert_eq!(world.mistakes(json), [expected]);
    }
}

#[test]
fn paths() {
    let world = World::new(&[]);
    let home = world.around.home.clone().unwrap();
    for (json, expected) in [
        (r#"{"output_dir": "~/x", "run_id": "r"}"#, home.join("x/r/logs/app-node-1.jsonl")),
        (r#"{"jsonl.log_path": "~/{pid}.jsonl"}"#, home.join("42.jsonl")),
        (r#"{"jsonl.log_path": "a/{component}.jsonl"}"#, world.around.cwd.join("a/app.jsonl")),
    ] {
        assert_eq!(world.config(json).log_path, expected);
    }
    let config = world.config(r#"{"component": "../../etc/x", "output_dir": "/o", "run_id": "r"}"#);
    assert_eq!(config.context.component, "../../etc/x");
    assert_eq!(config.log_path.parent(), Some(Path::new("/o/r/logs")));
}

#[test]
fn secrets_are_never_shown() {
    let world = World::new(&[
        ("LB_GRAFANA_API_KEY", "hunter2"),
        ("LB_LOKI_ENDPOINT", "http://me:hunter2@loki:3100/x"),
    ]);
    let config = world.config("{}");
    let all = format!("{}{config:?}", config.to_json());
    assert!(!all.contains("hunter2"), "{all}");
    assert_eq!(shown(&config, "grafana.api_key"), (&json!("***"), "LB_GRAFANA_API_KEY"));
    assert_eq!(shown(&config, "loki.endpoint").0, &json!("http://***@loki:3100/x"));
}

#[test]
fn keys_without_effect_are_named_in_one_warning() {
    let world = World::new(&[("LB_LOG_JSON", "yes"), ("LB_LOG_LEVEL", "info")]);
    let warnings = world.config(r#"{"log.file": "f", "jsonl": {"log_backups": 3}}"#).warnings;
    assert_eq!(
        warnings,
        ["without effect in this version: log.level (LB_LOG_LEVEL), log.json (LB_LOG_JSON), \
          log.file (argument)"]
    );
}

#[test]
fn json_for_other_languages() {
    let world = World::new(&[("LB_K6_FLUSH_INTERVAL", "50ms")]);
    let json: Value = serde_json::from_str(&world.config(r#"{"run_id": "r"}"#).to_json()).unwrap();
    assert!(
        json["path"].as_str().unwrap().ends_with("/cwd/benchmark_results/r/logs/app-node-1.jsonl")
    );
    assert_eq!(
        json["values"]["k6.flush_interval"],
        json!({"value": 50, "source": "LB_K6_FLUSH_INTERVAL"})
    );
    assert_eq!(json["values"]["run_id"], json!({"value": "r", "source": "argument"}));
    assert_eq!(json["values"]["k6.metrics_allow"]["value"], json!([]));
    assert_eq!(json["warnings"], json!([]));
}

#[test]
fn this_process() {
    let around = Surroundings::of_process().unwrap();
    assert!(!around.host.is_empty() && around.cwd.is_absolute());
    assert_eq!(around.started, Surroundings::of_process().unwrap().started);
}
