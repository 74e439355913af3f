//! Talking to Loki over HTTP.

use reqwest::RequestBuilder;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE};

use super::advice::about_status;
use super::answer::{self, Answer, MAX_BODY_BYTES};
use super::ask::{self, Ask, AskError, LookUpError, Question};
use super::batch::Batch;
use super::query::{self, Found};
use super::sink::Sink;
use super::{json, protobuf};
use crate::config::loki::{Encoding, LokiConfig};
use crate::http::Http;
use crate::http::advice::{is_certificates_fault, told};
use crate::http::reply::{Reply, said};

/// Most bytes of a page of a query that are read.
const MAX_PAGE_BYTES: usize = 16 << 20;

/// A query may take so many times as long as a push.
const QUERY_PATIENCE: u32 = 4;

/// From this length on a question travels in a body: paths have limits on their way.
const MAX_URL_BYTES: usize = 2000;

/// A connection to Loki, kept alive between requests.
pub(crate) struct Client {
    config: LokiConfig,
    http: Http,
    encoder: Encoder,
}

enum Encoder {
    Protobuf(Box<protobuf::Encoder>),
    Json(json::Encoder),
}

impl Client {
    /// Reads nothing and connects to nobody yet.
    ///
    /// # Errors
    /// What the machine lacks.
    pub(crate) fn new(config: &LokiConfig) -> Result<Self, String> {
        let http = Http::new(&config.access, config.endpoint.push(), config.timeout)?;
        let encoder = match config.encoding {
            Encoding::Protobuf => Encoder::Protobuf(Box::new(protobuf::Encoder::new())),
            Encoding::Json => Encoder::Json(json::Encoder::default()),
        };
        Ok(Self { config: config.clone(), http, encoder })
    }

    /// For those who do not wait until somebody mends secrets and certificates.
    ///
    /// # Errors
    /// What of these cannot be read or used.
    pub(crate) fn ready(config: &LokiConfig) -> Result<Self, String> {
        let mut client = Self::new(config)?;
        client.http.requests()?;
        Ok(client)
    }

    fn request(&mut self, batch: &Batch) -> Result<RequestBuilder, String> {
        let http = self.http.requests()?;
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

    /// What an answer to a push means, with what to do about it.
    fn read(&self, reply: &Reply) -> Answer {
        let body = self.http.clean(&String::from_utf8_lossy(&reply.body));
        match (answer::read(reply.status, body.as_bytes()), &reply.cut) {
            (Answer::Hold { why }, _) => {
                let leads_to =
                    reply.location.as_deref().and_then(|url| self.config.endpoint.led(url));
                let advice = about_status(reply.status, leads_to.as_deref(), &self.config.access);
                Answer::Hold { why: format!("{why}; {}", self.http.clean(&advice)) }
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

impl Sink for Client {
    fn push(&mut self, batch: &Batch) -> Answer {
        let request = match self.request(batch) {
            Ok(request) => request,
            Err(why) => return Answer::Hold { why },
        };
        match self.http.send(request, MAX_BODY_BYTES) {
            Ok(reply) => self.read(&reply),
            Err(error) => {
                let why = self.http.clean(&told(&error, self.config.timeout, &self.config.access));
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
        self.http.renew()
    }
}

impl Ask for Client {
    fn ask(&mut self, question: &Question<'_>) -> Result<Vec<u8>, AskError> {
        let Some(mut url) = self.config.endpoint.beside(question.api()) else {
            let shown = self.config.endpoint.shown();
            let why = format!("{shown} does not end with /push: where to read is not known");
            return Err(AskError::Refused { why });
        };
        let http = self.http.requests().map_err(|why| AskError::Failed { why })?;
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
        match self.http.send(request.timeout(timeout), MAX_PAGE_BYTES + 1) {
            Ok(Reply { status: 200, body, .. }) if body.len() > MAX_PAGE_BYTES => {
                Err(AskError::TooMuch)
            }
            Ok(Reply { status: 200, cut: Some(cut), .. }) => {
                let why = format!("the rest of the answer is missing: {}", self.http.clean(&cut));
                Err(AskError::Failed { why })
            }
            Ok(Reply { status: 200, body, .. }) => Ok(body),
            Ok(Reply { status, body, .. }) => {
                let body = self.http.clean(&String::from_utf8_lossy(&body));
                Err(ask::trouble(status, &body, said(status, &body)))
            }
            Err(error) => Err(AskError::Failed {
                why: self.http.clean(&told(&error, timeout, &self.config.access)),
            }),
        }
    }
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
