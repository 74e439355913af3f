use super::super::access::{Authentication, Secret, SecretSource};
use super::super::loki::{Encoding, Endpoint};
use super::*;

fn loki(world: &World, json: &str) -> LokiConfig {
    world.config(json).loki.unwrap()
}

#[test]
fn without_an_endpoint_there_is_none() {
    let world = World::new(&[]);
    assert!(world.config(r#"{"loki": {"enabled": false, "tenant": "t"}}"#).loki.is_none());
    assert_eq!(
        world.mistakes(r#"{"loki": {"enabled": true}}"#),
        ["argument: loki.enabled: it needs loki.endpoint too"]
    );
}

#[test]
fn defaults() {
    let loki = loki(&World::new(&[]), r#"{"loki.endpoint": "http://loki:3100"}"#);
    assert!(!loki.enabled && loki.labels.is_empty() && loki.access.headers.is_empty());
    assert_eq!((loki.min_level, loki.encoding), (Level::Info, Encoding::Protobuf));
    assert_eq!((loki.batch_lines, loki.max_retries), (None, None));
    assert_eq!(loki.flush_interval, Duration::from_secs(1));
    assert_eq!(loki.timeout, Duration::from_secs(5));
    assert_eq!(loki.backoff_base, Duration::from_millis(500));
    assert!((loki.backoff_factor - 2.0).abs() < 1e-9);
    assert_eq!((loki.access.tenant, loki.access.authentication), (None, Authentication::None));
    assert_eq!(
        (loki.access.ca_file, loki.access.identity, loki.access.insecure_skip_verify),
        (None, None, false)
    );
}

#[test]
fn every_key_has_its_effect() {
    let world = World::new(&[("LB_LOKI_ENABLED", "1"), ("LB_LOKI_LABELS", "team=perf,empty=")]);
    let loki = loki(
        &world,
        r#"{"loki": {"endpoint": "https://gw/x/loki/api/v1/push", "min_level": "error",
            "encoding": "json", "batch_size": 7, "flush_interval_ms": 20, "timeout_seconds": 0.25,
            "max_retries": 3, "backoff_base": 0.1, "backoff_factor": 1.5, "tenant": "t",
            "username": "me", "password_file": "secret", "headers": {"X-A": "b"},
            "ca_file": "~/ca.pem", "cert_file": "/c.pem", "key_file": "k.pem",
            "insecure_skip_verify": true}}"#,
    );
    assert!(loki.enabled && loki.access.insecure_skip_verify);
    assert_eq!(loki.labels, [("team".to_owned(), "perf".to_owned())].into());
    assert_eq!((loki.min_level, loki.encoding), (Level::Error, Encoding::Json));
    assert_eq!((loki.batch_lines, loki.max_retries), (Some(7), Some(3)));
    assert_eq!(loki.flush_interval, Duration::from_millis(20));
    assert_eq!(loki.timeout, Duration::from_millis(250));
    assert_eq!(loki.backoff_base, Duration::from_millis(100));
    assert!((loki.backoff_factor - 1.5).abs() < 1e-9);
    assert_eq!(loki.access.tenant.as_deref(), Some("t"));
    let (cwd, home) = (&world.around.cwd, world.around.home.clone().unwrap());
    let password = SecretSource::File(cwd.join("secret"));
    assert_eq!(
        loki.access.authentication,
        Authentication::Basic { user: "me".to_owned(), password }
    );
    assert_eq!(loki.access.headers, [("X-A".to_owned(), Secret::new("b"))]);
    assert_eq!(loki.access.ca_file, Some(home.join("ca.pem")));
    assert_eq!(loki.access.identity, Some(("/c.pem".into(), cwd.join("k.pem"))));
}

#[test]
fn a_token_is_a_value_a_file_or_a_variable() {
    let endpoint = ("LB_LOKI_ENDPOINT", "http://l");
    for (env, expected) in [
        (("LB_LOKI_BEARER_TOKEN", "abc"), SecretSource::Value(Secret::new("abc"))),
        (("LB_LOKI_BEARER_TOKEN_FILE", "/t"), SecretSource::File("/t".into())),
    ] {
        let loki = loki(&World::new(&[endpoint, env]), "");
        assert_eq!(loki.access.authentication, Authentication::Bearer(expected));
    }
}

#[test]
fn endpoints() {
    for (text, push, query) in [
        (
            "http://loki:3100",
            "http://loki:3100/loki/api/v1/push",
            Some("http://loki:3100/loki/api/v1/query_range"),
        ),
        (
            "https://loki/?a=b#c",
            "https://loki/loki/api/v1/push?a=b",
            Some("https://loki/loki/api/v1/query_range?a=b"),
        ),
        (
            "http://gw/eu/loki/api/v1/push",
            "http://gw/eu/loki/api/v1/push",
            Some("http://gw/eu/loki/api/v1/query_range"),
        ),
        (
            "http://loki/api/prom/push",
            "http://loki/api/prom/push",
            Some("http://loki/loki/api/v1/query_range"),
        ),
        ("http://[::1]:3100/in", "http://[::1]:3100/in", None),
    ] {
        let (endpoint, user) = Endpoint::parse(text).unwrap();
        assert_eq!(endpoint.push().as_str(), push, "{text}");
        assert_eq!(
            endpoint.beside("query_range").as_ref().map(reqwest::Url::as_str),
            query,
            "{text}"
        );
        assert_eq!(user, None);
    }
    let world = World::new(&[("LB_LOKI_ENDPOINT", "http://loki:99999/hunter2")]);
    assert_eq!(
        world.mistakes(""),
        ["LB_LOKI_ENDPOINT: loki.endpoint: it is no URL: invalid port number"]
    );
}

#[test]
fn a_user_in_the_endpoint_is_authentication() {
    let world = World::new(&[("LB_LOKI_ENDPOINT", "http://m%40e:hunter%32%2@loki/")]);
    let config = loki(&world, "");
    assert_eq!(config.endpoint.push().as_str(), "http://loki/loki/api/v1/push");
    let password = SecretSource::Value(Secret::new("hunter2%2"));
    assert_eq!(
        config.access.authentication,
        Authentication::Basic { user: "m@e".to_owned(), password }
    );
    assert_eq!(
        world.mistakes(r#"{"loki.bearer_token": "hunter3"}"#),
        [
            "LB_LOKI_ENDPOINT: loki.endpoint: it holds a user, and the block has an authentication of \
          its own; keep one"
        ]
    );
}

#[test]
fn labels_that_streams_have_already() {
    let world = World::new(&[("LB_LOKI_ENDPOINT", "http://l")]);
    assert_eq!(
        world.mistakes(r#"{"loki.labels": {"host": "x", "__shard": "y", "team": "z"}}"#),
        [
            "argument: loki.labels: __shard: names that begin with __ are Loki's own; take another \
             name",
            "argument: loki.labels: host: every stream has this label from its records; take \
             another name",
        ]
    );
}

#[test]
fn warnings() {
    let world = World::new(&[("LB_LOKI_ENDPOINT", "https://l")]);
    assert!(world.config(r#"{"loki.insecure_skip_verify": false}"#).warnings.is_empty());
    let config = r#"{"loki": {"insecure_skip_verify": true, "max_queue_size": 5}}"#;
    assert_eq!(
        world.config(config).warnings,
        [
            "loki.max_queue_size (argument): no effect: the log file is the queue",
            "loki.insecure_skip_verify (argument): any certificate is accepted, so anyone on the \
             way can read what is sent; for tests only",
        ]
    );
}

#[test]
fn secrets_are_in_no_debug_and_no_message() {
    let endpoint = "http://me:hunter2@loki/push?token=hunter2";
    for (env, json) in [
        (&[("LB_LOKI_ENDPOINT", endpoint)][..], "{}"),
        (&[("LB_LOKI_ENDPOINT", "http://l"), ("LB_LOKI_BEARER_TOKEN", "hunter2")], "{}"),
        (
            &[("LB_LOKI_ENDPOINT", "http://l"), ("LB_LOKI_PASSWORD", "hunter2")],
            r#"{"loki": {"username": "me", "headers": {"A": "hunter2"}}}"#,
        ),
        // Mistakes: two authentications; a password without its user; no URL.
        (
            &[("LB_LOKI_ENDPOINT", endpoint), ("LB_LOKI_BEARER_TOKEN", "hunter2")],
            r#"{"loki": {"password": "hunter2"}}"#,
        ),
        (&[("LB_LOKI_ENDPOINT", "http://me:hunter2@lo ki")], r#"{"loki.headers": "hunter2"}"#),
        (&[("LB_LOKI_ENDPOINT", "http://me:hunter2@loki:99999")], r#"{"loki.enabled": true}"#),
    ] {
        let world = World::new(env);
        let all = match world.load(json) {
            Ok(config) => format!("{config:?}{:?}", config.loki),
            Err(error) => format!("{error}{error:?}"),
        };
        assert!(!all.contains("hunter"), "{all}");
    }
}
