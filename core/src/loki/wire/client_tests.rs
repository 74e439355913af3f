#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::super::line::LineReader;
use super::*;
use crate::config::{Surroundings, load_with};

const LINE: &str = "{\"timestamp\":\"2026-11-22T10:11:12.123456789Z\",\"level\":\"INFO\",\
    \"component\":\"c\",\"host\":\"h\",\"run_id\":\"r\",\"logger\":\"l\",\"message\":\"m\",\
    \"event_type\":\"log\",\"workload\":\"w\",\"repetition\":1}";

/// A request as a server sees it.
#[derive(Debug)]
struct Request {
    first: String,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
    /// Which connection it came on.
    connection: usize,
}

fn read_request(reader: &mut BufReader<TcpStream>, connection: usize) -> Option<Request> {
    let line = |reader: &mut BufReader<TcpStream>| {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|count| *count > 0)?;
        Some(line.trim_end().to_owned())
    };
    let first = line(reader)?;
    let mut headers = BTreeMap::new();
    while let Some((name, value)) = line(reader)?.split_once(": ") {
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request { first, headers, body, connection })
}

/// A server that gives the answers in turn, one a request; an empty one closes the connection, and
/// so does one with `Connection: close`. After the last answer it says nothing more.
fn server(answers: Vec<String>) -> (String, Receiver<Request>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let (sender, requests) = channel();
    thread::spawn(move || {
        let mut answers = answers.into_iter();
        let mut open = Vec::new();
        for (connection, stream) in listener.incoming().enumerate() {
            let mut reader = BufReader::new(stream.unwrap());
            while let Some(request) = read_request(&mut reader, connection) {
                if sender.send(request).is_err() {
                    return;
                }
                let Some(answer) = answers.next() else {
                    open.push(reader);
                    break;
                };
                let _ = reader.get_mut().write_all(answer.as_bytes());
                if answer.is_empty() || answer.contains("Connection: close") {
                    break;
                }
            }
        }
    });
    (endpoint, requests)
}

fn answer(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

fn settings(loki: &serde_json::Value) -> LokiConfig {
    let around =
        Surroundings { env: Vec::new(), home: None, ..Surroundings::of_process().unwrap() };
    let config = load_with(serde_json::json!({"loki": loki}).to_string().as_bytes(), &around);
    config.unwrap_or_else(|error| panic!("{error}")).loki.unwrap()
}

fn configured(loki: &serde_json::Value) -> Client {
    Client::new(&settings(loki)).unwrap()
}

fn client(endpoint: &str) -> Client {
    configured(&serde_json::json!({"endpoint": endpoint, "timeout_seconds": 0.5}))
}

/// Why a push has to wait until somebody mends something.
fn held(client: &mut Client) -> String {
    match client.push(&batch()) {
        Answer::Hold { why } => why,
        answer => panic!("{answer:?}"),
    }
}

fn batch() -> Batch {
    let line = LineReader::new(&BTreeMap::new()).read(LINE.as_bytes()).unwrap();
    let mut batch = Batch::new(Arc::clone(&line.stream));
    batch.push(&line, LINE.as_bytes());
    batch
}

fn kind(answer: &Answer) -> &'static str {
    match answer {
        Answer::Stored => "stored",
        Answer::NotStored { .. } => "not stored",
        Answer::TooFast { .. } => "too fast",
        Answer::BadLabels { .. } => "labels",
        Answer::Unknown { .. } => "unknown",
        Answer::Late { .. } => "late",
        Answer::TooLarge { .. } => "too large",
        Answer::Refused(_) => "refused",
        Answer::Hold { .. } => "hold",
    }
}

#[test]
fn what_a_push_says_and_that_its_connection_stays() {
    let (endpoint, requests) = server(vec![answer("204 No Content", ""); 3]);
    let mut client = configured(&serde_json::json!({
        "endpoint": endpoint, "tenant": "team", "username": "me", "password": "hunter2",
        "headers": {"X-More": "a b", "Content-Type": "mine"},
    }));
    for _ in 0..3 {
        assert_eq!(client.push(&batch()), Answer::Stored);
        let request = requests.recv().unwrap();
        assert_eq!(request.first, "POST /loki/api/v1/push HTTP/1.1");
        let version = format!("lb-log/{}", env!("CARGO_PKG_VERSION"));
        for (name, value) in [
            ("content-type", "application/x-protobuf"),
            ("content-encoding", "snappy"),
            ("x-scope-orgid", "team"),
            ("x-more", "a b"),
            ("authorization", "Basic bWU6aHVudGVyMg=="),
            ("user-agent", &*version),
        ] {
            assert_eq!(request.headers[name], value, "{name}");
        }
        let plain = snap::raw::Decoder::new().decompress_vec(&request.body).unwrap();
        assert_eq!(plain.len(), batch().bytes());
        assert!(memchr::memmem::find(&plain, LINE.as_bytes()).is_some());
        assert_eq!(request.connection, 0);
    }
}

#[test]
fn json_with_gzip_and_a_token() {
    let (endpoint, requests) = server(vec![answer("204 No Content", "")]);
    let config = serde_json::json!(
        {"endpoint": endpoint, "encoding": "json", "bearer_token": "hunter2"});
    assert_eq!(configured(&config).push(&batch()), Answer::Stored);
    let request = requests.recv().unwrap();
    assert_eq!(request.headers["authorization"], "Bearer hunter2");
    assert_eq!(request.headers["content-encoding"], "gzip");
    let mut plain = String::new();
    flate2::read::GzDecoder::new(&*request.body).read_to_string(&mut plain).unwrap();
    let json: serde_json::Value = serde_json::from_str(&plain).unwrap();
    let expected = serde_json::json!({"streams": [{
        "stream": {"component": "c", "host": "h", "kind": "log", "repetition": "1", "run_id": "r",
                   "workload": "w"},
        "values": [["1795342272123456789", LINE,
                    {"level": "INFO", "event_type": "log", "logger": "l"}]],
    }]});
    assert_eq!(json, expected);
}

#[test]
fn answers_and_the_lack_of_them() {
    let moved = "HTTP/1.1 307 X\r\nLocation: http://127.0.0.1:1/x\r\nContent-Length: 0\r\n\r\n";
    for (answers, expected) in [
        (vec![answer("200 OK", "")], "hold"),
        (vec![answer("202 Accepted", "")], "hold"),
        (vec![answer("260 Blocked", "ingestion blocked")], "hold"),
        (vec![moved.to_owned()], "hold"),
        (vec![answer("401 Unauthorized", "no org id")], "hold"),
        (vec![answer("413 Too Large", "")], "too large"),
        (vec![answer("500 Oh", "")], "unknown"),
        (
            vec![answer("400 Bad Request", "entry for stream '{}' has timestamp too new: x")],
            "refused",
        ),
        // Accepted and never answered.
        (vec![], "late"),
        // Closed without an answer.
        (vec![String::new(), String::new()], "unknown"),
        // Half an answer.
        (vec!["HTTP/1.1 204 No Con".to_owned()], "late"),
        (vec!["HTTP/1.1 204 No Content\r\nX: y".to_owned()], "late"),
        (vec!["HTTP/1.1 20".to_owned() + "Connection: close"], "unknown"),
        ("nonsense\r\n\r\n".split('|').map(str::to_owned).collect(), "unknown"),
        // A body that is cut: which lines it would have named is not known. One that never ends.
        (
            vec!["HTTP/1.1 400 X\r\nContent-Length: 99\r\n\r\nConnection: close".to_owned()],
            "unknown",
        ),
        (vec!["HTTP/1.1 503 X\r\nContent-Length: 99\r\n\r\nabc".to_owned()], "unknown"),
    ] {
        let shown = format!("{answers:?}");
        let (endpoint, _requests) = server(answers);
        let start = Instant::now();
        let answer = client(&endpoint).push(&batch());
        assert_eq!(kind(&answer), expected, "{shown}: {answer:?}");
        assert!(start.elapsed() < Duration::from_secs(2), "{shown}: {:?}", start.elapsed());
    }
}

#[test]
fn a_body_is_read_up_to_a_limit() {
    let (endpoint, _requests) = server(vec![answer("500 Oh", &"x".repeat(5 << 20))]);
    let mut client = client(&endpoint);
    let request = client.http.requests().unwrap().get(endpoint);
    let reply = client.http.send(request, MAX_BODY_BYTES).unwrap();
    assert_eq!((reply.status, reply.body.len(), reply.cut), (500, MAX_BODY_BYTES, None));
}

/// A server may close a connection while nobody uses it: that must not cost a push.
#[test]
fn a_connection_that_was_closed_meanwhile() {
    let close = "HTTP/1.1 204 No Content\r\n\r\n";
    let (endpoint, requests) = server(vec![close.to_owned(), answer("204 No Content", "")]);
    let mut client = client(&endpoint);
    assert_eq!(client.push(&batch()), Answer::Stored);
    assert_eq!(client.push(&batch()), Answer::Stored);
    assert!(requests.iter().take(2).all(|request| request.body.len() > 10));
}

#[test]
fn nobody_there() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for endpoint in [format!("http://127.0.0.1:{port}"), "http://nobody.invalid".to_owned()] {
        let answer = client(&endpoint).push(&batch());
        let Answer::NotStored { why } = &answer else { panic!("{endpoint}: {answer:?}") };
        assert!(!why.is_empty() && why != "the request cannot be made", "{why}");
        assert!(!why.contains("client error"), "{why}");
    }
    // Something that speaks no TLS.
    let (endpoint, _requests) = server(vec![]);
    let answer = client(&endpoint.replace("http:", "https:")).push(&batch());
    assert_eq!(kind(&answer), "not stored", "{answer:?}");
}

/// The system's resolver has no time-out: neither a push nor the end may wait for it.
#[test]
fn a_connection_that_never_comes_about() {
    // A backlog of one that is full: the kernel drops what asks for more.
    let listener = full_backlog();
    let mut client = client(&format!("http://{}", listener.0));
    let start = Instant::now();
    let answer = client.push(&batch());
    assert_eq!(kind(&answer), "not stored", "{answer:?}");
    drop(client);
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
}

/// An address that accepts no connection more, and what keeps it so.
fn full_backlog() -> (std::net::SocketAddr, TcpListener, Vec<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    rustix::net::listen(&listener, 1).unwrap();
    let mut waiting = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
        waiting.push(stream);
        assert!(waiting.len() < 100, "the backlog never fills");
    }
    (address, listener, waiting)
}

#[test]
fn a_secret_is_read_again_and_never_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    let echo =
        |secret: &str| answer("401 No", &format!("you said {secret}, Basic bWU6aHVudGVyMg=="));
    let (endpoint, requests) = server(vec![echo("hunter2"), echo("hunter3")]);
    let config = serde_json::json!({"endpoint": endpoint, "username": "me", "password_file": file});

    // It may come while we run.
    let mut client = configured(&config);
    let missing = held(&mut client);
    assert!(
        missing.contains("loki.password_file") && missing.contains("No such file"),
        "{missing}"
    );
    assert!(matches!(client.look_up(&batch()), Err(LookUpError::Failed { why }) if why == missing));
    std::fs::write(&file, " \n").unwrap();
    assert!(held(&mut client).ends_with("it is empty"));

    std::fs::write(&file, "hunter2\n").unwrap();
    let advice = format!(
        "; correct loki.username or what loki.password_file names, {}, which is read again",
        file.display()
    );
    assert_eq!(held(&mut client), format!("HTTP 401: you said ***, Basic ***{advice}"));
    assert_eq!(requests.recv().unwrap().headers["authorization"], "Basic bWU6aHVudGVyMg==");

    std::fs::remove_file(&file).unwrap();
    assert!(client.renew().is_err());
    std::fs::write(&file, "hunter3\n").unwrap();
    client.renew().unwrap();
    let why = held(&mut client);
    assert_eq!(why, format!("HTTP 401: you said ***, Basic bWU6aHVudGVyMg=={advice}"));
    assert_eq!(requests.recv().unwrap().headers["authorization"], "Basic bWU6aHVudGVyMw==");
}

#[test]
fn what_stands_in_the_url_is_not_told_either() {
    let echo = answer("401 No", "you asked for ?token=hunter2%21&x=y hunter2! bWU6aHVudGVyMw==");
    let (endpoint, _requests) = server(vec![echo]);
    let url = endpoint.replace("//", "//me:hunter3@") + "/loki/api/v1/push?token=hunter2%21&x=y";
    let why = held(&mut configured(&serde_json::json!({"endpoint": url})));
    assert!(why.starts_with("HTTP 401: you asked for ?token=***&x=y *** ***;"), "{why}");
}

#[test]
fn what_there_is_to_do_is_said() {
    let moved = |to: &str| format!("HTTP/1.1 301 X\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n");
    let secret = "Connection reset by peer";
    for (answer, more, expected) in [
        (
            moved("https://me:hunter2@loki.example/loki/api/v1/push?token=hunter2"),
            serde_json::json!({}),
            "redirects are not followed: set loki.endpoint to https://loki.example/loki/api/v1/push",
        ),
        (moved("ftp://x"), serde_json::json!({}), "HTTP 301; see whether loki.endpoint is where"),
        (answer("401 X", "no org id"), serde_json::json!({}), "no org id; say who you are: loki."),
        (
            answer("403 X", ""),
            serde_json::json!({"bearer_token": secret, "tenant": "a"}),
            "HTTP 403; correct loki.tenant or loki.bearer_token",
        ),
        (answer("407 X", ""), serde_json::json!({}), "HTTP_PROXY or HTTPS_PROXY"),
        (answer("202 X", ""), serde_json::json!({}), "only 204 says that lines are stored"),
        (answer("404 X", ""), serde_json::json!({}), "see whether loki.endpoint is where Loki"),
        (answer("400 X", "<html>"), serde_json::json!({}), "correct loki.labels, loki.tenant or"),
    ] {
        let (endpoint, _requests) = server(vec![answer]);
        let mut config = more;
        config["endpoint"] = endpoint.into();
        let why = held(&mut configured(&config));
        assert!(why.contains(expected) && !why.contains("hunter2"), "{why}");
    }
}

/// Half of an answer of what Loki has is no answer: what was cut off would pass for missing.
#[test]
fn half_of_what_loki_has_is_not_taken_for_all() {
    let cut = "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{\"data\":{\"result\":[]}}";
    let (endpoint, _requests) = server(vec![cut.to_owned()]);
    let error = client(&endpoint).look_up(&batch()).unwrap_err();
    assert!(matches!(&error, LookUpError::Failed { why } if why.contains("the rest")), "{error:?}");
}

#[test]
fn what_cannot_be_used_is_named_without_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "hunter2 is no certificate").unwrap();
    let control = folder.path().join("control");
    std::fs::write(&control, "hunter2\u{1}").unwrap();
    for (config, expected) in [
        (serde_json::json!({"ca_file": "/no/such"}), "loki.ca_file: /no/such: No such file"),
        (serde_json::json!({"ca_file": file}), "no certificate in PEM form is in it"),
        (serde_json::json!({"cert_file": file, "key_file": file}), "hold no certificate and key"),
        (serde_json::json!({"bearer_token_file": control}), "loki.bearer_token: it holds what no"),
        (serde_json::json!({"tenant": "a\u{1}b"}), "loki.tenant: it holds what no header may"),
    ] {
        let mut config = config;
        config["endpoint"] = "https://127.0.0.1:1".into();
        let why = held(&mut configured(&config));
        assert!(why.contains(expected) && !why.contains("hunter2"), "{why}");
        assert_eq!(Client::ready(&settings(&config)).err(), Some(why));
    }
}

#[test]
fn a_look_up_asks_for_the_streams_lines() {
    let body = serde_json::json!({"data": {"result": [{
        "stream": {"component": "c", "host": "h", "kind": "log", "repetition": "1", "run_id": "r",
                   "workload": "w", "service_name": "c"},
        "values": [["1795342272123456789", LINE]]}]}});
    let (endpoint, requests) = server(vec![
        answer("200 OK", &body.to_string()),
        answer("200 OK", "<html>"),
        answer("403 No", "read is not for you"),
        answer("503 No", ""),
    ]);
    let mut client = client(&endpoint);
    assert!(client.look_up(&batch()).unwrap().holds(0));
    let request = requests.recv().unwrap();
    assert_eq!(
        request.first,
        "GET /loki/api/v1/query_range?query=%7Bcomponent%3D%22c%22%2C+host%3D%22h%22%2C+kind%3D%22log%22\
         %2C+repetition%3D%221%22%2C+run_id%3D%22r%22%2C+workload%3D%22w%22%2C+scenario%3D%22%22%7D\
         &start=1795342272123456789&end=1795342272123456790&limit=5000&direction=forward HTTP/1.1"
    );
    let mut refused = || match client.look_up(&batch()) {
        Err(LookUpError::Refused { why } | LookUpError::Failed { why }) => why,
        Ok(found) => panic!("{found:?}"),
    };
    assert!(refused().contains("not Loki"));
    assert_eq!(refused(), "HTTP 403: read is not for you");
    assert_eq!(refused(), "HTTP 503");

    let mut elsewhere = super::tests::client("http://127.0.0.1:1/custom");
    assert!(matches!(elsewhere.look_up(&batch()), Err(LookUpError::Refused { .. })));
}

#[test]
fn a_long_question_travels_in_a_body() {
    let (endpoint, requests) = server(vec![answer("200 OK", r#"{"data":{"result":[]}}"#); 2]);
    let mut client = client(&format!("{endpoint}/loki/api/v1/push?own=1"));
    let line = LINE.replace("\"r\"", &format!("\"{}\"", "r&".repeat(1000)));
    let read = LineReader::new(&BTreeMap::new()).read(line.as_bytes()).unwrap();
    let mut batch = Batch::new(Arc::clone(&read.stream));
    batch.push(&read, line.as_bytes());
    assert_eq!(client.look_up(&batch).unwrap().count(), 0);
    let request = requests.recv().unwrap();
    assert_eq!(request.first, "POST /loki/api/v1/query_range?own=1 HTTP/1.1");
    let body = String::from_utf8(request.body).unwrap();
    assert!(
        body.starts_with("query=%7Bcomponent") && body.ends_with("&direction=forward"),
        "{body}"
    );
}

#[path = "tls_tests.rs"]
mod tls;
