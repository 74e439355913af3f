#![allow(clippy::unwrap_used)]
use std::path::Path;

use super::*;

/// An `ssh` that runs its command here, behind a banner.
fn here(folder: &Path, ssh: &str) -> Remote {
    let folder = folder.to_str().unwrap();
    Remote::new("node", folder, "run-1", ssh, Duration::from_secs(20))
}

const SH: &str = "sh -c 'echo banner; exec sh' sh";

#[test]
fn words_of_a_shell_stand_for_their_bytes() {
    let bytes: Vec<u8> = (1..=255).collect();
    let mut script = b"printf %s ".to_vec();
    script.extend(quoted(&bytes));
    script.push(b'\n');
    let output = {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("script");
        std::fs::write(&path, script).unwrap();
        Command::new("sh").arg(path).output().unwrap()
    };
    assert_eq!(output.stdout, bytes);
}

#[test]
fn the_far_end_lists_what_is_there_and_gives_it() {
    struct Desk(Vec<(usize, String, bool)>, Vec<usize>);
    impl super::Desk for Desk {
        fn take(&mut self, number: usize, content: &mut dyn io::Read) -> Result<(), Interrupted> {
            let mut text = String::new();
            content.read_to_string(&mut text).map_err(Interrupted::Reading)?;
            self.0.push((number, text, false));
            Ok(())
        }
        fn taken(&mut self, _: usize, is_listed: bool) -> Result<(), Ended> {
            self.0.last_mut().unwrap().2 = is_listed;
            Ok(())
        }
        fn cannot(&mut self, number: usize, _: &str) {
            self.1.push(number);
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("run-1/logs");
    std::fs::create_dir_all(&logs).unwrap();
    let text = "{\"timestamp\":\"2026-11-22T10:11:12.000000000Z\"}\n";
    for name in ["a.jsonl", "it's\n b.jsonl", "gone.jsonl"] {
        std::fs::write(logs.join(name), text).unwrap();
    }
    std::fs::write(logs.join(".a.lock"), "").unwrap();
    let mut remote = here(folder.path(), SH);
    let raw = remote.list(false).unwrap();
    assert_eq!((raw.files.len(), raw.beside.len(), raw.settled), (3, 1, false));
    assert!(raw.files.iter().all(|file| file.begins && file.bytes == text.len() as u64));
    let wanted: Vec<_> = raw.logs().files.into_iter().map(Wanted::Log).collect();
    std::fs::remove_file(logs.join("gone.jsonl")).unwrap();
    // Another file has its name.
    std::fs::rename(logs.join("a.jsonl"), logs.join("a.000001.jsonl")).unwrap();
    std::fs::write(logs.join("a.jsonl"), "{}\n").unwrap();
    let mut desk = Desk(Vec::new(), Vec::new());
    remote.fetch(&wanted, &mut desk).unwrap();
    assert_eq!(desk.0, [(0, "{}\n".to_owned(), false), (2, text.to_owned(), true)]);
    assert_eq!(desk.1, [1]);
}

#[test]
fn every_end_has_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("run-1")).unwrap();
    for (ssh, expected) in [
        ("sh -c 'echo Host key verification failed. >&2; exit 255'", "connect once by `ssh node`"),
        ("sh -c 'echo x: Permission denied \\(publickey\\). >&2; exit 255'", "must work"),
        ("sh -c 'exit 3'", "the connection has ended"),
        ("sh -c 'while :; do echo endless; done'", "too much before its beginning"),
        ("/no/such/program", "/no/such/program"),
    ] {
        let Ended(why) = here(folder.path(), ssh).list(false).unwrap_err();
        assert!(why.contains(expected), "{ssh}: {why}");
    }
    let mut silent = here(folder.path(), "sh -c 'sleep 60'");
    silent.timeout = Duration::from_millis(200);
    let Ended(why) = silent.list(false).unwrap_err();
    assert!(why.contains("said nothing for 0.2 s"), "{why}");
}
