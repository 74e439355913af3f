#![allow(clippy::unwrap_used)]
use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use super::super::election::Candidate;
use super::super::offset::Target;
use super::*;
use crate::Logger;
use crate::logger::Record;
use crate::record::Level;

/// A server that answers each request with this text; `None`: it accepts and never answers.
fn server(answer: Option<&'static str>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        let mut silent = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let Some(answer) = answer else {
                silent.push(stream);
                continue;
            };
            thread::spawn(move || {
                let mut bytes = vec![0; 1 << 16];
                while read_request(&mut stream, &mut bytes).is_some() {
                    stream.write_all(answer.as_bytes()).unwrap();
                }
            });
        }
    });
    url
}

/// Reads a head and as many bytes as it says.
fn read_request(stream: &mut impl Read, bytes: &mut [u8]) -> Option<()> {
    let mut text = Vec::new();
    loop {
        let read = stream.read(bytes).ok().filter(|read| *read > 0)?;
        text.extend_from_slice(&bytes[..read]);
        let Some(head) = memchr::memmem::find(&text, b"\r\n\r\n") else { continue };
        let fields = String::from_utf8_lossy(&text[..head]).to_lowercase();
        let length = fields.lines().find_map(|line| line.strip_prefix("content-length: "));
        if text.len() >= head + 4 + length.map_or(0, |length| length.parse().unwrap()) {
            return Some(());
        }
    }
}

const STORED: &str = "HTTP/1.1 204 No Content\r\n\r\n";
const UNAVAILABLE: &str = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n";

fn logger(folder: &Path, endpoint: &str) -> Logger {
    let configuration = serde_json::json!({
        "output_dir": folder, "run_id": "r", "component": "c", "host": "h", "ring_dir": "log",
        "loki": {"enabled": true, "endpoint": endpoint, "timeout_seconds": 3.0},
    });
    Logger::open(configuration.to_string().as_bytes()).unwrap()
}

fn log(logger: &Logger, lines: usize) {
    for _ in 0..lines {
        let record = Record {
            context: 0,
            level: Level::Info,
            timestamp_ns: None,
            message: b"m",
            tags: [].as_slice(),
        };
        logger.log(record).unwrap();
    }
}

/// The time that a close takes, and its outcome.
fn close(logger: &Logger, timeout: Duration) -> (Duration, Result<()>) {
    let began = Instant::now();
    let closed = logger.close(timeout);
    (began.elapsed(), closed)
}

#[test]
fn close_waits_for_what_loki_takes() {
    let folder = tempfile::tempdir().unwrap();
    let logger = logger(folder.path(), &server(Some(STORED)));
    log(&logger, 100);
    close(&logger, Duration::from_secs(30)).1.unwrap();
    let delivery = logger.stats().loki.unwrap();
    assert_eq!((delivery.lines, delivery.acknowledged, delivery.pending), (100, 100, 0));
}

#[test]
fn close_does_not_wait_where_loki_has_failed() {
    let folder = tempfile::tempdir().unwrap();
    let url = server(Some(UNAVAILABLE));
    let logger = logger(folder.path(), &url);
    log(&logger, 100);
    let (took, closed) = close(&logger, Duration::from_secs(20));
    let told = closed.unwrap_err().to_string();
    let expected = format!("100 lines are not in Loki yet ({url}/loki/api/v1/push: HTTP 503");
    assert!(told.contains(&expected), "{told}");
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[test]
fn close_keeps_its_deadline_where_loki_never_answers() {
    let folder = tempfile::tempdir().unwrap();
    let logger = logger(folder.path(), &server(None));
    log(&logger, 100);
    let (took, closed) = close(&logger, Duration::from_millis(500));
    assert!(closed.unwrap_err().to_string().contains("there was not enough time"));
    assert!(took < Duration::from_secs(2), "{took:?}");
}

/// What is written while a request is under way is neither in Loki nor forgotten.
#[test]
fn close_counts_what_the_thread_does_not_know_yet() {
    let folder = tempfile::tempdir().unwrap();
    let logger = logger(folder.path(), &server(None));
    log(&logger, 1);
    let deadline = Instant::now() + Duration::from_secs(30);
    while logger.stats().loki.unwrap().lines == 0 {
        assert!(Instant::now() < deadline, "{:?}", logger.stats().loki);
        thread::sleep(Duration::from_millis(10));
    }
    // A push of one line is under way, or about to be.
    log(&logger, 100);
    let told = close(&logger, Duration::from_secs(1)).1.unwrap_err().to_string();
    assert!(told.contains("101 lines are not in Loki yet"), "{told}");
    let delivery = logger.stats().loki.unwrap();
    assert_eq!((delivery.lines, delivery.acknowledged, delivery.pending), (101, 0, 101));
}

#[test]
fn one_of_two_ships_and_the_other_takes_over() {
    let folder = tempfile::tempdir().unwrap();
    let url = server(Some(STORED));
    let (one, two) = (logger(folder.path(), &url), logger(folder.path(), &url));
    log(&two, 10);
    close(&one, Duration::from_secs(30)).1.unwrap();
    // Elected within a second, on a machine with time to spare.
    let deadline = Instant::now() + Duration::from_secs(30);
    log(&two, 10);
    two.flush(Duration::from_secs(30)).unwrap();
    while two.stats().loki.unwrap().acknowledged < 20 {
        assert!(Instant::now() < deadline, "{:?}", two.stats().loki);
        thread::sleep(Duration::from_millis(10));
    }
    close(&two, Duration::from_secs(30)).1.unwrap();
}

#[test]
fn who_ends_behind_the_one_that_shipped_ships_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let url = server(Some(STORED));
    let (one, two) = (logger(folder.path(), &url), logger(folder.path(), &url));
    log(&one, 10);
    close(&one, Duration::from_secs(30)).1.unwrap();
    log(&two, 10);
    close(&two, Duration::from_secs(30)).1.unwrap();
    assert_eq!(two.stats().loki.unwrap().acknowledged, 20);
}

#[test]
fn who_ends_waits_for_one_that_is_about_to_end_and_for_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let url = server(Some(STORED));
    let log_file = folder.path().join("r/logs/c-h.jsonl");
    std::fs::create_dir_all(log_file.parent().unwrap()).unwrap();
    for leaves in [false, true] {
        let mut another = Candidate::new(&log_file, &Target::default());
        assert!(another.stand().unwrap());
        let ours = logger(folder.path(), &url);
        log(&ours, 10);
        if leaves {
            another.take_leave().unwrap();
        }
        thread::scope(|scope| {
            let closing = scope.spawn(|| close(&ours, Duration::from_secs(30)).1);
            while !leaves && !closing.is_finished() {
                thread::sleep(Duration::from_millis(1));
            }
            thread::sleep(Duration::from_millis(100));
            drop(another);
            closing.join().unwrap().unwrap();
        });
        let acknowledged = ours.stats().loki.unwrap().acknowledged;
        assert_eq!(acknowledged, if leaves { 20 } else { 0 });
    }
}

#[test]
fn shipping_is_turned_on_for_an_open_logger() {
    let folder = tempfile::tempdir().unwrap();
    let config = |loki: serde_json::Value| {
        let asked = serde_json::json!({
            "output_dir": folder.path(), "run_id": "r", "component": "c", "host": "h",
            "ring_dir": "log", "loki": loki,
        });
        crate::config::load(asked.to_string().as_bytes()).unwrap()
    };
    let endpoint = server(Some(STORED));
    let off = config(serde_json::json!({"enabled": false, "endpoint": endpoint}));
    let logger = Logger::with(off.clone()).unwrap();
    log(&logger, 10);
    assert!(logger.stats().loki.is_none());
    assert!(matches!(logger.ship(&off), Err(Error::Config(_))));

    let on = serde_json::json!({"enabled": true, "endpoint": endpoint});
    assert_eq!(logger.ship(&config(on.clone())).unwrap(), <[String; 0]>::default());
    assert_eq!(logger.ship(&config(on)).unwrap(), <[String; 0]>::default());
    let other = serde_json::json!({"enabled": true, "endpoint": endpoint, "min_level": "ERROR"});
    let kept = logger.ship(&config(other.clone())).unwrap();
    assert_eq!(kept, ["loki.min_level stays \"INFO\", though \"ERROR\" was asked for (argument)"]);
    log(&logger, 10);
    close(&logger, Duration::from_secs(30)).1.unwrap();
    assert_eq!(logger.stats().loki.unwrap().acknowledged, 20, "what was there before, too");
    assert!(matches!(logger.ship(&config(other)), Err(Error::Closed)));
}
