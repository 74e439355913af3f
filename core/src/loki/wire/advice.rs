//! What a person is told of a request that failed, and what there is to do about it.

use std::error::Error;
use std::io;
use std::time::Duration;

use rustls::CertificateError as Certificate;
use rustls::Error::{AlertReceived, InvalidCertificate, InvalidMessage};

use super::answer::one_line;
use crate::config::loki::{Authentication, LokiConfig, SecretSource};

/// An error with its causes, in one line, without the URL (a query may hold a token), and what to
/// do. `within`: the time-out of the request.
pub(super) fn told(error: &reqwest::Error, within: Duration) -> String {
    if error.is_timeout() {
        let what = if error.is_connect() {
            "no connection in time: the host, or who resolves its name, does not answer".to_owned()
        } else {
            format!("no answer within {within:?}")
        };
        return format!("{what}; see loki.timeout_seconds");
    }
    let text = causes(error);
    match tls(error).and_then(about_tls) {
        Some(advice) => format!("{text}; {advice}"),
        None => text,
    }
}

/// The causes of an error, from the outermost to the innermost.
pub(super) fn causes(error: &reqwest::Error) -> String {
    let mut text = String::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        // The layers of the HTTP client, which tell nobody anything.
        let is_layer = next.starts_with("client error (") || next == "error resolving DNS";
        if !is_layer && !text.contains(&next) {
            text.push_str(if text.is_empty() { "" } else { ": " });
            text.push_str(&next);
        }
        cause = error.source();
    }
    one_line(if text.is_empty() { "the request cannot be made" } else { &text })
}

/// What TLS has to say about an error.
fn tls<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e rustls::Error> {
    if let Some(tls) = error.downcast_ref::<rustls::Error>() {
        return Some(tls);
    }
    // An io::Error's source is that of the error within it.
    let within = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    within.and_then(|within| tls(within)).or_else(|| error.source().and_then(tls))
}

/// Whether one side refused the certificate of the other.
pub(super) fn is_certificates_fault(error: &reqwest::Error) -> bool {
    tls(error).is_some_and(|tls| matches!(tls, InvalidCertificate(_) | AlertReceived(_)))
}

fn about_tls(error: &rustls::Error) -> Option<&'static str> {
    match error {
        InvalidCertificate(Certificate::Expired | Certificate::ExpiredContext { .. }) => {
            Some("renew the certificate of the server, or mend the clock of this machine")
        }
        InvalidCertificate(
            Certificate::NotValidForName | Certificate::NotValidForNameContext { .. },
        ) => Some("take a name into loki.endpoint that the certificate is for"),
        InvalidCertificate(_) => Some(
            "set loki.ca_file to the certificate of the authority that signed the server's, if you \
             trust it",
        ),
        AlertReceived(_) => Some(
            "the server refuses us: set loki.cert_file and loki.key_file to a certificate that it \
             accepts",
        ),
        InvalidMessage(_) => Some(
            "that is no TLS: does loki.endpoint have to begin with http://, or is its port another?",
        ),
        _ => None,
    }
}

/// What can be done where a server does not take lines, by its status; where a redirect leads, where
/// it is one.
pub(super) fn about_status(status: u16, leads_to: Option<&str>, config: &LokiConfig) -> String {
    match (status, leads_to) {
        (300..=399, Some(url)) => format!("redirects are not followed: set loki.endpoint to {url}"),
        (407, _) => "the proxy on the way asks for a password: put it into the environment, \
                     HTTP_PROXY or HTTPS_PROXY, as http://user:password@host"
            .to_owned(),
        (401 | 403, _) => about_identity(config),
        (200..=299, _) => {
            "only 204 says that lines are stored: see whether Loki blocks ingestion, \
                           and whether it is Loki that answers at loki.endpoint"
                .to_owned()
        }
        (400, _) => "correct loki.labels, loki.tenant or loki.endpoint".to_owned(),
        _ => "see whether loki.endpoint is where Loki takes pushes".to_owned(),
    }
}

fn about_identity(config: &LokiConfig) -> String {
    let key = |key: &str, secret: &SecretSource| match secret {
        SecretSource::Value(_) => key.to_owned(),
        SecretSource::File(path) => {
            format!("what {key}_file names, {}, which is read again", path.display())
        }
    };
    let tenant = if config.tenant.is_some() { "loki.tenant, " } else { "" };
    match &config.authentication {
        Authentication::None if config.tenant.is_some() => "correct loki.tenant, or say who you \
             are: loki.username and loki.password, or loki.bearer_token"
            .to_owned(),
        Authentication::None => "say who you are: loki.username and loki.password, \
             loki.bearer_token, or loki.tenant"
            .to_owned(),
        Authentication::Basic { password, .. } => {
            format!("correct {tenant}loki.username or {}", key("loki.password", password))
        }
        Authentication::Bearer(token) => {
            let or = if tenant.is_empty() { "" } else { "loki.tenant or " };
            format!("correct {or}{}", key("loki.bearer_token", token))
        }
    }
}
