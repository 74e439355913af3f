#![allow(clippy::unwrap_used)]
use std::collections::BTreeMap;

use super::*;
use crate::loki::wire::answer::read;
use crate::loki::wire::line::LineReader;

const NOW: i64 = 1_795_342_272_000_000_000;

/// Lines a second apart, the first at 10:11:00.
fn batch(lines: usize) -> Batch {
    let mut reader = LineReader::new(&BTreeMap::new());
    let mut batch: Option<Batch> = None;
    for second in 0..lines {
        let text = format!(
            "{{\"timestamp\":\"2026-11-22T10:11:{second:02}.000000000Z\",\"level\":\"INFO\",\
             \"component\":\"c\",\"host\":\"h\",\"run_id\":\"r\",\"logger\":\"l\",\"message\":\"m\",\
             \"event_type\":\"log\",\"workload\":\"w\",\"repetition\":1}}"
        );
        let line = reader.read(text.as_bytes()).unwrap();
        let batch = batch.get_or_insert_with(|| Batch::new(line.stream.clone()));
        batch.push(&line, text.as_bytes());
    }
    batch.unwrap()
}

fn decide(status: u16, body: &str, lines: usize) -> Next {
    after(read(status, body.as_bytes()), &batch(lines), &mut Limits::default(), NOW)
}

#[test]
fn only_204_acknowledges() {
    assert_eq!(decide(204, "", 3), Next::Acknowledged);
    for (status, expected) in [
        (200, "hold"),
        (260, "hold"),
        (401, "hold"),
        (413, "split"),
        (422, "split"),
        (500, "look up"),
        (503, "look up"),
    ] {
        let next = match decide(status, "", 3) {
            Next::Hold { .. } => "hold",
            Next::Split { .. } => "split",
            Next::LookUp { .. } => "look up",
            next => panic!("{status}: {next:?}"),
        };
        assert_eq!(next, expected, "{status}");
    }
}

#[test]
fn what_is_wrong_with_labels_is_said_before_what_loki_repeats() {
    let long = "x".repeat(3000);
    let body = format!("stream '{{team=\"{long}\"}}' has label value too long: '{long}'");
    let Next::Hold { why } = decide(400, &body, 1) else { panic!("no hold") };
    assert!(why.starts_with("HTTP 400: has label value too long: 'xxx"), "{why}");
    assert!(why.ends_with("x…; correct loki.labels and start the program again"), "{why}");
    let todo = "correct loki.labels and start the program again";
    let body =
        |labels: &str| format!("entry for stream '{{{labels}}}' has 16 label names; limit 15");
    for (body, told) in [
        (body(&long), "has 16 label names; limit 15".to_owned()),
        (body("a=\"b\""), body("a=\"b\"")),
    ] {
        let why = format!("HTTP 400: {told}; {todo}");
        assert_eq!(decide(400, &body, 1), Next::Hold { why });
    }
}

#[test]
fn an_unnamed_400_is_looked_up_whole() {
    let Next::Sorted(fates) = decide(400, "something new", 3) else { panic!("not sorted") };
    assert_eq!(fates.look_up, [0, 1, 2]);
    let others = Fates { look_up: vec![0, 1, 2], why: fates.why.clone(), ..Fates::default() };
    assert_eq!(fates, others);
}

#[test]
fn every_line_of_a_refused_batch_has_one_fate() {
    let body = "entry with timestamp 2026-11-22 10:11:01 +0000 UTC ignored, reason: 'entry too far \
                behind, entry timestamp is: 2026-11-22T10:11:01Z, oldest acceptable timestamp is: \
                2026-11-22T11:11:01Z',\nuser 'fake', total ignored: 1 out of 4 for stream: {}";
    let Next::Sorted(fates) = decide(400, body, 4) else { panic!("not sorted") };
    assert_eq!(fates.acknowledged, [0, 2, 3]);
    assert_eq!(
        (fates.parked.len(), fates.parked[0].0, fates.parked[0].1),
        (1, 1, Why::TooFarBehind)
    );
    assert!(fates.quarantined.is_empty() && fates.again.is_empty() && fates.look_up.is_empty());
}

#[test]
fn what_a_look_up_means() {
    let refused = || Err(LookUpError::Refused { why: "403".into() });
    assert_eq!(after_look_up(Ok(vec![1]), true), Seen::Held(vec![1]));
    assert_eq!(after_look_up(Ok(vec![]), false), Seen::Held(vec![]));
    assert_eq!(after_look_up(Ok(vec![]), true), Seen::Split { blind: false });
    assert_eq!(after_look_up(refused(), true), Seen::Split { blind: true });
    assert_eq!(after_look_up(refused(), false), Seen::Blind { why: "403".into() });
    let failed = Err(LookUpError::Failed { why: "503".into() });
    assert_eq!(after_look_up(failed, true), Seen::Again { why: "503".into() });
}

#[test]
fn pauses_double_up_to_half_a_minute() {
    let backoff = Backoff { base: Duration::from_millis(500), factor: 2.0, max_retries: Some(9) };
    let pauses: Vec<u128> = (1..=9).map(|n| backoff.pause(n, 1.0).as_millis()).collect();
    assert_eq!(pauses, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
    assert_eq!(backoff.pause(3, 0.25), Duration::from_millis(500));
    assert_eq!(backoff.pause(3, 0.0), Duration::ZERO);
    // Beyond max_retries there is no chance in it.
    assert_eq!((backoff.gives_up(9), backoff.gives_up(10)), (false, true));
    assert_eq!(backoff.pause(10, 0.0), LONGEST_PAUSE);
    let wild = Backoff { factor: 1000.0, max_retries: None, ..backoff };
    assert_eq!(wild.pause(u64::MAX, 1.0), LONGEST_PAUSE);
}

#[test]
fn limits_are_learnt_and_forgotten() {
    let mut limits = Limits::default();
    let batch = batch(4);
    let first = batch.lines().next().unwrap().0;
    let len = batch.lines().next().unwrap().1.len();
    let second = 1_000_000_000;
    let line = |index, reason| RefusedLine { index, reason, why: format!("{reason:?}") };
    limits.learn(&[line(1, Reason::TooOld), line(3, Reason::TooFarBehind)], &batch, NOW);
    let never = Some(Beyond::Never { why: "TooOld".into() });
    assert_eq!(limits.check(first, len, NOW), never);
    assert_eq!(limits.check(first + second, len, NOW), never);
    assert_eq!(limits.check(first + 2 * second, len, NOW), None);
    assert_eq!(limits.check(first, len, NOW + 60 * second), None);
    // Somebody has set the clock back.
    assert_eq!(limits.check(first, len, NOW - second), None);

    let mut limits = Limits::default();
    limits.learn(
        &[line(0, Reason::TooFarAhead), line(2, Reason::TooLong)],
        &batch,
        first - 1000 * second,
    );
    let then = first - 1000 * second;
    let not_yet = Some(Beyond::NotYet { why: "TooFarAhead".into() });
    assert_eq!(limits.check(then + 1000 * second, len - 1, then), not_yet);
    assert_eq!(limits.check(then + 999 * second, len - 1, then), None);
    assert_eq!(limits.check(then + 1000 * second, len - 1, then + second), None);
    assert_eq!(limits.check(then, len, then), Some(Beyond::Never { why: "TooLong".into() }));
}

#[test]
fn parked_lines_are_tried_less_and_less_often() {
    let seconds: Vec<i64> = (0..8).map(|n| (next_try_ns(n, NOW) - NOW) / 1_000_000_000).collect();
    assert_eq!(seconds, [10, 20, 40, 80, 160, 300, 300, 300]);
    assert!(next_try_ns(u32::MAX, NOW) > NOW);
}
