//! What there is to do where Loki, or what stands before it, does not take lines.

use crate::config::access::Access;
use crate::http::advice::about_identity;

/// What can be done where a server does not take lines, by its status; where a redirect leads, where
/// it is one.
pub(super) fn about_status(status: u16, leads_to: Option<&str>, access: &Access) -> String {
    match (status, leads_to) {
        (300..=399, Some(url)) => format!("redirects are not followed: set loki.endpoint to {url}"),
        (407, _) => "the proxy on the way asks for a password: put it into the environment, \
                     HTTP_PROXY or HTTPS_PROXY, as http://user:password@host"
            .to_owned(),
        (401 | 403, _) => about_identity(access),
        (200..=299, _) => {
            "only 204 says that lines are stored: see whether Loki blocks ingestion, \
                           and whether it is Loki that answers at loki.endpoint"
                .to_owned()
        }
        (400, _) => "correct loki.labels, loki.tenant or loki.endpoint".to_owned(),
        _ => "see whether loki.endpoint is where Loki takes pushes".to_owned(),
    }
}
