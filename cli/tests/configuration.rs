//! `lb config show`, `lb config check` and `lb config init`.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use serde_json::{Value, json};
use support::Lb;

fn row<'a>(text: &'a str, key: &str) -> Vec<&'a str> {
    let line = text.lines().find(|line| line.split_whitespace().next() == Some(key)).unwrap();
    line.split_whitespace().collect()
}

#[test]
fn show_says_where_each_value_comes_from() {
    let lb = Lb::new().env("LB_WORKLOAD", "w").env("LB_GRAFANA_API_KEY", "hunter2");
    lb.file(
        "lb.toml",
        "host = 'h'\nring_bytes = '64KiB'\nrun_id = 'r'\n[k6]\nmetrics_allow = ['a', 'b']\n",
    );
    let ran = lb.run("config show --output-dir out");
    assert_eq!(ran.code, 0);
    for (key, value, source) in [
        ("host", "h", "$F/lb.toml"),
        ("workload", "w", "LB_WORKLOAD"),
        ("output_dir", "out", "--output-dir"),
        ("scenario", "-", "default"),
        ("ring_bytes", "64KiB", "$F/lb.toml"),
        ("k6.metrics_allow", "a,b", "$F/lb.toml"),
        ("k6.flush_interval", "200ms", "default"),
        ("jsonl.log_rotate_bytes", "off", "default"),
        ("grafana.api_key", "***", "LB_GRAFANA_API_KEY"),
    ] {
        assert_eq!(row(&ran.stdout, key), [key, value, source]);
    }
    assert_eq!(ran.stderr, "log file: $F/out/r/logs/app-h.jsonl\n");
    assert_eq!(lb.run("config show -q").stderr, "");
    let verbose = lb.run("config show -v").stdout;
    assert!(verbose.contains("LB_RING_BYTES") && verbose.contains("a power of two"), "{verbose}");
}

#[test]
fn show_as_one_document() {
    let lb = Lb::new().env("LB_RUN_ID", "r").env("LB_HOST", "h");
    let ran = lb.run("config show --format json");
    let document: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(document["path"], "$F/benchmark_results/r/logs/app-h.jsonl");
    assert_eq!(document["values"]["host"], json!({"value": "h", "source": "LB_HOST"}));
    assert_eq!(document["values"]["ring_bytes"]["value"], 1_048_576);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
}

#[test]
fn show_helps_to_find_the_right_key() {
    let ran = Lb::new().env("LB_QQQQQQQQQ", "1").run("config show -v");
    assert_eq!(ran.code, 2);
    assert_eq!(
        ran.stderr,
        "error: LB_QQQQQQQQQ: unknown environment variable; `lb config show` lists all keys\n"
    );
    assert!(ran.stdout.contains("LB_RING_BYTES"));
}

#[test]
fn check_names_every_mistake() {
    let lb = Lb::new().env("LB_RING_BYTE", "1");
    lb.file("c/x.toml", "repetition = 0\nhots = 'h'\n");
    let ran = lb.run("config check --config c/x.toml");
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
    let mistakes = [
        "$F/c/x.toml: hots: unknown key; did you mean host?",
        "$F/c/x.toml: repetition: expected a whole number from 1 to 9223372036854775807, found 0",
        "LB_RING_BYTE: unknown environment variable; did you mean LB_RING_BYTES?",
    ];
    let mut lines: Vec<String> = mistakes.iter().map(|text| format!("error: {text}")).collect();
    lines.push("error: 3 mistakes; correct them where they are named and check again".to_owned());
    assert_eq!(ran.stderr.lines().collect::<Vec<_>>(), lines);
    let document: Value =
        serde_json::from_str(&lb.run("config check --config c/x.toml --format json").stdout)
            .unwrap();
    assert_eq!(document, json!({"ok": false, "mistakes": mistakes, "warnings": []}));
}

#[test]
fn check_says_what_has_no_effect_yet() {
    let lb = Lb::new().env("LB_LOG_JSON", "true").env("LB_RUN_ID", "r").env("LB_HOST", "h");
    let ran = lb.run("config check");
    assert_eq!(ran.code, 0);
    assert_eq!(
        ran.stdout,
        "no mistakes (no configuration file, environment only)\n\
         log file: $F/benchmark_results/r/logs/app-h.jsonl\n"
    );
    assert_eq!(ran.stderr, "warning: without effect in this version: log.json (LB_LOG_JSON)\n");
    lb.file("home/.config/lb/config.toml", "");
    let ran = lb.run("config check");
    assert!(
        ran.stdout.starts_with("no mistakes ($F/home/.config/lb/config.toml)\n"),
        "{}",
        ran.stdout
    );
    let ran = lb.run("config check --format json");
    let document: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(document["ok"], true);
    assert_eq!(document["warnings"].as_array().unwrap().len(), 1);
}

#[test]
fn a_named_file_must_exist() {
    let ran = Lb::new().run("config show --config none.toml");
    assert_eq!(ran.code, 2);
    assert!(
        ran.stderr.starts_with("error: $F/none.toml: cannot be read: No such file or directory"),
        "{}",
        ran.stderr
    );
}

#[test]
fn init_writes_a_file_that_loads_and_never_over_another() {
    let lb = Lb::new().env("LB_RUN_ID", "r").env("LB_HOST", "h");
    let ran = lb.run("config init");
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""));
    assert_eq!(
        ran.stderr,
        "lb.toml: written, every key commented out; `lb config check` checks what you change\n"
    );
    let fresh = std::fs::read_to_string(lb.path("lb.toml")).unwrap();
    let ran = lb.run("config check");
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    assert!(ran.stdout.starts_with("no mistakes ($F/lb.toml)\n"), "{}", ran.stdout);

    let mine = "host = 'mine'\nhots = 'a mistake does not matter here'\n";
    lb.file("lb.toml", mine);
    let ran = lb.run("config init");
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
    assert_eq!(
        ran.stderr,
        "error: lb.toml: exists already; --force replaces it, --output FILE takes another name\n"
    );
    assert_eq!(std::fs::read_to_string(lb.path("lb.toml")).unwrap(), mine);
    assert_eq!(lb.run("config init --force").code, 0);
    assert_eq!(std::fs::read_to_string(lb.path("lb.toml")).unwrap(), fresh);
    let ran = lb.run("config init --output -");
    assert_eq!((ran.code, ran.stdout, ran.stderr), (0, fresh, String::new()));
}

#[test]
fn init_says_why_it_cannot_write() {
    let lb = Lb::new();
    let dangling = lb.path("dangling.toml");
    std::os::unix::fs::symlink("/nonexistent/x.toml", &dangling).unwrap();
    for (arguments, expected) in [
        (
            "config init -o lb.yaml",
            "error: lb.yaml: what is written is TOML: take a name that ends in .toml, or - for stdout\n",
        ),
        (
            "config init -o no/lb.toml",
            "error: no/lb.toml: cannot be written: No such file or directory (os error 2)\n",
        ),
        (
            "config init -o dangling.toml",
            "error: dangling.toml: exists already; --force replaces it, --output FILE takes another name\n",
        ),
    ] {
        let ran = lb.run(arguments);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
        assert_eq!(ran.stderr, expected);
    }
}

#[test]
fn a_file_in_yaml() {
    let lb = Lb::new();
    lb.file("lb.yaml", "host: h\nloki:\n  endpoint: http://loki:3100\n");
    let ran = lb.run("config show --config lb.yaml");
    assert_eq!(row(&ran.stdout, "host"), ["host", "h", "$F/lb.yaml"]);
    lb.file("lb.yaml", "host: h\n---\nhost: i\n");
    let ran = lb.run("config check --config lb.yaml");
    assert_eq!(
        ran.stderr.lines().next(),
        Some(
            "error: $F/lb.yaml: line 2, column 1: a second document begins; a configuration is one"
        )
    );
}
