//! File systems whose locks are not to be trusted: between machines, or between a machine and a
//! server, two processes may both be told that they hold a lock, or lose it without being told.

use std::path::Path;

/// The name of such a file system, by the number that statfs(2) gives it (`linux/magic.h`, and
/// the sources of CIFS). `None` where locks can be trusted.
fn distrusted(f_type: u64) -> Option<&'static str> {
    match f_type {
        0x6969 => Some("NFS"),
        0x517b | 0xfe53_4d42 | 0xff53_4d42 => Some("CIFS"),
        0x0102_1997 => Some("9p"),
        0x6573_5546 => Some("FUSE"),
        _ => None,
    }
}

/// The name of the file system that a path lies on, or will lie on once its folders are made,
/// where locks there are not to be trusted.
#[cfg(target_os = "linux")]
pub(crate) fn distrusted_at(path: &Path) -> Option<&'static str> {
    path.ancestors().skip(1).find_map(|folder| {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let found = rustix::fs::statfs(folder).ok()?;
        // Numbers of 32 bits: where the field is a signed one of that size, the sign goes.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        Some(distrusted(u64::from(found.f_type as u32)))
    })?
}

/// Other systems give their file systems no such numbers: all are trusted.
#[cfg(not(target_os = "linux"))]
pub(crate) fn distrusted_at(_path: &Path) -> Option<&'static str> {
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn network_file_systems_are_not_trusted() {
        for (f_type, name) in [
            (0x6969, "NFS"),
            (0x517b, "CIFS"),
            (0xfe53_4d42, "CIFS"),
            (0xff53_4d42, "CIFS"),
            (0x0102_1997, "9p"),
            (0x6573_5546, "FUSE"),
        ] {
            assert_eq!(distrusted(f_type), Some(name), "{f_type:x}");
        }
        // ext4, xfs, btrfs, tmpfs, overlayfs, zfs.
        for f_type in [0xef53, 0x5846_5342, 0x9123_683e, 0x0102_1994, 0x794c_7630, 0x2fc1_2fc1] {
            assert_eq!(distrusted(f_type), None, "{f_type:x}");
        }
    }

    #[test]
    fn a_path_that_is_not_there_yet_lies_where_its_folder_will() {
        let dir = tempfile::tempdir_in("/dev/shm").unwrap();
        assert_eq!(distrusted_at(&dir.path().join("a/b/c.jsonl")), None);
    }
}
