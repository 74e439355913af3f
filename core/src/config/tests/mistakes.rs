//! Every mistake is named with its source and key, all at once.

use super::*;

#[test]
fn mistakes_in_the_argument() {
    let world = World::new(&[]);
    for (json, expected) in [
        (r#"{"ring_byts": 1}"#, "argument: ring_byts: unknown key; did you mean ring_bytes?"),
        (
            r#"{"jsonl": {"log_pat": 1}}"#,
            "argument: jsonl.log_pat: unknown key; did you mean jsonl.log_path?",
        ),
        (r#"{"lokii": {"a": 1, "b": 2}}"#, "argument: lokii: unknown key; did you mean loki?"),
        (r#"{"jsonl": 1}"#, "argument: jsonl: expected a block of keys"),
        (
            r#"{"jsonl": {"log_backups": 1}, "jsonl.log_backups": 1}"#,
            "argument: jsonl.log_backups: given twice",
        ),
        (
            r#"{"repetition": 0}"#,
            "argument: repetition: expected a whole number from 1 to 9223372036854775807, found 0",
        ),
        (
            r#"{"repetition": -1}"#,
            "argument: repetition: expected a whole number from 1 to 9223372036854775807, found -1",
        ),
        (
            r#"{"repetition": 9223372036854775808}"#,
            "argument: repetition: expected a whole number from 1 to 9223372036854775807, found 9223372036854775808",
        ),
        (
            r#"{"repetition": "3"}"#,
            "argument: repetition: expected a whole number from 1 to 9223372036854775807, found \"3\"",
        ),
        (
            r#"{"component": ""}"#,
            "argument: component: expected text of 1 to 1024 bytes, found \"\"",
        ),
        (r#"{"host": ["h"]}"#, "argument: host: expected text of 1 to 1024 bytes, found [\"h\"]"),
        (
            r#"{"phase": "Run"}"#,
            "argument: phase: expected one of install, setup, run, teardown, collect, found \"Run\"",
        ),
        (
            r#"{"ring_bytes": 100000}"#,
            "argument: ring_bytes: expected a power of two from 64 KiB to 1 GiB, found 100000",
        ),
        (
            r#"{"jsonl.log_path": "x.log"}"#,
            "argument: jsonl.log_path: the file name must end in .jsonl, as in {component}-{host}.jsonl",
        ),
        (r#"{"config": 3}"#, "argument: config: expected a path, found 3"),
        (r#"{"config": ""}"#, "argument config: empty; name a file or leave it out"),
        (r#"{"layers": {}}"#, "argument: layers: expected a list of objects"),
        (r#"{"layers": [3]}"#, "argument: layers[0]: expected an object"),
        (r#"{"layers": [{"source": "x"}]}"#, "argument: layers[0]: source and rank must be given"),
        (
            r#"{"layers": [{"source": "x", "rank": "top"}]}"#,
            "argument: layers[0]: rank: expected default, file or argument, found top",
        ),
        (
            r#"{"layers": [{"source": "x", "rank": "file", "vals": {}}]}"#,
            "argument: layers[0]: vals: unknown field",
        ),
        (
            r#"{"layers": [{"source": "x", "rank": "file", "values": 3}]}"#,
            "argument: layers[0]: values: wrong type",
        ),
        (
            r#"{"layers": [{"source": "x", "rank": "file", "values": {"hots": "y"}}]}"#,
            "x: hots: unknown key; did you mean host?",
        ),
        (
            r#"{"layers": [{"source": "x", "rank": "file", "values": {"repetition": "3"}}]}"#,
            "x: repetition: expected a whole number from 1 to 9223372036854775807, found \"3\"",
        ),
        (
            r#"{"layers": [{"source": "env", "rank": "file", "text": true, "block": "k6", "env_prefix": "K6_LB_", "values": {"K6_LB_SAMPELS": "raw"}}]}"#,
            "env: K6_LB_SAMPELS: unknown environment variable; did you mean K6_LB_SAMPLES?",
        ),
        (
            r#"{"layers": [{"source": "env", "rank": "file", "text": true, "env_prefix": "K6_LB_", "values": {"LB_HOST": "x"}}]}"#,
            "env: LB_HOST: expected a name that begins with K6_LB_",
        ),
        ("[]", "the configuration: expected one JSON object"),
        (
            r#"{"host": "a", "host": "b"}"#,
            "the configuration: line 1, column 20: \"host\" is given twice in one block; keep one",
        ),
    ] {
        assert_eq!(world.mistakes(json), [expected], "{json}");
    }
    assert!(world.mistakes("{")[0].starts_with("the configuration: line 1, column 1: not JSON: "));
}

#[test]
fn mistakes_in_the_environment() {
    let world = World::new(&[
        ("LB_RING_BYTE", "1"),
        ("LB_REPETITION", "0"),
        ("LB_HOST", ""),
        ("LB_ON_FULL", "explode"),
        ("LB_GRAFANA_API_KEY", ""),
        ("LB_SOMETHING_ELSE_ENTIRELY", ""),
    ]);
    assert_eq!(
        world.mistakes(""),
        [
            "LB_RING_BYTE: unknown environment variable; did you mean LB_RING_BYTES?",
            "LB_REPETITION: expected a whole number from 1 to 9223372036854775807, found \"0\"",
            "LB_HOST: expected text of 1 to 1024 bytes, found \"\"",
            "LB_ON_FULL: expected one of wait, drop, found \"explode\"",
            "LB_GRAFANA_API_KEY: expected text",
            "LB_SOMETHING_ELSE_ENTIRELY: unknown environment variable; `lb config show` lists all keys",
        ]
    );
    let world = World::new(&[("LB_RUN_REPETITION", "none")]);
    assert_eq!(
        world.mistakes(""),
        [
            "LB_RUN_REPETITION: expected a whole number from 1 to 9223372036854775807, found \"none\""
        ]
    );
    let mut world = World::new(&[]);
    let bytes = OsStr::from_bytes(b"\xff").to_owned();
    for name in ["LB_HOST", "LB_RUN_WORKLOAD", "OTHER"] {
        world.around.env.push((name.into(), bytes.clone()));
    }
    world.around.env.push((OsStr::from_bytes(b"LB_\xff").to_owned(), "x".into()));
    assert_eq!(
        world.mistakes(""),
        [
            "LB_RUN_WORKLOAD: the value is not UTF-8",
            "LB_HOST: the value is not UTF-8",
            "LB_\u{fffd}: unknown environment variable; `lb config show` lists all keys",
        ]
    );
}

#[test]
fn variables_of_others_can_be_left_alone() {
    let mut world = World::new(&[
        ("LB_CONFIG_PATH", "/etc/runner.yaml"),
        ("LB_HOST", "node-2"),
        ("LB_RUN_STOP_FILE", "/tmp/stop"),
        ("OTHER", "x"),
    ]);
    world.around.env.push((OsStr::from_bytes(b"LB_\xff").to_owned(), "x".into()));
    world.around = world.around.tolerant();
    assert_eq!(world.config("").context.host, "node-2");
    assert_eq!(world.around.env.len(), 3);
    world.around.env.push(("LB_REPETITION".into(), "0".into()));
    assert_eq!(world.mistakes("").len(), 1, "a value that is wrong stays a mistake");
}

#[test]
fn mistakes_in_files() {
    let world = World::new(&[]);
    let folder = world.folder.path().display().to_string();
    for (name, text, expected) in [
        ("a.toml", "x = ", "a.toml: line 1, column 5: not TOML: "),
        ("a.toml", "\n[grafana]\napi_key = 'hunter2", "a.toml: line 3, column 19: not TOML: "),
        ("a.json", "[]", "a.json: expected one JSON object"),
        ("a.json", "{\"grafana\": {\"api_key\": hunter2", "a.json: line 1, column 25: not JSON: "),
        ("a.yaml", "grafana:\n  api_key: [hunter2", "a.yaml: line "),
        ("a.yaml", "\nhost: [hunter2]: x", "a.yaml: line 2, column "),
        (
            "a.yml",
            "host: a\nhost: b",
            "a.yml: line 2, column 1: \"host\" is given twice in one block; keep one",
        ),
        ("a.yml", "hots: a", "a.yml: hots: unknown key; did you mean host?"),
        ("a.yaml", "repetition: '3'", "a.yaml: repetition: expected a whole number"),
        (
            "a.json",
            "{\"host\": \"a\", \"host\": \"b\"}",
            "a.json: line 1, column 20: \"host\" is given twice in one block; keep one",
        ),
        ("a.ini", "", "a.ini: the file's name must end in .toml, .json, .yaml or .yml"),
        ("a.toml", "repetition = true", "a.toml: repetition: expected a whole number"),
        ("a.toml", "full_timeout_ms = nan", "a.toml: full_timeout_ms: expected a duration"),
        (
            "a.toml",
            "[jsonl]\nlog_pathh = ''",
            "a.toml: jsonl.log_pathh: unknown key; did you mean jsonl.log_path?",
        ),
        ("a.toml", "grafana.api_key = {hunter2 = 1}", "a.toml: grafana.api_key: expected text"),
    ] {
        let path = world.file(name, text);
        let mistakes = world.mistakes(&json!({"config": path}).to_string());
        assert!(mistakes[0].starts_with(&format!("{folder}/{expected}")), "{mistakes:?}");
        assert!(!mistakes.concat().contains("hunter2"), "{mistakes:?}");
    }
    for (config, parts) in [
        ("none.toml", ["/cwd/none.toml: cannot be read: No such file", "(argument config)"]),
        ("..", ["/cwd/..: cannot be read: Is a directory", ""]),
        ("/dev/zero", ["/dev/zero: more than 4194304 bytes", ""]),
    ] {
        let mistakes = world.mistakes(&json!({"config": config}).to_string());
        assert!(parts.iter().all(|part| mistakes[0].contains(part)), "{mistakes:?}");
    }
    let world = World::new(&[("LB_CONFIG", "none.toml")]);
    assert!(world.mistakes("")[0].ends_with("(LB_CONFIG)"));
    std::fs::create_dir(world.around.cwd.join("lb.toml")).unwrap();
    assert!(World::new(&[("LB_CONFIG", "")]).mistakes("")[0].starts_with("LB_CONFIG: empty"));
}

#[test]
fn all_mistakes_of_all_sources_at_once() {
    let world = World::new(&[("LB_RING_BYTE", "1")]);
    let file = world.file("cwd/lb.toml", "repetition = 0\nhots = 'x'");
    let file = file.display();
    let json = r#"{"workload": "", "layers": [
        {"source": "--out", "rank": "argument", "text": true, "values": {"min_level": "loud"}}]}"#;
    let settings = settings_despite_mistakes(json.as_bytes(), &world.around).unwrap();
    let of = |name: &str| settings.iter().find(|s| s.key.name == name).unwrap().value.clone();
    assert_eq!((of("workload"), of("repetition")), (json!("none"), json!(1)));
    assert_eq!(
        world.mistakes(json),
        [
            format!("{file}: hots: unknown key; did you mean host?"),
            format!("{file}: repetition: expected a whole number from 1 to 9223372036854775807, found 0"),
            "LB_RING_BYTE: unknown environment variable; did you mean LB_RING_BYTES?".to_owned(),
            "--out: min_level: expected one of TRACE, DEBUG, INFO, WARNING, ERROR, CRITICAL, found \"loud\"".to_owned(),
            "argument: workload: expected text of 1 to 1024 bytes, found \"\"".to_owned(),
        ]
    );
}

#[test]
fn a_mistake_in_a_layer_of_variables_names_the_variable() {
    let json = r#"{"layers": [{"source": "K6_LB_ environment", "rank": "argument", "text": true,
        "block": "k6", "env_prefix": "K6_LB_", "values": {"K6_LB_SAMPLES": "all"}}]}"#;
    let mistakes = World::new(&[]).mistakes(json);
    assert_eq!(mistakes.len(), 1);
    assert!(mistakes[0].starts_with("K6_LB_SAMPLES: expected one of"), "{}", mistakes[0]);
}
