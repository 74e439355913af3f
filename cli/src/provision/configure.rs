//! `lb provision loki-grafana configure`: datasources and dashboards for a Grafana.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use lb_core::config::access::Authentication;
use lb_core::http::api::Method;
use serde_json::{Value, json};

use super::export;
use super::grafana::{Grafana, Trouble};
use super::remove;
use super::report::{Became, Object};
use super::saved::Saved;
use super::session::Session;
use super::wanted::Plan;
use crate::Outcome;
use crate::args::Common;
use crate::args::provision::{ConfigureFlags, GrafanaFlags};
use crate::say::{Say, near};

/// The service account whose token is kept.
const ACCOUNT: &str = "lb-log";

pub(super) fn run(
    server: &GrafanaFlags,
    flags: &ConfigureFlags,
    common: &Common,
    say: Say,
) -> anyhow::Result<Outcome> {
    let plan = Plan::make(server, common, say)?;
    if let Some(folder) = &flags.export {
        return export::run(&plan, folder, flags.export_as.as_deref(), say);
    }
    let url = plan.url()?;
    let saved = Saved::read(url, plan.config.grafana.org_id)?;
    let config = plan.server(&saved);
    let grafana = Grafana::reach(&config, url).map_err(anyhow::Error::msg)?;
    if let Some(old) = grafana.is_too_old() {
        say.warning(&old);
    }
    let mut session = Session::new(grafana, saved)?;
    if flags.remove {
        remove::run(&mut session, &plan.shelf);
    } else {
        bring(&mut session, &plan);
        let basic =
            matches!(plan.config.grafana.access.authentication, Authentication::Basic { .. });
        if basic && session.report.stopped.is_none() {
            offer_token(&mut session, flags, say);
        }
    }
    finish(&mut session, say)
}

fn bring(session: &mut Session, plan: &Plan) {
    session.folder();
    for datasource in &plan.wanted.datasources {
        session.datasource(datasource);
    }
    for (plugin, skipped) in &plan.wanted.skipped {
        let mut object = Object::new("datasource", &skipped.uid, &skipped.name, plugin);
        object.became = Became::Skipped(skipped.why.clone());
        session.report.objects.push(object);
    }
    for (plugin, dashboard) in &plan.wanted.dashboards {
        session.dashboard(plugin, dashboard);
    }
}

/// Says what was done, and keeps what is to be kept.
fn finish(session: &mut Session, say: Say) -> anyhow::Result<Outcome> {
    let written = session.saved.write();
    let report = &session.report;
    if say.wants_json() {
        let version = Some(session.grafana.version.as_str()).filter(|version| !version.is_empty());
        say.document(&report.document(session.grafana.url(), version))?;
    } else {
        say.data(&report.text())?;
    }
    if let Some(why) = &report.stopped {
        say.mistake(&format!(
            "{}: stopped: {why}; what was done stays, run this again to go on",
            session.grafana.url()
        ));
    }
    let outcome = report.outcome();
    if outcome != Outcome::Done && report.stopped.is_none() {
        say.mistake(&format!(
            "{}: not all is as it should be; mend what is named above, and run this again",
            session.grafana.url()
        ));
    }
    if let Err(error) = written {
        say.warning(&format!(
            "{error:#}; the secrets of datasources are given once more the next time"
        ));
    }
    Ok(outcome)
}

/// A token is less than a password: it opens this organisation alone, and can be taken back.
fn offer_token(session: &mut Session, flags: &ConfigureFlags, say: Say) {
    let path = near(session.saved.path());
    let has_one = session.saved.known().token.is_some();
    let wanted = flags.save_token
        || (!flags.no_save_token
            && !has_one
            && !say.is_quiet()
            && ask(&format!(
                "Make a token, so that no password is needed the next time? It is kept in {path}, \
                 readable by you alone."
            )));
    if !wanted {
        if !flags.no_save_token && !has_one {
            say.remark(&format!(
                "with --save-token a token is made, and kept in {path}, readable by you alone: no \
                 password is needed then"
            ));
        }
        return;
    }
    let object = Object::new("token", ACCOUNT, ACCOUNT, "");
    session.object(object, make_token);
}

fn make_token(session: &mut Session) -> Result<Became, Trouble> {
    let grafana = &mut session.grafana;
    let path = format!("/api/serviceaccounts/search?query={ACCOUNT}");
    let found = grafana.get(&path)?.unwrap_or_default();
    let accounts = found["serviceAccounts"].as_array().into_iter().flatten();
    let known = accounts.into_iter().find(|account| account["name"] == ACCOUNT);
    let account = if let Some(known) = known {
        number(&known["id"])?
    } else {
        let body = json!({"name": ACCOUNT, "role": "Admin"});
        let made = grafana.call(Method::Post, "/api/serviceaccounts", Some(&body))?;
        number(&made["id"])?
    };
    let name = format!("lb {}", jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M:%S.%f"));
    let path = format!("/api/serviceaccounts/{account}/tokens");
    let made = grafana.call(Method::Post, &path, Some(&json!({"name": name})))?;
    let Some(token) = made["key"].as_str() else {
        return Err(Trouble::One("Grafana has made a token and not told it".to_owned()));
    };
    let known = session.saved.known_mut();
    known.token = Some(token.to_owned());
    known.service_account = Some(account);
    let written = session.saved.write();
    written.map_err(|error| Trouble::One(format!("{error:#}")))?;
    Ok(Became::Created)
}

fn number(value: &Value) -> Result<i64, Trouble> {
    value.as_i64().ok_or_else(|| Trouble::One(format!("Grafana tells no id, but {value}")))
}

/// Whether somebody says yes; nobody is asked where nobody can answer.
fn ask(question: &str) -> bool {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return false;
    }
    let _ = write!(io::stderr(), "{question} [y/N] ");
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes" | "Yes" | "YES")
}
