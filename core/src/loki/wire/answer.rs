//! What an answer of Loki means for the lines that were sent. Pure: no I/O, no clock.

use super::refusal::Refusal;
use crate::http::reply::{MAX_WHY, said};

/// Most bytes of an answer that are read; whoever answers more is not Loki.
pub(crate) const MAX_BODY_BYTES: usize = 64 << 10;

/// What became of a push.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Answer {
    /// 204: all of it was stored.
    Stored,
    /// Surely nothing was stored, for now: connection refused, a name that does not resolve, a TLS
    /// handshake that failed.
    NotStored {
        /// One line for a user.
        why: String,
    },
    /// Nothing was stored: it was too much at once for Loki's rate limit of a tenant, or for the
    /// burst that goes with it.
    TooFast {
        /// One line for a user.
        why: String,
    },
    /// Some of it may have been stored: connection lost after sending, 5xx, a rate limit of a stream.
    Unknown {
        /// One line for a user.
        why: String,
    },
    /// No answer in time: it may have been stored, or may be yet.
    Late {
        /// One line for a user.
        why: String,
    },
    /// The request was too large; nothing was stored.
    TooLarge {
        /// One line for a user.
        why: String,
    },
    /// Some lines, or all, were refused for what they are.
    Refused(Refusal),
    /// Nothing was stored: the stream's labels are not what Loki takes.
    BadLabels {
        /// One line for a user.
        why: String,
    },
    /// Nothing was stored, and nothing will be until somebody mends it: authentication, tenant,
    /// blocked ingestion, a server that is not Loki.
    Hold {
        /// One line for a user.
        why: String,
    },
}

/// What a status and the beginning of its body mean, of a request with one stream.
pub(crate) fn read(status: u16, body: &[u8]) -> Answer {
    let body = String::from_utf8_lossy(body);
    let why = said(status, &body);
    match status {
        204 => Answer::Stored,
        413 => Answer::TooLarge { why },
        // Loki counts a tenant's rate before it hands anything to a store. A stream's rate, and the
        // number of streams, are counted in each store: one of several may have taken its copy.
        429 if body.contains("ingestion rate limit exceeded for user") => Answer::TooFast { why },
        400 if let Some(why) = about_labels(&body) => Answer::BadLabels { why },
        400 if is_about_the_tenant(&body) || is_not_of_loki(&body) => Answer::Hold { why },
        400 | 422 => Answer::Refused(Refusal::read(status, &body, why)),
        // Not implemented, no such HTTP version, a network that wants a login.
        501 | 505 | 511 => Answer::Hold { why },
        // A proxy saw us go, or has gone itself while Loki was at work.
        499 | 504 => Answer::Late { why },
        408 | 425 | 429 | 500..=599 => Answer::Unknown { why },
        // 2xx that are not 204, 260 among them (ingestion blocked): not stored. Redirects are not
        // followed: they would send secrets elsewhere. The rest says that something has to be
        // mended: authentication, tenant, path.
        _ => Answer::Hold { why },
    }
}

/// What a refusal says of the labels, which all lines of a push have in common. Loki repeats them all
/// before it says what is wrong: that comes first here, where they are long.
fn about_labels(body: &str) -> Option<String> {
    const FAULTS: [&str; 8] = [
        "couldn't parse labels",
        "error parsing labels '",
        "error at least one label pair is required per stream",
        "' has label name too long: '",
        "' has label value too long: '",
        "' has duplicate label name: '",
        " label names; limit ",
        "missing required labels '",
    ];
    let at = FAULTS.iter().find_map(|fault| body.find(fault))?;
    let behind_labels = body[..=at].rfind("}'").map_or(at, |end| end + 2);
    Some(said(400, if at < MAX_WHY / 2 { body } else { &body[behind_labels..] }))
}

/// Whether a refusal is about the tenant, or about what it is allowed.
fn is_about_the_tenant(body: &str) -> bool {
    const FAULTS: [&str; 4] = [
        "includes structured metadata, but this feature is disallowed",
        "tenant ID",
        "org id",
        "org ID",
    ];
    FAULTS.iter().any(|fault| body.contains(fault))
}

/// Whether a refusal is about the request itself, and comes from somebody before Loki's push: a page
/// of a proxy, or the HTTP server of Go, in which Loki lives. Lines are not its business.
fn is_not_of_loki(body: &str) -> bool {
    const OF_OTHERS: [&str; 3] =
        ["<", "400 Bad Request", "Client sent an HTTP request to an HTTPS server"];
    OF_OTHERS.iter().any(|beginning| body.trim_start().starts_with(beginning))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(status: u16, body: &str) -> &'static str {
        match read(status, body.as_bytes()) {
            Answer::Stored => "stored",
            Answer::NotStored { .. } => "not stored",
            Answer::TooFast { .. } => "too fast",
            Answer::Unknown { .. } => "unknown",
            Answer::Late { .. } => "late",
            Answer::TooLarge { .. } => "too large",
            Answer::Refused(_) => "refused",
            Answer::BadLabels { .. } => "labels",
            Answer::Hold { .. } => "hold",
        }
    }

    #[test]
    fn only_204_is_stored() {
        for status in 100..=1000 {
            assert_eq!(kind(status, "") == "stored", status == 204, "{status}");
        }
    }

    #[test]
    fn statuses() {
        for (status, body, expected) in [
            (200, "", "hold"),
            (202, "accepted", "hold"),
            (260, "ingestion blocked for user 'x' until '…' with status code '260'", "hold"),
            (301, "", "hold"),
            (307, "", "hold"),
            (400, "something new", "refused"),
            (401, "no org id", "hold"),
            (403, "", "hold"),
            (404, "page not found", "hold"),
            (407, "", "hold"),
            (408, "", "unknown"),
            (413, "request body too large", "too large"),
            (422, "error at least one valid stream is required for ingestion", "refused"),
            (429, "", "unknown"),
            (429, "Per stream rate limit exceeded (limit: 3MB/sec) while…", "unknown"),
            (429, "maximum active stream limit exceeded when trying to create", "unknown"),
            (429, "ingestion rate limit exceeded for user fake (limit: 4 bytes/sec)", "too fast"),
            (499, "", "late"),
            (500, "", "unknown"),
            (501, "", "hold"),
            (503, "", "unknown"),
            (504, "", "late"),
            (400, "tenant ID 'a/b' contains unsupported character '/'", "hold"),
            (400, "multiple org IDs present", "hold"),
            (400, "couldn't parse labels: 1:2: parse error: unexpected character", "labels"),
            (400, "stream '{a=\"b\"}' has label value too long: 'b'", "labels"),
            (400, "entry for stream '{a=\"b\"}' has 16 label names; limit 15", "labels"),
            (400, "Client sent an HTTP request to an HTTPS server.\n", "hold"),
            (400, "\n<html><head><title>400 No required SSL certificate was sent", "hold"),
            (400, "400 Bad Request: missing required Host header", "hold"),
        ] {
            assert_eq!(kind(status, body), expected, "{status} {body}");
        }
    }

    #[test]
    fn what_a_user_reads_is_one_short_line() {
        let said = said(500, &format!("  a\r\n\tb\u{1b}[31m\u{0}c {}", "ä".repeat(5000)));
        assert!(said.starts_with("HTTP 500: a b [31m c ää"), "{said}");
        assert_eq!(said.chars().count(), "HTTP 500: ".len() + MAX_WHY + 1);
        assert_eq!(super::said(503, "\n"), "HTTP 503");
        for body in [vec![0xFF; MAX_BODY_BYTES], vec![b'\n'; MAX_BODY_BYTES], vec![b'a'; 100_000]] {
            read(400, &body);
        }
    }
}
