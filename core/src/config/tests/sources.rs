//! Which source wins, and how each is written.

use super::*;

const LAYERS: &str = r#"{
    "layers": [
        {"source": "L argument", "rank": "argument", "values": {"workload": "argument"}},
        {"source": "L default", "rank": "default", "values": {"workload": "default"}},
        {"source": "L file", "rank": "file", "values": {"workload": "file"}},
        {"source": "L argument 2", "rank": "argument", "values": {"scenario": "last"}},
        {"source": "L argument 3", "rank": "argument", "values": {"scenario": "really"}}
    ]
}"#;

#[test]
fn each_source_is_over_the_ones_before_it() {
    let without = |ranks: &[&str]| {
        let mut json: Value = serde_json::from_str(LAYERS).unwrap();
        let layers = json["layers"].as_array_mut().unwrap();
        layers.retain(|layer| !ranks.contains(&layer["rank"].as_str().unwrap()));
        json.to_string()
    };
    let (plain, env) = (World::new(&[]), World::new(&[("LB_WORKLOAD", "env")]));
    let file = env.file("cwd/lb.toml", "workload = 'toml'");
    let file_alone = plain.file("cwd/lb.toml", "workload = 'toml'");
    let nothing = World::new(&[]);
    for (world, json, value, source) in [
        (&env, without(&[]), "argument", "L argument".to_owned()),
        (&env, without(&["argument"]), "env", "LB_WORKLOAD".to_owned()),
        (&plain, without(&["argument"]), "file", "L file".to_owned()),
        (&plain, without(&["argument", "file"]), "toml", file_alone.display().to_string()),
        (&nothing, without(&["argument", "file"]), "default", "L default".to_owned()),
        (&nothing, String::new(), "none", "default".to_owned()),
        (
            &env,
            LAYERS.replacen('{', r#"{"workload": "explicit","#, 1),
            "explicit",
            "argument".to_owned(),
        ),
    ] {
        let config = world.config(&json);
        assert_eq!(shown(&config, "workload"), (&json!(value), source.as_str()));
    }
    let config = nothing.config(LAYERS);
    assert_eq!(shown(&config, "scenario"), (&json!("really"), "L argument 3"));
    assert!(file.exists());
}

#[test]
fn the_file_is_the_first_that_is_found() {
    let world = World::new(&[]);
    world.file("home/.config/lb/config.toml", "workload = 'home'");
    let workload = |json: &str, world: &World| world.config(json).context.workload;
    assert_eq!(workload("{}", &world), "home");
    world.file("cwd/lb.toml", "workload = 'cwd'");
    assert_eq!(workload("{}", &world), "cwd");
    assert_eq!(world.config("").file, Some(world.around.cwd.join("lb.toml")));
    let mut world = world;
    world.file("cwd/named.json", r#"{"workload": "variable"}"#);
    world.around.env.push(("LB_CONFIG".into(), "named.json".into()));
    assert_eq!(workload("{}", &world), "variable");
    let path = world.file("x.toml", "\u{feff}workload = 'argument'");
    assert_eq!(workload(&json!({"config": path}).to_string(), &world), "argument");
    assert_eq!(workload(r#"{"config": "/dev/null"}"#, &world), "none");
}

#[test]
fn toml_json_and_yaml_say_the_same() {
    let world = World::new(&[]);
    let toml = world.file(
        "a.toml",
        "repetition = 2\nmin_level = 'warn'\nring_bytes = '128KiB'\n[jsonl]\nlog_rotate_seconds = 60\n\
         [k6]\nmetrics_allow = ['a', 'b']\nvu_iter = true\nstop_timeout = 1.5\n\
         [loki.labels]\nteam = 'x'\n",
    );
    let json = world.file(
        "a.json",
        r#"{"repetition": 2, "min_level": "warn", "ring_bytes": "128KiB",
            "jsonl.log_rotate_seconds": 60, "k6": {"metrics_allow": ["a", "b"], "vu_iter": true,
            "stop_timeout": 1.5}, "loki": {"labels": {"team": "x"}}, "host": null, "grafana": null}"#,
    );
    let yaml = world.file(
        "a.yml",
        "repetition: 2\nmin_level: warn\nring_bytes: 128KiB\njsonl.log_rotate_seconds: 60\n\
         k6:\n  metrics_allow: [a, b]\n  vu_iter: true\n  stop_timeout: 1.5\n\
         loki:\n  labels:\n    team: x\nhost:\ngrafana: ~\n",
    );
    let values = |path: &Path| {
        let config = world.config(&json!({"config": path}).to_string());
        config.settings.into_iter().map(|s| (s.key.name, s.value)).collect::<Vec<_>>()
    };
    assert_eq!(values(&toml), values(&json));
    assert_eq!(values(&toml), values(&yaml));
    let config = world.config(&json!({"config": toml}).to_string());
    assert_eq!(shown(&config, "k6.metrics_allow").0, &json!(["a", "b"]));
    assert_eq!(shown(&config, "k6.stop_timeout").0, &json!(1500));
    assert_eq!(shown(&config, "loki.labels").0, &json!({"team": "x"}));
    assert_eq!(shown(&config, "max_record_bytes").0, &json!(32768));
}

#[test]
fn the_environment() {
    let world = World::new(&[
        ("LB_RUN_ID", "r"),
        ("LB_RUN_HOST", "handed"),
        ("LB_RUN_WORKLOAD", "handed"),
        ("LB_WORKLOAD", "own"),
        ("LB_RUN_REPETITION", "3"),
        ("LB_RUN_TOKEN", "x"),
        ("LB_RUN_TOTAL_REPS", "3"),
        ("LB_SERVICE_HOST", "10.0.0.1"),
        ("LB_SERVICE_PORT_HTTP", "80"),
        ("LB_PORT", "tcp://10.0.0.1:80"),
        ("LB_PORT_80_TCP_ADDR", "10.0.0.1"),
        ("LB_LOKI_SERVICE_HOST", "10.0.0.1"),
        ("LB_LOKI_PORT_3100_TCP", "tcp://10.0.0.1:3100"),
        ("LB_K6_METRICS_DENY", "a, b"),
        ("LB_K6_VU_ITER", "yes"),
        ("LBX", "y"),
        ("OTHER", "y"),
    ]);
    let config = world.config("{}");
    for (key, value, source) in [
        ("run_id", json!("r"), "LB_RUN_ID"),
        ("host", json!("handed"), "LB_RUN_HOST"),
        ("workload", json!("own"), "LB_WORKLOAD"),
        ("repetition", json!(3), "LB_RUN_REPETITION"),
        ("k6.metrics_deny", json!(["a", "b"]), "LB_K6_METRICS_DENY"),
        ("k6.vu_iter", json!(true), "LB_K6_VU_ITER"),
    ] {
        assert_eq!(shown(&config, key), (&value, source));
    }
    let world = World::new(&[("LB_RUN_HOST", "")]);
    assert_eq!(world.config("{}").context.host, "node-1");
}

#[test]
fn layers_in_the_words_of_k6() {
    let json = r#"{"layers": [
        {"source": "K6_LB_ environment", "rank": "argument", "text": true, "env_prefix": "K6_LB_",
         "block": "k6", "values": {"K6_LB_SAMPLES": "raw", "K6_LB_RING_BYTES": "2MiB",
         "K6_LB_JSONL_LOG_ROTATE_BYTES": "off"}},
        {"source": "--out", "rank": "argument", "text": true, "block": "k6",
         "values": {"flush_interval": "1", "metrics_allow": "a,b", "loki.endpoint": "http://l",
                    "repetition": "4"}}
    ]}"#;
    let config = World::new(&[]).config(json);
    for (key, value, source) in [
        ("k6.samples", json!("raw"), "K6_LB_SAMPLES"),
        ("ring_bytes", json!(2 << 20), "K6_LB_RING_BYTES"),
        ("k6.flush_interval", json!(1000), "--out"),
        ("k6.metrics_allow", json!(["a", "b"]), "--out"),
        ("loki.endpoint", json!("http://l"), "--out"),
        ("repetition", json!(4), "--out"),
    ] {
        assert_eq!(shown(&config, key), (&value, source));
    }
}

#[test]
fn the_blocks_of_existing_json_files() {
    let world = World::new(&[]);
    let path = world.file(
        "campaign.json",
        r#"{"loki": {"enabled": true, "endpoint": "http://loki:3100", "labels": {"team": "perf"},
            "batch_size": 100, "flush_interval_ms": 1000, "timeout_seconds": 5.0, "max_retries": 3,
            "max_queue_size": 10000, "backoff_base": 0.5, "backoff_factor": 2.0},
            "grafana": {"enabled": true, "url": "http://grafana:3000", "api_key": null,
            "org_id": 1}}"#,
    );
    let config = world.config(&json!({"config": path}).to_string());
    for (key, value) in [
        ("loki.endpoint", json!("http://loki:3100")),
        ("loki.labels", json!({"team": "perf"})),
        ("loki.timeout_seconds", json!(5.0)),
        ("loki.max_queue_size", json!(10_000)),
        ("grafana.org_id", json!(1)),
        ("grafana.api_key", Value::Null),
    ] {
        assert_eq!(shown(&config, key).0, &value);
    }
    let queue = config.warnings.iter().find(|warning| warning.contains("loki.max_queue_size"));
    assert!(queue.is_some_and(|text| text.ends_with("no effect: the log file is the queue")));
}
