//! Talking to Loki over HTTP. One request at a time, on the calling thread: reqwest's futures run on
//! a runtime of ours that has no threads, so that nothing of it outlives a call, except a name that
//! is being looked up (the system's resolver has no time-out): that one is left alone.

use std::time::Duration;

use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, LOCATION};
use reqwest::{RequestBuilder, Response};
use tokio::runtime::Runtime;

use super::advice::{about_status, causes, is_certificates_fault, told};
use super::answer::{self, Answer, MAX_BODY_BYTES, said};
use super::ask::{self, Ask, AskError, LookUpError, Question};
use super::batch::Batch;
use super::connection::connection;
use super::query::{self, Found};
use super::sink::Sink;
use super::{json, protobuf};
use crate::config::loki::{Encoding, LokiConfig};

/// Most bytes of a page of a query that are read.
const MAX_PAGE_BYTES: usize = 16 << 20;

/// A query may take so many times as long as a push.
const QUERY_PATIENCE: u32 = 4;

/// From this length on a question travels in a body: paths have limits on their way.
const MAX_URL_BYTES: usize = 2000;

/// A connection to Loki, kept alive between requests.
pub(crate) struct Client {
    config: LokiConfig,
    /// Always there; taken out to be shut down.
    runtime: Option<Runtime>,
    /// Made with the first request, for it needs secrets and certificates, which may be mended.
    http: Option<reqwest::Client>,
    /// What must not stand in any text of ours.
    secrets: Vec<String>,
    encoder: Encoder,
}

enum Encoder {
    Protobuf(Box<protobuf::Encoder>),
    Json(json::Encoder),
}

/// An answer, as far as it came.
struct Reply {
    status: u16,
    /// Where a redirect leads.
    location: Option<String>,
    /// The beginning of the body.
    body: Vec<u8>,
    /// Why the body did not come to its end.
    cut: Option<String>,
}

impl Client {
    /// Reads nothing and connects to nobody yet.
    ///
    /// # Errors
    /// What the machine lacks.
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
        let encoder = match config.encoding {
            Encoding::Protobuf => Encoder::Protobuf(Box::new(protobuf::Encoder::new())),
            Encoding::Json => Encoder::Json(json::Encoder::default()),
        };
        let (config, secrets) = (config.clone(), Vec::new());
        Ok(Self { config, runtime: Some(runtime), http: None, secrets, encoder })
    }

    /// For those who do not wait until somebody mends secrets and certificates.
    ///
    /// # Errors
    /// What of these cannot be read or used.
    pub(crate) fn ready(config: &LokiConfig) -> Result<Self, String> {
        let mut client = Self::new(config)?;
        client.http()?;
        Ok(client)
    }

    /// What requests are made with.
    ///
    /// # Errors
    /// What of secrets and certificates cannot be read or used, and what to do.
    fn http(&mut self) -> Result<reqwest::Client, String> {
        if let Some(http) = &self.http {
            return Ok(http.clone());
        }
        let (http, secrets) = connection(&self.config)?;
        self.secrets = secrets;
        Ok(self.http.insert(http).clone())
    }

    fn request(&mut self, batch: &Batch) -> Result<RequestBuilder, String> {
        let http = self.http()?;
        let (kind, encoding, body) = match &mut self.encoder {
            Encoder::Protobuf(encoder) => {
                ("application/x-protobuf", "snappy", encoder.encode(batch))
            }
            Encoder::Json(encoder) => {
                let body = encoder.encode(batch).map_err(|error| error.to_string())?;
                ("application/json", "gzip", body)
            }
        };
        Ok(http
            .post(self.config.endpoint.push().clone())
            .timeout(self.config.timeout)
            .header(CONTENT_TYPE, kind)
            .header(CONTENT_ENCODING, encoding)
            .body(body.to_vec()))
    }

    fn send(&self, request: RequestBuilder, most: usize) -> Result<Reply, reqwest::Error> {
        let nobody = Reply { status: 0, location: None, body: Vec::new(), cut: None };
        let Some(runtime) = &self.runtime else { return Ok(nobody) };
        runtime.block_on(async {
            let mut response = request.send().await?;
            let status = response.status().as_u16();
            let location = response.headers().get(LOCATION).and_then(|url| url.to_str().ok());
            let location = location.map(str::to_owned);
            let (body, cut) = body(&mut response, most).await;
            Ok(Reply { status, location, body, cut: cut.map(|error| causes(&error)) })
        })
    }

    /// A text without our secrets: a server may repeat what it was sent.
    fn clean(&self, text: &str) -> String {
        let hide = |text: String, secret: &String| text.replace(secret.as_str(), "***");
        self.secrets.iter().fold(text.to_owned(), hide)
    }

    /// What an answer to a push means, with what to do about it.
    fn read(&self, reply: &Reply) -> Answer {
        let body = self.clean(&String::from_utf8_lossy(&reply.body));
        match (answer::read(reply.status, body.as_bytes()), &reply.cut) {
            (Answer::Hold { why }, _) => {
                let leads_to =
                    reply.location.as_deref().and_then(|url| self.config.endpoint.led(url));
                let advice = about_status(reply.status, leads_to.as_deref(), &self.config);
                Answer::Hold { why: format!("{why}; {}", self.clean(&advice)) }
            }
            // It names lines, and those whose names were cut off would pass for stored.
            (Answer::Refused(refusal), Some(cut)) => {
                let why = format!("{}; the rest of the answer is missing: {cut}", refusal.why);
                Answer::Unknown { why }
            }
            (answer, _) => answer,
        }
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
            Ok(reply) => self.read(&reply),
            Err(error) => {
                let why = self.clean(&told(&error, self.config.timeout));
                if error.is_builder() || is_certificates_fault(&error) {
                    Answer::Hold { why }
                } else if error.is_connect() {
                    Answer::NotStored { why }
                } else if error.is_timeout() {
                    Answer::Late { why }
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
        let (http, secrets) = connection(&self.config)?;
        self.secrets = secrets;
        self.http = Some(http);
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
        let http = self.http().map_err(|why| AskError::Failed { why })?;
        let plain = url.clone();
        url.query_pairs_mut().extend_pairs(question.pairs());
        let request = if url.as_str().len() > MAX_URL_BYTES {
            let (form, own) = (url.query().unwrap_or_default(), plain.query().unwrap_or_default());
            let form = form[own.len()..].trim_start_matches('&').to_owned();
            let kind = "application/x-www-form-urlencoded";
            http.post(plain).header(CONTENT_TYPE, kind).body(form)
        } else {
            http.get(url)
        };
        let timeout = self.config.timeout.saturating_mul(QUERY_PATIENCE);
        match self.send(request.timeout(timeout), MAX_PAGE_BYTES + 1) {
            Ok(Reply { status: 200, body, .. }) if body.len() > MAX_PAGE_BYTES => {
                Err(AskError::TooMuch)
            }
            Ok(Reply { status: 200, cut: Some(cut), .. }) => {
                let why = format!("the rest of the answer is missing: {}", self.clean(&cut));
                Err(AskError::Failed { why })
            }
            Ok(Reply { status: 200, body, .. }) => Ok(body),
            Ok(Reply { status, body, .. }) => {
                let body = self.clean(&String::from_utf8_lossy(&body));
                Err(ask::trouble(status, &body, said(status, &body)))
            }
            Err(error) => Err(AskError::Failed { why: self.clean(&told(&error, timeout)) }),
        }
    }
}

/// The beginning of a body, and why no more of it came where the other side, or time, cut it.
async fn body(response: &mut Response, most: usize) -> (Vec<u8>, Option<reqwest::Error>) {
    let mut body = Vec::new();
    while body.len() < most {
        match response.chunk().await {
            Ok(Some(chunk)) => {
                let room = most - body.len();
                body.extend_from_slice(&chunk[..chunk.len().min(room)]);
            }
            Ok(None) => break,
            Err(error) => return (body, Some(error)),
        }
    }
    (body, None)
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
