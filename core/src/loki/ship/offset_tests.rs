#![allow(clippy::unwrap_used)]
use super::*;

fn offset(lines: u64) -> Offset {
    let mut offset = Offset::new(Target::default(), BTreeMap::new());
    let mut segment = Segment::default();
    (1..=lines).for_each(|line| segment.count_line(line * 10));
    offset.segments.push(segment);
    offset
}

fn place(line: u64) -> Place {
    Place { segment: 0, start: line * 10, end: line * 10 + 10 }
}

fn sums(offset: &Offset) -> [u64; 6] {
    let sum = offset.delivery();
    assert_eq!(sum.lines, sum.acknowledged + sum.below_level + sum.pending + sum.quarantined);
    [sum.lines, sum.acknowledged, sum.below_level, sum.pending, sum.quarantined, sum.parked]
}

#[test]
fn the_mark_follows_what_is_dealt_with_in_any_order() {
    let mut offset = offset(6);
    assert_eq!(sums(&offset), [6, 0, 0, 6, 0, 0]);
    offset.acknowledge(place(1));
    offset.pass_over(place(3));
    assert_eq!(offset.segments[0].mark, 0);
    assert_eq!(offset.segments[0].next_open(10), 20);
    offset.quarantine(place(0));
    assert_eq!(offset.segments[0].mark, 20);
    offset.acknowledge(place(2));
    assert_eq!((offset.segments[0].mark, offset.segments[0].done.len()), (40, 0));
    assert_eq!(offset.segments[0].next_open(0), 40);
    assert_eq!(sums(&offset), [6, 2, 1, 2, 1, 0]);
}

#[test]
fn parked_lines_hold_nothing_back_and_stay_pending() {
    let mut offset = offset(4);
    for line in [1, 2] {
        offset.park(place(line), Why::TooFarBehind, "too far behind", 5, 9);
        offset.park(place(line), Why::TooFarBehind, "again", 6, 10);
    }
    offset.park(place(3), Why::TooFarAhead, "too far ahead", 5, 9);
    offset.acknowledge(place(0));
    assert_eq!(offset.segments[0].mark, 40);
    assert_eq!(sums(&offset), [4, 1, 0, 3, 0, 3]);
    assert_eq!((offset.segments[0].parked.len(), offset.parked_ranges()), (2, 2));
    assert_eq!(offset.segments[0].parked[0].since_ns, 5);
    offset.acknowledge(place(2));
    offset.quarantine(place(1));
    offset.acknowledge(place(3));
    assert_eq!(sums(&offset), [4, 3, 0, 0, 1, 0]);
    assert!(offset.segments[0].parked.is_empty());
}

#[test]
fn groups_of_parked_lines_are_bounded() {
    let mut offset = offset(100);
    for line in 0..100 {
        offset.park(place(line), Why::TooFarAhead, "", 0, 0);
        offset.segments[0].parked.iter_mut().for_each(|group| group.tries += 1);
    }
    assert_eq!(offset.segments[0].parked.len(), MOST_GROUPS);
    assert_eq!(sums(&offset)[5], 100);
}

#[test]
fn proofs_are_few_and_dense_near_the_mark() {
    let mut segment = Segment::default();
    for mark in 1..=1000 {
        segment.mark = mark * 100;
        segment.prove(LineHash::of(&mark.to_le_bytes()));
    }
    let at: Vec<_> = segment.proofs.iter().map(|proof| proof.at).collect();
    assert_eq!(at.len(), MOST_PROOFS);
    assert_eq!((at[0], at[MOST_PROOFS - 1]), (100, 100_000));
    let steps: Vec<_> = at.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(steps.windows(2).all(|pair| pair[0] >= pair[1]), "{at:?}");
    assert!(steps[MOST_PROOFS - 2] <= 1000, "{at:?}");
    segment.mark = 50_000;
    segment.prove(LineHash::of(b"cut"));
    assert_eq!(segment.proofs.last().map(|proof| proof.at), Some(50_000));
}

#[test]
fn what_was_written_is_read() {
    let mut offset = offset(3);
    offset.park(place(2), Why::TooFarAhead, "ahead", 1, 2);
    offset.acknowledge(place(1));
    offset.segments[0].prove(LineHash::of(b"x"));
    offset.segments[0].in_flight = Some(30);
    let text = serde_json::to_string(&offset).unwrap();
    assert_eq!(serde_json::from_str::<Offset>(&text).unwrap(), offset, "{text}");
}

#[test]
fn targets_have_ids_of_their_own() {
    let target = |endpoint: &str, tenant: Option<&str>, level: &str| Target {
        endpoint: endpoint.into(),
        tenant: tenant.map(str::to_owned),
        min_level: level.into(),
    };
    let all = [
        target("http://a", None, "INFO"),
        target("http://a", Some(""), "INFO"),
        target("http://a", None, "DEBUG"),
        target("http://b", None, "INFO"),
    ];
    let mut ids = all.map(|target| target.id()).to_vec();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 4);
}
