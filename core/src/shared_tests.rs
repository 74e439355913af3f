#![allow(clippy::unwrap_used)]
use std::path::Path;

use serde_json::{Value, json};

use super::*;
use crate::record::Level;

const PATIENCE: Duration = Duration::from_secs(30);

/// Other tests of this process have cores of their own.
fn config(folder: &Path, more: &Value) -> Config {
    let mut asked = json!({
        "output_dir": folder, "run_id": "r", "component": "c", "host": "h", "ring_dir": "log",
    });
    asked.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    config::load(asked.to_string().as_bytes()).unwrap()
}

fn open(folder: &Path) -> Shared {
    Shared::open(config(folder, &json!({}))).unwrap()
}

fn log(shared: &Shared) -> Result<()> {
    let context = shared.own_context();
    let tags: &[(&[u8], crate::record::TagValue<'_>)] = &[];
    shared.log(Record { context, level: Level::Info, timestamp_ns: None, message: b"m", tags })
}

fn until(what: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !what() {
        assert!(Instant::now() < deadline);
        thread::sleep(Duration::from_millis(5));
    }
}

fn lines(shared: &Shared) -> Vec<Value> {
    let text = std::fs::read_to_string(shared.path()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn openers_of_one_path_share_a_core_until_the_last_has_closed() {
    let folder = tempfile::tempdir().unwrap();
    let one = open(folder.path());
    let two = Shared::open(config(folder.path(), &json!({"workload": "w"}))).unwrap();
    log(&one).unwrap();
    log(&two).unwrap();
    two.close(PATIENCE).unwrap();
    two.close(PATIENCE).unwrap();
    assert!(two.is_closed() && !one.is_closed());
    log(&one).unwrap();
    one.close(PATIENCE).unwrap();
    assert!(matches!(log(&one), Err(Error::Closed)));
    assert_eq!(one.stats().written, 3);
    let workloads: Vec<_> = lines(&one).iter().map(|line| line["workload"].clone()).collect();
    assert_eq!(workloads, ["none", "w", "none"]);
    let again = open(folder.path());
    assert_eq!(again.stats().written, 0, "a core of its own");
}

#[test]
fn a_released_core_lingers_for_the_next_opener() {
    let folder = tempfile::tempdir().unwrap();
    for before in 0..3 {
        let shared = open(folder.path());
        assert_eq!(shared.stats().written, before);
        log(&shared).unwrap();
        shared.release(PATIENCE, PATIENCE).unwrap();
        assert_eq!(lines(&shared).len() as u64, before + 1);
    }
    // A forgotten one lingers, too.
    drop(open(folder.path()));
    let last = open(folder.path());
    assert_eq!(last.stats().written, 3);
    last.close(PATIENCE).unwrap();
    assert!(last.core.logger.is_closed());
}

/// A runner deletes the folder of a run behind its last handler.
#[test]
fn a_lingering_core_ends_by_itself_and_never_makes_its_folder_anew() {
    let folder = tempfile::tempdir().unwrap();
    let loki = json!({"loki": {"enabled": true, "endpoint": "http://127.0.0.1:9"}});
    let run = folder.path().join("r");
    for more in [json!({}), loki] {
        let shared = Shared::open(config(folder.path(), &more)).unwrap();
        log(&shared).unwrap();
        shared.release(Duration::from_millis(1500), PATIENCE).unwrap();
        std::fs::remove_dir_all(&run).unwrap();
        until(|| Generation::here().cores().open.iter().all(|core| core.path != shared.path()));
        until(|| shared.core.logger.is_closed());
        thread::sleep(Duration::from_millis(100));
        assert!(!run.exists());
    }
}

/// What is to be told of a file that was deleted is no reason to make its folder anew, either.
#[test]
fn a_lingering_core_tells_nothing_where_its_folder_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("r");
    for _ in 0..2 {
        let shared = open(folder.path());
        log(&shared).unwrap();
        shared.release(Duration::from_millis(1500), PATIENCE).unwrap();
        std::fs::remove_dir_all(&run).unwrap();
    }
    let cores = || Generation::here().cores();
    until(|| cores().open.iter().all(|core| !core.path.starts_with(folder.path())));
    thread::sleep(Duration::from_millis(100));
    assert!(!run.exists());
}

#[test]
fn an_opener_of_a_lingering_core_gets_a_folder_that_was_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let first = open(folder.path());
    log(&first).unwrap();
    first.release(PATIENCE, PATIENCE).unwrap();
    std::fs::remove_dir_all(folder.path().join("r")).unwrap();
    let second = open(folder.path());
    log(&second).unwrap();
    second.close(PATIENCE).unwrap();
    assert_eq!(lines(&second).iter().filter(|line| line["event_type"] == "log").count(), 1);
}

/// As in an `atexit` handler that runs behind ours.
#[test]
fn what_is_logged_behind_the_end_is_in_the_file_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let shared = open(folder.path());
    let context = shared.own_context_with(br#"{"workload":"late"}"#).unwrap();
    log(&shared).unwrap();
    shared.core.logger.end(PATIENCE, Duration::ZERO).unwrap();
    for count in 2..4 {
        let (level, timestamp_ns, tags) = (Level::Info, None, [].as_slice());
        let record = Record { context, level, timestamp_ns, message: b"late", tags };
        shared.log(record).unwrap();
        let lines = lines(&shared);
        assert_eq!(lines.len(), count);
        assert_eq!(lines[count - 1]["workload"], "late");
    }
    shared.close(PATIENCE).unwrap();
    assert!(matches!(log(&shared), Err(Error::Closed)));
}

#[test]
fn open_cores_are_found_by_whoever_opened_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.jsonl");
    let at = |component: &str| {
        let more = json!({"component": component, "jsonl": {"log_path": path}});
        Shared::open(config(folder.path(), &more)).unwrap()
    };
    let (one, _two) = (at("found-1"), at("found-2"));
    for component in ["found-1", "found-2"] {
        let found = Shared::opened(Some(component), Some("h"), None);
        assert_eq!(found.len(), 1);
        assert!(Arc::ptr_eq(&found[0].core, &one.core));
    }
    assert!(Shared::opened(Some("found-1"), Some("other"), None).is_empty());
    assert!(Shared::opened(Some("found-3"), None, None).is_empty());
}

#[test]
fn what_another_opener_asks_for_otherwise_stays_and_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let one = open(folder.path());
    let other = json!({"max_record_bytes": 10_000, "workload": "w"});
    let _two = Shared::open(config(folder.path(), &other)).unwrap();
    let said: Vec<_> = one.core.about().said.iter().cloned().collect();
    let expected = "max_record_bytes stays 262144, though 10000 was asked for (argument)";
    assert_eq!(said, [format!("{}: is open already: {expected}", one.path().display())]);
}

/// As around a fork: the threads are gone, and nothing is lost that is logged meanwhile.
#[test]
fn threads_rest_and_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let loki = json!({"loki": {"enabled": true, "endpoint": "http://127.0.0.1:9"}});
    let shared = Shared::open(config(folder.path(), &loki)).unwrap();
    let before = || Instant::now() + PATIENCE;
    thread::scope(|scope| {
        let logging = scope.spawn(|| (0..20_000).for_each(|_| log(&shared).unwrap()));
        let mut rounds = 0;
        while !logging.is_finished() || rounds < 5 {
            // Not of all cores: other tests have theirs.
            shared.core.logger.rest(before());
            shared.core.logger.go_on().unwrap();
            rounds += 1;
        }
    });
    shared.core.logger.rest(before());
    log(&shared).unwrap();
    let rested = shared.flush(Duration::from_millis(30));
    assert!(matches!(rested, Err(Error::Timeout(_))), "nobody writes");
    shared.core.logger.go_on().unwrap();
    // Loki does not answer.
    assert!(
        shared.close(PATIENCE).unwrap_err().to_string().contains("20001 lines are not in Loki")
    );
    assert_eq!(lines(&shared).len(), 20_001);
}
