//! Talking to Loki over HTTP. One request at a time, on the calling thread: reqwest's futures run on
//! a runtime of ours that has no threads, so that nothing of it outlives a call, except a name that
//! is being looked up (the system's resolver has no time-out): that one is left alone.

use std::error::Error as _;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{
    AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue,
};
use reqwest::{RequestBuilder, Response, Url};
use tokio::runtime::Runtime;

use super::answer::{self, Answer, MAX_BODY_BYTES, one_line, said};
use super::ask::{self, Ask, AskError, LookUpError, Question};
use super::batch::Batch;
use super::query::{self, Found};
use super::sink::Sink;
use super::{json, protobuf};
use crate::config::loki::{Authentication, Encoding, LokiConfig, Secret, SecretSource};

/// The longest secret or certificate file that is read, bytes.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// Most bytes of a page of a query that are read.
const MAX_PAGE_BYTES: usize = 16 << 20;

/// A query may take so many times as long as a push.
const QUERY_PATIENCE: u32 = 4;

/// Secrets shorter than this are not looked for in texts: they would hide half of each.
const MIN_HIDDEN: usize = 4;

/// From this length on a question travels in a body: paths have limits on their way.
const MAX_URL_BYTES: usize = 2000;

/// A connection to Loki, kept alive between requests.
pub(crate) struct Client {
    config: LokiConfig,
    /// Always there; taken out to be shut down.
    runtime: Option<Runtime>,
    http: reqwest::Client,
    /// What must not stand in any text of ours.
    secrets: Vec<String>,
    encoder: Encoder,
}

enum Encoder {
    Protobuf(Box<protobuf::Encoder>),
    Json(json::Encoder),
}

impl Client {
    /// Reads secrets and certificates. Connects to nobody yet.
    ///
    /// # Errors
    /// What cannot be read or used, and what to do.
    pub(crate) fn new(config: &LokiConfig) -> Result<Self, String> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            // For the resolver alone. Threads that wait for a name for ever do not pile up, and
            // those that are done are soon gone.
            .thread_name("lb-resolver")
            .max_blocking_threads(2)
            .thread_keep_alive(Duration::from_millis(10))
            .build();
        let runtime = runtime.map_err(|error| format!("loki: no runtime: {error}"))?;
        let (http, secrets) = connection(config)?;
        let encoder = match config.encoding {
            Encoding::Protobuf => Encoder::Protobuf(Box::new(protobuf::Encoder::new())),
            Encoding::Json => Encoder::Json(json::Encoder::default()),
        };
        Ok(Self { config: config.clone(), runtime: Some(runtime), http, secrets, encoder })
    }

    fn request(&mut self, batch: &Batch) -> Result<RequestBuilder, String> {
        let (kind, encoding, body) = match &mut self.encoder {
            Encoder::Protobuf(encoder) => {
                let body = encoder.encode(batch).map_err(|error| error.to_string())?;
                ("application/x-protobuf", "snappy", body)
            }
            Encoder::Json(encoder) => {
                let body = encoder.encode(batch).map_err(|error| error.to_string())?;
                ("application/json", "gzip", body)
            }
        };
        Ok(self
            .http
            .post(self.config.endpoint.push().clone())
            .timeout(self.config.timeout)
            .header(CONTENT_TYPE, kind)
            .header(CONTENT_ENCODING, encoding)
            .body(body.to_vec()))
    }

    /// The status, and the first bytes of the body, as far as they came.
    fn send(&self, request: RequestBuilder, most: usize) -> Result<(u16, Vec<u8>), reqwest::Error> {
        let Some(runtime) = &self.runtime else { return Ok((0, Vec::new())) };
        runtime.block_on(async {
            let mut response = request.send().await?;
            let status = response.status().as_u16();
            Ok((status, body(&mut response, most).await))
        })
    }

    /// A text without our secrets: a server may repeat what it was sent.
    fn clean(&self, text: &str) -> String {
        let hide = |text: String, secret: &String| text.replace(secret.as_str(), "***");
        self.secrets.iter().fold(text.to_owned(), hide)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // Waits for nothing: a look-up of a name may take minutes.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Sink for Client {
    fn push(&mut self, batch: &Batch) -> Answer {
        let request = match self.request(batch) {
            Ok(request) => request,
            Err(why) => return Answer::Hold { why },
        };
        match self.send(request, MAX_BODY_BYTES) {
            Ok((status, body)) => {
                answer::read(status, self.clean(&String::from_utf8_lossy(&body)).as_bytes())
            }
            Err(error) => {
                let why = self.clean(&told(&error));
                if error.is_builder() || is_certificates_fault(&error) {
                    Answer::Hold { why }
                } else if error.is_connect() {
                    Answer::NotStored { why }
                } else {
                    Answer::Unknown { why }
                }
            }
        }
    }

    fn look_up(&mut self, batch: &Batch) -> Result<Found, LookUpError> {
        query::look_up(self, batch)
    }

    fn renew(&mut self) -> Result<(), String> {
        (self.http, self.secrets) = connection(&self.config)?;
        Ok(())
    }
}

impl Ask for Client {
    fn ask(&mut self, question: &Question<'_>) -> Result<Vec<u8>, AskError> {
        let Some(mut url) = self.config.endpoint.beside(question.api()) else {
            let shown = self.config.endpoint.shown();
            let why = format!("{shown} does not end with /push: where to read is not known");
            return Err(AskError::Refused { why });
        };
        let plain = url.clone();
        url.query_pairs_mut().extend_pairs(question.pairs());
        let request = if url.as_str().len() > MAX_URL_BYTES {
            let (form, own) = (url.query().unwrap_or_default(), plain.query().unwrap_or_default());
            let form = form[own.len()..].trim_start_matches('&').to_owned();
            let kind = "application/x-www-form-urlencoded";
            self.http.post(plain).header(CONTENT_TYPE, kind).body(form)
        } else {
            self.http.get(url)
        };
        let timeout = self.config.timeout.saturating_mul(QUERY_PATIENCE);
        match self.send(request.timeout(timeout), MAX_PAGE_BYTES + 1) {
            Ok((200, body)) if body.len() > MAX_PAGE_BYTES => Err(AskError::TooMuch),
            Ok((200, body)) => Ok(body),
            Ok((status, body)) => {
                let body = self.clean(&String::from_utf8_lossy(&body));
                Err(ask::trouble(status, &body, said(status, &body)))
            }
            Err(error) => Err(AskError::Failed { why: self.clean(&told(&error)) }),
        }
    }
}

/// The beginning of a body. What is cut off by the other side is not missed: texts are for people,
/// and whoever reads more checks it.
async fn body(response: &mut Response, most: usize) -> Vec<u8> {
    let mut body = Vec::new();
    while body.len() < most {
        let Ok(Some(chunk)) = response.chunk().await else { break };
        let room = most - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
    }
    body
}

/// A client with the headers and certificates of now, and what of it must not be shown.
fn connection(config: &LokiConfig) -> Result<(reqwest::Client, Vec<String>), String> {
    let mut secrets = Vec::new();
    let headers = headers(config, &mut secrets)?;
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
    let http = builder.build().map_err(|error| format!("loki: {}", told(&error)))?;
    Ok((http, secrets))
}

/// Whether anything is to be encrypted: the way to Loki, or to a proxy. The system's certificates
/// take time and memory, and a small container has none.
fn needs_certificates(url: &Url) -> bool {
    let proxies = ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"];
    url.scheme() == "https"
        || proxies.iter().any(|name| {
            std::env::var_os(name)
                .is_some_and(|proxy| proxy.as_encoded_bytes().starts_with(b"https"))
        })
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
        let certificates = certificates.map_err(|error| wrong(&told(&error)))?;
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
        secrets.extend(value.to_str().ok().and_then(|text| text.split(' ').nth(1)).map(Into::into));
        headers.insert(AUTHORIZATION, value);
    }
    Ok(headers)
}

fn wrong_header(name: &str) -> String {
    format!("loki.headers: {name}: it holds what no header may")
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

/// An error with its causes, in one line, without the URL: a query may hold a token.
fn told(error: &reqwest::Error) -> String {
    let mut text = String::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text.push_str(if text.is_empty() { "" } else { ": " });
            text.push_str(&next);
        }
        cause = error.source();
    }
    one_line(if text.is_empty() { "the request cannot be made" } else { &text })
}

/// Whether one side refused the certificate of the other.
fn is_certificates_fault(error: &(dyn std::error::Error + 'static)) -> bool {
    use rustls::Error::{AlertReceived, InvalidCertificate};
    if let Some(tls) = error.downcast_ref::<rustls::Error>() {
        return matches!(tls, InvalidCertificate(_) | AlertReceived(_));
    }
    // An io::Error's source is that of the error within it.
    let within = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    within.is_some_and(|within| is_certificates_fault(within))
        || error.source().is_some_and(is_certificates_fault)
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
