//! Hostile ring files and notes beside a good one: what is wrong is told or counted, nothing
//! panics or hangs, and the good one's records come whole.
#![allow(clippy::unwrap_used, unsafe_code)]

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;

use serde_json::Value;

use super::*;
use crate::file::{OwnNote, RingPlace};
use crate::fuzzing::ring::frame;
use crate::ring::tests_support::birth;
use crate::ring::{Birth, Layout, Producer, RingFile};

const RECORDS: u8 = 20;
const GOOD: u64 = 0xA;
const BAD: u64 = 0xB;

/// A folder with a log, and two dead processes' rings: a good one's and one to be spoilt.
struct Scene {
    dir: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        let scene = Self { dir: tempfile::tempdir().unwrap() };
        scene.die(GOOD, "good", false);
        scene.die(BAD, "bad", false);
        scene
    }

    fn log(&self) -> PathBuf {
        self.dir.path().join("c-h.jsonl")
    }

    fn note(&self, id: u64) -> PathBuf {
        names::rings_note(&self.log(), id)
    }

    fn rings(&self, id: u64) -> PathBuf {
        RingPlace::Log.path(&self.log(), id)
    }

    /// Leaves what a process leaves that is killed with all its records in its rings.
    fn die(&self, id: u64, component: &str, checked: bool) {
        let log = self.log();
        let boot_id = LogFile::new(&log, Rotation::default()).boot_id();
        let birth = Birth { boot_id, ..birth(id, &log) };
        let layout = Layout::new(16_384, 32_768);
        let rings = RingFile::create(&self.rings(id), layout, &birth, checked).unwrap();
        let context = format!(
            r#"{{"component":"{component}","host":"h","run_id":"r","logger":"l","event_type":"log","workload":"w","repetition":1}}"#
        );
        assert!(rings.store_context(1, context.as_bytes()));
        let ring = rings.ring(0);
        let mut producer = Producer::resume(ring.control);
        for number in 0..RECORDS {
            // SAFETY: the only producer of this ring.
            unsafe { producer.push(ring, &frame(number, context.as_bytes(), checked)) }.unwrap();
        }
        OwnNote::make(&log, &rings, RingPlace::Log).unwrap();
    }

    fn lines(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.log()).unwrap();
        assert!(text.ends_with('\n'), "half a line: {text}");
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The numbers of the records that a process left, as they are in the log.
    fn numbers(&self, component: &str) -> Vec<u64> {
        let of = |line: &&Value| line["component"] == component && line["event_type"] == "log";
        let lines = self.lines();
        lines.iter().filter(of).map(|line| line["tags"]["n"].as_u64().unwrap()).collect()
    }

    /// Drains, and looks at all that must hold whatever the other rings are.
    fn drain(&self, case: &str) -> Recovery {
        let found = drain(&self.log(), Rotation::default()).unwrap();
        let all: Vec<u64> = (0..u64::from(RECORDS)).collect();
        assert_eq!(self.numbers("good"), all, "{case}: {found:?}");
        assert!(!self.note(GOOD).exists() && !self.rings(GOOD).exists(), "{case}");
        let seen = self.lines().len();
        let again = drain(&self.log(), Rotation::default()).unwrap();
        assert_eq!((again.records, again.damaged, self.lines().len()), (0, 0, seen), "{case}");
        found
    }

    /// Changes bytes of a ring file, its checksum made right where `sum`.
    fn spoil(&self, at: u64, bytes: &[u8], sum: bool) {
        let file = OpenOptions::new().read(true).write(true).open(self.rings(BAD)).unwrap();
        file.write_all_at(bytes, at).unwrap();
        if sum {
            let mut page = [0; 4096];
            file.read_exact_at(&mut page, 0).unwrap();
            let sum = crc32fast::hash(&page[..4092]);
            file.write_all_at(&sum.to_le_bytes(), 4092).unwrap();
        }
    }

    fn gaps(&self) -> usize {
        self.lines().iter().filter(|line| line["event_type"] == "log_gap").count()
    }
}

/// All that a process left is in the log, or is told of.
fn accounted(scene: &Scene, found: &Recovery, case: &str) {
    let there = scene.numbers("bad");
    let told = found.damaged > 0 || !found.gone.is_empty() || !found.unreachable.is_empty();
    let whole = there.len() == usize::from(RECORDS);
    assert!(whole || told, "{case}: {there:?} and {found:?}");
    assert_eq!(scene.gaps() > 0, found.damaged > 0 || !found.gone.is_empty(), "{case}: {found:?}");
    let mut once = there.clone();
    once.dedup();
    assert!(once == there && there.is_sorted(), "{case}: {there:?}");
}

#[test]
fn two_good_ones_come_whole() {
    let scene = Scene::new();
    let found = scene.drain("nothing spoilt");
    assert_eq!((found.records, found.damaged, scene.gaps()), (2 * u64::from(RECORDS), 0, 0));
}

#[test]
fn a_ring_file_cut_anywhere() {
    let whole = fs::metadata(Scene::new().rings(BAD)).unwrap().len();
    let starts = [0, 4096, 8192, 12_288, 12_288 + 65_536, whole - 16_384, whole];
    let cuts =
        starts.iter().flat_map(|start| [start.saturating_sub(1), *start, start + 1, start + 100]);
    for cut in cuts.filter(|cut| *cut < whole) {
        let scene = Scene::new();
        OpenOptions::new().write(true).open(scene.rings(BAD)).unwrap().set_len(cut).unwrap();
        let case = format!("cut at {cut}");
        let found = scene.drain(&case);
        assert_eq!((found.gone.len(), scene.gaps()), (1, 1), "{case}: {found:?}");
        assert!(!scene.note(BAD).exists(), "{case}");
    }
}

#[test]
fn a_bit_flipped_in_the_header() {
    for at in (0..4096).step_by(61).chain([8, 16, 24, 32, 33, 40, 56, 4095]) {
        let scene = Scene::new();
        let bytes = fs::read(scene.rings(BAD)).unwrap();
        scene.spoil(at as u64, &[bytes[at] ^ 4], false);
        let found = scene.drain(&format!("byte {at}"));
        assert_eq!((found.gone.len(), scene.gaps()), (1, 1), "byte {at}: {found:?}");
    }
}

#[test]
fn a_bit_flipped_in_state_controls_contexts_or_frames() {
    let state = 4096..4096 + 640;
    let controls = 8192..8192 + 384;
    let contexts = 12_288..12_288 + 130;
    let frames = 12_288 + 65_536..12_288 + 65_536 + 2000;
    let places = [(state, 8), (controls, 3), (contexts, 2), (frames, 13)];
    for (range, step) in places {
        for at in range.step_by(step) {
            let scene = Scene::new();
            let mut byte = [0];
            File::open(scene.rings(BAD)).unwrap().read_exact_at(&mut byte, at).unwrap();
            scene.spoil(at, &[byte[0] ^ 1 << (at % 8)], false);
            scene.drain(&format!("byte {at}"));
        }
    }
}

#[test]
fn a_checked_ring_gives_what_is_sound_and_counts_the_rest() {
    let frames = 12_288 + 65_536_u64;
    for at in (frames..frames + 2000).step_by(23) {
        let scene = Scene { dir: tempfile::tempdir().unwrap() };
        scene.die(GOOD, "good", false);
        scene.die(BAD, "bad", true);
        let mut byte = [0];
        File::open(scene.rings(BAD)).unwrap().read_exact_at(&mut byte, at).unwrap();
        scene.spoil(at, &[byte[0] ^ 1 << (at % 8)], false);
        let case = format!("byte {at}");
        let found = scene.drain(&case);
        accounted(&scene, &found, &case);
        let there = scene.numbers("bad").len() as u64;
        assert_eq!(there + found.damaged, u64::from(RECORDS), "{case}: {found:?}");
    }
}

#[test]
fn a_context_that_cannot_be_read_costs_only_its_own_records_each_once() {
    let scene = Scene::new();
    scene.spoil(12_288 + 8, b"nonsense", false);
    let found = scene.drain("no context");
    // Each fifth brings its own.
    assert_eq!(scene.numbers("bad"), [0, 5, 10, 15], "{found:?}");
    assert_eq!((found.damaged, found.records, scene.gaps()), (16, 24, 1));
}

#[test]
fn numbers_that_lie() {
    let control = 8192;
    let lies =
        [0, 1, 7, 8, 4096, u64::from(u32::MAX), 1 << 40, u64::MAX / 2, u64::MAX - 7, u64::MAX];
    // Layout and path length; rings in use and bytes of contexts; tail, records, head, positions.
    let places = [16, 24, 56, 64, 72, 80, 4096, 4104, 4160, 4352, 4416, 4424, 4432];
    let controls = [0, 8, 128, 136, 144, 256, 264, 272, 280].map(|at| control + at);
    for at in places.into_iter().chain(controls) {
        for lie in lies {
            let scene = Scene::new();
            scene.spoil(at, &lie.to_le_bytes(), true);
            for living in crate::living::living(&scene.log()).unwrap() {
                assert!(living.written.checked_add(living.queued).is_some(), "{living:?}");
            }
            scene.drain(&format!("{lie} at {at}"));
        }
    }
}

#[test]
fn a_note_that_nobody_can_understand_costs_nothing() {
    let sound = fs::read(Scene::new().note(BAD)).unwrap();
    let mut garbled = sound.clone();
    garbled[3] = 0xFF;
    let texts: [&[u8]; 6] =
        [b"", &garbled, b"\xC3\x28", b"[]", &sound[..sound.len() / 2], &[b' '; 8192]];
    for text in texts {
        let scene = Scene::new();
        fs::write(scene.note(BAD), text).unwrap();
        let case = String::from_utf8_lossy(text).into_owned();
        let found = scene.drain(&case);
        accounted(&scene, &found, &case);
        assert_eq!(scene.numbers("bad").len(), usize::from(RECORDS), "{case}: {found:?}");
        assert!(!scene.note(BAD).exists() && !scene.rings(BAD).exists(), "{case}");
    }
    let scene = Scene::new();
    fs::write(scene.note(BAD), "").unwrap();
    fs::remove_file(scene.rings(BAD)).unwrap();
    let found = scene.drain("no rings either");
    assert!(found.gone[0].ends_with("its note is damaged"), "{found:?}");
    accounted(&scene, &found, "no rings either");
}

#[test]
fn a_note_that_lies_leads_to_nobodys_file() {
    let sound: Value = serde_json::from_slice(&fs::read(Scene::new().note(BAD)).unwrap()).unwrap();
    let other_boot = "0".repeat(32);
    // Told as gone, rings are found by their own name and header all the same; those that are out
    // of reach stay, and those of another boot go.
    for (key, value, found_again) in [
        ("inode", Value::from(1), true),
        ("device", Value::from(u64::MAX), false),
        ("ring_dir", Value::from("shm"), false),
        ("boot_id", Value::from(other_boot), false),
    ] {
        let scene = Scene::new();
        let mut said: Value = serde_json::from_slice(&fs::read(scene.note(BAD)).unwrap()).unwrap();
        said[key] = value;
        fs::write(scene.note(BAD), said.to_string()).unwrap();
        let found = scene.drain(key);
        accounted(&scene, &found, key);
        assert_eq!(found.gone.len() + found.unreachable.len(), 1, "{key}: {found:?}");
        let moved = 1 + u64::from(found_again);
        assert_eq!(found.records, moved * u64::from(RECORDS), "{key}: {found:?}");
    }
    // A folder of its choice is no ring_dir: such a note is damaged.
    for place in ["/etc", "/etc/passwd", "../..", ""] {
        let scene = Scene::new();
        let mut said = sound.clone();
        said["ring_dir"] = place.into();
        fs::write(scene.note(BAD), said.to_string()).unwrap();
        accounted(&scene, &scene.drain(place), place);
    }
}

/// What may stand in the place of a file of ours. `make` puts it at a path; the second path is of
/// an innocent file.
type Strange = (&'static str, fn(&Path, &Path));

const STRANGE: [Strange; 6] = [
    ("a symbolic link", |at, to| symlink(to, at).unwrap()),
    ("a link to nothing", |at, _| symlink("/nonexistent/lb", at).unwrap()),
    ("a folder", |at, _| fs::create_dir(at).unwrap()),
    ("a socket", |at, _| drop(UnixListener::bind(at).unwrap())),
    ("a pipe", |at, _| make_node(at, rustix::fs::FileType::Fifo, 0)),
    ("a device", |at, _| {
        // Only root makes one; another user sees a link to it.
        if rustix::process::geteuid().is_root() {
            make_node(at, rustix::fs::FileType::CharacterDevice, rustix::fs::makedev(1, 5));
        } else {
            symlink("/dev/zero", at).unwrap();
        }
    }),
];

fn make_node(at: &Path, kind: rustix::fs::FileType, device: rustix::fs::Dev) {
    rustix::fs::mknodat(rustix::fs::CWD, at, kind, rustix::fs::Mode::RUSR, device).unwrap();
}

fn innocent(scene: &Scene) -> PathBuf {
    let path = scene.dir.path().join("innocent");
    fs::write(&path, "dear to somebody").unwrap();
    path
}

fn still_innocent(path: &Path, case: &str) {
    assert_eq!(fs::read_to_string(path).unwrap(), "dear to somebody", "{case}");
}

#[test]
fn strange_things_in_a_notes_place_are_named_and_left_alone() {
    for (what, make) in STRANGE {
        let scene = Scene::new();
        let innocent = innocent(&scene);
        fs::remove_file(scene.note(BAD)).unwrap();
        make(&scene.note(BAD), &innocent);
        let found = scene.drain(what);
        assert_eq!(found.unreachable.len(), 1, "{what}: {found:?}");
        assert!(found.unreachable[0].ends_with("stands in its place; remove it"), "{found:?}");
        assert!(scene.note(BAD).symlink_metadata().is_ok(), "{what}: it is not ours to remove");
        still_innocent(&innocent, what);
        assert_eq!(scene.gaps(), 0, "{what}");
    }
}

#[test]
fn strange_things_in_a_ring_files_place_are_told_and_left_alone() {
    for (what, make) in STRANGE {
        let scene = Scene::new();
        let innocent = innocent(&scene);
        fs::remove_file(scene.rings(BAD)).unwrap();
        make(&scene.rings(BAD), &innocent);
        let found = scene.drain(what);
        accounted(&scene, &found, what);
        assert_eq!((found.gone.len(), scene.gaps()), (1, 1), "{what}: {found:?}");
        assert!(scene.rings(BAD).symlink_metadata().is_ok(), "{what}: it is not ours to remove");
        still_innocent(&innocent, what);
    }
}

#[test]
fn an_innocent_file_under_two_names_keeps_the_other() {
    for at in [Scene::note, Scene::rings] {
        let scene = Scene::new();
        let innocent = innocent(&scene);
        fs::remove_file(at(&scene, BAD)).unwrap();
        fs::hard_link(&innocent, at(&scene, BAD)).unwrap();
        // Even a note that knows its inode makes no ring file of it.
        let id = fs::metadata(&innocent).unwrap();
        if let Ok(mut said) = fs::read(scene.note(BAD))
            .map_err(serde_json::Error::io)
            .and_then(|text| serde_json::from_slice::<Value>(&text))
        {
            (said["device"], said["inode"]) = (id.dev().into(), id.ino().into());
            fs::write(scene.note(BAD), said.to_string()).unwrap();
        }
        let found = scene.drain("two names");
        accounted(&scene, &found, "two names");
        still_innocent(&innocent, "two names");
    }
}

#[test]
fn one_note_under_two_names_gives_its_records_once() {
    let scene = Scene::new();
    fs::hard_link(scene.note(BAD), scene.note(0xC)).unwrap();
    let found = scene.drain("two names");
    assert_eq!(scene.numbers("bad").len(), usize::from(RECORDS), "{found:?}");
    assert_eq!(found.gone.len(), 1, "the other leads nowhere: {found:?}");
}

#[test]
fn what_all_may_write_is_read_with_the_same_care() {
    let scene = Scene::new();
    for path in [scene.note(BAD), scene.rings(BAD)] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o666)).unwrap();
    }
    let found = scene.drain("0666");
    assert_eq!(scene.numbers("bad").len(), usize::from(RECORDS), "{found:?}");
}

#[test]
fn another_users_rings_stay() {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: only root can give a file away");
        return;
    }
    let scene = Scene::new();
    std::os::unix::fs::chown(scene.rings(BAD), Some(65_534), None).unwrap();
    let found = scene.drain("a foreign ring file");
    assert!(
        found.unreachable[0].contains("it belongs to another user; its records stay"),
        "{found:?}"
    );
    assert!(scene.note(BAD).exists() && scene.rings(BAD).exists());
}
