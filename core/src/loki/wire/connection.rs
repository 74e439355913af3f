//! What a connection to Loki is made with: who we are, and whom we trust. Secrets stay in here and in
//! the client that asks for them.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};

use super::advice::causes;
use crate::config::loki::{Authentication, Endpoint, LokiConfig, Secret, SecretSource};

/// The longest secret or certificate file that is read, bytes.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// Secrets shorter than this are not looked for in texts: they would hide half of each.
const MIN_HIDDEN: usize = 4;

/// A client with the headers and certificates of now, and what of it must not be shown.
pub(super) fn connection(config: &LokiConfig) -> Result<(reqwest::Client, Vec<String>), String> {
    let mut secrets = Vec::new();
    let headers = headers(config, &mut secrets)?;
    secrets.extend(on_the_way(config));
    secrets.retain(|secret| secret.len() >= MIN_HIDDEN);
    let timeout = config.timeout;
    let mut builder = reqwest::Client::builder()
        .default_headers(headers)
        .user_agent(concat!("lb-log/", env!("CARGO_PKG_VERSION")))
        // A redirect would carry secrets elsewhere, and turn a POST into a GET.
        .redirect(reqwest::redirect::Policy::none())
        // Shorter than the whole, so that a connection that never came about is known as such.
        .connect_timeout(timeout.mul_f64(0.8).max(Duration::from_millis(1)))
        .pool_max_idle_per_host(1);
    builder = if needs_certificates(config.endpoint.push()) {
        with_certificates(builder, config)?
    } else {
        builder.tls_backend_preconfigured(nobodys_certificates()?)
    };
    let http = builder.build().map_err(|error| format!("loki: {}", causes(&error)))?;
    Ok((http, secrets))
}

/// The proxies that the environment names; reqwest knows which of them is meant.
fn proxies() -> impl Iterator<Item = String> {
    let names =
        ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];
    names.into_iter().filter_map(|name| std::env::var(name).ok())
}

/// Secrets that a server on the way may repeat: what the endpoint's query holds, and the passwords of
/// proxies.
fn on_the_way(config: &LokiConfig) -> Vec<String> {
    let url = config.endpoint.push();
    let pairs = url.query().into_iter().flat_map(|query| query.split('&'));
    let written = pairs.map(|pair| pair.split_once('=').map_or(pair, |(_, value)| value));
    let mut secrets: Vec<String> = written.map(str::to_owned).collect();
    secrets.extend(url.query_pairs().map(|(_, value)| value.into_owned()));
    for proxy in proxies() {
        let proxy = if proxy.contains("://") { proxy } else { format!("http://{proxy}") };
        let Ok((_, Some((user, password)))) = Endpoint::parse(&proxy) else { continue };
        secrets.extend(basic(&user, password.reveal()).as_ref().and_then(credentials));
        secrets.push(password.reveal().to_owned());
    }
    secrets
}

/// Whether anything is to be encrypted: the way to Loki, or to a proxy. The system's certificates
/// take time and memory, and a small container has none.
fn needs_certificates(url: &Url) -> bool {
    url.scheme() == "https" || proxies().any(|proxy| proxy.starts_with("https"))
}

fn with_certificates(
    mut builder: reqwest::ClientBuilder,
    config: &LokiConfig,
) -> Result<reqwest::ClientBuilder, String> {
    // Somebody else's choice stands.
    let _ = rustls::crypto::ring::default_provider().install_default();
    if let Some(path) = &config.ca_file {
        let wrong = |why: &str| format!("loki.ca_file: {}: {why}", path.display());
        let pem = read_file("loki.ca_file", path)?;
        let certificates = reqwest::Certificate::from_pem_bundle(&pem);
        let certificates = certificates.map_err(|error| wrong(&causes(&error)))?;
        if certificates.is_empty() {
            return Err(wrong("no certificate in PEM form is in it"));
        }
        builder = builder.tls_certs_merge(certificates);
    }
    if let Some((certificate, key)) = &config.identity {
        let mut pem = read_file("loki.cert_file", certificate)?;
        pem.push(b'\n');
        pem.extend_from_slice(&read_file("loki.key_file", key)?);
        let identity = reqwest::Identity::from_pem(&pem).map_err(|_| {
            let (certificate, key) = (certificate.display(), key.display());
            format!(
                "loki.cert_file, loki.key_file: {certificate} and {key} hold no certificate \
                     and key in PEM form"
            )
        })?;
        builder = builder.identity(identity);
    }
    Ok(builder.tls_danger_accept_invalid_certs(config.insecure_skip_verify))
}

/// For a way without encryption.
fn nobodys_certificates() -> Result<rustls::ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("loki: {error}"))?;
    Ok(config.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth())
}

/// What every request says of us.
fn headers(config: &LokiConfig, secrets: &mut Vec<String>) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in &config.headers {
        secrets.push(value.reveal().to_owned());
        let name = HeaderName::try_from(name).map_err(|_| wrong_header(name))?;
        let value = sensitive(value.reveal()).ok_or_else(|| wrong_header(name.as_str()))?;
        headers.insert(name, value);
    }
    if let Some(tenant) = &config.tenant {
        let value = HeaderValue::try_from(tenant);
        let value = value.map_err(|_| "loki.tenant: it holds what no header may".to_owned())?;
        headers.insert("X-Scope-OrgID", value);
    }
    let authorization = match &config.authentication {
        Authentication::None => None,
        Authentication::Basic { user, password } => {
            let password = secret("loki.password_file", password)?;
            let value = basic(user, password.reveal());
            secrets.push(password.reveal().to_owned());
            Some(value.ok_or("loki.username, loki.password: they hold what no header may")?)
        }
        Authentication::Bearer(token) => {
            let token = secret("loki.bearer_token_file", token)?;
            let value = sensitive(&format!("Bearer {}", token.reveal()));
            secrets.push(token.reveal().to_owned());
            Some(value.ok_or("loki.bearer_token: it holds what no header may")?)
        }
    };
    if let Some(value) = authorization {
        secrets.extend(credentials(&value));
        headers.insert(AUTHORIZATION, value);
    }
    Ok(headers)
}

fn wrong_header(name: &str) -> String {
    format!("loki.headers: {name}: it holds what no header may")
}

/// What an `Authorization` says behind its scheme.
fn credentials(authorization: &HeaderValue) -> Option<String> {
    authorization.to_str().ok()?.split(' ').nth(1).map(Into::into)
}

/// A header that debug output leaves out.
fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::try_from(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// RFC 7617, as reqwest writes it.
fn basic(user: &str, password: &str) -> Option<HeaderValue> {
    let request = reqwest::Client::builder()
        .tls_backend_preconfigured(nobodys_certificates().ok()?)
        .build()
        .ok()?
        .get("http://localhost")
        .basic_auth(user, Some(password))
        .build();
    request.ok()?.headers().get(AUTHORIZATION).cloned()
}

fn secret(key: &str, source: &SecretSource) -> Result<Secret, String> {
    let path = match source {
        SecretSource::Value(secret) => return Ok(secret.clone()),
        SecretSource::File(path) => path,
    };
    let wrong = |why: &str| format!("{key}: {}: {why}", path.display());
    let text = String::from_utf8(read_file(key, path)?).map_err(|_| wrong("it is not UTF-8"))?;
    let text = text.trim();
    if text.is_empty() { Err(wrong("it is empty")) } else { Ok(Secret::new(text)) }
}

fn read_file(key: &str, path: &Path) -> Result<Vec<u8>, String> {
    let read = || -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        File::open(path)?.take(MAX_FILE_BYTES).read_to_end(&mut content)?;
        Ok(content)
    };
    read().map_err(|error| format!("{key}: {}: {error}", path.display()))
}
