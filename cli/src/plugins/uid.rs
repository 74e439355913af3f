//! Identities in Grafana.

/// Most bytes of a uid.
const MAX_BYTES: usize = 40;

/// Whether Grafana takes it.
pub(crate) fn check(uid: &str) -> Result<(), String> {
    if uid.is_empty() || !uid.bytes().all(fits) {
        return Err(format!("uid {uid:?}: it is made of a-z, A-Z, 0-9, - and _"));
    }
    if uid.len() > MAX_BYTES {
        return Err(format!("uid {uid:?}: Grafana takes at most {MAX_BYTES} characters"));
    }
    Ok(())
}

/// A text as part of a uid.
pub(crate) fn part(text: &str) -> String {
    text.chars().map(|c| if u8::try_from(c).is_ok_and(fits) { c } else { '-' }).collect()
}

fn fits(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}
