//! An answer, and what of it a person is told.

use reqwest::Response;
use reqwest::header::LOCATION;

use super::advice::causes;

/// Most letters of an answer that are repeated to a user.
pub(crate) const MAX_WHY: usize = 300;

/// An answer, as far as it came.
#[derive(Debug)]
pub(crate) struct Reply {
    /// Its status.
    pub(crate) status: u16,
    /// Where a redirect leads.
    pub(crate) location: Option<String>,
    /// The beginning of the body.
    pub(crate) body: Vec<u8>,
    /// Why the body did not come to its end.
    pub(crate) cut: Option<String>,
}

impl Reply {
    /// Reads at most so many bytes of the body.
    pub(super) async fn read(mut response: Response, most: usize) -> Self {
        let status = response.status().as_u16();
        let location = response.headers().get(LOCATION).and_then(|url| url.to_str().ok());
        let location = location.map(str::to_owned);
        let (body, cut) = body(&mut response, most).await;
        Self { status, location, body, cut: cut.map(|error| causes(&error)) }
    }
}

/// `HTTP 400: what the body says`, in one line.
pub(crate) fn said(status: u16, body: &str) -> String {
    let body = one_line(body);
    if body.is_empty() { format!("HTTP {status}") } else { format!("HTTP {status}: {body}") }
}

/// A text in one line, not too long.
pub(crate) fn one_line(text: &str) -> String {
    let mut line = String::new();
    let mut letters = 0;
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()) {
        if word.is_empty() {
            continue;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
        letters += word.len() + 1;
        if letters > 4 * MAX_WHY {
            break;
        }
    }
    if let Some((at, _)) = line.char_indices().nth(MAX_WHY) {
        line.truncate(at);
        line.push('…');
    }
    line
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
