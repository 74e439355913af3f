//! The secrets of datasources: who Grafana is to Loki and Prometheus, as lb's configuration says it.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, bail};
use lb_core::config::Config;
use lb_core::config::access::{Access, Authentication, Secret, SecretSource};
use ring::digest::{Context, SHA256};
use serde_json::{Map, Value};

use crate::plugins::datasource::{Datasource, Hidden, Secure};
use crate::say::near;

/// The longest file of a secret or certificate, bytes.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// Adds to a datasource of Loki or Prometheus what the block of that name says, unless the datasource
/// says anything of it itself.
pub(super) fn add(datasource: &mut Datasource, config: &Config) {
    let access = match datasource.kind.as_str() {
        "loki" => config.loki.as_ref().map(|loki| &loki.access),
        "prometheus" => Some(&config.prometheus.access),
        _ => None,
    };
    if let (Some(access), false) = (access, says_it_itself(datasource)) {
        add_access(datasource, access);
    }
}

fn says_it_itself(datasource: &Datasource) -> bool {
    let data = datasource.fields.get("jsonData").and_then(Value::as_object);
    !datasource.secure.is_empty()
        || datasource.fields.contains_key("basicAuth")
        || data.is_some_and(|data| data.keys().any(|name| is_access(name)))
}

/// Names below `jsonData` that say who Grafana is and whom it trusts.
pub(super) fn is_access(name: &str) -> bool {
    name.starts_with("httpHeaderName") || name.starts_with("tls")
}

fn add_access(datasource: &mut Datasource, access: &Access) {
    let block = access.block.to_ascii_uppercase();
    let mut data = datasource
        .fields
        .get("jsonData")
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_else(Map::new);
    let mut secure: Vec<(String, Secure)> = Vec::new();
    let mut headers: Vec<(String, Secure)> = Vec::new();
    match &access.authentication {
        Authentication::None => {}
        Authentication::Basic { user, password } => {
            datasource.fields.insert("basicAuth".to_owned(), true.into());
            datasource.fields.insert("basicAuthUser".to_owned(), user.as_str().into());
            let password = of_source(password, format!("LB_{block}_PASSWORD"));
            secure.push(("basicAuthPassword".to_owned(), plain("", Some(password))));
        }
        Authentication::Bearer(token) => {
            let token = of_source(token, format!("LB_{block}_BEARER_TOKEN"));
            headers.push(("Authorization".to_owned(), plain("Bearer ", Some(token))));
        }
    }
    if let Some(tenant) = &access.tenant {
        headers.push(("X-Scope-OrgID".to_owned(), plain(tenant, None)));
    }
    for (name, value) in &access.headers {
        let variable = name.to_ascii_uppercase().replace(|c: char| !c.is_ascii_alphanumeric(), "_");
        let value = Hidden::Value(value.clone(), format!("{block}_HEADER_{variable}"));
        headers.push((name.clone(), plain("", Some(value))));
    }
    for (at, (name, value)) in headers.into_iter().enumerate() {
        data.insert(format!("httpHeaderName{}", at + 1), name.into());
        secure.push((format!("httpHeaderValue{}", at + 1), value));
    }
    if let Some(path) = &access.ca_file {
        data.insert("tlsAuthWithCACert".to_owned(), true.into());
        secure.push(("tlsCACert".to_owned(), of_file(path)));
    }
    if let Some((certificate, key)) = &access.identity {
        data.insert("tlsAuth".to_owned(), true.into());
        secure.push(("tlsClientCert".to_owned(), of_file(certificate)));
        secure.push(("tlsClientKey".to_owned(), of_file(key)));
    }
    if access.insecure_skip_verify {
        data.insert("tlsSkipVerify".to_owned(), true.into());
    }
    if !data.is_empty() {
        datasource.fields.insert("jsonData".to_owned(), data.into());
    }
    datasource.secure = secure;
}

fn plain(before: &str, secret: Option<Hidden>) -> Secure {
    Secure { before: before.to_owned(), secret, after: String::new() }
}

fn of_file(path: &Path) -> Secure {
    plain("", Some(Hidden::File(path.to_owned())))
}

fn of_source(source: &SecretSource, variable: String) -> Hidden {
    match source {
        SecretSource::File(path) => Hidden::File(path.clone()),
        SecretSource::Value(secret) => Hidden::Value(secret.clone(), variable),
    }
}

/// The values of a datasource's secrets.
pub(super) fn reveal(datasource: &Datasource) -> anyhow::Result<Vec<(String, Secret)>> {
    let mut revealed = Vec::new();
    for (name, secure) in &datasource.secure {
        let secret = match &secure.secret {
            None => String::new(),
            Some(Hidden::Value(secret, _)) => secret.reveal().to_owned(),
            Some(Hidden::File(path)) => read(path)?,
        };
        let text = format!("{}{secret}{}", secure.before, secure.after);
        revealed.push((name.clone(), Secret::new(text)));
    }
    Ok(revealed)
}

fn read(path: &Path) -> anyhow::Result<String> {
    let size = std::fs::metadata(path).with_context(|| near(path))?.len();
    if size > MAX_FILE_BYTES {
        bail!("{}: more than {MAX_FILE_BYTES} bytes; that is no secret", near(path));
    }
    let text = std::fs::read_to_string(path).with_context(|| near(path))?;
    match text.trim() {
        "" => bail!("{}: it is empty", near(path)),
        text => Ok(text.to_owned()),
    }
}

/// Tells whether texts are those of before, and nothing else about them.
pub(super) fn sum<'t>(parts: impl IntoIterator<Item = &'t str>) -> String {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_le_bytes());
        context.update(part.as_bytes());
    }
    hex(context.finish().as_ref())
}

/// Bytes as text.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
