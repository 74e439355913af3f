//! Grafana's HTTP API, and what its answers mean for us.

use lb_core::config::GrafanaConfig;
use lb_core::http::api::{Answer, Api, Method};
use serde_json::Value;

use super::report::Health;

/// The oldest Grafana that this is written for.
const OLDEST: u64 = 11;

/// A Grafana that has answered.
pub(super) struct Grafana {
    api: Api,
    pub(super) version: String,
}

/// Why a call did nothing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Trouble {
    /// It would be the same for whatever follows.
    All(String),
    /// This object alone.
    One(String),
}

impl Trouble {
    /// In words.
    pub(super) fn into_why(self) -> String {
        match self {
            Self::All(why) | Self::One(why) => why,
        }
    }
}

impl Grafana {
    /// Asks whether it is one, and how it is.
    pub(super) fn reach(config: &GrafanaConfig, url: &str) -> Result<Self, String> {
        let org = config.org_id.map(|id| ("X-Grafana-Org-Id", id.to_string()));
        let api = Api::new(url, &config.access, config.timeout, org.into_iter().collect())?;
        let mut grafana = Self { api, version: String::new() };
        let health = grafana.call(Method::Get, "/api/health", None);
        let health = health.map_err(|trouble| format!("{url}: {}", trouble.into_why()))?;
        let text = |name: &str| health.get(name).and_then(Value::as_str).unwrap_or_default();
        if text("database").is_empty() {
            return Err(format!(
                "{url}: what answers is not Grafana; see whether grafana.url is where Grafana is"
            ));
        }
        text("version").clone_into(&mut grafana.version);
        Ok(grafana)
    }

    /// What to say of a version that this was not written for.
    pub(super) fn is_too_old(&self) -> Option<String> {
        let major: Option<u64> = self.version.split('.').next().and_then(|n| n.parse().ok());
        major.filter(|major| *major < OLDEST).map(|_| {
            format!("Grafana {}: lb is written for {OLDEST} to 13; renew it", self.version)
        })
    }

    /// Its URL.
    pub(super) fn url(&self) -> &str {
        self.api.base()
    }

    /// Reads something; none where it is not there.
    pub(super) fn get(&mut self, path: &str) -> Result<Option<Value>, Trouble> {
        let answer = self.api.call(Method::Get, path, None).map_err(Trouble::All)?;
        if answer.status == 404 && answer.json().is_some() {
            return Ok(None);
        }
        self.judge(&answer).map(Some)
    }

    /// Any other call.
    pub(super) fn call(
        &mut self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, Trouble> {
        let answer = self.api.call(method, path, body).map_err(Trouble::All)?;
        self.judge(&answer)
    }

    /// Whether a datasource answers Grafana; none where its type cannot tell.
    pub(super) fn health(&mut self, uid: &str) -> Option<Health> {
        let bad = |said: String| Some(Health { ok: false, said });
        let answer = match self.api.call(Method::Get, &health_path(uid), None) {
            Ok(answer) => answer,
            Err(why) => return bad(why),
        };
        let Some(body) = answer.json() else { return bad(answer.said()) };
        let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
        match (answer.status, text("status")) {
            (200, "OK") => Some(Health { ok: true, said: text("message").to_owned() }),
            (404 | 501, _) => None,
            _ if text("message").is_empty() => bad(answer.said()),
            _ => bad(one_line(text("message"))),
        }
    }

    fn judge(&self, answer: &Answer) -> Result<Value, Trouble> {
        let all = |why: String| Err(Trouble::All(why));
        let said = said(answer);
        match answer.status {
            300..=399 => {
                let to = answer.leads_to.as_deref().unwrap_or("nowhere");
                all(format!(
                    "{said}: it leads to {to}, a login page or another URL, and is not followed; \
                     set grafana.url to where Grafana's own API answers"
                ))
            }
            407 => all(format!(
                "{said}; the proxy on the way asks for a password: put it into \
                HTTP_PROXY or HTTPS_PROXY, as http://user:password@host"
            )),
            401 => all(format!("{said}; {}", self.api.about_identity())),
            _ if answer.json().is_none() && !(answer.body.is_empty() && answer.status < 300) => {
                all(format!(
                    "{said}; that is not Grafana's answer but that of something before it: see \
                     whether grafana.url is right, and whether Grafana runs behind it"
                ))
            }
            200..=299 => Ok(answer.json().unwrap_or(Value::Null)),
            status => Err(Trouble::One(match about(status) {
                Some(advice) => format!("{said}; {advice}"),
                None => said,
            })),
        }
    }
}

fn about(status: u16) -> Option<&'static str> {
    match status {
        403 => Some("the token or user needs the role Admin in this organisation"),
        409 => {
            Some("see who has that name in Grafana; rename or delete it there, or run this again")
        }
        412 => Some("somebody has changed it meanwhile; run this again"),
        500..=599 => Some("see Grafana's log, and run this again"),
        _ => None,
    }
}

/// The status, and what Grafana says of it.
fn said(answer: &Answer) -> String {
    let body = answer.json();
    let message = body.as_ref().and_then(|body| body.get("message")).and_then(Value::as_str);
    match message {
        Some(message) => format!("HTTP {}: {}", answer.status, one_line(message)),
        None => answer.said(),
    }
}

fn one_line(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().take(300).collect()
}

fn health_path(uid: &str) -> String {
    format!("/api/datasources/uid/{uid}/health")
}
