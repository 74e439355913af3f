#![allow(clippy::unwrap_used)]
use super::*;

const HOUR: Duration = Duration::from_hours(1);

struct Bench {
    unsynced: Unsynced,
    file: Arc<File>,
}

impl Bench {
    fn new() -> Self {
        // With a name: a deleted file waits for nothing.
        let file = Arc::new(File::open("/proc/self/exe").unwrap());
        Self { unsynced: Unsynced::default(), file }
    }

    /// An append to the file of this inode.
    fn append(&self, inode: u64, bytes: u64) {
        self.unsynced.appended(&self.file, (1, inode), Path::new("/logs/a.jsonl"), bytes);
    }

    fn lost(inode: u64, bytes: u64) -> Lost {
        let (log, reason) = (PathBuf::from("/logs/a.jsonl"), "broken".to_owned());
        Lost { log, id: (1, inode), bytes, reason }
    }

    /// What a wait for everything so far comes to, when the disk has answered already.
    fn answer(&self) -> Result<(), NotOnDisk> {
        self.unsynced.wait(Instant::now())
    }
}

fn broken() -> Result<(), NotOnDisk> {
    Err(NotOnDisk::Lost("broken".into()))
}

/// What the thread has to do next.
fn next(unsynced: &Unsynced, interval: Duration) -> Batch {
    match unsynced.next(interval, &Rest::default()) {
        Next::Batch(batch) => batch,
        Next::Rest | Next::End => panic!("there is something to do"),
    }
}

#[test]
fn nothing_is_due_before_its_time_but_what_was_rotated_away() {
    let bench = Bench::new();
    let due = |interval| bench.unsynced.progress().due(interval);
    assert!(!due(Duration::ZERO), "nothing was written");
    bench.append(1, 10);
    bench.append(1, 20);
    assert!(due(Duration::ZERO) && !due(HOUR));
    bench.append(2, 5);
    assert!(due(HOUR), "a rotated file waits");
    let Batch { files, and_more, upto } = next(&bench.unsynced, HOUR);
    assert!(!and_more);
    let seen: Vec<_> = files.iter().map(|dirty| (dirty.id.1, dirty.bytes)).collect();
    assert_eq!((upto, seen.as_slice()), (3, [(1, 20), (2, 5)].as_slice()));
    assert!(!due(Duration::ZERO), "nothing was written since");
}

#[test]
fn one_call_serves_all_who_wait_and_all_hear_of_its_failure() {
    for lost in [None, Some(Bench::lost(1, 10))] {
        let bench = Bench::new();
        assert_eq!(bench.answer(), Ok(()), "nothing was written");
        bench.append(1, 10);
        assert_eq!(bench.answer(), Err(NotOnDisk::Late));
        let soon = Instant::now() + Duration::from_secs(10);
        std::thread::scope(|scope| {
            let all: Vec<_> = (0..4).map(|_| scope.spawn(|| bench.unsynced.wait(soon))).collect();
            let Batch { upto, files, .. } = next(&bench.unsynced, HOUR);
            assert_eq!((upto, files.len()), (1, 1));
            bench.unsynced.settle(upto, 1, Vec::from_iter(lost.clone()));
            let expected = || if lost.is_some() { broken() } else { Ok(()) };
            for one in all {
                assert_eq!(one.join().unwrap(), expected());
            }
        });
        assert_eq!(bench.unsynced.counts().0, 1);
    }
}

#[test]
fn a_loss_is_heard_by_who_waited_for_it_and_by_nobody_for_later_bytes() {
    let bench = Bench::new();
    bench.append(1, 10);
    let upto = next(&bench.unsynced, Duration::ZERO).upto;
    bench.append(1, 20);
    bench.unsynced.settle(upto, 0, vec![Bench::lost(1, 10)]);
    assert_eq!(bench.unsynced.counts(), (0, 1));
    let upto = next(&bench.unsynced, Duration::ZERO).upto;
    bench.unsynced.settle(upto, 1, Vec::new());
    // The newest bytes are on the disk, but nobody has heard of the older ones yet.
    assert_eq!(bench.answer(), broken());
    assert_eq!(bench.answer(), Ok(()));
    bench.append(1, 30);
    let upto = next(&bench.unsynced, Duration::ZERO).upto;
    bench.unsynced.settle(upto, 0, vec![Bench::lost(1, 30)]);
    assert_eq!((bench.answer(), bench.answer()), (broken(), broken()), "it never comes true");
    assert_eq!(bench.unsynced.take_untold(), [Bench::lost(1, 30)], "one for each file");
    bench.append(1, 40);
    let upto = next(&bench.unsynced, Duration::ZERO).upto;
    bench.unsynced.settle(upto, 1, Vec::new());
    assert_eq!((bench.answer(), bench.unsynced.counts()), (Ok(()), (2, 2)));
}

#[test]
fn rotation_under_a_slow_disk_costs_a_bounded_number_of_descriptors() {
    let bench = Bench::new();
    for inode in 1..=100 {
        bench.append(inode, inode * 10);
    }
    assert_eq!(Arc::strong_count(&bench.file), MOST_WAITING + 1);
    let Batch { files, and_more, upto } = next(&bench.unsynced, HOUR);
    assert_eq!((files.len(), and_more, upto), (MOST_WAITING, true, 100));
    assert_eq!((files[MOST_WAITING - 1].id.1, bench.unsynced.counts().1), (100, 0));
    bench.append(101, 1);
    bench.append(102, 1);
    assert!(!next(&bench.unsynced, HOUR).and_more);
}

#[test]
fn deleted_files_wait_for_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let unsynced = Unsynced::default();
    for inode in 1..=100 {
        let path = dir.path().join("a.jsonl");
        let file = Arc::new(File::create(&path).unwrap());
        unsynced.appended(&file, (1, inode), &path, 1);
        std::fs::remove_file(&path).unwrap();
    }
    let Batch { files, and_more, .. } = next(&unsynced, HOUR);
    assert!(files.len() <= MOST_WAITING && !and_more);
    assert!(files.iter().all(Dirty::is_deleted));
}

#[test]
fn the_end_settles_everything() {
    let bench = Bench::new();
    bench.append(1, 10);
    bench.unsynced.stop();
    let upto = next(&bench.unsynced, HOUR).upto;
    bench.unsynced.settle(upto, 1, Vec::new());
    assert!(matches!(bench.unsynced.next(HOUR, &Rest::default()), Next::End));
    assert_eq!(bench.unsynced.wait_for_end(Instant::now()), Err(NotOnDisk::Late));
    bench.unsynced.end();
    assert_eq!(bench.unsynced.wait_for_end(Instant::now()), Ok(()));
}
