//! `configure --remove`: takes away what configure has made.

use lb_core::http::api::Method;

use super::grafana::Trouble;
use super::report::{Became, Object};
use super::session::{FOLDER, MARK, Session};
use crate::Outcome;
use crate::plugins::dashboard::{Dashboard, TAG};
use crate::plugins::shelf::Shelf;

/// Also of plugins that are not used any more.
pub(super) fn run(session: &mut Session, shelf: &Shelf) {
    for plugin in &shelf.0 {
        for dashboard in &plugin.dashboards {
            let name = &plugin.manifest.name;
            let object = Object::new("dashboard", &dashboard.uid, &dashboard.title, name);
            session.object(object, |session| remove_dashboard(session, dashboard));
        }
    }
    remove_datasources(session);
    session.object(Object::new("folder", FOLDER, FOLDER, ""), remove_folder);
    // The token goes last, and only when nothing is left that needs it.
    let account = session.saved.known().service_account;
    if let (Some(account), Outcome::Done) = (account, session.report.outcome()) {
        let object = Object::new("token", "lb-log", "lb-log", "");
        session.object(object, |session| {
            let path = format!("/api/serviceaccounts/{account}");
            if session.grafana.get(&path)?.is_some() {
                session.grafana.call(Method::Delete, &path, None)?;
            }
            Ok(Became::Removed)
        });
    }
    if session.report.outcome() == Outcome::Done {
        session.saved.forget();
    }
}

fn remove_dashboard(session: &mut Session, dashboard: &Dashboard) -> Result<Became, Trouble> {
    let path = format!("/api/dashboards/uid/{}", dashboard.uid);
    let Some(theirs) = session.grafana.get(&path)? else {
        return Ok(Became::Skipped("it is not there".to_owned()));
    };
    let tags = theirs["dashboard"]["tags"].as_array();
    if !tags.is_some_and(|tags| tags.iter().any(|tag| tag == TAG)) {
        return Ok(Became::Left(format!("it has no tag {TAG}, so it is not ours")));
    }
    session.grafana.call(Method::Delete, &path, None)?;
    Ok(Became::Removed)
}

/// Those of hosts that the configuration does not name any more, too.
fn remove_datasources(session: &mut Session) {
    if session.report.stopped.is_some() {
        return;
    }
    let listed = match session.grafana.get("/api/datasources") {
        Ok(listed) => listed.unwrap_or_default(),
        Err(trouble) => {
            session.object(Object::new("datasource", "-", "all", ""), |_| Err(trouble));
            return;
        }
    };
    for theirs in listed.as_array().into_iter().flatten() {
        let Some(plugin) = theirs["jsonData"][MARK].as_str() else { continue };
        let text = |name: &str| theirs[name].as_str().unwrap_or_default();
        let object = Object::new("datasource", text("uid"), text("name"), plugin);
        let path = format!("/api/datasources/uid/{}", text("uid"));
        session.object(object, |session| {
            session.grafana.call(Method::Delete, &path, None)?;
            Ok(Became::Removed)
        });
    }
}

/// Whatever is in a folder goes with it: only an empty one is deleted.
fn remove_folder(session: &mut Session) -> Result<Became, Trouble> {
    let path = format!("/api/folders/{FOLDER}");
    if session.grafana.get(&path)?.is_none() {
        return Ok(Became::Skipped("it is not there".to_owned()));
    }
    let counts = session.grafana.get(&format!("{path}/counts"))?.unwrap_or_default();
    let counts = counts.as_object().into_iter().flatten();
    let others: Vec<String> = counts
        .filter(|(_, count)| count.as_i64() != Some(0))
        .map(|(kind, count)| format!("{count} {kind}"))
        .collect();
    let found = session.grafana.get(&format!("/api/search?folderUIDs={FOLDER}"))?;
    let others_found = found.as_ref().and_then(|found| found.as_array()).map_or(0, Vec::len);
    if !others.is_empty() || others_found > 0 {
        let what = if others.is_empty() { format!("{others_found}") } else { others.join(", ") };
        return Ok(Became::Left(format!("others have something in it: {what}")));
    }
    session.grafana.call(Method::Delete, &path, None)?;
    Ok(Became::Removed)
}
