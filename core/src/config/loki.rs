//! What pushing to Loki needs: where, who we are, how, and how patiently.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use reqwest::Url;

use super::Surroundings;
use super::access::{Access, Secret, parse_url};
use super::values::Values;
use crate::record::Level;

/// Where Loki takes pushes when the endpoint has no path.
const PUSH_PATH: &str = "/loki/api/v1/push";

/// The labels that streams have from their records, sorted; `scenario` only where it is set.
pub const OWN_LABELS: [&str; 7] =
    ["component", "host", "kind", "repetition", "run_id", "scenario", "workload"];

/// Pushing to Loki, checked.
#[derive(Clone, Debug)]
pub struct LokiConfig {
    /// Whether to push while logging; `lb push` and `lb verify` do not ask.
    pub enabled: bool,
    /// Where to.
    pub endpoint: Endpoint,
    /// Static labels of every stream.
    pub labels: BTreeMap<String, String>,
    /// The lowest level that is pushed.
    pub min_level: Level,
    /// How a push is written.
    pub encoding: Encoding,
    /// Most lines in a push.
    pub batch_lines: Option<usize>,
    /// The longest wait before a push.
    pub flush_interval: Duration,
    /// The time-out of a push, from resolving the name to the answer.
    pub timeout: Duration,
    /// After so many failures in a row it is said once, and tried only every 30 s.
    pub max_retries: Option<u64>,
    /// The pause after the first failure.
    pub backoff_base: Duration,
    /// What the pause is multiplied with at each failure; at least 1.
    pub backoff_factor: f64,
    /// Who we are, and whom we trust.
    pub access: Access,
}

/// How a push is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Encoding {
    /// Protobuf with raw snappy.
    Protobuf,
    /// JSON with gzip.
    Json,
}

/// A URL of Loki's push API, without user and password.
#[derive(Clone, Eq, PartialEq)]
pub struct Endpoint {
    push: Url,
}

impl Endpoint {
    /// Reads an endpoint; one without a path gets `/loki/api/v1/push`. Also the user and password
    /// that stood before its host.
    ///
    /// # Errors
    /// Why it is no URL; the text itself, which may hold a password, is not repeated.
    pub fn parse(text: &str) -> Result<(Self, Option<(String, Secret)>), String> {
        let (mut push, credentials) = parse_url(text)?;
        if push.path() == "/" {
            push.set_path(PUSH_PATH);
        }
        Ok((Self { push }, credentials))
    }

    /// Where to push.
    #[must_use]
    pub fn push(&self) -> &Url {
        &self.push
    }

    /// Where to read back: `…/{query}` in the place of `…/push`; None when the path has another end,
    /// behind which nothing is known.
    #[must_use]
    pub(crate) fn beside(&self, query: &str) -> Option<Url> {
        let folder = self.push.path().strip_suffix("/push")?.to_owned();
        // The oldest name of the push path has no such query beside it.
        let folder = folder.strip_suffix("/api/prom").map_or(folder.clone(), |prefix| {
            format!("{prefix}{}", PUSH_PATH.trim_end_matches("/push"))
        });
        let mut url = self.push.clone();
        url.set_path(&format!("{folder}/{query}"));
        Some(url)
    }

    /// Where a redirect of it leads, as one may show it; None where that is no URL of ours.
    pub(crate) fn led(&self, location: &str) -> Option<String> {
        let url = self.push.join(location).ok()?;
        let (endpoint, _) = Self::parse(url.as_str()).ok()?;
        Some(endpoint.shown())
    }

    /// Where Loki is, for those who speak another of its APIs: without the path of the push, and
    /// without a query.
    #[must_use]
    pub fn base(&self) -> String {
        let mut url = self.push.clone();
        let path = url.path();
        let base = path.strip_suffix(PUSH_PATH).or_else(|| path.strip_suffix("/api/prom/push"));
        let base = base.unwrap_or(path).to_owned();
        url.set_path(&base);
        url.set_query(None);
        url.as_str().trim_end_matches('/').to_owned()
    }

    /// As one may show it: without a query, which may hold a token.
    #[must_use]
    pub fn shown(&self) -> String {
        let mut url = self.push.clone();
        url.set_query(None);
        url.into()
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown())
    }
}

/// The block `loki`; None when no endpoint is given. Mistakes go to `values`.
pub(super) fn build(values: &mut Values, around: &Surroundings) -> Option<LokiConfig> {
    let enabled = values.flag("loki.enabled");
    let Some(given) = values.text("loki.endpoint").map(str::to_owned) else {
        if enabled {
            let source = values.source("loki.enabled").to_owned();
            values.mistake(&source, "loki.enabled: it needs loki.endpoint too");
        }
        return None;
    };
    let (endpoint, credentials) = match Endpoint::parse(&given) {
        Ok(parsed) => parsed,
        Err(why) => {
            let source = values.source("loki.endpoint").to_owned();
            values.mistake(&source, format!("loki.endpoint: {why}"));
            return None;
        }
    };
    let access = Access::build("loki", credentials, values, around);
    let labels = labels(values);
    let number = |name: &str| values.get(name).and_then(|given| given.value.as_u64());
    let seconds = |name: &str| values.get(name).and_then(|given| given.value.as_f64());
    let duration = |name: &str| Duration::try_from_secs_f64(seconds(name)?).ok();
    Some(LokiConfig {
        enabled,
        labels,
        min_level: values.text("loki.min_level").and_then(Level::from_name).unwrap_or(Level::Info),
        encoding: match values.text("loki.encoding") {
            Some("json") => Encoding::Json,
            _ => Encoding::Protobuf,
        },
        batch_lines: number("loki.batch_size").and_then(|lines| usize::try_from(lines).ok()),
        flush_interval: Duration::from_millis(values.number("loki.flush_interval_ms")),
        timeout: duration("loki.timeout_seconds").unwrap_or_default(),
        max_retries: number("loki.max_retries"),
        backoff_base: duration("loki.backoff_base").unwrap_or_default(),
        backoff_factor: seconds("loki.backoff_factor").unwrap_or(1.0),
        access,
        endpoint,
    })
}

/// The static labels. For Loki a label without a value is none.
fn labels(values: &mut Values) -> BTreeMap<String, String> {
    let all = values.pairs("loki.labels").filter(|(_, value)| !value.is_empty());
    let labels: BTreeMap<String, String> = all.collect();
    for name in labels.keys() {
        let why = if OWN_LABELS.contains(&name.as_str()) {
            "every stream has this label from its records; take another name"
        } else if name.starts_with("__") {
            "names that begin with __ are Loki's own; take another name"
        } else {
            continue;
        };
        let source = values.source("loki.labels").to_owned();
        values.mistake(&source, format!("loki.labels: {name}: {why}"));
    }
    labels
}

/// What a user should know of this block.
pub(super) fn warnings(values: &Values) -> Option<String> {
    let key = "loki.max_queue_size";
    let queue = "no effect: the log file is the queue";
    values.is_set(key).then(|| format!("{key} ({}): {queue}", values.source(key)))
}
