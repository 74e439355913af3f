//! What a connection to a server is made with: who we are, and whom we trust. Secrets stay in here and
//! in the client that asks for them.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};

use super::advice::causes;
use crate::config::access::{Access, Authentication, Secret, SecretSource, parse_url};

/// The longest secret or certificate file that is read, bytes.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// Secrets shorter than this are not looked for in texts: they would hide half of each.
const MIN_HIDDEN: usize = 4;

/// A client with the headers and certificates of now, and what of it must not be shown.
pub(super) fn connection(
    access: &Access,
    url: &Url,
    timeout: Duration,
) -> Result<(reqwest::Client, Vec<String>), String> {
    let mut secrets = Vec::new();
    let headers = headers(access, &mut secrets)?;
    secrets.extend(on_the_way(url));
    secrets.retain(|secret| secret.len() >= MIN_HIDDEN);
    let mut builder = reqwest::Client::builder()
        .default_headers(headers)
        .user_agent(concat!("lb-log/", env!("CARGO_PKG_VERSION")))
        // A redirect would carry secrets elsewhere, and turn a POST into a GET.
        .redirect(reqwest::redirect::Policy::none())
        // Shorter than the whole, so that a connection that never came about is known as such.
        .connect_timeout(timeout.mul_f64(0.8).max(Duration::from_millis(1)))
        .pool_max_idle_per_host(1);
    builder = if needs_certificates(url) {
        with_certificates(builder, access)?
    } else {
        builder.tls_backend_preconfigured(nobodys_certificates()?)
    };
    let http = builder.build().map_err(|error| format!("{}: {}", access.block, causes(&error)))?;
    Ok((http, secrets))
}

/// The proxies that the environment names; reqwest knows which of them is meant.
fn proxies() -> impl Iterator<Item = String> {
    let names =
        ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];
    names.into_iter().filter_map(|name| std::env::var(name).ok())
}

/// Secrets that a server on the way may repeat: what the URL's query holds, and the passwords of
/// proxies.
fn on_the_way(url: &Url) -> Vec<String> {
    let pairs = url.query().into_iter().flat_map(|query| query.split('&'));
    let written = pairs.map(|pair| pair.split_once('=').map_or(pair, |(_, value)| value));
    let mut secrets: Vec<String> = written.map(str::to_owned).collect();
    secrets.extend(url.query_pairs().map(|(_, value)| value.into_owned()));
    for proxy in proxies() {
        let proxy = if proxy.contains("://") { proxy } else { format!("http://{proxy}") };
        let Ok((_, Some((user, password)))) = parse_url(&proxy) else { continue };
        secrets.extend(basic(&user, password.reveal()).as_ref().and_then(credentials));
        secrets.push(password.reveal().to_owned());
    }
    secrets
}

/// Whether anything is to be encrypted: the way to the server, or to a proxy. The system's certificates
/// take time and memory, and a small container has none.
fn needs_certificates(url: &Url) -> bool {
    url.scheme() == "https" || proxies().any(|proxy| proxy.starts_with("https"))
}

fn with_certificates(
    mut builder: reqwest::ClientBuilder,
    access: &Access,
) -> Result<reqwest::ClientBuilder, String> {
    // Somebody else's choice stands.
    let _ = rustls::crypto::ring::default_provider().install_default();
    if let Some(path) = &access.ca_file {
        let key = format!("{}.ca_file", access.block);
        let wrong = |why: &str| format!("{key}: {}: {why}", path.display());
        let pem = read_file(&key, path)?;
        let certificates = reqwest::Certificate::from_pem_bundle(&pem);
        let certificates = certificates.map_err(|error| wrong(&causes(&error)))?;
        if certificates.is_empty() {
            return Err(wrong("no certificate in PEM form is in it"));
        }
        builder = builder.tls_certs_merge(certificates);
    }
    if let Some((certificate, key)) = &access.identity {
        let block = access.block;
        let mut pem = read_file(&format!("{block}.cert_file"), certificate)?;
        pem.push(b'\n');
        pem.extend_from_slice(&read_file(&format!("{block}.key_file"), key)?);
        let identity = reqwest::Identity::from_pem(&pem).map_err(|_| {
            let (certificate, key) = (certificate.display(), key.display());
            format!(
                "{block}.cert_file, {block}.key_file: {certificate} and {key} hold no certificate \
                     and key in PEM form"
            )
        })?;
        builder = builder.identity(identity);
    }
    Ok(builder.tls_danger_accept_invalid_certs(access.insecure_skip_verify))
}

/// For a way without encryption.
fn nobodys_certificates() -> Result<rustls::ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("no encryption: {error}"))?;
    Ok(config.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth())
}

/// What every request says of us.
fn headers(access: &Access, secrets: &mut Vec<String>) -> Result<HeaderMap, String> {
    let block = access.block;
    let mut headers = HeaderMap::new();
    for (name, value) in &access.headers {
        secrets.push(value.reveal().to_owned());
        let name = HeaderName::try_from(name).map_err(|_| wrong_header(access, name))?;
        let value = sensitive(value.reveal()).ok_or_else(|| wrong_header(access, name.as_str()))?;
        headers.insert(name, value);
    }
    if let Some(tenant) = &access.tenant {
        let value = HeaderValue::try_from(tenant);
        let value = value.map_err(|_| no_header(&format!("{block}.tenant")))?;
        headers.insert("X-Scope-OrgID", value);
    }
    let authorization = match &access.authentication {
        Authentication::None => None,
        Authentication::Basic { user, password } => {
            let password = secret(&format!("{block}.password_file"), password)?;
            let value = basic(user, password.reveal());
            secrets.push(password.reveal().to_owned());
            let keys = format!("{block}.username, {block}.password");
            Some(value.ok_or_else(|| no_header(&keys))?)
        }
        Authentication::Bearer(token) => {
            let key = access.token_key();
            let token = secret(&format!("{key}_file"), token)?;
            let value = sensitive(&format!("Bearer {}", token.reveal()));
            secrets.push(token.reveal().to_owned());
            Some(value.ok_or_else(|| no_header(&key))?)
        }
    };
    if let Some(value) = authorization {
        secrets.extend(credentials(&value));
        headers.insert(AUTHORIZATION, value);
    }
    Ok(headers)
}

fn wrong_header(access: &Access, name: &str) -> String {
    no_header(&format!("{}.headers: {name}", access.block))
}

fn no_header(keys: &str) -> String {
    format!("{keys}: it holds what no header may")
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
