#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use serde_json::json;

use Format::{Json, Toml, Yaml};

fn read(format: Format, text: &str) -> Result<Value, String> {
    format.read(text.as_bytes()).map(Value::Object)
}

#[test]
fn endings() {
    for (ending, format) in [
        ("toml", Some(Toml)),
        ("", Some(Toml)),
        ("JSON", Some(Json)),
        ("yaml", Some(Yaml)),
        ("yml", Some(Yaml)),
        ("ini", None),
    ] {
        assert_eq!(Format::of_ending(ending), format);
    }
}

#[test]
fn the_three_formats_say_the_same() {
    let expected = json!({"a": 1, "b": {"c": "x", "d": [1.5, true, "y"], "e": {}}, "f.g": -2});
    for (format, text) in [
        (Toml, "a = 1\n\"f.g\" = -2\n[b]\nc = 'x'\nd = [1.5, true, 'y']\n[b.e]\n"),
        (Json, r#"{"a": 1, "b": {"c": "x", "d": [1.5, true, "y"], "e": {}}, "f.g": -2}"#),
        (
            Yaml,
            "---\r\na: 1\r\nb:\r\n  c: x\r\n  d:\r\n  - 1.5\r\n  - true\r\n  - 'y'\r\n  e: {}\r\nf.g: -2\r\n...\r\n",
        ),
        (Yaml, "{a: 1, b: {c: x, d: [1.5, true, y], e: {}}, f.g: -2}"),
        (Yaml, "\u{feff}a: 1 # one\nb: {\"c\": 'x', d: [1.5, true, \"y\"], e: {\n}}\n? f.g\n: -2"),
    ] {
        assert_eq!(read(format, text).unwrap(), expected, "{text}");
    }
}

#[test]
fn plain_words_of_yaml() {
    for (text, expected) in [
        ("", json!(null)),
        ("~", json!(null)),
        ("Null", json!(null)),
        ("'null'", json!("null")),
        ("TRUE", json!(true)),
        ("false", json!(false)),
        ("\"true\"", json!("true")),
        ("yes", json!("yes")),
        ("off", json!("off")),
        ("0", json!(0)),
        ("-7", json!(-7)),
        ("+7", json!(7)),
        ("0x1F", json!(31)),
        ("0o17", json!(15)),
        ("0x", json!("0x")),
        ("0x+1", json!("0x+1")),
        ("1.5", json!(1.5)),
        (".5", json!(0.5)),
        ("1e3", json!(1000.0)),
        ("1e999", json!("1e999")),
        ("18446744073709551615", json!(u64::MAX)),
        ("18446744073709551616", json!(18_446_744_073_709_551_616.0)),
        (".inf", json!(".inf")),
        (".nan", json!(".nan")),
        ("nan", json!("nan")),
        ("-", json!([null])),
        (".", json!(".")),
        ("+", json!("+")),
        ("1-2", json!("1-2")),
        ("e5", json!("e5")),
        ("2026-11-22", json!("2026-11-22")),
        ("10.0.0.1", json!("10.0.0.1")),
        ("64KiB", json!("64KiB")),
        ("http://loki:3100", json!("http://loki:3100")),
        ("|\n  a\n  b", json!("a\nb\n")),
        (">-\n  a\n  b", json!("a b")),
    ] {
        let text = if text == "-" { "k:\n-".to_owned() } else { format!("k: {text}") };
        assert_eq!(read(Yaml, &text).map(|v| v["k"].clone()), Ok(expected), "{text}");
    }
    for nothing in ["", "\n", "# nothing\n", "---\n", "--- ~\n", "null"] {
        assert_eq!(read(Yaml, nothing), Ok(json!({})), "{nothing:?}");
    }
}

#[test]
fn mistakes_have_a_place() {
    for (format, text, expected) in [
        (Toml, "a = 1\nb = ", "line 2, column 5: not TOML: "),
        (Toml, "a = 1\n\"ü\" = 1; x", "line 2, column 7: not TOML: "),
        (
            Toml,
            "a = 1\nb = 2\na = 3",
            "line 3, column 1: \"a\" is given twice in one block; keep one",
        ),
        (Toml, "[x]\n'b' = 2\nb = 3", "line 3, column 1: \"b\" is given twice"),
        (Toml, "[a]\n[b]\n[a]\n", "line 3, column 2: \"a\" is given twice"),
        (Json, "{\"a\": 1,\n\"b\" 2}", "line 2, column 5: not JSON: expected `:`"),
        (
            Json,
            "{\"a\": 1,\n \"b\": {\"c\": 1, \"c\": 2}}",
            "line 2, column 18: \"c\" is given twice in one block; keep one",
        ),
        (Json, "{\"a\": 1} x", "line 1, column 10: not JSON: trailing characters"),
        (Json, "", "line 1, column 1: not JSON: EOF"),
        (Json, "[1]", "expected one JSON object"),
        (Yaml, "a: 1\nb: 2\na: 3", "line 3, column 1: \"a\" is given twice in one block; keep one"),
        (Yaml, "x: {a: 1, 'a': 2}", "line 1, column 11: \"a\" is given twice"),
        (Yaml, "a:\n\tb: 1", "line 2, column 2: not YAML: "),
        (
            Yaml,
            "a:\n  b: 1\n\tc: 1",
            "line 2, column 6: not YAML: while scanning a plain scalar, found a tab",
        ),
        (Yaml, "a: [1", "line "),
        (Yaml, "a: 'x", "line "),
        (Yaml, "a: 1\n b: 2", "line "),
        (
            Yaml,
            "a: 1\n---\nb: 2",
            "line 2, column 1: a second document begins; a configuration is one",
        ),
        (Yaml, "- a", "line 1, column 1: expected names and values, as in host: node-1"),
        (Yaml, "word", "line 1, column 1: expected names and values"),
        (
            Yaml,
            "a: &x 1",
            "line 1, column 4: anchors (&) and aliases (*) are not read; write the value out",
        ),
        (Yaml, "a: *x", "line 1, column "),
        (Yaml, "&x a: 1", "line 1, column "),
        (Yaml, "a: &x {b: *x}", "line 1, column "),
        (Yaml, "a: !!str 1", "line 1, column 4: tags (!) are not read; put text in quotes"),
        (Yaml, "a: !ruby/object {}", "line 1, column "),
        (Yaml, "[a]: 1", "line 1, column "),
        (Yaml, "a: \"x\0y\"", "line 1, column 6: not YAML: the control character U+0000"),
        (Yaml, "a: x\nhost: \u{1b}[1m", "line 2, column 7: not YAML: the control character U+001B"),
    ] {
        let found = read(format, text).unwrap_err();
        assert!(found.starts_with(expected), "{text:?}: {found}");
        assert!(!found.contains('\n'), "{found}");
    }
}

#[test]
fn what_is_not_utf8_has_a_place() {
    for format in [Toml, Json, Yaml] {
        for (bytes, expected) in [
            (&b"a\n\xc3\xbc\xff"[..], "line 2, column 2: not UTF-8"),
            (b"\xff\xfea\0", "line 1, column 1: not UTF-8"),
            (b"a\xc3", "line 1, column 2: not UTF-8"),
        ] {
            assert_eq!(format.read(bytes).unwrap_err(), expected);
        }
    }
}

#[test]
fn bombs_are_refused_at_once() {
    let deep = |open: &str, close: &str| [open.repeat(100_000), close.repeat(100_000)].concat();
    let laughs = "a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\nd: [*c,*c]\n";
    for (format, text, expected) in [
        (Yaml, laughs.to_owned(), "line 1, column 4: anchors"),
        (Yaml, format!("a: {}", deep("[", "]")), "line 1, column "),
        (Yaml, format!("a: {}", deep("{a: ", "}")), "line 1, column "),
        (Yaml, deep("- ", ""), "line 1, column "),
        (Yaml, deep("? ", ""), "line 1, column "),
        (Json, format!("{{\"a\": {}}}", deep("[", "]")), "line 1, column "),
        (Toml, format!("a = {}", deep("[", "]")), "line 1, column "),
        (Toml, format!("a = {}", deep("{a = ", "}")), "line 1, column "),
    ] {
        let started = std::time::Instant::now();
        let found = read(format, &text).unwrap_err();
        assert!(found.starts_with(expected), "{found}");
        assert!(started.elapsed().as_secs() < 5, "{format:?} {expected}");
    }
}

/// Pieces of all three grammars in any order: an answer, never a panic. `TEST_ROUNDS=4000000` makes
/// it search for a minute.
#[test]
fn any_text_gets_an_answer() {
    const PIECES: &[&str] = &[
        "a",
        "b: ",
        ": ",
        ":",
        "- ",
        "? ",
        "\n",
        "\n  ",
        "\n\t",
        " ",
        "'",
        "\"",
        "[",
        "]",
        "{",
        "}",
        ",",
        "&a ",
        "*a",
        "!t ",
        "!!str ",
        "|",
        ">",
        "|2-\n",
        "%YAML 1.2\n",
        "%TAG ! x\n",
        "---",
        "...",
        "#",
        "\\",
        "\\x",
        "\\u12",
        "\u{feff}",
        "ü",
        "\u{85}",
        "\u{2028}",
        "\r",
        "\r\n",
        "~",
        "=",
        "a = ",
        "[[a]]",
        "'''",
        "\"\"\"",
        "1",
        "1e",
        "0x",
        "-",
        ".",
        "true",
        "null",
        "<<: ",
        "@",
        "`",
    ];
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap()
    };
    let rounds = std::env::var("TEST_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(3_000);
    for _ in 0..rounds {
        let pieces = next() % 24;
        let text: String = (0..pieces).map(|_| PIECES[next() % PIECES.len()]).collect();
        for format in [Toml, Json, Yaml] {
            if let Err(why) = std::panic::catch_unwind(|| read(format, &text)) {
                panic!("{format:?} {text:?}: {why:?}");
            }
        }
    }
}
