#![allow(clippy::unwrap_used)]

use super::*;
use crate::encode::{EncodedContext, Encoder, Source};
use crate::frame::append_tag;
use crate::record::TagValue;
use crate::record::tests_support::context;

const LINE: &str = "{\"timestamp\":\"2026-11-22T10:11:12.123456789Z\",\"level\":\"INFO\",\
    \"component\":\"c\",\"host\":\"h\",\"run_id\":\"r\",\"logger\":\"l\",\"message\":\"m\",\
    \"event_type\":\"log\",\"workload\":\"w\",\"repetition\":1}";

fn reader() -> LineReader {
    LineReader::new(&BTreeMap::new())
}

fn metadata(line: &Line) -> Vec<(&str, &str)> {
    line.metadata.pairs().iter().map(|(name, value)| (*name, &**value)).collect()
}

#[test]
fn the_least_a_line_has() {
    let line = reader().read(LINE.as_bytes()).unwrap();
    assert_eq!((line.ns, line.level), (1_795_342_272_123_456_789, Level::Info));
    assert_eq!(
        line.stream.labels(),
        "{component=\"c\", host=\"h\", kind=\"log\", repetition=\"1\", run_id=\"r\", workload=\"w\"}"
    );
    assert_eq!(metadata(&line), [("level", "INFO"), ("event_type", "log"), ("logger", "l")]);
}

#[test]
fn the_golden_lines_say_what_their_json_says() {
    let text = include_str!("../../../../schema/golden/records.jsonl");
    let static_labels = BTreeMap::from([("team".to_owned(), "perf".to_owned())]);
    let mut reader = LineReader::new(&static_labels);
    // Twice: read, and remembered.
    for line in text.lines().chain(text.lines()) {
        let read = reader.read(line.as_bytes()).unwrap_or_else(|why| panic!("{why}: {line}"));
        let json: serde_json::Value = serde_json::from_str(line).unwrap();
        let text = |name: &str| json[name].as_str().unwrap_or_default().to_owned();
        let repetition = json["repetition"].to_string();
        let mut labels = vec![("team", "perf".to_owned()), ("repetition", repetition)];
        for name in ["component", "host", "run_id", "workload", "scenario"] {
            labels.push((name, text(name)));
        }
        let sample = ["http_req", "iteration", "check", "metric"].contains(&&*text("event_type"));
        labels.push(("kind", if sample { "sample" } else { "log" }.to_owned()));
        labels.retain(|(_, value)| !value.is_empty());
        labels.sort();
        let found: Vec<_> = read.stream.pairs().map(|(n, v)| (n, v.to_owned())).collect();
        assert_eq!(found, labels, "{line}");

        let mut pairs = vec![];
        for name in ["level", "event_type", "logger"] {
            pairs.push((name, text(name)));
        }
        pairs.push(("phase", json["tags"]["phase"].as_str().unwrap_or_default().to_owned()));
        pairs.extend(["package", "plugin"].map(|name| (name, text(name))));
        pairs.retain(|(_, value)| !value.is_empty());
        let found: Vec<_> = metadata(&read).iter().map(|(n, v)| (*n, (*v).to_owned())).collect();
        assert_eq!(found, pairs, "{line}");
        assert_eq!(crate::encode::timestamp(read.ns), text("timestamp"));
    }
}

/// What our encoder makes of any bytes is a record.
#[test]
fn any_bytes_in_a_record() {
    let mut reader = reader();
    let nasty =
        ["", "\"", "\\", "\"}", "\",\"tags\":{", "a\u{2028}\u{0}\n\u{7f}ä🦀", "{\"phase\":\"x\"}"];
    for text in nasty.iter().filter(|text| !text.is_empty()) {
        for other in nasty {
            let mut context = context();
            context.component = (*text).to_owned();
            context.workload = (*text).to_owned();
            context.scenario = Some((*text).to_owned());
            context.logger = other.to_owned();
            let mut tags = Vec::new();
            append_tag(&mut tags, other.as_bytes(), TagValue::String(text.as_bytes()));
            append_tag(&mut tags, b"phase\"", TagValue::String(b"wrong"));
            append_tag(&mut tags, b"phase", TagValue::String(other.as_bytes()));
            append_tag(&mut tags, b"n", TagValue::Number(-1.5e-300));
            let source = Source {
                ns: -1,
                level: Level::Error,
                flags: 0,
                message: other.as_bytes(),
                tags: &tags,
            };
            let mut line = Vec::new();
            Encoder::new(1 << 20).append(&mut line, &EncodedContext::new(&context), source);
            line.pop();
            let read = reader.read(&line).unwrap();
            assert_eq!(read.ns, -1);
            let labels: BTreeMap<_, _> = read.stream.pairs().collect();
            assert_eq!((labels["component"], labels["scenario"]), (*text, *text));
            let found = metadata(&read).into_iter().collect::<BTreeMap<_, _>>();
            assert_eq!(found.get("phase").copied().unwrap_or_default(), other);
            assert_eq!(found.get("logger").copied().unwrap_or_default(), other);
        }
    }
}

#[test]
fn a_phase_is_text_or_none() {
    let tagged = |tags: &str| LINE.replace("1}", &format!("1,\"tags\":{{{tags}}}}}"));
    for (tags, phase) in [
        ("\"phase\":\"run\"", Some("run")),
        ("\"a\":1,\"phase\":\"se\\u0074up\",\"b\":null", Some("setup")),
        ("\"phase\":3", None),
        ("\"phase\":null,\"b\":-0.5e+9", None),
        ("\"xphase\":\"run\"", None),
        ("\"x\\\"phase\":\"run\"", None),
        ("\"x\":\"{\\\"phase\\\":\\\"run\\\"}\"", None),
    ] {
        let read = reader().read(tagged(tags).as_bytes()).unwrap();
        let found = metadata(&read).iter().find(|(name, _)| *name == "phase").map(|(_, v)| *v);
        assert_eq!(found, phase, "{tags}");
    }
}

#[test]
fn what_is_not_a_record() {
    let mut reader = reader();
    reader.read(LINE.as_bytes()).unwrap();
    for (from, to) in [
        ("{\"timestamp\"", ""),
        ("{\"timestamp\"", " {\"timestamp\""),
        ("{\"timestamp\"", "{\"time\""),
        ("2026-11", "2026-13"),
        ("INFO", "info"),
        ("INFO", "NOTICE"),
        ("\"component\":\"c\",", ""),
        ("\"component\":\"c\"", "\"component\":\"\""),
        ("\"component\":\"c\",\"host\":\"h\"", "\"host\":\"h\",\"component\":\"c\""),
        ("\"logger\":\"l\"", "\"logger\":7"),
        ("\"message\":\"m\"", "\"message\":\"m\\x\""),
        ("\"message\":\"m\"", "\"message\":\"m\\u12g4\""),
        ("\"message\":\"m\"", "\"message\":\"m"),
        ("\"message\":\"m\"", "\"message\":\"\u{1}\""),
        ("\"message\":\"m\"", "\"message\":\"\t\""),
        ("\"workload\":\"w\"", "\"workload\":\"\\ud800\""),
        ("\"repetition\":1", "\"repetition\":0"),
        ("\"repetition\":1", "\"repetition\":01"),
        ("\"repetition\":1", "\"repetition\":1.5"),
        ("\"repetition\":1", "\"repetition\":-1"),
        ("\"repetition\":1", "\"repetition\":99999999999999999999"),
        ("\"repetition\":1", "\"repetition\":\"1\""),
        ("\"repetition\":1", "\"repetition\":1,\"more\":2"),
        ("\"repetition\":1", "\"repetition\":1,\"plugin\":\"p\",\"package\":\"p\""),
        ("1}", "1} "),
        ("1}", "1}}"),
        ("1}", "1,\"tags\":{}}"),
        ("1}", "1,\"tags\":{\"a\":1}"),
        ("1}", "1,\"tags\":{\"a\":1}} "),
        ("1}", "1,\"tags\":{\"a\":1,}}"),
        ("1}", "1,\"tags\":{\"a\" :1}}"),
        ("1}", "1,\"tags\":{\"a\":{}}}"),
        ("1}", "1,\"tags\":{\"a\":[]}}"),
        ("1}", "1,\"tags\":{\"a\":01}}"),
        ("1}", "1,\"tags\":{\"a\":1.}}"),
        ("1}", "1,\"tags\":{\"a\":1e}}"),
        ("1}", "1,\"tags\":{\"a\":-}}"),
        ("1}", "1,\"tags\":{\"a\":NaN}}"),
        ("1}", "1,\"tags\":{\"phase\":\"\\ud800\"}}"),
        ("1}", ""),
    ] {
        let line = LINE.replacen(from, to, 1);
        assert_ne!(line, LINE, "{from}");
        assert!(reader.read(line.as_bytes()).is_err(), "{line}");
    }
    assert!(reader.read(b"").is_err());
    for length in 0..LINE.len() {
        assert!(reader.read(&LINE.as_bytes()[..length]).is_err(), "{length}");
    }
    let mut broken = LINE.as_bytes().to_vec();
    broken[150] = 0xFF;
    assert_eq!(reader.read(&broken).unwrap_err(), "it is not UTF-8 text");
}

#[test]
fn what_is_remembered_is_bounded_and_never_mixed_up() {
    let mut reader = reader();
    for round in 0..2 {
        for number in 0..300u32 {
            let identity = number % 7;
            let line = LINE
                .replace("\"r\"", &format!("\"run{number}\""))
                .replace("\"w\"", &format!("\"w{identity}\""));
            let read = reader.read(line.as_bytes()).unwrap();
            let labels: BTreeMap<_, _> = read.stream.pairs().collect();
            assert_eq!(labels["run_id"], format!("run{number}"), "{round}");
            assert_eq!(labels["workload"], format!("w{identity}"));
            let again = reader.read(line.as_bytes()).unwrap();
            assert!(Arc::ptr_eq(&read.stream, &again.stream));
            assert!(Arc::ptr_eq(&read.metadata, &again.metadata));
        }
    }
    assert!(reader.tails.len() <= 64 && reader.heads.len() <= 64);
}
