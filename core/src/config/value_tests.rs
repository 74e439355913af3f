#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use serde_json::json;

const SIZE: Kind = Kind::Size { min: 1024, max: 1 << 30, off: false };
const SIZE_OR_OFF: Kind = Kind::Size { min: 1024, max: 1 << 30, off: true };
const POWER: Kind = Kind::PowerOfTwo { min: 1024, max: 1 << 30 };
const INTEGER: Kind = Kind::Integer { min: 1, max: i64::MAX as u64 };
const NUMBER: Kind = Kind::Number { min: 0.0, max: 10.0 };
const CHOICE: Kind = Kind::Choice(&["a", "b"]);

const fn duration(unit: Unit, off: bool) -> Kind {
    Kind::Duration { min_ms: 1, max_ms: 3_600_000, off, unit }
}

#[test]
fn texts() {
    let free = duration(Unit::Unnamed, false);
    for (kind, text, expected) in [
        (Kind::Name, "x y", Some(json!("x y"))),
        (Kind::Name, "", None),
        (Kind::Name, &"x".repeat(1024), Some(json!("x".repeat(1024)))),
        (Kind::Name, &"x".repeat(1025), None),
        (Kind::Path, "a\0b", None),
        (CHOICE, "a", Some(json!("a"))),
        (CHOICE, "A", None),
        (Kind::Level, "warn", Some(json!("WARNING"))),
        (Kind::Level, "Trace", Some(json!("TRACE"))),
        (Kind::Level, "loud", None),
        (Kind::Boolean, "Yes", Some(json!(true))),
        (Kind::Boolean, "0", Some(json!(false))),
        (Kind::Boolean, "2", None),
        (INTEGER, " 7 ", Some(json!(7))),
        (INTEGER, "9223372036854775807", Some(json!(i64::MAX))),
        (INTEGER, "9223372036854775808", None),
        (INTEGER, "0", None),
        (INTEGER, "-1", None),
        (INTEGER, "1.0", None),
        (NUMBER, "0.5", Some(json!(0.5))),
        (NUMBER, "11", None),
        (NUMBER, "nan", None),
        (SIZE, "4096", Some(json!(4096))),
        (SIZE, "64KiB", Some(json!(65536))),
        (SIZE, "64 k", Some(json!(65536))),
        (SIZE, "2MB", Some(json!(2_000_000))),
        (SIZE, "1.5M", None),
        (SIZE, "1KiB!", None),
        (SIZE, "1", None),
        (SIZE, "off", None),
        (SIZE, "99999999999G", None),
        (SIZE_OR_OFF, "off", Some(json!(0))),
        (SIZE_OR_OFF, "0", Some(json!(0))),
        (POWER, "1MiB", Some(json!(1_048_576))),
        (POWER, "1000000", None),
        (free, "10s", Some(json!(10_000))),
        (free, "500ms", Some(json!(500))),
        (free, "1m30s", Some(json!(90_000))),
        (free, "10min", Some(json!(600_000))),
        (free, "1.5s", Some(json!(1_500))),
        (free, "2", Some(json!(2_000))),
        (free, "0.0001s", None),
        (free, "1s2", None),
        (free, "s", None),
        (free, ".", None),
        (free, "-1s", None),
        (free, "0", None),
        (free, "2h", None),
        (duration(Unit::Milliseconds, false), "250", Some(json!(250))),
        (duration(Unit::Milliseconds, false), "1s", Some(json!(1_000))),
        (duration(Unit::Seconds, true), "5m", Some(json!(300))),
        (duration(Unit::Seconds, true), "90", Some(json!(90))),
        (duration(Unit::Seconds, true), "1500ms", None),
        (duration(Unit::Seconds, true), "off", Some(json!(0))),
        (Kind::List, " a, b,,c ", Some(json!(["a", "b", "c"]))),
        (Kind::List, "", Some(json!([]))),
        (Kind::Labels, "a=1, b = x=y", Some(json!({"a": "1", "b": "x=y"}))),
        (Kind::Labels, "a", None),
        (Kind::Labels, "1a=2", None),
        (Kind::Labels, "a=1,a=2", None),
        (Kind::Headers, "X-A=b, c = d=e", Some(json!({"X-A": "b", "c": "d=e"}))),
        (Kind::Headers, "", Some(json!({}))),
        (Kind::Headers, "a b=c", None),
        (Kind::Headers, "=c", None),
        (Kind::Headers, "a=ü", None),
        (Kind::Headers, "a=b,A=c", None),
        (Kind::Url, "http://h:3100", Some(json!("http://h:3100"))),
        (Kind::Url, "h:3100", None),
        (Kind::Url, "http://", None),
        (Kind::Url, "ftp://h", None),
    ] {
        assert_eq!(kind.parse(text).ok(), expected, "{kind:?} {text:?}");
    }
}

#[test]
fn what_is_shown_can_be_read_again() {
    let free = duration(Unit::Unnamed, false);
    for (kind, value, expected) in [
        (SIZE, json!(65_536), "64KiB"),
        (SIZE, json!(1025), "1025"),
        (SIZE_OR_OFF, json!(0), "off"),
        (POWER, json!(1 << 30), "1GiB"),
        (free, json!(10_000), "10s"),
        (free, json!(1_500), "1500ms"),
        (duration(Unit::Milliseconds, false), json!(2_000), "2000ms"),
        (duration(Unit::Seconds, true), json!(60), "60s"),
        (duration(Unit::Seconds, true), json!(0), "off"),
        (Kind::List, json!(["a", "b"]), "a,b"),
        (Kind::Labels, json!({"a": "1", "b": "x=y"}), "a=1,b=x=y"),
        (Kind::Boolean, json!(true), "true"),
        (INTEGER, json!(3), "3"),
        (NUMBER, json!(0.5), "0.5"),
        (Kind::Name, json!("x y"), "x y"),
    ] {
        assert_eq!(kind.show(&value), expected);
        assert_eq!(kind.parse(expected).unwrap(), value);
    }
    assert_eq!(Kind::Name.show(&Value::Null), "");
}

#[test]
fn typed_values_are_not_converted() {
    let free = duration(Unit::Unnamed, false);
    for (kind, value, expected) in [
        (Kind::Name, json!(7), None),
        (INTEGER, json!(7), Some(json!(7))),
        (INTEGER, json!("7"), None),
        (INTEGER, json!(7.0), None),
        (INTEGER, json!(-7), None),
        (INTEGER, json!(9_223_372_036_854_775_808_u64), None),
        (NUMBER, json!(3), Some(json!(3.0))),
        (NUMBER, json!("3"), None),
        (Kind::Boolean, json!(true), Some(json!(true))),
        (Kind::Boolean, json!("true"), None),
        (Kind::Boolean, json!(1), None),
        (SIZE, json!("64KiB"), Some(json!(65536))),
        (SIZE, json!(65536), Some(json!(65536))),
        (SIZE, json!(0), None),
        (SIZE, json!(false), None),
        (SIZE_OR_OFF, json!(false), Some(json!(0))),
        (SIZE_OR_OFF, json!(0), Some(json!(0))),
        (POWER, json!(65537), None),
        (free, json!("10s"), Some(json!(10_000))),
        (free, json!(2), Some(json!(2_000))),
        (free, json!(0.5), Some(json!(500))),
        (free, json!([1]), None),
        (Kind::List, json!(["a"]), Some(json!(["a"]))),
        (Kind::List, json!("a,b"), None),
        (Kind::List, json!(["a", 1]), None),
        (Kind::Labels, json!({"a": "b"}), Some(json!({"a": "b"}))),
        (Kind::Labels, json!({"a": 1}), None),
        (Kind::Labels, json!({"a-b": "c"}), None),
        (Kind::Headers, json!({"a": "b c"}), Some(json!({"a": "b c"}))),
        (Kind::Headers, json!({"a": "b\r\nc: d"}), None),
        (Kind::Headers, json!({"a": 1}), None),
        (Kind::Level, json!("info"), Some(json!("INFO"))),
        (Kind::Level, json!(3), None),
    ] {
        assert_eq!(kind.check(&value).ok(), expected, "{kind:?} {value}");
    }
}

#[test]
fn messages_say_what_is_expected_and_keep_secrets() {
    for (kind, value, parts) in [
        (INTEGER, json!("x"), &["whole number from 1 to 9223372036854775807", "found \"x\""][..]),
        (CHOICE, json!("c"), &["one of a, b", "found \"c\""]),
        (SIZE_OR_OFF, json!("c"), &["1 KiB to 1 GiB, or off"]),
        (Kind::Name, json!("ü".repeat(2000)), &["…"]),
        (Kind::Url, json!("ftp://me:secret@h/x"), &["found \"ftp://***@h/x\""]),
        (Kind::Secret, json!({"secret": 1}), &["expected text"]),
        (Kind::Headers, json!({"a": ["secret"]}), &["expected HTTP headers"]),
        (duration(Unit::Unnamed, true), json!("x"), &["from 1 ms to 1 h, or off"]),
    ] {
        let text = kind.check(&value).unwrap_err();
        assert!(parts.iter().all(|part| text.contains(part)), "{text}");
        assert!(!text.contains("secret") && text.len() < 300, "{text}");
    }
}
