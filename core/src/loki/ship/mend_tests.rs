#![allow(clippy::unwrap_used)]
use super::super::offset::Why;
use super::super::scene::{Scene, target};
use super::*;
use crate::names;

/// The lines that hold one of these texts, as a verification finds them.
fn lost_lines(scene: &Scene, lost: &[&str]) -> Lost {
    let mut bytes = Ranges::default();
    let mut at = 0;
    for line in scene.text().split_inclusive('\n') {
        if lost.iter().any(|lost| line.contains(lost)) {
            bytes.insert(at, at + line.len() as u64);
        }
        at += line.len() as u64;
    }
    let file = crate::file::id_of(&std::fs::File::open(&scene.log).unwrap()).unwrap();
    Lost { file, bytes }
}

#[test]
fn what_was_acknowledged_and_is_lost_is_sent_again_and_nothing_else() {
    let mut scene = Scene::new();
    scene.lines(100);
    scene.run();
    let lost = ["\"m 7\"", "\"m 8\"", "\"m 50\"", "\"m 100\""];
    scene.world(|world| {
        world.stored.retain(|line, _| !lost.iter().any(|lost| line.contains(lost)));
        world.pushes.clear();
    });
    // One of them was found again meanwhile.
    let back = scene.text().lines().nth(49).unwrap().to_owned();
    scene.world(|world| world.stored.insert(back, 1));
    scene.kill();
    let lines = lost_lines(&scene, &lost);
    scene.engine.reopen(vec![lines]);
    let done = scene.run();
    assert_eq!((done.acknowledged, done.pending, done.replayed), (100, 0, 0));
    assert_eq!(scene.world(|world| world.pushes.iter().sum::<usize>()), 3);
    let text = scene.text();
    scene.check_all(&[text], 0);
}

#[test]
fn what_is_lost_and_too_far_behind_waits() {
    let mut scene = Scene::new();
    let behind = scene.line("INFO", "w", "BEHIND");
    scene.append(&behind);
    scene.lines(5);
    scene.run();
    scene.world(|world| {
        world.stored.retain(|line, _| !line.contains("BEHIND"));
        world.behind = true;
    });
    scene.kill();
    let lines = lost_lines(&scene, &["BEHIND"]);
    scene.engine.reopen(vec![lines]);
    let done = scene.run();
    assert_eq!((done.acknowledged, done.pending, done.parked), (5, 1, 1));
    let saved = scene.saved().unwrap();
    assert_eq!(saved.segments[0].parked[0].why, Why::TooFarBehind);
    // The next process knows of it, and sends it when Loki takes it.
    scene.world(|world| world.behind = false);
    scene.kill();
    let done = scene.run();
    assert_eq!((done.acknowledged, done.pending), (6, 0));
    let text = scene.text();
    scene.check_all(&[text], 0);
}

#[test]
fn a_repair_may_be_killed_at_any_step() {
    for steps in 0..12 {
        let mut scene = Scene::new();
        scene.lines(30);
        scene.run();
        scene.world(|world| world.stored.retain(|line, _| !line.contains("1\",")));
        scene.kill();
        let lines = lost_lines(&scene, &["1\","]);
        scene.engine.reopen(vec![lines.clone()]);
        for _ in 0..steps {
            scene.engine.step();
        }
        scene.kill();
        scene.engine.reopen(vec![lines]);
        let done = scene.run();
        assert_eq!((done.lines, done.acknowledged, done.pending), (30, 30, 0), "{steps}");
        let text = scene.text();
        scene.check_all(&[text], 0);
    }
}

#[test]
fn a_repair_without_an_offset_looks_up_before_it_sends() {
    let mut scene = Scene::new();
    scene.lines(20);
    scene.run();
    scene.world(|world| world.stored.retain(|line, _| !line.contains("\"m 3\"")));
    std::fs::remove_file(names::offset(&scene.log, target().id())).unwrap();
    scene.kill();
    let lines = lost_lines(&scene, &["\"m 3\""]);
    scene.engine.reopen(vec![lines]);
    let done = scene.run();
    assert_eq!((done.acknowledged, done.pending, done.replayed), (20, 0, 0));
    let text = scene.text();
    scene.check_all(&[text], 0);
}
