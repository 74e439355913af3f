//! What is kept for the next time, in a file that its owner alone can read: the token of each Grafana,
//! and by what it can be told that a datasource's secrets are those of before (Grafana never shows
//! them).

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use ring::rand::{SecureRandom as _, SystemRandom};
use serde::{Deserialize, Serialize};

use super::secrets::hex;
use crate::say::near;

/// What is known of one Grafana and organisation.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub(super) struct Known {
    pub(super) token: Option<String>,
    pub(super) service_account: Option<i64>,
    salt: String,
    /// By datasource: the sum of its secrets, and the version that Grafana gave it then.
    secrets: BTreeMap<String, (String, i64)>,
}

/// The file.
#[derive(Debug)]
pub(super) struct Saved {
    path: PathBuf,
    servers: BTreeMap<String, Known>,
    server: String,
    /// As it was read.
    before: Known,
}

/// Where `lb provision` keeps what it has to remember; the scripts keep theirs there, too.
pub(super) fn folder() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let state = set("XDG_STATE_HOME").map(PathBuf::from);
    let state = state.or_else(|| Some(PathBuf::from(set("HOME")?).join(".local/state")));
    state.map(|state| state.join("lb-log"))
}

impl Saved {
    /// Reads what is known of a Grafana.
    pub(super) fn read(url: &str, org: Option<u64>) -> anyhow::Result<Self> {
        // Without a home nothing was kept, and nothing can be.
        let path = folder().unwrap_or_default().join("grafana.json");
        let servers: BTreeMap<String, Known> = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|_| anyhow::anyhow!("{}: damaged; delete it", near(&path)))?,
            Err(error) if error.kind() == ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(error).with_context(|| near(&path)),
        };
        let server = org.map_or_else(|| url.to_owned(), |org| format!("{url} organisation {org}"));
        let before = servers.get(&server).cloned().unwrap_or_default();
        Ok(Self { path, servers, server, before })
    }

    /// The file's path.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What is known.
    pub(super) fn known(&self) -> Known {
        self.servers.get(&self.server).cloned().unwrap_or_default()
    }

    /// The same, to be changed.
    pub(super) fn known_mut(&mut self) -> &mut Known {
        self.servers.entry(self.server.clone()).or_default()
    }

    /// Nothing is known any more.
    pub(super) fn forget(&mut self) {
        self.servers.remove(&self.server);
    }

    /// What is mixed into the sums of secrets, so that nobody can look them up.
    pub(super) fn salt(&mut self) -> anyhow::Result<String> {
        let known = self.known_mut();
        if known.salt.is_empty() {
            let mut bytes = [0; 16];
            let filled = SystemRandom::new().fill(&mut bytes);
            filled.map_err(|_| anyhow::anyhow!("the system gives no random numbers"))?;
            known.salt = hex(&bytes);
        }
        Ok(known.salt.clone())
    }

    /// Whether a datasource has the secrets that it was given.
    pub(super) fn has(&self, uid: &str, sum: &str, version: i64) -> bool {
        let known = self.servers.get(&self.server);
        let noted = known.and_then(|known| known.secrets.get(uid));
        noted.is_some_and(|(noted, at)| (noted.as_str(), *at) == (sum, version))
    }

    /// It has them from now on.
    pub(super) fn note(&mut self, uid: &str, sum: String, version: i64) {
        self.known_mut().secrets.insert(uid.to_owned(), (sum, version));
    }

    /// Writes the file, where there is something new to keep: all of it or nothing.
    pub(super) fn write(&self) -> anyhow::Result<()> {
        if self.known() == self.before {
            return Ok(());
        }
        if folder().is_none() {
            bail!("HOME is not set: where to keep what the next run needs is not known");
        }
        let text = serde_json::to_vec_pretty(&self.servers)?;
        let write = || -> std::io::Result<()> {
            if let Some(folder) = self.path.parent() {
                fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
            }
            let temporary = self.path.with_extension(format!("json.{}", std::process::id()));
            let mut options = OpenOptions::new();
            let mut file = options.write(true).create_new(true).mode(0o600).open(&temporary)?;
            let written = file.write_all(&text).and_then(|()| file.sync_all());
            let written = written.and_then(|()| fs::rename(&temporary, &self.path));
            if written.is_err() {
                let _ = fs::remove_file(&temporary);
            }
            written
        };
        write().with_context(|| format!("{}: cannot be written", near(&self.path)))
    }
}
