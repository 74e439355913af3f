//! Contexts made while logging.

use super::*;

fn base() -> Context {
    World::new(&[])
        .config(
            r#"{"scenario": "s", "package": "p", "plugin": "q", "phase": "run", "run_id": "r"}"#,
        )
        .context
}

#[test]
fn what_is_missing_is_the_bases() {
    let base = base();
    assert_eq!(context(b"{}", &base).unwrap(), base);
    let json = br#"{"component": "k6", "repetition": 7, "scenario": null, "package": null,
        "plugin": "z", "event_type": "http_req", "logger": "",
        "tags": {"a": 1, "b": {"c": [1, "x"]}, "d": null, "e": 1.5, "f": true, "phase": 2, "truncated_bytes": 0}}"#;
    let made = context(json, &base).unwrap();
    assert_eq!((made.component.as_str(), made.host.as_str()), ("k6", "node-1"));
    assert_eq!((made.repetition, made.event_type.as_str()), (7, "http_req"));
    assert_eq!((made.scenario, made.package, made.plugin), (None, None, Some("z".to_owned())));
    assert_eq!(made.logger, "");
    assert_eq!(
        Value::Object(made.tags),
        json!({"phase": 2, "a": 1, "b": "{\"c\":[1,\"x\"]}", "d": null, "e": 1.5, "f": true, "truncated_bytes": 0})
    );
}

#[test]
fn what_breaks_the_schema_is_rejected() {
    let long = format!(r#"{{"host": "{}"}}"#, "x".repeat(1025));
    for (json, expected) in [
        (r#"{"component": ""}"#, "component: expected text of 1 to 1024 bytes, found 0 bytes"),
        (&long, "host: expected text of 1 to 1024 bytes, found 1025 bytes"),
        (r#"{"run_id": null}"#, "run_id: expected text, found null"),
        (r#"{"workload": 3}"#, "workload: expected text, found a number"),
        (r#"{"event_type": ""}"#, "event_type: expected text of 1 to 1024 bytes, found 0 bytes"),
        (r#"{"scenario": ""}"#, "scenario: expected text of 1 to 1024 bytes, found 0 bytes"),
        (
            r#"{"repetition": 0}"#,
            "repetition: expected a whole number from 1 to 9223372036854775807, found 0",
        ),
        (
            r#"{"repetition": -3}"#,
            "repetition: expected a whole number from 1 to 9223372036854775807, found -3",
        ),
        (
            r#"{"repetition": 1.0}"#,
            "repetition: expected a whole number from 1 to 9223372036854775807, found 1.0",
        ),
        (
            r#"{"repetition": 9223372036854775808}"#,
            "repetition: expected a whole number from 1 to 9223372036854775807, found 9223372036854775808",
        ),
        (
            r#"{"repetition": "3"}"#,
            "repetition: expected a whole number from 1 to 9223372036854775807, found text",
        ),
        (r#"{"level": "INFO"}"#, "level: unknown field of a context"),
        (r#"{"tags": []}"#, "tags: expected an object, found a list"),
        ("[]", "the context must be one JSON object"),
        (
            r#"{"host": 1, "repetition": 0}"#,
            "host: expected text, found a number\nrepetition: expected a whole number from 1 to 9223372036854775807, found 0",
        ),
    ] {
        match context(json.as_bytes(), &base()) {
            Err(Error::Rejected(why)) => assert_eq!(why, expected, "{json}"),
            other => panic!("{json}: {other:?}"),
        }
    }
    for json in [&b""[..], b"{", b"\xff", b"{\"tags\": {\"a\": 1e999}}"] {
        assert!(matches!(context(json, &base()), Err(Error::Rejected(_))));
    }
}
