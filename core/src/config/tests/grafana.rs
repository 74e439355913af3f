use super::super::access::{Access, Authentication, Secret, SecretSource};
use super::*;

#[test]
fn without_a_word_there_is_none() {
    let config = World::new(&[]).config("");
    assert!(config.grafana.enabled && config.grafana.url.is_none() && config.plugins.is_empty());
    assert_eq!(config.grafana.timeout, Duration::from_secs(15));
    assert_eq!(config.grafana.access, Access::anonymous("grafana"));
    assert_eq!(config.prometheus.url, None);
    assert_eq!(config.prometheus.access, Access::anonymous("prometheus"));
}

#[test]
fn existing_json_files_keep_their_block() {
    let world = World::new(&[("LB_PROMETHEUS_URL", "http://me:hunter2@prometheus:9090/x/")]);
    world.file(
        "cwd/old.json",
        r#"{"grafana": {"enabled": true, "url": "http://g:3000/", "api_key": "glsa", "org_id": 2}}"#,
    );
    let config = world.config(r#"{"config": "old.json"}"#);
    assert_eq!(config.grafana.url.as_deref(), Some("http://g:3000"));
    assert_eq!(config.grafana.org_id, Some(2));
    let token = Authentication::Bearer(SecretSource::Value(Secret::new("glsa")));
    assert_eq!(config.grafana.access.authentication, token);
    assert_eq!(config.prometheus.url.as_deref(), Some("http://prometheus:9090/x"));
    let password = SecretSource::Value(Secret::new("hunter2"));
    let basic = Authentication::Basic { user: "me".to_owned(), password };
    assert_eq!(config.prometheus.access.authentication, basic);
    assert!(!format!("{config:?}{}", config.to_json()).contains("hunter2"));
}

#[test]
fn mistakes() {
    let world = World::new(&[
        ("LB_GRAFANA_URL", "http://g:99999"),
        ("LB_PROMETHEUS_URL", "http://me:hunter2@p"),
        ("LB_PROMETHEUS_BEARER_TOKEN", "hunter2"),
        ("LB_PLUGINS", "[1]"),
    ]);
    assert_eq!(
        world.mistakes(r#"{"plugins": {"dfaas": 1}}"#),
        [
            "LB_PLUGINS: expected a block of settings for each name, found \"[1]\"",
            "argument: plugins: expected a block of settings for each name, found {\"dfaas\":1}",
            "LB_GRAFANA_URL: grafana.url: it is no URL: invalid port number",
            "LB_PROMETHEUS_URL: prometheus.url: it holds a user, and the block has an \
             authentication of its own; keep one",
        ]
    );
}

#[test]
fn settings_of_plugins_are_handed_on_as_they_are() {
    let world = World::new(&[]);
    let toml = "[plugins.dfaas]\nhosts = ['a', 'b']\nurl = 'http://me:hunter2@h/'";
    world.file("cwd/lb.toml", toml);
    let config = world.config("");
    assert_eq!(config.plugins["dfaas"]["hosts"], json!(["a", "b"]));
    assert_eq!(config.plugins["dfaas"]["url"], json!("http://me:hunter2@h/"));
    let shown = shown(&config, "plugins").0;
    assert_eq!(shown["dfaas"]["url"], json!("http://***@h/"));
    let world = World::new(&[("LB_PLUGINS", r#"{"own": {"x": 1}}"#)]);
    assert_eq!(world.config("").plugins["own"]["x"], json!(1));
}

#[test]
fn any_certificate_is_warned_of() {
    let world = World::new(&[("LB_GRAFANA_INSECURE_SKIP_VERIFY", "true")]);
    let warnings = world.config("").warnings;
    assert!(warnings[0].starts_with("grafana.insecure_skip_verify (LB_"), "{warnings:?}");
}
