//! Against a real Loki: `TEST_LOKI=build/tools/loki cargo test -p lb-log-core real_ -- --ignored`.
//! `make test` runs them when that Loki is there.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::config::{Surroundings, load_with};
use crate::encode::{EncodedContext, Encoder, Source};
use crate::frame::append_tag;
use crate::loki::wire::answer::Answer;
use crate::loki::wire::ask::LookUpError;
use crate::loki::wire::batch::Batch;
use crate::loki::wire::client::Client;
use crate::loki::wire::limits;
use crate::loki::wire::line::{Line, LineReader};
use crate::loki::wire::refusal::{Reason, Rest};
use crate::loki::wire::sink::Sink as _;
use crate::loki::wire::stream::{Metadata, Stream};
use crate::record::tests_support::context;
use crate::record::{Level, TagValue};

const SECOND: i64 = 1_000_000_000;
const HOUR: i64 = 3600 * SECOND;

/// A Loki of the test's own, ended with it.
struct Loki {
    process: Child,
    url: String,
    _folder: tempfile::TempDir,
}

impl Loki {
    fn start(settings: &[(&str, &str)]) -> Self {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
        let program = std::env::var("TEST_LOKI").unwrap_or("build/tools/loki".to_owned());
        let folder = tempfile::tempdir().unwrap();
        let free = || TcpListener::bind("127.0.0.1:0").unwrap();
        let ports = [free(), free()].map(|listener| listener.local_addr().unwrap().port());
        let log = folder.path().join("log");
        let process = Command::new(&program)
            .current_dir(root)
            .args(["-config.file=tests/loki/loki.yaml", "-config.expand-env=true"])
            .env("LOKI_HTTP_PORT", ports[0].to_string())
            .env("LOKI_GRPC_PORT", ports[1].to_string())
            .env("LOKI_FOLDER", folder.path())
            .envs(settings.iter().copied())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log).unwrap())
            .spawn()
            .unwrap_or_else(|error| panic!("{program}: {error}; make build/tools/loki"));
        let url = format!("http://127.0.0.1:{}", ports[0]);
        let mut loki = Self { process, url, _folder: folder };
        let start = Instant::now();
        while loki.get("/ready").as_deref() != Some("ready\n") {
            let ended = loki.process.try_wait().unwrap();
            let said = || std::fs::read_to_string(&log).unwrap();
            assert!(ended.is_none() && start.elapsed() < Duration::from_secs(30), "{}", said());
            thread::sleep(Duration::from_millis(20));
        }
        loki
    }

    fn get(&self, path: &str) -> Option<String> {
        let output = Command::new("curl")
            .args(["--silent", "--max-time", "10", "--noproxy", "*"])
            .arg(format!("{}{path}", self.url))
            .output()
            .unwrap();
        String::from_utf8(output.stdout).ok()
    }

    fn client(&self, more: &serde_json::Value) -> Client {
        let mut loki = serde_json::json!({"endpoint": self.url, "timeout_seconds": 10});
        loki.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let around =
            Surroundings { env: Vec::new(), home: None, ..Surroundings::of_process().unwrap() };
        let config = load_with(serde_json::json!({"loki": loki}).to_string().as_bytes(), &around);
        Client::new(&config.unwrap().loki.unwrap()).unwrap()
    }
}

impl Drop for Loki {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_nanos()).unwrap()
}

/// A batch of made-up lines, each a time and a text, in a stream of its own.
fn batch(stream: &str, lines: &[(i64, String)]) -> Batch {
    let stream = Arc::new(Stream::new(&BTreeMap::from([("run_id", stream), ("host", "h")])));
    let metadata = Arc::new(Metadata::new(&[("level", "INFO"), ("logger", "l")]));
    let mut batch = Batch::new(Arc::clone(&stream));
    for (ns, text) in lines {
        let (stream, metadata) = (Arc::clone(&stream), Arc::clone(&metadata));
        batch.push(&Line { ns: *ns, level: Level::Info, stream, metadata }, text.as_bytes());
    }
    batch
}

/// The names that a refusal gives to the lines of the batch.
fn refused(answer: &Answer, batch: &Batch) -> (Vec<(usize, Reason)>, Rest) {
    let Answer::Refused(refusal) = answer else { panic!("{answer:?}") };
    let (lines, rest) = refusal.refused(batch);
    (lines.iter().map(|line| (line.index, line.reason)).collect(), rest)
}

/// Records of our encoder with any text everywhere come back as they were: the line byte for byte
/// and nanosecond for nanosecond, and each label and each metadatum as its text.
#[test]
#[ignore = "needs a real Loki: TEST_LOKI"]
fn real_records_come_back_as_they_were() {
    let loki = Loki::start(&[]);
    let texts = [
        "plain",
        "a\"b",
        "a\\b\\\"",
        "a\nb\r\tc",
        "}{,=",
        "a\u{2028}b\u{2029}",
        "\u{1}\u{7f}\u{85}",
        "\u{0}nul",
        "\u{FEFF}bom\u{FEFF}",
        "ä🦀\u{10FFFF}",
        "`'$(x) ${y}",
        "a\\u0041\\x41",
        " ",
    ];
    let static_labels = BTreeMap::from([("team".to_owned(), "\"perf\" \\ \u{2028}".to_owned())]);
    for encoding in ["protobuf", "json"] {
        let mut client = loki.client(&serde_json::json!({"encoding": encoding}));
        let mut reader = LineReader::new(&static_labels);
        for text in texts {
            let mut context = context();
            context.run_id = format!("{encoding} {text}");
            for field in [&mut context.component, &mut context.host, &mut context.workload] {
                text.clone_into(field);
            }
            context.scenario = Some(text.to_owned());
            context.logger = text.to_owned();
            context.plugin = Some(text.to_owned());
            let mut tags = Vec::new();
            append_tag(&mut tags, b"phase", TagValue::String(text.as_bytes()));
            let ns = now() - 123_456_789;
            let source = Source {
                ns,
                level: Level::Warning,
                flags: 0,
                message: text.as_bytes(),
                tags: &tags,
            };
            let mut text = Vec::new();
            Encoder::new(1 << 20).append(&mut text, &EncodedContext::new(&context), source);
            text.pop();
            let line = reader.read(&text).unwrap();
            let mut batch = Batch::new(Arc::clone(&line.stream));
            batch.push(&line, &text);
            assert_eq!(client.push(&batch), Answer::Stored, "{}", line.stream.labels());
            assert!(client.look_up(&batch).unwrap().holds(0), "{}", line.stream.labels());

            // And by another reader than ours.
            let mut url = reqwest::Url::parse("http://x/loki/api/v1/query_range").unwrap();
            url.query_pairs_mut().append_pair("query", line.stream.selector());
            let path = format!("{}?{}", url.path(), url.query().unwrap());
            let answer: serde_json::Value =
                serde_json::from_str(&loki.get(&path).unwrap()).unwrap();
            let found = &answer["data"]["result"][0];
            for (name, value) in line.stream.pairs() {
                assert_eq!(found["stream"][name], value, "{name}");
            }
            assert_eq!(found["values"][0][0], ns.to_string());
            assert_eq!(found["values"][0][1].as_str().unwrap().as_bytes(), text);
            for (name, value) in line.metadata.pairs() {
                assert_eq!(found["stream"][name], **value, "{name}");
            }
            assert_eq!(found["values"].as_array().unwrap().len(), 1);
        }
    }
}

/// Loki may hold the lines of another program in the same stream, and more of one nanosecond than it
/// answers at once.
#[test]
#[ignore = "needs a real Loki: TEST_LOKI"]
fn real_look_ups_find_what_is_held_and_nothing_else() {
    let loki = Loki::start(&[]);
    let mut client = loki.client(&serde_json::json!({}));
    let start = now() - 60 * SECOND;
    for (name, ns) in [
        ("one moment", Box::new(|_| 0i64) as Box<dyn Fn(i64) -> i64>),
        ("one line a microsecond", Box::new(|n| n * 1000)),
        ("a few moments", Box::new(|n| n / 3000)),
    ] {
        let line = |n: i64| {
            (start + ns(n), format!("{{\"message\":\"line {n} of \\\"{name}\\\" [.*]\"}}"))
        };
        let lines: Vec<_> = (0..8000).map(line).collect();
        let all = batch(name, &lines);
        let held = all.subset(|index| index % 4 != 3);
        assert_eq!(client.push(&held), Answer::Stored);
        let others: Vec<_> = lines.iter().map(|(ns, line)| (*ns, format!("not {line}"))).collect();
        assert_eq!(client.push(&batch(name, &others)), Answer::Stored);
        let found = client.look_up(&all).unwrap();
        let wrong = (0..8000).find(|index| found.holds(*index) != (index % 4 != 3));
        assert_eq!(wrong, None, "{name}");
        assert_eq!(found.count(), 6000, "{name}");
    }
    // So large that 5,000 of them are too much.
    let lines: Vec<_> =
        (0..40).map(|n| (start + n, format!("{n} {}", "x".repeat(200_000)))).collect();
    for four in lines.chunks(4) {
        assert_eq!(client.push(&batch("large", four)), Answer::Stored);
    }
    assert_eq!(client.look_up(&batch("large", &lines)).unwrap().count(), 40);
}

/// What is refused among good lines is named, and the rest is stored.
#[test]
#[ignore = "needs a real Loki: TEST_LOKI"]
fn real_refusals_name_the_lines() {
    let loki = Loki::start(&[]);
    let mut client = loki.client(&serde_json::json!({}));
    let now = now();
    let text = |n: i64| format!("line {n}");
    let long = |n: i64| n.to_string() + &"x".repeat(limits::MAX_LINE_BYTES);
    let good = |n: i64| (now - 100 + n, text(n));
    let (old, new) = (now - 8 * 24 * HOUR, now + HOUR);
    let behind = now - 2 * HOUR;
    let newest = batch("behind", &[good(0)]);
    assert_eq!(client.push(&newest), Answer::Stored);
    for (name, lines, named, rest) in [
        (
            "too long",
            vec![good(1), (now, long(2)), good(3)],
            vec![(1, Reason::TooLong)],
            Rest::Stored,
        ),
        (
            "many reasons",
            vec![
                (old, long(1)),
                good(2),
                (new, text(3)),
                (old + 1, text(4)),
                (now, long(5)),
                (new + SECOND, text(6)),
                good(7),
                (old, text(8)),
                (now - HOUR, long(9)),
            ],
            vec![
                (0, Reason::TooOld),
                (2, Reason::TooFarAhead),
                (3, Reason::TooOld),
                (4, Reason::TooLong),
                (5, Reason::TooFarAhead),
                (7, Reason::TooOld),
                (8, Reason::TooLong),
            ],
            Rest::Stored,
        ),
        (
            "behind",
            vec![good(1), (behind, text(2)), good(3), (behind - 1, text(4)), (behind, text(5))],
            vec![(1, Reason::TooFarBehind), (3, Reason::TooFarBehind), (4, Reason::TooFarBehind)],
            Rest::Stored,
        ),
        // The ingester's answer hides the distributor's.
        (
            "behind",
            vec![good(10), (behind, text(11)), (now, long(12))],
            vec![(1, Reason::TooFarBehind)],
            Rest::Unknown,
        ),
        // It names ten.
        (
            "behind",
            (0..14).map(|n| (behind + n, text(20 + n))).chain([good(40)]).collect(),
            (0..10).map(|index| (index, Reason::TooFarBehind)).collect(),
            Rest::Unknown,
        ),
    ] {
        let batch = batch(name, &lines);
        let answer = client.push(&batch);
        assert_eq!(refused(&answer, &batch), (named.clone(), rest), "{name}: {answer:?}");
        let found = client.look_up(&batch).unwrap();
        for (index, (ns, _)) in lines.iter().enumerate() {
            let is_good = (now - 100..now).contains(ns);
            assert_eq!(found.holds(index), is_good, "{name} {index}");
            let is_named = named.iter().any(|(named, _)| *named == index);
            assert!(rest == Rest::Unknown || is_named != is_good, "{name} {index}");
        }
    }
}

/// A limit that falls into a second cuts through its lines.
#[test]
#[ignore = "needs a real Loki: TEST_LOKI"]
fn real_limits_of_time_cut_through_seconds() {
    let loki = Loki::start(&[]);
    let mut client = loki.client(&serde_json::json!({}));
    for (name, limit, reason) in
        [("old", -7 * 24 * HOUR, Reason::TooOld), ("new", 600 * SECOND, Reason::TooFarAhead)]
    {
        // The clock of the server is ours: its limit is somewhere among these lines.
        let start = now() + limit - SECOND;
        let lines: Vec<_> =
            (0..300).map(|n| (start + n * 33_000_000, format!("line {n}"))).collect();
        let batch = batch(name, &lines);
        let answer = client.push(&batch);
        let (named, rest) = refused(&answer, &batch);
        assert!(!named.is_empty() && named.len() < 300 && rest == Rest::Stored, "{answer:?}");
        assert!(named.iter().all(|(_, found)| *found == reason));
        let found = client.look_up(&batch).unwrap();
        for index in 0..lines.len() {
            let is_named = named.iter().any(|(named, _)| *named == index);
            assert_eq!(found.holds(index), !is_named, "{name} {index}");
        }
    }
}

/// What we call a fault or a doubt is one for Loki, and what is just below the limit is none.
#[test]
#[ignore = "needs a real Loki: TEST_LOKI"]
fn real_limits_are_those_that_we_know() {
    let loki = Loki::start(&[]);
    let mut client = loki.client(&serde_json::json!({}));
    let mut push = |labels: &BTreeMap<&str, &str>, logger: &str, bytes: usize| {
        let stream = Arc::new(Stream::new(labels));
        let metadata = Arc::new(Metadata::new(&[("logger", logger)]));
        let line = Line { ns: now(), level: Level::Info, stream: Arc::clone(&stream), metadata };
        let mut batch = Batch::new(stream);
        batch.push(&line, "x".repeat(bytes).as_bytes());
        let expected = limits::doubt(&line, bytes, now());
        let answer = client.push(&batch);
        match (&answer, expected) {
            (Answer::BadLabels { .. } | Answer::Stored, None) => {}
            (_, Some(reason)) => {
                let refused = refused(&answer, &batch);
                assert_eq!(refused, (vec![(0, reason)], Rest::Stored), "{answer:?}");
            }
            (_, None) => panic!("{answer:?}"),
        }
        (matches!(answer, Answer::BadLabels { .. }), expected)
    };
    let names: Vec<String> = (0..15).map(|number| format!("label{number}")).collect();
    let mut labels: BTreeMap<&str, &str> = names.iter().map(|name| (&**name, "x")).collect();
    assert_eq!(push(&labels, "l", 1), (false, None));
    labels.insert("service_name", "x");
    assert_eq!(push(&labels, "l", 1), (false, None));
    labels.insert("sixteenth", "x");
    assert_eq!(push(&labels, "l", 1), (true, None));
    let long = "ä".repeat(1024);
    assert_eq!(push(&BTreeMap::from([("a", &*long)]), "l", 1), (false, None));
    assert_eq!(push(&BTreeMap::from([("a", &*format!("{long}x"))]), "l", 1), (true, None));
    let name = "n".repeat(1024);
    assert_eq!(push(&BTreeMap::from([(&*name, "x")]), "l", 1), (false, None));
    assert_eq!(push(&BTreeMap::from([(&*format!("{name}n"), "x")]), "l", 1), (true, None));
    let host = BTreeMap::from([("host", "h")]);
    assert_eq!(push(&host, "l", limits::MAX_LINE_BYTES), (false, None));
    assert_eq!(push(&host, "l", limits::MAX_LINE_BYTES + 1), (false, Some(Reason::TooLong)));
    let large = "x".repeat((64 << 10) - "logger".len());
    assert_eq!(push(&host, &large, 1), (false, None));
    assert_eq!(push(&host, &format!("{large}x"), 1), (false, Some(Reason::Content)));
}

#[test]
#[ignore = "needs a real Loki: TEST_LOKI"]
fn real_rates_and_tenants() {
    let loki = Loki::start(&[
        ("LOKI_AUTH", "true"),
        ("LOKI_RATE_MB", "0.01"),
        ("LOKI_BURST_MB", "0.02"),
        ("LOKI_STREAM_RATE", "1KB"),
        ("LOKI_STREAM_BURST", "1KB"),
        ("LOKI_MAX_STREAMS", "2"),
    ]);
    let lines = |count: i64| (0..count).map(|n| (now() + n, "x".repeat(100))).collect::<Vec<_>>();

    let nobody = loki.client(&serde_json::json!({})).push(&batch("a", &lines(1)));
    let said = matches!(&nobody, Answer::Hold { why } if why.starts_with("HTTP 401: no org id; "));
    assert!(said, "{nobody:?}");
    let odd = loki.client(&serde_json::json!({"tenant": "a/b"})).push(&batch("a", &lines(1)));
    assert!(matches!(odd, Answer::Hold { .. }), "{odd:?}");
    let unread = loki.client(&serde_json::json!({})).look_up(&batch("a", &lines(1)));
    assert!(matches!(unread, Err(LookUpError::Refused { .. })), "{unread:?}");

    let mut client = loki.client(&serde_json::json!({"tenant": "team"}));
    let whole = client.push(&batch("a", &lines(1000)));
    assert!(matches!(whole, Answer::TooFast { .. }), "{whole:?}");

    // A stream's rate: the first lines of the request are stored, and the answer is a 429.
    let partial = batch("a", &lines(20));
    let answer = client.push(&partial);
    let Answer::Unknown { why } = &answer else { panic!("{answer:?}") };
    assert!(why.starts_with("HTTP 429"), "{why}");
    let found = client.look_up(&partial).unwrap();
    assert!(found.count() > 0 && found.count() < 20, "{found:?}");

    assert_eq!(client.push(&batch("b", &lines(1))), Answer::Stored);
    let third = client.push(&batch("c", &lines(1)));
    assert!(matches!(third, Answer::Unknown { .. }), "{third:?}");
}
