//! `lb status` and `lb drain` over files that lie there.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use serde_json::Value;
use support::Lb;

fn lines(count: u32) -> String {
    let line = |second| {
        format!(
            "{{\"timestamp\":\"2026-11-22T10:11:{second:02}.123456789Z\",\"level\":\"INFO\",\
             \"component\":\"k6\",\"host\":\"h\",\"run_id\":\"r\",\"logger\":\"l\",\"message\":\"m\",\
             \"event_type\":\"log\",\"workload\":\"none\",\"repetition\":1}}\n"
        )
    };
    (0..count).map(line).collect()
}

#[test]
fn a_runs_files() {
    let lb = Lb::new();
    lb.file("benchmark_results/r/logs/k6-h.jsonl", &(lines(3) + "{\"timest"));
    lb.file("benchmark_results/r/logs/k6-h.000001.jsonl", &lines(2));
    lb.file("benchmark_results/r/h/results.jsonl", "{\"not\": \"ours\"}\n");
    for run in ["", "latest", "r", "benchmark_results/r", "./benchmark_results/r/logs/k6-h.jsonl"] {
        let ran = lb.run(&format!("status {run} --format json"));
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{run}");
        let document: Value = serde_json::from_str(&ran.stdout).unwrap();
        let logs = document["logs"].as_array().unwrap();
        assert_eq!(logs.len(), 1, "{run}");
        assert_eq!(logs[0]["lines"], 5);
        assert_eq!(logs[0]["bytes"], lines(3).len() + lines(2).len());
        assert_eq!(logs[0]["last_timestamp"], "2026-11-22T10:11:02.123456789Z");
        assert_eq!(logs[0]["files"].as_array().unwrap().len(), 2);
        assert_eq!(logs[0]["queued"], 0);
    }
    let ran = lb.run("status");
    assert_eq!(ran.stderr, "benchmark_results/r:\n");
    let rows: Vec<Vec<&str>> =
        ran.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    let bytes = [lines(2).len().to_string(), lines(3).len().to_string()];
    assert_eq!(rows[1], ["logs/k6-h.000001.jsonl", "2", &bytes[0], "2026-11-22", "10:11:01Z"]);
    assert_eq!(
        rows[2],
        ["logs/k6-h.jsonl", "3", &bytes[1], "2026-11-22", "10:11:02Z", "0", "0", "0", "0"]
    );
}

#[test]
fn runs_are_found_by_their_raw_ids_and_latest_is_the_one_written_last() {
    let lb = Lb::new();
    lb.file("out/b/logs/k6-h.jsonl", &lines(1));
    std::thread::sleep(std::time::Duration::from_millis(20));
    lb.file("out/a/logs/k6-h.jsonl", &lines(2));
    lb.file("out/z-not-a-run/x.txt", "");
    let ran = lb.run("status --output-dir out");
    assert!(ran.stderr.contains("out/a:"), "{}", ran.stderr);
    let folder = lb_core::names::run_folder("a b\n");
    lb.file(&format!("out/{folder}/logs/k6-h.jsonl"), &lines(1));
    let output = lb.command("status --output-dir out").arg("a b\n").output().unwrap();
    assert_eq!(lb.ran(&output).code, 0);
}

#[test]
fn what_is_not_there() {
    let lb = Lb::new();
    lb.file("empty/x.txt", "");
    for (arguments, code, text) in [
        (
            "status",
            2,
            "error: $F/benchmark_results: no runs yet; name their folder with --output-dir",
        ),
        ("status r7", 2, "there is no run r7; name another, `latest`, a path"),
        (
            "status ./nope",
            2,
            "error: ./nope: cannot be read; name a run or an existing path: No such file",
        ),
        ("status empty/x.txt", 2, "error: empty/x.txt: this file is empty; name a"),
        ("status ./empty", 1, "./empty: no logs below it"),
        ("status --output-dir .", 2, "no runs yet"),
        ("drain nope", 2, "error: nope: this is no folder"),
        ("drain empty", 1, "empty: no logs below it"),
    ] {
        let ran = lb.run(arguments);
        assert_eq!(ran.code, code, "{arguments}: {}", ran.stderr);
        assert!(ran.stderr.contains(text), "{arguments}: {}", ran.stderr);
    }
}

#[test]
fn a_wrong_configuration_does_not_hinder_who_names_a_path() {
    let lb = Lb::new().env("LB_NONSENSE_OF_OTHERS", "1");
    lb.file("r/k6-h.jsonl", &lines(1));
    assert_eq!(lb.run("status ./r").code, 0);
    assert_eq!(lb.run("drain r").code, 0);
    assert_eq!(lb.run("status").code, 2);
}

#[test]
fn names_that_are_not_utf_8() {
    let lb = Lb::new();
    let name = OsStr::from_bytes(b"f\xff\x1b[2J");
    std::fs::create_dir(lb.path("out")).unwrap();
    std::fs::create_dir(lb.path("out").join(name)).unwrap();
    std::fs::write(lb.path("out").join(name).join("k6-h.jsonl"), lines(1)).unwrap();
    for arguments in ["drain", "status", "drain --format json", "status --format json"] {
        let output = lb.command(arguments).arg(lb.path("out")).output().unwrap();
        let ran = lb.ran(&output);
        assert_eq!(ran.code, 0, "{arguments}: {}", ran.stderr);
        assert!(!(ran.stdout + &ran.stderr).contains('\u{1b}'), "{arguments}");
    }
}

#[test]
fn draining_what_needs_none_is_done() {
    let lb = Lb::new();
    lb.file("benchmark_results/r/logs/k6-h.jsonl", &lines(1));
    let ran = lb.run("drain");
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""));
    assert_eq!(ran.stderr, "$F/benchmark_results: 1 log, nothing left to move\n");
    let document: Value =
        serde_json::from_str(&lb.run("drain benchmark_results --format json -q").stdout).unwrap();
    assert_eq!(document["records"], 0);
    assert_eq!(document["files"].as_array().unwrap().len(), 1);
}

#[test]
fn loki_has_columns_only_where_it_is_or_was_in_use() {
    let lb = Lb::new();
    lb.file("r/k6-h.jsonl", &lines(3));
    let ran = lb.run("status ./r");
    assert!(!ran.stdout.contains("ACKNOWLEDGED"), "{}", ran.stdout);
    let document: Value = serde_json::from_str(&lb.run("status ./r --format json").stdout).unwrap();
    assert_eq!(document["logs"][0]["loki"], Value::Null);

    let lb = lb.env("LB_LOKI_ENABLED", "true").env("LB_LOKI_ENDPOINT", "http://127.0.0.1:1");
    let ran = lb.run("status ./r");
    assert!(ran.stdout.lines().next().unwrap().ends_with("PENDING  PARKED  QUARANTINED  REPLAYED"));
    assert!(ran.stdout.lines().nth(1).unwrap().ends_with("  0"), "{}", ran.stdout);
    assert!(ran.stderr.ends_with("no process ships it now; `lb push` does\n"), "{}", ran.stderr);
    let document: Value = serde_json::from_str(&lb.run("status ./r --format json").stdout).unwrap();
    let loki = &document["logs"][0]["loki"];
    assert_eq!((&loki["pending"], &loki["shipper"]), (&3.into(), &Value::Null));
    assert_eq!(loki["endpoint"], "http://127.0.0.1:1/loki/api/v1/push");
}
