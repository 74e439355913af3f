//! Where a process's ring file lives.

use std::path::Path;

use crate::clock::{Clock, realtime_ns};
use crate::config::RingDir;
use crate::error::{Error, Result};
use crate::failpoint::{self, Point};
use crate::file::{LogFile, OwnNote, RingPlace};
use crate::notice::say;
use crate::ring::{Birth, Layout, RingFile};
use crate::stats::RingsIn;

/// Rings as a logger begins with them.
pub(crate) struct Made {
    pub(crate) file: RingFile,
    /// Leads others to them; none in plain memory.
    pub(crate) note: Option<OwnNote>,
    pub(crate) rings_in: RingsIn,
}

/// The rings, where they can be had.
pub(crate) fn make_rings(
    wanted: RingDir,
    log: &LogFile,
    layout: Layout,
    clock: Clock,
    max_record_bytes: usize,
) -> Result<Made> {
    let path = log.path();
    let birth = Birth {
        id: random_id(),
        boot_id: log.boot_id(),
        log_path: path,
        clock,
        max_record_bytes: max_record_bytes as u64,
        rotation: log.rotation(),
    };
    let mut reasons = Vec::new();
    for &place in candidates(wanted) {
        let on_disk = place == RingPlace::Log;
        let made = RingFile::create(&place.path(path, birth.id), layout, &birth, on_disk).and_then(
            |file| {
                failpoint::at(Point::RingFileMade);
                match OwnNote::make(path, &file, place) {
                    Ok(note) => Ok((file, note)),
                    Err(error) => {
                        file.remove();
                        Err(error)
                    }
                }
            },
        );
        match made {
            Ok((file, note)) => {
                let rings_in = if on_disk { RingsIn::Log } else { RingsIn::Shm };
                return Ok(Made { file, note: Some(note), rings_in });
            }
            Err(error) => {
                reasons.push(format!("{}: {error}", place.path(path, birth.id).display()));
            }
        }
    }
    if !reasons.is_empty() {
        say(&format!(
            "rings are in plain memory, so a crash may lose the last milliseconds: {}",
            reasons.join("; ")
        ));
    }
    let file = RingFile::in_memory(layout, &birth)
        .map_err(|error| Error::io(path, "taking memory for the rings", error))?;
    Ok(Made { file, note: None, rings_in: RingsIn::Memory })
}

/// Never 0, which is no ring file.
fn random_id() -> u64 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    loop {
        let mut hasher = RandomState::new().build_hasher();
        hasher.write_u64(u64::from(std::process::id()));
        hasher.write_i64(realtime_ns());
        let id = hasher.finish();
        if id != 0 {
            return id;
        }
    }
}

/// The places to try, best first; plain memory is what remains when all fail.
fn candidates(wanted: RingDir) -> &'static [RingPlace] {
    match wanted {
        RingDir::Auto if shm_outlives_us() => &[RingPlace::Shm, RingPlace::Log],
        RingDir::Auto | RingDir::Log => &[RingPlace::Log],
        RingDir::Shm => &[RingPlace::Shm, RingPlace::Log],
        RingDir::Memory => &[],
    }
}

/// Whether a file in `/dev/shm` is still there when this process has died: not in a container,
/// whose `/dev/shm` goes with it, and not for a user whose files systemd removes at logout.
fn shm_outlives_us() -> bool {
    cfg!(target_os = "linux")
        && Path::new("/dev/shm").is_dir()
        && in_first_pid_namespace()
        && !root_is_overlay()
        && !removed_at_logout()
}

fn in_first_pid_namespace() -> bool {
    // The first namespace has a fixed inode number (include/linux/proc_ns.h, PROC_PID_INIT_INO).
    std::fs::read_link("/proc/self/ns/pid")
        .is_ok_and(|target| target.as_os_str() == "pid:[4026531836]")
}

#[cfg(target_os = "linux")]
fn root_is_overlay() -> bool {
    const OVERLAYFS_SUPER_MAGIC: u64 = 0x794c_7630;
    rustix::fs::statfs("/")
        .is_ok_and(|root| u64::try_from(root.f_type) == Ok(OVERLAYFS_SUPER_MAGIC))
}

#[cfg(not(target_os = "linux"))]
fn root_is_overlay() -> bool {
    false
}

/// systemd's `RemoveIPC` takes an ordinary user's files away at the last logout, unless the user
/// lingers. System users (below 1000) are left alone.
fn removed_at_logout() -> bool {
    let uid = rustix::process::getuid().as_raw();
    if uid < 1000 || !Path::new("/run/systemd/seats").exists() {
        return false;
    }
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then_some(name)
    });
    !name.is_some_and(|name| Path::new("/var/lib/systemd/linger").join(name).exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_for_comes_first() {
        assert_eq!(candidates(RingDir::Shm)[0], RingPlace::Shm);
        assert_eq!(candidates(RingDir::Log), [RingPlace::Log]);
        assert!(candidates(RingDir::Memory).is_empty());
        assert_eq!(candidates(RingDir::Auto).last(), Some(&RingPlace::Log));
    }
}
