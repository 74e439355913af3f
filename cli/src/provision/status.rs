//! `lb provision loki-grafana status`.

use anyhow::bail;
use lb_core::config::access::Access;
use lb_core::http::api::{Api, Method};
use serde_json::{Value, json};

use super::grafana::Grafana;
use super::saved::Saved;
use super::session::{FOLDER, MARK};
use super::wanted::Plan;
use crate::Outcome;
use crate::args::Common;
use crate::args::provision::GrafanaFlags;
use crate::plugins::dashboard::TAG;
use crate::say::{Say, counted};
use crate::table::{Lean, Table};

/// One server.
struct Server {
    name: &'static str,
    url: String,
    /// Its version, or why it is down.
    state: Result<String, String>,
}

pub(super) fn run(flags: &GrafanaFlags, common: &Common, say: Say) -> anyhow::Result<Outcome> {
    let plan = Plan::make(flags, common, say)?;
    let mut servers = Vec::new();
    if !flags.no_loki {
        servers.extend(loki(&plan));
    }
    let mut provisioned = None;
    if let Some(url) = &plan.url {
        let saved = Saved::read(url, plan.config.grafana.org_id)?;
        let reached = Grafana::reach(&plan.server(&saved), url);
        let state = match reached {
            Ok(mut grafana) => {
                provisioned = Some(ours(&mut grafana));
                Ok(grafana.version)
            }
            Err(why) => Err(why.strip_prefix(&format!("{url}: ")).unwrap_or(&why).to_owned()),
        };
        servers.push(Server { name: "grafana", url: url.clone(), state });
    }
    if servers.is_empty() {
        bail!(
            "neither Loki nor Grafana is configured: name them with --loki-endpoint URL and \
             --grafana-url URL, LB_LOKI_ENDPOINT and LB_GRAFANA_URL, or loki.endpoint and grafana.url \
             in lb.toml; `lb provision loki-grafana install` installs them here"
        );
    }
    let endpoint = plan.installed.endpoint.clone();
    let endpoint = endpoint.or_else(|| Some(plan.config.loki.as_ref()?.endpoint.base()));
    tell(&servers, provisioned.as_ref(), endpoint.as_deref(), say)?;
    let down = servers.iter().any(|server| server.state.is_err());
    Ok(if down { Outcome::Partly } else { Outcome::Done })
}

fn loki(plan: &Plan) -> Option<Server> {
    let configured = plan.config.loki.as_ref();
    let url =
        configured.map(|loki| loki.endpoint.base()).or_else(|| plan.installed.loki.clone())?;
    let access = configured.map_or_else(|| Access::anonymous("loki"), |loki| loki.access.clone());
    let timeout = plan.config.grafana.timeout;
    let state = Api::new(&url, &access, timeout, Vec::new()).and_then(|mut api| {
        let ready = api.call(Method::Get, "/ready", None)?;
        if ready.status != 200 || ready.body.trim() != "ready" {
            return Err(ready.said());
        }
        let build = api.call(Method::Get, "/loki/api/v1/status/buildinfo", None);
        let build = build.ok().and_then(|answer| answer.json()).unwrap_or_default();
        Ok(build["version"].as_str().unwrap_or_default().to_owned())
    });
    Some(Server { name: "loki", url, state })
}

/// How many datasources and dashboards of ours are there, or why that is not known.
fn ours(grafana: &mut Grafana) -> Result<(usize, usize), String> {
    let mut list = |path: &str| {
        let found = grafana.get(path).map_err(super::grafana::Trouble::into_why)?;
        Ok::<_, String>(found.and_then(|found| found.as_array().cloned()).unwrap_or_default())
    };
    let is_ours = |datasource: &&Value| datasource["jsonData"][MARK].is_string();
    let datasources = list("/api/datasources")?.iter().filter(is_ours).count();
    let path = format!("/api/search?type=dash-db&limit=5000&tag={TAG}&folderUIDs={FOLDER}");
    Ok((datasources, list(&path)?.len()))
}

fn tell(
    servers: &[Server],
    provisioned: Option<&Result<(usize, usize), String>>,
    endpoint: Option<&str>,
    say: Say,
) -> anyhow::Result<()> {
    if say.wants_json() {
        let mut document = json!({"endpoint": endpoint});
        for server in servers {
            document[server.name] = json!({
                "url": server.url,
                "up": server.state.is_ok(),
                "version": server.state.as_ref().ok().filter(|version| !version.is_empty()),
                "why": server.state.as_ref().err(),
            });
        }
        document["provisioned"] = match provisioned {
            None => Value::Null,
            Some(Ok((datasources, dashboards))) => {
                json!({"datasources": datasources, "dashboards": dashboards})
            }
            Some(Err(why)) => json!({"why": why}),
        };
        return say.document(&document);
    }
    let mut table =
        Table::new(&["WHAT", "STATE", "WHERE", "REMARK"].map(|name| (name, Lean::Left)));
    let mut row = |cells: [&str; 4]| table.row(&cells.map(str::to_owned));
    for server in servers {
        let (state, remark) = match &server.state {
            Ok(version) => ("up", version.as_str()),
            Err(why) => ("down", why.as_str()),
        };
        row([server.name, state, &server.url, remark]);
    }
    let told = match provisioned {
        None => None,
        Some(Ok((0, 0))) => Some(("nothing", "lb provision loki-grafana brings it".to_owned())),
        Some(Ok((datasources, dashboards))) => {
            let datasources = counted(*datasources as u64, "datasource");
            let dashboards = counted(*dashboards as u64, "dashboard");
            Some(("there", format!("{datasources}, {dashboards}")))
        }
        Some(Err(why)) => Some(("not known", why.clone())),
    };
    if let Some((state, remark)) = told {
        row(["provisioned", state, "", &remark]);
    }
    if let Some(endpoint) = endpoint {
        row(["endpoint", "", endpoint, "for targets: LB_LOKI_ENDPOINT"]);
    }
    say.data(&table.text())
}
