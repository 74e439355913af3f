#![allow(clippy::unwrap_used)]
use std::time::Duration;

use super::super::offset::Target;
use super::super::scene::{Act, Reading, Scene, random, target};
use crate::loki::wire::refusal::Rest;
use crate::names;

#[test]
fn lines_from_the_level_up_are_shipped_and_all_are_counted() {
    let mut scene = Scene::new();
    scene.lines(10);
    for (level, workload) in [("DEBUG", "w"), ("ERROR", "v"), ("INFO", "w")] {
        let line = scene.line(level, workload, "m");
        scene.append(&line);
    }
    scene.append("no record\n");
    let done = scene.run();
    assert_eq!(
        [done.lines, done.acknowledged, done.below_level, done.quarantined, done.pending],
        [14, 12, 1, 1, 0]
    );
    assert_eq!(scene.world(|world| world.pushes.clone()), [7, 4, 1]);
    scene.check_all(&[scene.text()], 0);
    let entry = &scene.quarantined()[0];
    assert_eq!(
        (entry["line"].as_str(), entry["segment"].as_str()),
        (Some("no record"), Some("c-h.jsonl"))
    );

    // Another process finds nothing to do, and goes on where this one was.
    scene.kill();
    assert_eq!(scene.run(), done);
    scene.lines(1);
    assert_eq!(scene.run().acknowledged, 13);
    assert_eq!(scene.world(|world| (world.pushes.len(), world.look_ups)), (4, 0));
}

#[test]
fn half_a_line_is_not_shipped() {
    let mut scene = Scene::new();
    scene.append("{\"half");
    assert_eq!(scene.run().lines, 0);
    assert!(scene.quarantined().is_empty());
}

#[test]
fn a_refused_connection_is_tried_again_later_and_later() {
    let mut scene = Scene::new();
    scene.lines(3);
    scene.world(|world| world.acts.extend([Act::Refuse; 12]));
    let done = scene.run();
    assert_eq!((done.acknowledged, scene.world(|world| world.look_ups)), (3, 0));
    let took = scene.elapsed();
    // 0.5 + 1 + 2 + … 16 s, then 30 s each, at most.
    assert!(took <= Duration::from_secs(32 + 6 * 30 + 10), "{took:?}");
    assert!(scene.engine.last_failure().is_none());
}

#[test]
fn an_unknown_answer_is_looked_up_and_only_what_is_missing_is_sent() {
    let mut scene = Scene::new();
    scene.lines(7);
    scene.world(|world| world.acts.extend([Act::Lose(2), Act::Store]));
    assert_eq!(scene.run().acknowledged, 7);
    assert!(scene.elapsed() >= Duration::from_secs(2));
    assert_eq!(scene.world(|world| (world.pushes.clone(), world.look_ups)), (vec![7, 4], 1));
    scene.check_all(&[scene.text()], 0);
}

/// A push of which nobody gets the answer may be stored yet: that Loki does not have it says nothing
/// before ten seconds have passed.
#[test]
fn what_loki_stores_late_is_not_sent_twice() {
    let mut scene = Scene::new();
    scene.lines(7);
    scene.world(|world| world.acts.extend([Act::Late(7000)]));
    assert_eq!(scene.run().acknowledged, 7);
    assert_eq!(scene.world(|world| (world.pushes.clone(), world.look_ups)), (vec![7], 4));

    // Frozen, it goes on where it was, and nobody knows how long that takes.
    scene.lines(7);
    scene.world(|world| {
        world.acts.extend([Act::Late(60_000)]);
        world.reading = Reading::Fails;
    });
    let froze = scene.elapsed();
    while scene.elapsed() < froze + Duration::from_secs(59) {
        scene.steps(1);
    }
    scene.world(|world| world.reading = Reading::Works);
    assert_eq!(
        (scene.run().acknowledged, scene.world(|world| world.pushes.clone())),
        (14, vec![7; 2])
    );

    // What never comes is sent again.
    scene.lines(7);
    scene.world(|world| world.acts.extend([Act::Late(usize::MAX)]));
    assert_eq!(
        (scene.run().acknowledged, scene.world(|world| world.pushes.clone())),
        (21, vec![7; 4])
    );
    scene.check_all(&[scene.text()], 0);
}

#[test]
fn where_reading_is_refused_it_is_sent_again_and_counted() {
    let mut scene = Scene::new();
    scene.lines(7);
    scene.world(|world| {
        world.reading = Reading::Refused;
        world.acts.extend([Act::Lose(4), Act::Store]);
    });
    let done = scene.run();
    assert_eq!((done.acknowledged, done.replayed), (7, 7));
    scene.check_all(&[scene.text()], 7);
}

#[test]
fn too_large_is_split_and_a_bad_line_found_by_halving() {
    let mut scene = Scene::new();
    scene.lines(5);
    let bad = scene.line("INFO", "w", "BAD");
    scene.append(&bad);
    scene.world(|world| {
        world.acts.extend([Act::TooLarge]);
        world.then = Act::Bad(Rest::NotStored);
    });
    scene.steps(40);
    scene.world(|world| world.then = Act::Store);
    let done = scene.run();
    assert_eq!([done.acknowledged, done.quarantined, done.pending], [5, 1, 0]);
    scene.check_all(&[scene.text()], 0);
    assert_eq!(scene.quarantined()[0]["reason"], "HTTP 400: as the test wants it");
}

#[test]
fn a_burst_below_the_size_of_a_push_is_found() {
    let mut scene = Scene::new();
    scene.batch_lines = usize::MAX;
    scene.kill();
    scene.lines(100);
    scene.world(|world| world.then = Act::Burst(7));
    assert_eq!(scene.run().acknowledged, 100);
    let pushes = scene.world(|world| std::mem::take(&mut world.pushes));
    // The first pause may have been too short, the second was not.
    let whole = pushes[0];
    assert!(whole > 14 && pushes[1..3] == [whole, whole.div_ceil(2)], "{pushes:?}");
    scene.check_all(&[scene.text()], 0);
    // What is read from now on is small enough at once.
    scene.lines(100);
    assert_eq!(scene.run().acknowledged, 200);
    let pushes = scene.world(|world| world.pushes.clone());
    assert!(pushes.iter().all(|lines| *lines <= 7), "{pushes:?}");
    scene.check_all(&[scene.text()], 0);
}

#[test]
fn named_lines_are_quarantined_or_parked_and_the_others_stored() {
    let mut scene = Scene::new();
    scene.world(|world| world.behind = true);
    for message in ["m", "BEHIND", "WORSE", "m", "BEHIND", "m", "m"] {
        let line = scene.line("INFO", "w", message);
        scene.append(&line);
    }
    let done = scene.run();
    assert_eq!([done.acknowledged, done.quarantined, done.pending, done.parked], [4, 1, 2, 2]);
    assert_eq!(scene.world(|world| (world.pushes.len(), world.look_ups)), (1, 0));
    assert_eq!(scene.quarantined()[0]["reason"], "it is bad");
    let parked = &scene.saved().unwrap().segments[0].parked;
    assert_eq!((parked.len(), parked[0].ranges.len()), (1, 2));
    assert_eq!(parked[0].reason, "entry too far behind");

    // Tried again later and later, alone; also by the next process, at once.
    let pushes = |scene: &Scene| scene.world(|world| world.pushes.clone());
    scene.run();
    assert_eq!(pushes(&scene), [7]);
    scene.world(|world| world.now.ns += 11_000_000_000);
    scene.run();
    scene.world(|world| world.now.ns += 11_000_000_000);
    scene.run();
    assert_eq!(pushes(&scene), [7, 2]);
    scene.kill();
    scene.world(|world| world.behind = false);
    let done = scene.run();
    assert_eq!([done.acknowledged, done.quarantined, done.pending, done.parked], [6, 1, 0, 0]);
    assert_eq!(pushes(&scene), [7, 2, 2]);
    scene.check_all(&[scene.text()], 0);
}

#[test]
fn a_clock_that_is_set_delays_nothing() {
    const DAY_NS: i64 = 86_400_000_000_000;
    for step_ns in [-DAY_NS, DAY_NS] {
        let mut scene = Scene::new();
        scene.world(|world| world.behind = true);
        for message in ["m", "BEHIND", "m"] {
            let line = scene.line("INFO", "w", message);
            scene.append(&line);
        }
        assert_eq!(scene.run().parked, 1);
        scene.world(|world| (world.behind, world.now.ns) = (false, world.now.ns + step_ns));
        let soon = scene.elapsed() + Duration::from_mins(1);
        while scene.engine.delivery().parked > 0 {
            scene.steps(1);
            assert!(scene.elapsed() < soon, "{step_ns}: still parked");
        }
        // Nor is the pause behind a failure a matter of the time of day.
        scene.world(|world| world.then = Act::Refuse);
        scene.lines(3);
        scene.steps(30);
        scene.world(|world| (world.then, world.now.ns) = (Act::Store, world.now.ns - step_ns));
        let soon = scene.elapsed() + Duration::from_mins(1);
        assert_eq!(scene.run().acknowledged, 6);
        assert!(scene.elapsed() < soon, "{step_ns}");
    }
}

#[test]
fn a_hold_waits_half_a_minute_and_reads_secrets_again() {
    let mut scene = Scene::new();
    scene.lines(2);
    scene.world(|world| world.acts.extend([Act::Hold, Act::Hold]));
    assert_eq!(scene.run().acknowledged, 2);
    assert_eq!(scene.world(|world| world.renewals), 2);
    assert!(scene.elapsed() >= Duration::from_mins(1));
}

#[test]
fn lines_are_counted_while_loki_is_away() {
    let mut scene = Scene::new();
    scene.lines(3);
    scene.world(|world| world.then = Act::Refuse);
    scene.steps(50);
    scene.rotate(1);
    scene.lines(100);
    scene.steps(50);
    let sum = scene.engine.delivery();
    assert_eq!((sum.lines, sum.pending, sum.acknowledged), (103, 103, 0));
    scene.engine.leave();
    scene.world(|world| world.then = Act::Store);
    scene.kill();
    assert_eq!(scene.run().acknowledged, 103);
    // What surely was not stored is not looked up.
    assert_eq!(scene.world(|world| world.look_ups), 0);
}

#[test]
fn segments_are_known_by_their_content() {
    let mut scene = Scene::new();
    scene.lines(5);
    let mut all = vec![scene.text()];
    scene.run();
    scene.rotate(1);
    scene.lines(5);
    all.push(scene.text());
    scene.rotate(2);
    scene.lines(5);
    all.push(scene.text());
    let done = scene.run();
    assert_eq!((done.lines, done.acknowledged), (15, 15));
    // A copy on another disk, under another process.
    for name in [names::segment(&scene.log, 1), scene.log.clone()] {
        let copy = name.with_extension("copy");
        std::fs::copy(&name, &copy).unwrap();
        std::fs::rename(&copy, &name).unwrap();
    }
    scene.kill();
    assert_eq!(scene.run(), done);
    scene.check_all(&all, 0);
    // Deleted ones are forgotten; lost is only what was pending.
    std::fs::remove_file(names::segment(&scene.log, 1)).unwrap();
    scene.kill();
    let left = scene.run();
    assert_eq!((left.lines, left.missing), (10, 0));
    scene.lines(3);
    scene.kill();
    scene.world(|world| world.then = Act::Refuse);
    scene.steps(20);
    scene.rotate(3);
    scene.lines(1);
    std::fs::remove_file(names::segment(&scene.log, 3)).unwrap();
    scene.world(|world| world.then = Act::Store);
    scene.kill();
    let left = scene.run();
    assert_eq!((left.lines, left.pending), (6, 0), "{left:?}");
}

#[test]
fn a_log_cut_behind_the_offset_is_shipped_again_from_the_last_proven_point() {
    for keep in [0, 3, 10, 17] {
        let mut scene = Scene::new();
        for _ in 0..5 {
            scene.lines(4);
            let line = scene.line("DEBUG", "w", "m");
            scene.append(&line);
            scene.run();
        }
        let before = scene.text();
        let kept: String = before.split_inclusive('\n').take(keep).collect();
        std::fs::write(&scene.log, &kept).unwrap();
        // The lines that follow have the length of those that were lost.
        scene.lines(30);
        let after = scene.text();
        scene.kill();
        let done = scene.run();
        assert_eq!(done.lines, keep as u64 + 30, "{keep}");
        assert_eq!(done.pending, 0);
        let debug = kept.lines().filter(|line| line.contains("DEBUG")).count() as u64;
        assert_eq!((done.below_level, done.acknowledged), (debug, keep as u64 + 30 - debug));
        scene.check_all(&[after], 0);
    }
}

/// Behind the mark, too, the offset speaks of lines that the file must still have.
#[test]
fn a_log_cut_behind_the_mark_is_looked_at_anew() {
    for (keep, message) in [(3, "m"), (3, "a longer one"), (1, "x"), (8, "m")] {
        let mut scene = Scene::new();
        let first = scene.line("INFO", "v", "m");
        scene.append(&first);
        scene.lines(7);
        // The seven fill a parcel, which overtakes the first line; then Loki goes away.
        scene.world(|world| {
            world.acts.push_back(Act::Store);
            world.then = Act::Refuse;
        });
        scene.steps(60);
        let saved = scene.saved().unwrap();
        assert_eq!((saved.segments[0].mark, saved.segments[0].done.len()), (0, 1));
        let text = scene.text();
        let kept: String = text.split_inclusive('\n').take(keep).collect();
        std::fs::write(&scene.log, &kept).unwrap();
        let others: String = (0..20).map(|_| scene.line("INFO", "w", message)).collect();
        scene.append(&others);
        scene.kill();
        scene.world(|world| world.then = Act::Store);
        let done = scene.run();
        let lines = keep as u64 + 20;
        assert_eq!((done.lines, done.acknowledged, done.pending), (lines, lines, 0), "{keep}");
        assert_eq!(done.quarantined, 0);
        scene.check_all(&[scene.text()], 0);
    }
}

#[test]
fn a_damaged_offset_file_doubles_nothing() {
    let mut scene = Scene::new();
    scene.lines(20);
    scene.append("no record\n");
    let done = scene.run();
    std::fs::write(names::offset(&scene.log, target().id()), "{").unwrap();
    scene.kill();
    assert_eq!(scene.run(), done);
    let all = scene.text();
    scene.check_all(&[all], 0);
    assert_eq!(scene.world(|world| world.stored.values().sum::<u64>()), 20);
}

#[test]
fn what_was_pushed_from_another_level_up_is_not_pushed_again() {
    let mut scene = Scene::new();
    let ours = names::offset(&scene.log, target().id());
    let other = Target { min_level: "ERROR".to_owned(), ..target() };
    let stored = |scene: &Scene| scene.world(|world| world.stored.values().sum::<u64>());
    scene.lines(10);
    scene.run();
    let then = std::fs::read_to_string(&ours).unwrap();
    scene.lines(10);
    scene.run();
    // The second ten were another's, and in the end everything was.
    let text = std::fs::read_to_string(&ours).unwrap().replace("INFO", "ERROR");
    std::fs::write(names::offset(&scene.log, other.id()), text).unwrap();
    for before in [Some(then), None] {
        match before {
            Some(text) => std::fs::write(&ours, text).unwrap(),
            None => std::fs::remove_file(&ours).unwrap(),
        }
        scene.kill();
        assert_eq!(scene.run().acknowledged, 20);
        scene.check_all(&[scene.text()], 0);
        assert_eq!(stored(&scene), 20);
    }
    // What is new is sent at once.
    let look_ups = scene.world(|world| world.look_ups);
    scene.lines(5);
    assert_eq!((scene.run().acknowledged, stored(&scene)), (25, 25));
    assert_eq!(scene.world(|world| world.look_ups), look_ups);
}

#[test]
fn from_the_start_sends_what_is_missing() {
    let mut scene = Scene::new();
    scene.lines(20);
    scene.run();
    let gone = scene.text().lines().nth(4).unwrap().to_owned();
    scene.world(|world| world.stored.remove(&gone));
    scene.engine = Scene::engine(&scene.log, &scene.world, 7, true);
    assert_eq!(scene.run().acknowledged, 20);
    scene.check_all(&[scene.text()], 0);
}

#[test]
fn a_deleted_folder_is_left_alone() {
    let mut scene = Scene::new();
    scene.lines(3);
    scene.run();
    let folder = scene.log.parent().unwrap().to_path_buf();
    std::fs::remove_dir_all(&folder).unwrap();
    for _ in 0..20 {
        scene.engine.step();
    }
    assert!(!folder.exists());
    std::fs::create_dir(folder).unwrap();
}

#[test]
fn a_file_that_is_rotated_in_a_lap_is_still_looked_up() {
    let mut scene = Scene::new();
    scene.lines(5);
    let mut all = vec![scene.text()];
    scene.rotate(1);
    scene.lines(5);
    all.push(scene.text());
    scene.rotate(2);
    scene.lines(5);
    // All are sent as one, whose answer nobody gets.
    scene.batch_lines = 15;
    scene.kill();
    scene.world(|world| world.acts.extend([Act::Lose(4)]));
    while scene.world(|world| world.pushes.is_empty()) {
        scene.steps(1);
    }
    scene.batch_lines = 5;
    scene.kill();
    // The second file is open now, and the third not yet.
    while scene.world(|world| world.look_ups < 2) {
        scene.steps(1);
    }
    all.push(scene.text());
    scene.rotate(3);
    let done = scene.run();
    assert_eq!((done.acknowledged, scene.world(|world| world.pushes.clone())), (15, vec![15]));
    scene.check_all(&all, 0);
}

/// Random answers, a process killed between any two steps, a log that grows and rotates.
#[test]
fn whatever_happens_each_line_arrives_once() {
    let seeds = std::env::var("LB_SHIP_SEEDS").ok().and_then(|text| text.parse().ok());
    for seed in 0..seeds.unwrap_or(40_u64) {
        let mut dice = seed;
        let mut scene = Scene::new();
        scene.batch_lines = 1 + random(&mut dice, 9);
        scene.kill();
        let reads = random(&mut dice, 4) > 0;
        scene.world(|world| {
            world.seed = Some(seed ^ 0x5eed);
            world.reading = if reads { Reading::Works } else { Reading::Refused };
        });
        let (mut rotated, mut segments) = (Vec::new(), 0);
        for _ in 0..150 {
            let behind = random(&mut dice, 3) > 0;
            scene.world(|world| world.behind = behind);
            match random(&mut dice, 40) {
                0..4 => scene.kill(),
                4 => {
                    scene.engine.leave();
                    scene.kill();
                }
                5..15 => {
                    let level = ["DEBUG", "INFO", "ERROR"][random(&mut dice, 3)];
                    let workload = ["v", "w"][random(&mut dice, 2)];
                    let message = ["m", "m", "m", "BAD", "WORSE", "BEHIND"][random(&mut dice, 6)];
                    let lines: String = (0..random(&mut dice, 6))
                        .map(|_| scene.line(level, workload, message))
                        .collect();
                    scene.append(&lines);
                }
                15 => {
                    scene.written += 1;
                    let number = scene.written;
                    scene.append(&format!("no record {number}\n"));
                }
                16 if scene.log.exists() && !scene.text().is_empty() => {
                    rotated.push(scene.text());
                    segments += 1;
                    scene.rotate(segments);
                }
                _ => scene.steps(1),
            }
        }
        scene.world(|world| (world.seed, world.behind) = (None, false));
        scene.run();
        // What was parked has its time.
        scene.world(|world| world.now.ns += 3_600_000_000_000);
        let done = scene.run();
        scene.append("");
        println!("seed {seed}, reading {reads}: {done:?}");
        rotated.push(scene.text());
        let lines: u64 = rotated.iter().map(|text| text.lines().count() as u64).sum();
        assert_eq!((done.lines, done.pending), (lines, 0), "seed {seed}: {done:?}");
        assert!(!reads || done.replayed == 0, "seed {seed}: {done:?}");
        scene.check_all(&rotated, done.replayed);
    }
}
