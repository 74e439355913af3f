//! What a person is told of a request that failed, and what there is to do about it.

use std::error::Error;
use std::io;
use std::time::Duration;

use rustls::CertificateError as Certificate;
use rustls::Error::{AlertReceived, InvalidCertificate, InvalidMessage};

use super::reply::one_line;
use crate::config::access::{Access, Authentication, SecretSource};

/// An error with its causes, in one line, without the URL (a query may hold a token), and what to
/// do. `within`: the time-out of the request.
pub(crate) fn told(error: &reqwest::Error, within: Duration, access: &Access) -> String {
    if error.is_timeout() {
        let what = if error.is_connect() {
            "no connection in time: the host, or who resolves its name, does not answer".to_owned()
        } else {
            format!("no answer within {within:?}")
        };
        return format!("{what}; see {}.timeout_seconds", access.block);
    }
    let text = causes(error);
    match tls(error).and_then(|tls| about_tls(tls, access)) {
        Some(advice) => format!("{text}; {advice}"),
        None => text,
    }
}

/// The causes of an error, from the outermost to the innermost.
pub(crate) fn causes(error: &reqwest::Error) -> String {
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
pub(crate) fn is_certificates_fault(error: &reqwest::Error) -> bool {
    tls(error).is_some_and(|tls| matches!(tls, InvalidCertificate(_) | AlertReceived(_)))
}

fn about_tls(error: &rustls::Error, access: &Access) -> Option<String> {
    let (block, url) = (access.block, access.url_key());
    let advice = match error {
        InvalidCertificate(Certificate::Expired | Certificate::ExpiredContext { .. }) => {
            "renew the certificate of the server, or mend the clock of this machine".to_owned()
        }
        InvalidCertificate(
            Certificate::NotValidForName | Certificate::NotValidForNameContext { .. },
        ) => format!("take a name into {url} that the certificate is for"),
        InvalidCertificate(_) => format!(
            "set {block}.ca_file to the certificate of the authority that signed the server's, if \
             you trust it"
        ),
        AlertReceived(_) => format!(
            "the server refuses us: set {block}.cert_file and {block}.key_file to a certificate \
             that it accepts"
        ),
        InvalidMessage(_) => format!(
            "that is no TLS: does {url} have to begin with http://, or is its port another?"
        ),
        _ => return None,
    };
    Some(advice)
}

/// What can be done where a server does not know us, or does not let us.
pub(crate) fn about_identity(access: &Access) -> String {
    let key = |key: &str, secret: &SecretSource| match secret {
        SecretSource::Value(_) => key.to_owned(),
        SecretSource::File(path) => {
            format!("what {key}_file names, {}, which is read again", path.display())
        }
    };
    let (block, token_key) = (access.block, access.token_key());
    let (user, password) = (format!("{block}.username"), format!("{block}.password"));
    let has_tenant = access.tenant.is_some();
    match &access.authentication {
        Authentication::None if has_tenant => {
            format!(
                "correct {block}.tenant, or say who you are: {user} and {password}, or {token_key}"
            )
        }
        // Grafana knows no tenants.
        Authentication::None if block == "grafana" => {
            format!("say who you are: {token_key}, or {user} and {password}")
        }
        Authentication::None => {
            format!("say who you are: {user} and {password}, {token_key}, or {block}.tenant")
        }
        Authentication::Basic { password: secret, .. } => {
            let tenant = if has_tenant { format!("{block}.tenant, ") } else { String::new() };
            format!("correct {tenant}{user} or {}", key(&password, secret))
        }
        Authentication::Bearer(token) => {
            let tenant = if has_tenant { format!("{block}.tenant or ") } else { String::new() };
            format!("correct {tenant}{}", key(&token_key, token))
        }
    }
}
