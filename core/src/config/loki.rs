//! What pushing to Loki needs: where, who we are, how, and how patiently.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::Url;
use serde_json::Value;

use super::Surroundings;
use super::effective::expand;
use super::keys;
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
    /// `X-Scope-OrgID`.
    pub tenant: Option<String>,
    /// Who we are.
    pub authentication: Authentication,
    /// More headers of each request.
    pub headers: Vec<(String, Secret)>,
    /// Certificates (PEM) to trust besides the system's.
    pub ca_file: Option<PathBuf>,
    /// Our own certificate and its key (PEM).
    pub identity: Option<(PathBuf, PathBuf)>,
    /// Accept any certificate of the server.
    pub insecure_skip_verify: bool,
}

/// How a push is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Encoding {
    /// Protobuf with raw snappy.
    Protobuf,
    /// JSON with gzip.
    Json,
}

/// Who we are to a server.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Authentication {
    /// Nobody.
    None,
    /// A user and a password.
    Basic {
        /// The user.
        user: String,
        /// The password.
        password: SecretSource,
    },
    /// A token.
    Bearer(SecretSource),
}

/// Where a secret comes from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SecretSource {
    /// The configuration itself.
    Value(Secret),
    /// A file, read again whenever the secret was refused; absolute.
    File(PathBuf),
}

/// Text that is never shown: its `Debug` hides it, and it has no `Display`.
#[derive(Clone, Eq, PartialEq)]
pub struct Secret(String);

impl Secret {
    /// Hides a text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for the one place that sends it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(super::value::HIDDEN)
    }
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
        let mut push = Url::parse(text).map_err(|error| format!("it is no URL: {error}"))?;
        if !matches!(push.scheme(), "http" | "https") {
            return Err("it must begin with http:// or https://".to_owned());
        }
        if push.path() == "/" {
            push.set_path(PUSH_PATH);
        }
        push.set_fragment(None);
        let user = unescaped(push.username());
        let password = push.password().map(unescaped);
        // These fail only for URLs without a host, and http URLs have one.
        let _ = push.set_username("");
        let _ = push.set_password(None);
        let credentials = (!user.is_empty() || password.is_some())
            .then(|| (user, Secret::new(password.unwrap_or_default())));
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

/// Percent-escapes undone; what is no UTF-8 then becomes U+FFFD.
fn unescaped(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let digits = bytes.get(at + 1..at + 3).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) if bytes[at] == b'%' => {
                out.push(byte);
                at += 3;
            }
            _ => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The block `loki`; None when no endpoint is given. Mistakes go to `values`.
pub(super) fn build(values: &mut Values, around: &Surroundings) -> Option<LokiConfig> {
    let enabled = flag(values, "loki.enabled");
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
    let authentication = authentication(values, around, credentials);
    let labels = labels(values);
    let number = |name: &str| values.get(name).and_then(|given| given.value.as_u64());
    let seconds = |name: &str| values.get(name).and_then(|given| given.value.as_f64());
    let duration = |name: &str| Duration::try_from_secs_f64(seconds(name)?).ok();
    let text = |name: &str| values.text(name).map(str::to_owned);
    let path = |name: &str| text(name).map(|path| around.cwd.join(expand(&path, around)));
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
        tenant: text("loki.tenant"),
        headers: pairs(values, "loki.headers")
            .map(|(name, value)| (name, Secret::new(value)))
            .collect(),
        ca_file: path("loki.ca_file"),
        identity: path("loki.cert_file").zip(path("loki.key_file")),
        insecure_skip_verify: flag(values, "loki.insecure_skip_verify"),
        authentication,
        endpoint,
    })
}

/// The static labels. For Loki a label without a value is none.
fn labels(values: &mut Values) -> BTreeMap<String, String> {
    let all = pairs(values, "loki.labels").filter(|(_, value)| !value.is_empty());
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

fn authentication(
    values: &mut Values,
    around: &Surroundings,
    in_url: Option<(String, Secret)>,
) -> Authentication {
    let secret = |name: &str| {
        let file = values.text(&format!("{name}_file"));
        let file = file.map(|path| SecretSource::File(around.cwd.join(expand(path, around))));
        values.text(name).map(|text| SecretSource::Value(Secret::new(text))).or(file)
    };
    let basic = values.text("loki.username").map(str::to_owned).zip(secret("loki.password"));
    let given = match (basic, secret("loki.bearer_token")) {
        (Some((user, password)), _) => Authentication::Basic { user, password },
        (None, Some(token)) => Authentication::Bearer(token),
        (None, None) => Authentication::None,
    };
    match (in_url, given) {
        (None, given) => given,
        (Some((user, password)), Authentication::None) => {
            Authentication::Basic { user, password: SecretSource::Value(password) }
        }
        (Some(_), given) => {
            let source = values.source("loki.endpoint").to_owned();
            let why = "loki.endpoint: it holds a user, and the block has an authentication of its \
                own; keep one";
            values.mistake(&source, why);
            given
        }
    }
}

fn flag(values: &Values, name: &str) -> bool {
    values.get(name).is_some_and(|given| given.value == Value::Bool(true))
}

fn pairs(values: &Values, name: &str) -> impl Iterator<Item = (String, String)> {
    let map = values.get(name).and_then(|given| given.value.as_object()).cloned();
    map.into_iter().flatten().map(|(name, value)| {
        let value = value.as_str().unwrap_or_default().to_owned();
        (name, value)
    })
}

/// What a user should know of this block, one sentence each.
pub(super) fn warnings(values: &Values) -> Vec<String> {
    let said = |name: &'static str, text: &str| {
        let key = keys::find(name)?;
        let set = values.is_set(key.name) && values.get(key.name)?.value != Value::Bool(false);
        set.then(|| format!("{name} ({}): {text}", values.source(name)))
    };
    let queue = "no effect: the log file is the queue";
    let certificate = "any certificate is accepted, so anyone on the way can read what is sent; \
        for tests only";
    [said("loki.max_queue_size", queue), said("loki.insecure_skip_verify", certificate)]
        .into_iter()
        .flatten()
        .collect()
}
