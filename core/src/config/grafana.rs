//! Where Grafana and Prometheus are.

use std::time::Duration;

use super::Surroundings;
use super::access::{Access, parse_url, url_key};
use super::values::Values;

/// Grafana, checked.
#[derive(Clone, Debug)]
pub struct GrafanaConfig {
    /// Whether `lb provision` has to do with it.
    pub enabled: bool,
    /// Where it is, without user and password.
    pub url: Option<String>,
    /// The organisation; the user's own unless given.
    pub org_id: Option<u64>,
    /// Who we are, and whom we trust.
    pub access: Access,
    /// The time-out of a call.
    pub timeout: Duration,
}

/// Prometheus, checked.
#[derive(Clone, Debug)]
pub struct PrometheusConfig {
    /// Where it is, without user and password.
    pub url: Option<String>,
    /// Who Grafana is to it, and whom it trusts.
    pub access: Access,
}

impl GrafanaConfig {
    /// The block `grafana`. Mistakes go to `values`.
    pub(super) fn build(values: &mut Values, around: &Surroundings) -> Self {
        let (url, access) = server("grafana", values, around);
        let seconds = values.get("grafana.timeout_seconds").and_then(|given| given.value.as_f64());
        Self {
            enabled: values.flag("grafana.enabled"),
            url,
            org_id: values.get("grafana.org_id").and_then(|given| given.value.as_u64()),
            access,
            timeout: seconds.and_then(|s| Duration::try_from_secs_f64(s).ok()).unwrap_or_default(),
        }
    }
}

impl PrometheusConfig {
    /// The block `prometheus`. Mistakes go to `values`.
    pub(super) fn build(values: &mut Values, around: &Surroundings) -> Self {
        let (url, access) = server("prometheus", values, around);
        Self { url, access }
    }
}

fn server(
    block: &'static str,
    values: &mut Values,
    around: &Surroundings,
) -> (Option<String>, Access) {
    let key = url_key(block);
    let parsed = values.text(&key).map(parse_url);
    let (url, in_url) = match parsed {
        None => (None, None),
        Some(Ok((url, in_url))) => (Some(url.as_str().trim_end_matches('/').to_owned()), in_url),
        Some(Err(why)) => {
            let source = values.source(&key).to_owned();
            values.mistake(&source, format!("{key}: {why}"));
            (None, None)
        }
    };
    (url, Access::build(block, in_url, values, around))
}
