//! A source on a host, reached by the user's own `ssh`: their configuration, agent, jump hosts and
//! shared connections hold. The far end is a POSIX sh that is told `far.sh` on its stdin.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::{self, BufRead as _, Read as _};
use std::process::Command;
use std::time::Duration;

use flate2::bufread::GzDecoder;

use super::link::Link;
use super::listing::{Raw, shown};
use super::source::{Desk, Doomed, Ended, Interrupted, Removal, Source, Wanted};
use super::wire;

const FAR: &str = include_str!("far.sh");

/// Most that a login may say on stdout before the far end begins.
const LONGEST_BANNER: usize = 1 << 20;

/// What ssh is told besides what its user has configured: never to ask, never to accept a key
/// that it does not know, and to do nothing but run a command.
const OPTIONS: [&str; 9] = [
    "-T",
    "-o",
    "BatchMode=yes",
    "-o",
    "ClearAllForwardings=yes",
    "-o",
    "RemoteCommand=none",
    "-o",
    "PermitLocalCommand=no",
];

/// The folder of a run on a host.
pub(super) struct Remote {
    target: String,
    folder: String,
    run: String,
    /// The command of `ssh`, as a shell reads it.
    ssh: String,
    timeout: Duration,
}

impl Remote {
    pub(super) fn new(
        target: &str,
        folder: &str,
        run_folder: &str,
        ssh: &str,
        timeout: Duration,
    ) -> Self {
        // No folder's name is taken for an option.
        let folder = if folder.starts_with('/') { folder.into() } else { format!("./{folder}") };
        let (target, run, ssh) = (target.to_owned(), run_folder.to_owned(), ssh.to_owned());
        Self { target, folder, run, ssh, timeout }
    }

    /// Starts the far end in the folder of the run, to make these calls.
    fn talk(&self, calls: &[u8]) -> Result<Link, Ended> {
        let mark = format!("lb-collect-{:016x}", RandomState::new().build_hasher().finish());
        let begin = [mark.as_str(), &self.folder, &self.run].map(|text| quoted(text.as_bytes()));
        let mut script = FAR.as_bytes().to_vec();
        script.extend(b"main() {\nbegin ");
        script.extend(begin.join(&b' '));
        script.extend(b" || return\n");
        script.extend(calls);
        script.extend(b"}\nmain </dev/null\nexit\n");
        let mut command = Command::new("sh");
        let ssh = format!("exec {} \"$@\"", self.ssh);
        command.args(["-c", &ssh, "ssh"]).args(OPTIONS).args([&self.target, "sh"]);
        let started = Link::start(command, script, self.timeout);
        let mut link = started.map_err(|error| Ended(format!("ssh cannot be started: {error}")))?;
        match skip_banner(&mut link, mark.as_bytes()) {
            Ok(()) => Ok(link),
            Err(error) => Err(self.why(link, &error)),
        }
    }

    /// Why a conversation has ended too early, and what to do.
    fn why(&self, mut link: Link, error: &io::Error) -> Ended {
        if error.kind() == io::ErrorKind::TimedOut {
            let silent = self.timeout.as_secs_f64();
            return Ended(format!(
                "it said nothing for {silent} s and was given up; collect again when it answers, or \
                 with a longer --timeout"
            ));
        }
        link.part();
        let said = link.said();
        let last = said.lines().map(str::trim).rfind(|line| !line.is_empty());
        let advice = advice(&said, &self.target);
        Ended(match (error.kind(), last) {
            (io::ErrorKind::UnexpectedEof, Some(last)) => format!("{last}; {advice}"),
            (io::ErrorKind::UnexpectedEof, None) => format!("the connection has ended; {advice}"),
            (_, Some(last)) => format!("{error} ({last}); {advice}"),
            (_, None) => format!("{error}; {advice}"),
        })
    }

    /// What was fetched of one file, and whether the listed one still has its name.
    fn receive(
        link: &mut Link,
        number: usize,
        wanted: &Wanted,
        desk: &mut dyn Desk,
    ) -> Result<(), Interrupted> {
        let letter = wire::text(link).map_err(Interrupted::Reading)?;
        let of = wire::text(link).map_err(Interrupted::Reading)?;
        if of != number.to_string().as_bytes() {
            return Err(Interrupted::Reading(wire::strange("another file's number")));
        }
        match letter.as_slice() {
            b"X" => {
                link.part();
                let said = link.said();
                let last = said.lines().last().unwrap_or("it cannot be read").to_owned();
                desk.cannot(number, &last);
                Ok(())
            }
            b"D" => {
                // One more, so that the checksum at the end is read and looked at.
                let mut plain = GzDecoder::new(&mut *link).take(wanted.bytes().saturating_add(1));
                desk.take(number, &mut plain)?;
                let id = wire::text(link).map_err(Interrupted::Reading)?;
                let id = String::from_utf8_lossy(&id);
                let known = !id.is_empty() && !wanted.id().is_empty();
                desk.taken(number, !known || id == wanted.id()).map_err(Interrupted::Ended)
            }
            _ => Err(Interrupted::Reading(wire::strange("nonsense"))),
        }
    }
}

impl Source for Remote {
    fn list(&mut self, touch: bool) -> Result<Raw, Ended> {
        let call = if touch { "list\n" } else { "list --dry-run\n" };
        let mut link = self.talk(call.as_bytes())?;
        match wire::read(&mut link) {
            Ok(raw) => Ok(raw),
            Err(error) => Err(self.why(link, &error)),
        }
    }

    fn fetch(&mut self, wanted: &[Wanted], desk: &mut dyn Desk) -> Result<(), Ended> {
        let mut calls = Vec::new();
        for (number, file) in wanted.iter().enumerate() {
            calls.extend(format!("fetch {number} {} ", file.bytes()).into_bytes());
            calls.extend(quoted(file.path()));
            calls.push(b'\n');
        }
        let mut link = self.talk(&calls)?;
        for (number, file) in wanted.iter().enumerate() {
            match Self::receive(&mut link, number, file, desk) {
                Ok(()) => {}
                Err(Interrupted::Ended(ended)) => return Err(ended),
                Err(Interrupted::Reading(error)) => return Err(self.why(link, &error)),
            }
        }
        link.part();
        Ok(())
    }

    fn remove(&mut self, logs: &[Doomed]) -> Result<Removal, Ended> {
        let mut calls = Vec::new();
        for Doomed { live, files } in logs {
            calls.extend(b"remove ");
            calls.extend(quoted(live));
            for file in files {
                calls.push(b' ');
                calls.extend(quoted(&file.path));
                calls.extend(format!(" {} {}", file.size, file.sha256).into_bytes());
            }
            calls.push(b'\n');
        }
        calls.extend(b"printf 'Z\\0'\n");
        let mut link = self.talk(&calls)?;
        match removal(&mut link) {
            Ok(removal) => Ok(removal),
            Err(error) => Err(self.why(link, &error)),
        }
    }
}

/// What a far end says of removed files.
fn removal(link: &mut Link) -> io::Result<Removal> {
    let mut came = Removal::default();
    loop {
        match wire::text(link)?.as_slice() {
            b"G" => came.removed.push(wire::text(link)?),
            b"K" => came.kept.push(shown(&wire::text(link)?)),
            b"Z" => return Ok(came),
            _ => return Err(wire::strange("nonsense")),
        }
    }
}

/// Reads past whatever a login says on stdout, up to the mark.
fn skip_banner(link: &mut Link, mark: &[u8]) -> io::Result<()> {
    let mut banner = Vec::new();
    loop {
        let held = link.fill_buf()?;
        if held.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let zero = memchr::memchr(0, held);
        let len = zero.map_or(held.len(), |at| at + 1);
        banner.extend_from_slice(&held[..len]);
        link.consume(len);
        if zero.is_some() && banner[..banner.len() - 1].ends_with(mark) {
            return Ok(());
        }
        if banner.len() > LONGEST_BANNER {
            return Err(wire::strange("too much before its beginning"));
        }
    }
}

/// A word of a POSIX shell that stands for these bytes.
fn quoted(bytes: &[u8]) -> Vec<u8> {
    let mut word = vec![b'\''];
    for byte in bytes {
        match byte {
            b'\'' => word.extend(b"'\\''"),
            byte => word.push(*byte),
        }
    }
    word.push(b'\'');
    word
}

/// What to do about what ssh has said.
fn advice(said: &str, target: &str) -> String {
    let text = match () {
        () if said.contains("REMOTE HOST IDENTIFICATION HAS CHANGED") => {
            "its host key is another than before: find out why before you trust it"
        }
        () if said.contains("Host key verification failed") => {
            return format!(
                "its host key is not known here: connect once by `ssh {target}`, compare the key, and \
                 collect again"
            );
        }
        () if said.contains("Permission denied (") => {
            return format!("`ssh -o BatchMode=yes {target} true` must work; then collect again");
        }
        () if said.contains("Could not resolve hostname") => {
            "check the name (a folder here is written ./name) and collect again"
        }
        () if said.contains(": not found") => {
            "name a command that is there with --ssh (or collect.ssh), and collect again"
        }
        () if said.contains("Connection refused") => "start its ssh server and collect again",
        () => "collect again when it can be reached",
    };
    text.to_owned()
}

#[cfg(test)]
#[path = "remote_tests.rs"]
mod tests;
