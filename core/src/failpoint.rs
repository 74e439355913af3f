//! Places where a test lets the process die, as if by SIGKILL: each step of the append protocol,
//! of recovery, of the life of a ring file and its note, and of shipping to Loki.
//!
//! With the feature `failpoints`, which only tests have, `FAILPOINT=NAME` in the environment
//! kills at the first pass of that point, `FAILPOINT=NAME@5` at the fifth. Without the feature a
//! point is nothing. `tests/test_failpoints.py` reads the table below and reaches every point, but for
//! those of shipping, which `tests/loki/test_shipping_failpoints.py` does.

/// Declares the points and their names.
macro_rules! points {
    ($($(#[doc = $what:literal])+ $point:ident = $name:literal,)+) => {
        /// A place to die at.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub(crate) enum Point {
            $($(#[doc = $what])+ $point,)+
        }

        #[cfg(feature = "failpoints")]
        impl Point {
            const ALL: &[Self] = &[$(Self::$point,)+];

            fn name(self) -> &'static str {
                match self {
                    $(Self::$point => $name,)+
                }
            }
        }
    };
}

points! {
    /// Step 1: a dead one's append is not in full, and not cut away yet.
    SettleBeforeCut = "settle-before-cut",
    /// It is cut away, the lock file still asks for it.
    SettleCut = "settle-cut",
    /// It is in full, its rings do not know.
    SettleBeforeRings = "settle-before-rings",
    /// Its rings know, the lock file does not.
    SettleRings = "settle-rings",
    /// All is settled.
    Settled = "settled",
    /// Step 2: a new log is made, the lock file speaks of another.
    LogMade = "log-made",
    /// A log that was found is cut to its last whole line, the lock file does not know it.
    LogCut = "log-cut",
    /// The lock file knows the log.
    LogAdopted = "log-adopted",
    /// The number of the next segment is raised.
    SegmentRaised = "segment-raised",
    /// The log has the name of a segment, and there is no log.
    SegmentRenamed = "segment-renamed",
    /// Step 3: one ring of several is prepared.
    PreparedOne = "prepared-one",
    /// All rings are, the lock file knows nothing.
    Prepared = "prepared",
    /// The lock file is half written.
    NoteTorn = "note-torn",
    /// The append is noted.
    Noted = "noted",
    /// Step 4: half of the block is in the file.
    WrittenHalf = "written-half",
    /// All of it is, nothing has advanced.
    Written = "written",
    /// A short write is cut to whole lines, the note still asks for the whole block.
    ShortCut = "short-cut",
    /// Step 5: one ring of several has advanced.
    FinishedOne = "finished-one",
    /// All have, the committed length is the old one.
    Finished = "finished",
    /// The lock file is half written.
    CommitTorn = "commit-torn",
    /// The append is finished.
    Committed = "committed",
    /// A ring file without a header.
    RingFileEmpty = "ring-file-empty",
    /// A ring file, and no note.
    RingFileMade = "ring-file-made",
    /// A note under its temporary name.
    NoteTemporary = "note-temporary",
    /// A note that leads to its rings.
    NoteMade = "note-made",
    /// At close the note is gone, its rings are there.
    NoteClosed = "note-closed",
    /// Rings that move to a log apart are beside both logs.
    ApartRings = "apart-rings",
    /// The note is beside the second.
    ApartNoted = "apart-noted",
    /// Recovery has locked a dead one's note and rings.
    RecoveryLocked = "recovery-locked",
    /// It has a block of their records.
    RecoveryGathered = "recovery-gathered",
    /// The block is in the log.
    RecoveryAppended = "recovery-appended",
    /// All records are.
    RecoveryMoved = "recovery-moved",
    /// The note is gone.
    RecoveryNoteRemoved = "recovery-note-removed",
    /// The lock file has forgotten the rings, which are there.
    RecoveryForgotten = "recovery-forgotten",
    /// Nothing is left.
    RecoveryDone = "recovery-done",
    /// Rings that are gone are told in the log, their note is there.
    RecoveryGapTold = "recovery-gap-told",
    /// The sweep has locked a ring file without a note.
    SweepLocked = "sweep-locked",
    /// Its records are in the log.
    SweepMoved = "sweep-moved",
    /// Shipping: the shipper's lock is held, its file is empty.
    ShipElected = "ship-elected",
    /// A log is not what was shipped, which only this process knows yet.
    ShipRewound = "ship-rewound",
    /// The log is on the disk, the offset file does not say what is to be sent, or was.
    ShipLogForced = "ship-log-forced",
    /// The offset file's temporary one is half written.
    ShipOffsetTorn = "ship-offset-torn",
    /// It is on the disk and has its temporary name.
    ShipOffsetTemporary = "ship-offset-temporary",
    /// The offset file is the new one.
    ShipOffsetRenamed = "ship-offset-renamed",
    /// A push is noted and not sent.
    ShipUnsent = "ship-unsent",
    /// Loki has answered it, nothing knows of that.
    ShipAnswered = "ship-answered",
    /// Loki has said which lines it has, nothing knows of that.
    ShipLookedUp = "ship-looked-up",
    /// Half of an entry is in the quarantine.
    ShipQuarantineTorn = "ship-quarantine-torn",
    /// The entries are, the offset file does not know.
    ShipQuarantined = "ship-quarantined",
    /// Everything of a lap is dealt with, the offset file does not know.
    ShipLapEnded = "ship-lap-ended",
}

/// Dies here where the environment says so.
#[inline(always)]
#[allow(clippy::inline_always)] // So that nothing is left of it without the feature.
pub(crate) fn at(point: Point) {
    after(point, || ());
}

/// Does half of something and dies, where the environment says so; else nothing.
#[cfg(not(feature = "failpoints"))]
#[inline(always)]
#[allow(clippy::inline_always)] // So that nothing is left of it.
pub(crate) fn after(_point: Point, _half: impl FnOnce()) {}

/// Does half of something and dies, where the environment says so; else nothing.
#[cfg(feature = "failpoints")]
pub(crate) fn after(point: Point, half: impl FnOnce()) {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static ASKED: OnceLock<Option<(Point, u64)>> = OnceLock::new();
    static PASSES: AtomicU64 = AtomicU64::new(0);
    let Some((asked, pass)) = *ASKED.get_or_init(asked) else { return };
    if asked == point && PASSES.fetch_add(1, Ordering::Relaxed) + 1 == pass {
        half();
        let _ =
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        loop {
            std::thread::park();
        }
    }
}

/// Which point the environment asks for, and at which pass.
#[cfg(feature = "failpoints")]
fn asked() -> Option<(Point, u64)> {
    let text = std::env::var("FAILPOINT").ok()?;
    let (name, pass) = text.split_once('@').unwrap_or((&text, "1"));
    let point = Point::ALL.iter().find(|point| point.name() == name);
    let Some((point, pass)) = point.zip(pass.parse().ok()) else {
        crate::notice::say(&format!("FAILPOINT={text}: no such point"));
        std::process::abort()
    };
    Some((*point, pass))
}
