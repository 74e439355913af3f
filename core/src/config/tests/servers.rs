//! The keys of servers: secrets, what excludes what, and what needs what.

use super::*;

#[test]
fn combinations_that_cannot_be_meant() {
    for (env, toml, expected) in [
        (
            &[][..],
            "[loki]\nbearer_token = 'hunter2'\nbearer_token_file = '/t'",
            &["F: loki.bearer_token: given beside loki.bearer_token_file (F); keep one"][..],
        ),
        (
            &[("LB_GRAFANA_API_KEY", "hunter2"), ("LB_GRAFANA_API_KEY_FILE", "/k")],
            "",
            &["LB_GRAFANA_API_KEY: grafana.api_key: given beside grafana.api_key_file \
               (LB_GRAFANA_API_KEY_FILE); keep one"],
        ),
        (
            &[("LB_LOKI_USERNAME", "me")],
            "",
            &["LB_LOKI_USERNAME: loki.username: it needs loki.password or loki.password_file too"],
        ),
        (
            &[("LB_PROMETHEUS_PASSWORD_FILE", "/p")],
            "",
            &[
                "LB_PROMETHEUS_PASSWORD_FILE: prometheus.password_file: it needs prometheus.username too",
            ],
        ),
        (
            &[("LB_GRAFANA_API_KEY", "hunter2")],
            "grafana = {username = 'me', password = 'hunter2'}",
            &[
                "F: grafana.username: given beside grafana.api_key (LB_GRAFANA_API_KEY); keep one way \
               to authenticate",
            ],
        ),
        (
            &[],
            "[prometheus]\ncert_file = 'c'\n[loki]\nkey_file = 'k'",
            &[
                "F: loki.key_file: it needs loki.cert_file too",
                "F: prometheus.cert_file: it needs prometheus.key_file too",
            ],
        ),
        (
            &[("LB_LOKI_HEADERS", "X-A=hunter2, x-a=hunter2")],
            "prometheus.headers = {'a b' = 'hunter2'}\ngrafana.headers = {a = \"hunter2\\nB: c\"}",
            &[
                "F: grafana.headers: expected HTTP headers, name=value",
                "F: prometheus.headers: expected HTTP headers, name=value",
                "LB_LOKI_HEADERS: expected HTTP headers, name=value",
            ],
        ),
    ] {
        let world = World::new(env);
        let file = world.file("cwd/lb.toml", toml).display().to_string();
        let found: Vec<_> = world.mistakes("").iter().map(|m| m.replace(&file, "F")).collect();
        assert_eq!(found, expected, "{toml}");
    }
}

#[test]
fn a_secret_and_its_file_are_one_setting() {
    let toml = "[loki]\nusername = 'me'\npassword_file = '/low'\n[grafana]\napi_key = 'low'";
    for (env, json, set, unset) in [
        (&[][..], "{}", ("loki.password_file", json!("/low")), "loki.password"),
        (
            &[("LB_LOKI_PASSWORD", "high")],
            "{}",
            ("loki.password", json!("***")),
            "loki.password_file",
        ),
        (
            &[("LB_GRAFANA_API_KEY_FILE", "/high")],
            "{}",
            ("grafana.api_key_file", json!("/high")),
            "grafana.api_key",
        ),
        (
            &[("LB_LOKI_PASSWORD", "high")],
            r#"{"loki": {"password_file": "/top"}}"#,
            ("loki.password_file", json!("/top")),
            "loki.password",
        ),
    ] {
        let world = World::new(env);
        world.file("cwd/lb.toml", toml);
        let config = world.config(json);
        assert_eq!(shown(&config, set.0).0, &set.1);
        assert_eq!(shown(&config, unset), (&Value::Null, "default"));
    }
}

#[test]
fn every_key_of_a_server_is_taken_and_no_secret_is_shown() {
    let world = World::new(&[
        ("LB_LOKI_BEARER_TOKEN", "hunter2"),
        ("LB_GRAFANA_HEADERS", "A=hunter2,B=hunter2"),
    ]);
    world.file(
        "cwd/lb.yaml",
        "loki:\n  tenant: t\n  headers: {X-Key: hunter2}\n  ca_file: /ca\n  cert_file: /c\n  \
         key_file: /k\n  insecure_skip_verify: true\n  min_level: debug\n  encoding: json\n\
         grafana: {username: admin, password: hunter2}\n\
         prometheus: {url: 'http://p:9090', username: u, password_file: /p, tenant: t}\n\
         sync: always\nsync_interval_ms: 250\nretention_over_delivery: true\nplugins_dir: /plugins\n",
    );
    let config = world.config(r#"{"config": "lb.yaml"}"#);
    for (key, value) in [
        ("loki.bearer_token", json!("***")),
        ("loki.headers", json!({"X-Key": "***"})),
        ("grafana.headers", json!({"A": "***", "B": "***"})),
        ("grafana.password", json!("***")),
        ("prometheus.password_file", json!("/p")),
        ("loki.min_level", json!("DEBUG")),
        ("loki.encoding", json!("json")),
        ("sync", json!("always")),
        ("sync_interval_ms", json!(250)),
    ] {
        assert_eq!(shown(&config, key).0, &value, "{key}");
    }
    let all = format!("{}{config:?}", config.to_json());
    assert!(!all.contains("hunter2"), "{all}");
    for key in
        ["sync", "retention_over_delivery", "plugins_dir", "loki.headers", "grafana.password"]
    {
        let named = config.warnings[0].contains(&format!(" {key} ("));
        let later = KEYS.iter().any(|known| known.name == key && known.effect == Effect::Later);
        assert_eq!(named, later, "{key}: {:?}", config.warnings);
    }
}
