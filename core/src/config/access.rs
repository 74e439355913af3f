//! Who we are to a server, and whom we trust: the same keys for Loki, Grafana and Prometheus.

use std::fmt;
use std::path::PathBuf;

use reqwest::Url;

use super::Surroundings;
use super::effective::expand;
use super::values::Values;

/// Who we are to a server, and whom we trust.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Access {
    /// The block of keys that says so: `loki`, `grafana` or `prometheus`.
    pub block: &'static str,
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

impl Access {
    /// Nobody in particular, who trusts what the system trusts.
    #[must_use]
    pub fn anonymous(block: &'static str) -> Self {
        Self {
            block,
            tenant: None,
            authentication: Authentication::None,
            headers: Vec::new(),
            ca_file: None,
            identity: None,
            insecure_skip_verify: false,
        }
    }

    /// The key of the server's URL.
    #[must_use]
    pub fn url_key(&self) -> String {
        url_key(self.block)
    }

    /// The key of the token.
    #[must_use]
    pub fn token_key(&self) -> String {
        token_key(self.block)
    }

    /// What the block says; `in_url` is the user and password in the server's URL. Mistakes go to
    /// `values`.
    pub(super) fn build(
        block: &'static str,
        in_url: Option<(String, Secret)>,
        values: &mut Values,
        around: &Surroundings,
    ) -> Self {
        let authentication = authentication(block, in_url, values, around);
        let text = |name: &str| values.text(&format!("{block}.{name}")).map(str::to_owned);
        let path = |name: &str| text(name).map(|path| around.cwd.join(expand(&path, around)));
        let headers = values.pairs(&format!("{block}.headers"));
        Self {
            block,
            tenant: text("tenant"),
            headers: headers.map(|(name, value)| (name, Secret::new(value))).collect(),
            ca_file: path("ca_file"),
            identity: path("cert_file").zip(path("key_file")),
            insecure_skip_verify: values.flag(&format!("{block}.insecure_skip_verify")),
            authentication,
        }
    }
}

pub(super) fn url_key(block: &str) -> String {
    format!("{block}.{}", if block == "loki" { "endpoint" } else { "url" })
}

pub(super) fn token_key(block: &str) -> String {
    format!("{block}.{}", if block == "grafana" { "api_key" } else { "bearer_token" })
}

fn authentication(
    block: &str,
    in_url: Option<(String, Secret)>,
    values: &mut Values,
    around: &Surroundings,
) -> Authentication {
    let secret = |name: &str| {
        let file = values.text(&format!("{name}_file"));
        let file = file.map(|path| SecretSource::File(around.cwd.join(expand(path, around))));
        values.text(name).map(|text| SecretSource::Value(Secret::new(text))).or(file)
    };
    let user = values.text(&format!("{block}.username")).map(str::to_owned);
    let basic = user.zip(secret(&format!("{block}.password")));
    let given = match (basic, secret(&token_key(block))) {
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
            let key = url_key(block);
            let source = values.source(&key).to_owned();
            let why = "it holds a user, and the block has an authentication of its own; keep one";
            values.mistake(&source, format!("{key}: {why}"));
            given
        }
    }
}

/// A server's URL without the user and password before its host, and these.
///
/// # Errors
/// Why it is no URL; the text itself, which may hold a password, is not repeated.
pub(crate) fn parse_url(text: &str) -> Result<(Url, Option<(String, Secret)>), String> {
    let mut url = Url::parse(text).map_err(|error| format!("it is no URL: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("it must begin with http:// or https://".to_owned());
    }
    url.set_fragment(None);
    let user = unescaped(url.username());
    let password = url.password().map(unescaped);
    // These fail only for URLs without a host, and http URLs have one.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    let credentials = (!user.is_empty() || password.is_some())
        .then(|| (user, Secret::new(password.unwrap_or_default())));
    Ok((url, credentials))
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
