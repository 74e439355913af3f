use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::answer::{Answer, MAX_BODY_BYTES, read};
use super::super::line::Line;
use super::super::stream::{Metadata, Stream};
use super::*;
use crate::record::Level;

const NOW: i64 = 1_795_342_272 * SECOND_NS;

/// A batch of lines, each a time and its bytes.
fn batch(lines: &[(i64, usize)]) -> Batch {
    let stream = Arc::new(Stream::new(&BTreeMap::from([("host", "h")])));
    let metadata = Arc::new(Metadata::new(&[("level", "INFO")]));
    let mut batch = Batch::new(Arc::clone(&stream));
    for (ns, bytes) in lines {
        let (stream, metadata) = (Arc::clone(&stream), Arc::clone(&metadata));
        batch.push(&Line { ns: *ns, level: Level::Info, stream, metadata }, &vec![b'x'; *bytes]);
    }
    batch
}

/// Indexes and reasons of what a body names, and the rest.
fn refused(body: &str, lines: &[(i64, usize)]) -> (Vec<(usize, Reason)>, Rest) {
    let Answer::Refused(refusal) = read(400, body.as_bytes()) else { panic!("{body}") };
    let (lines, rest) = refusal.refused(&batch(lines));
    assert!(lines.iter().all(|line| !line.why.is_empty() && !line.why.contains('\n')));
    (lines.iter().map(|line| (line.index, line.reason)).collect(), rest)
}

const BEHIND: &str = "entry too far behind, entry timestamp is: 2026-11-22T08:11:12Z, \
    oldest acceptable timestamp is: 2026-11-22T09:11:12Z";

fn ignored_at(fraction: &str, reason: &str) -> String {
    format!(
        "entry with timestamp 2026-11-22 10:11:12{fraction} +0000 UTC ignored, reason: '{reason}',\n"
    )
}

#[test]
fn the_ingester_names_lines_to_the_nanosecond() {
    let lines = [(NOW, 9), (NOW + 1, 9), (NOW + 2, 9), (NOW + 1, 9)];
    let one = ignored_at(".000000001", BEHIND);
    for (body, expected) in [
        (
            format!("{one}{one}user 'fake', total ignored: 2 out of 4 for stream: {{host=\"h\"}}"),
            (vec![(1, Reason::TooFarBehind), (3, Reason::TooFarBehind)], Rest::Stored),
        ),
        // More were ignored than are named.
        (
            format!("{one}{one}user 'fake', total ignored: 3 out of 4 for stream: {{host=\"h\"}}"),
            (vec![(1, Reason::TooFarBehind), (3, Reason::TooFarBehind)], Rest::Unknown),
        ),
        // The distributor let only three pass.
        (
            format!("{one}{one}user 'fake', total ignored: 2 out of 3 for stream: {{host=\"h\"}}"),
            (vec![(1, Reason::TooFarBehind), (3, Reason::TooFarBehind)], Rest::Unknown),
        ),
        // Two lines of that time were sent, and one is said: no telling which.
        (
            format!("{one}user 'fake', total ignored: 1 out of 4 for stream: {{host=\"h\"}}"),
            (vec![], Rest::Unknown),
        ),
        // A line that we did not send.
        (
            format!(
                "{}user 'fake', total ignored: 1 out of 4 for stream: {{host=\"h\"}}",
                ignored_at(".5", BEHIND)
            ),
            (vec![], Rest::Unknown),
        ),
        (
            format!(
                "{}{}user 'a', total ignored: 9 out of 9', total ignored: 2 out of 4 for stream: {{}}",
                ignored_at("", "Per stream rate limit exceeded (limit: 1KB/sec) while …"),
                ignored_at(".000000002", "entry out of order"),
            ),
            (vec![(0, Reason::RateLimited), (2, Reason::TooFarBehind)], Rest::Unknown),
        ),
        // Cut off by the limit of what is read.
        (
            format!("{one}{one}entry with timestamp 2026-11-"),
            (vec![(1, Reason::TooFarBehind), (3, Reason::TooFarBehind)], Rest::Unknown),
        ),
    ] {
        assert_eq!(refused(&body, &lines), expected, "{body}");
    }
}

#[test]
fn the_distributor_names_groups() {
    let labels = r#"{host="a}\"'; 3 errors like: ", service_name="x"}"#;
    let long = format!(
        "max entry size '10' bytes exceeded for stream '{labels}' while adding an entry with length \
         '11' bytes"
    );
    let old = format!(
        "entry for stream '{labels}' has timestamp too old: 2026-11-15T10:11:12Z, oldest acceptable \
         timestamp is: 2026-11-15T12:11:12+02:00"
    );
    let new = format!("entry for stream '{labels}' has timestamp too new: 2026-11-22T10:21:12Z");
    let week_ago = NOW - 7 * 86_400 * SECOND_NS;
    let ahead = NOW + 600 * SECOND_NS;
    let lines = [
        (NOW, 9),
        (NOW, 11),
        (week_ago + 7, 11),
        (week_ago + 5, 9),
        (week_ago + 9, 9),
        (ahead + 5, 11),
        (ahead + 2, 9),
        (NOW, 11),
    ];
    let (l, o, n) = (Reason::TooLong, Reason::TooOld, Reason::TooFarAhead);
    for (body, expected) in [
        // The limits cut through the seconds; a line that is too old or too new is not measured.
        (
            format!("2 errors like: {long}; 2 errors like: {old}; 1 errors like: {new}"),
            (vec![(1, l), (2, o), (3, o), (5, n), (7, l)], Rest::Stored),
        ),
        (
            format!("1 errors like: {new}; 1 errors like: {old}; 3 errors like: {long}"),
            (vec![(1, l), (2, l), (3, o), (5, n), (7, l)], Rest::Stored),
        ),
        // Four lines of that length were sent, two are said: some others may be stored.
        (format!("2 errors like: {long}"), (vec![], Rest::Unknown)),
        (old.clone(), (vec![(3, o)], Rest::Stored)),
        (format!("9 errors like: {old}"), (vec![], Rest::Unknown)),
        (format!("{new}; something new"), (vec![(5, n)], Rest::Unknown)),
        (format!("{new}{new}"), (vec![], Rest::Unknown)),
        ("something new".to_owned(), (vec![], Rest::Unknown)),
        (String::new(), (vec![], Rest::Unknown)),
        ("99999999999999999999999 errors like: ".to_owned(), (vec![], Rest::Unknown)),
    ] {
        assert_eq!(refused(&body, &lines), expected, "{body}");
    }
    // Two lines of one nanosecond, and the limit between them: no telling which.
    assert_eq!(refused(&old, &[(week_ago + 5, 9), (week_ago + 5, 8)]), (vec![], Rest::Unknown));
}

#[test]
fn structured_metadata_that_is_too_large() {
    let advice = "Please see `limits_config.max_structured_metadata_size` or contact your Loki \
        administrator to increase it";
    let body = format!(
        "1 errors like: stream '{{a=\"b\"}}' has structured metadata too large: '9' bytes, limit: '8' \
         bytes. {advice}; 1 errors like: stream '{{a=\"b\"}}' has too many structured metadata \
         labels: '1', limit: '0'. {advice}"
    );
    // "level" and "INFO".
    assert_eq!(refused(&body, &[(NOW, 1)]), (vec![(0, Reason::Content)], Rest::Unknown));
    let first = body.split("; ").next().unwrap_or_default();
    assert_eq!(refused(first, &[(NOW, 1)]), (vec![(0, Reason::Content)], Rest::Stored));
}

#[test]
fn no_streams_at_all() {
    let body = b"error at least one valid stream is required for ingestion";
    let Answer::Refused(refusal) = read(422, body) else { panic!() };
    assert_eq!(refusal.refused(&batch(&[(NOW, 1)])), (vec![], Rest::NotStored));
}

/// Pieces of real messages, put together and cut at random: never a panic, and never more lines
/// named than were sent.
#[test]
fn hostile_bodies() {
    let one = ignored_at(".000000001", BEHIND);
    let pieces = [
        "entry with timestamp ",
        &*one,
        "2026-11-22 10:11:12",
        " ignored, reason: '",
        "',\n",
        "\n",
        "user '', total ignored: ",
        "18446744073709551616",
        "1",
        " out of ",
        " for stream: ",
        "{",
        "}",
        "'{",
        "}'",
        "\"",
        "\\",
        "é",
        "; ",
        "2 errors like: ",
        "max entry size ",
        "'9'",
        " bytes exceeded for stream ",
        "entry for stream ",
        " has timestamp too new: ",
        "2026-11-22T10:11:12Z",
        " has timestamp too old: ",
        ", oldest acceptable timestamp is: ",
        "stream ",
        " has structured metadata too large: ",
        "to increase it",
        " while adding an entry with length ",
        " bytes",
        "\u{0}",
        "-",
        "+99:99",
    ];
    let lines = [(NOW, 9), (NOW + 1, 9), (NOW + 2, 11)];
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).unwrap_or(0)
    };
    for _ in 0..20_000 {
        let mut body = String::new();
        for _ in 0..random(12) {
            body.push_str(pieces[random(pieces.len())]);
        }
        let cut = random(body.len() + 1);
        let bytes = &body.as_bytes()[..cut];
        if let Answer::Refused(refusal) = read(400, bytes) {
            let (named, _) = refusal.refused(&batch(&lines));
            assert!(
                named.len() <= lines.len() && named.iter().all(|line| line.index < lines.len())
            );
        }
    }
    for piece in pieces {
        let body = piece.repeat(MAX_BODY_BYTES / piece.len());
        if let Answer::Refused(refusal) = read(400, body.as_bytes()) {
            refusal.refused(&batch(&lines));
        }
    }
}
