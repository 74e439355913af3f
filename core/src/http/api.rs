//! Calls of a server whose answers are short: Grafana, or Loki's own state.

use std::time::Duration;

use reqwest::Url;
use reqwest::header::CONTENT_TYPE;
use serde_json::Value;

use super::Http;
use super::advice::{about_identity, told};
use super::reply::said;
use crate::config::access::{Access, parse_url};

/// Most bytes of an answer that are read.
const MAX_BODY_BYTES: usize = 16 << 20;

/// What a call does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Method {
    /// Reads.
    Get,
    /// Makes.
    Post,
    /// Replaces.
    Put,
    /// Takes away.
    Delete,
}

/// An answer, whatever its status; our own secrets are not in it.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Where a redirect leads, without a query.
    pub leads_to: Option<String>,
    /// The body.
    pub body: String,
}

impl Answer {
    /// The body, where it is JSON.
    #[must_use]
    pub fn json(&self) -> Option<Value> {
        serde_json::from_str(&self.body).ok()
    }

    /// Status and body in one short line.
    #[must_use]
    pub fn said(&self) -> String {
        said(self.status, &self.body)
    }
}

/// A server, and who we are to it.
pub struct Api {
    http: Http,
    access: Access,
    timeout: Duration,
    base: String,
    headers: Vec<(&'static str, String)>,
}

impl Api {
    /// Connects to nobody yet. `headers` go with each call, besides those of `access`.
    ///
    /// # Errors
    /// What is wrong with the URL, or what the machine lacks.
    pub fn new(
        base: &str,
        access: &Access,
        timeout: Duration,
        headers: Vec<(&'static str, String)>,
    ) -> Result<Self, String> {
        let (mut url, _) = parse_url(base)?;
        url.set_query(None);
        let http = Http::new(access, &url, timeout)?;
        let base = url.as_str().trim_end_matches('/').to_owned();
        Ok(Self { http, access: access.clone(), timeout, base, headers })
    }

    /// The server's URL, without a slash at its end.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// What can be done where the server does not know us, or does not let us.
    #[must_use]
    pub fn about_identity(&self) -> String {
        about_identity(&self.access)
    }

    /// Calls `path`, which begins with a slash, and waits for the whole answer.
    ///
    /// # Errors
    /// Why there is no answer, and what to do: secrets or certificates that cannot be read, no
    /// connection, none in time, one that broke off.
    pub fn call(
        &mut self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, String> {
        let client = self.http.requests()?;
        let url = Url::parse(&format!("{}{path}", self.base));
        let url = url.map_err(|error| format!("{}{path}: {error}", self.base))?;
        let mut request = match method {
            Method::Get => client.get(url.clone()),
            Method::Post => client.post(url.clone()),
            Method::Put => client.put(url.clone()),
            Method::Delete => client.delete(url.clone()),
        };
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.to_string());
        }
        let reply = self.http.send(request.timeout(self.timeout), MAX_BODY_BYTES);
        let reply =
            reply.map_err(|error| self.http.clean(&told(&error, self.timeout, &self.access)))?;
        if let Some(cut) = &reply.cut {
            return Err(format!("the rest of the answer is missing: {}", self.http.clean(cut)));
        }
        let leads_to =
            reply.location.and_then(|location| url.join(&location).ok()).map(|mut url| {
                url.set_query(None);
                self.http.clean(url.as_str())
            });
        let body = self.http.clean(&String::from_utf8_lossy(&reply.body));
        Ok(Answer { status: reply.status, leads_to, body })
    }
}
