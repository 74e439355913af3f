//! One object after the other, brought to Grafana, with an eye on what stops everything.

use lb_core::config::access::Secret;
use lb_core::http::api::Method;
use serde_json::{Map, Value, json};

use super::grafana::{Grafana, Trouble};
use super::report::{Became, Object, Report};
use super::saved::Saved;
use super::secrets;
use crate::interrupt::Interrupt;
use crate::plugins::dashboard::Dashboard;
use crate::plugins::datasource::Datasource;

/// The folder of our dashboards.
pub(super) const FOLDER: &str = "lb-log";

/// Below `jsonData`: the plugin that a datasource is of. By this lb knows what it has made.
pub(super) const MARK: &str = "lbLog";

/// A Grafana, and what became of its objects so far.
pub(super) struct Session {
    pub(super) grafana: Grafana,
    pub(super) saved: Saved,
    pub(super) report: Report,
    interrupt: Interrupt,
}

impl Session {
    /// Nothing is done yet.
    pub(super) fn new(grafana: Grafana, saved: Saved) -> anyhow::Result<Self> {
        let interrupt = Interrupt::watch()?;
        Ok(Self { grafana, saved, report: Report::default(), interrupt })
    }

    /// Does something with an object, unless something before it stopped everything.
    pub(super) fn object(
        &mut self,
        mut object: Object,
        work: impl FnOnce(&mut Self) -> Result<Became, Trouble>,
    ) -> &mut Object {
        if self.report.stopped.is_none() && self.interrupt.is_wished() {
            self.report.stopped = Some("interrupted".to_owned());
        }
        if self.report.stopped.is_none() {
            object.became = match work(self) {
                Ok(became) => became,
                Err(Trouble::One(why)) => Became::Failed(why),
                Err(Trouble::All(why)) => {
                    self.report.stopped = Some(why.clone());
                    Became::Failed(why)
                }
            };
        }
        let at = self.report.objects.len();
        self.report.objects.push(object);
        &mut self.report.objects[at]
    }

    /// The folder of our dashboards.
    pub(super) fn folder(&mut self) {
        let object = Object::new("folder", FOLDER, FOLDER, "");
        self.object(object, |session| {
            let path = format!("/api/folders/{FOLDER}");
            let Some(theirs) = session.grafana.get(&path)? else {
                let body = json!({"uid": FOLDER, "title": FOLDER});
                session.grafana.call(Method::Post, "/api/folders", Some(&body))?;
                return Ok(Became::Created);
            };
            if theirs["title"] == FOLDER {
                return Ok(Became::Unchanged);
            }
            let body = json!({"title": FOLDER, "overwrite": true});
            session.grafana.call(Method::Put, &path, Some(&body))?;
            Ok(Became::Updated)
        });
    }

    /// A datasource, and whether it answers.
    pub(super) fn datasource(&mut self, datasource: &Datasource) {
        let (uid, plugin) = (&datasource.uid, &datasource.plugin);
        let object = Object::new("datasource", uid, &datasource.name, plugin);
        let became = self.object(object, |session| session.bring_datasource(datasource));
        if matches!(became.became, Became::Failed(_) | Became::NotTried) {
            return;
        }
        let health = self.grafana.health(&datasource.uid);
        if let Some(object) = self.report.objects.last_mut() {
            object.health = health;
        }
    }

    fn bring_datasource(&mut self, datasource: &Datasource) -> Result<Became, Trouble> {
        let one = |error: anyhow::Error| Trouble::One(format!("{error:#}"));
        let secrets = secrets::reveal(datasource).map_err(one)?;
        let sum = self.sum(&datasource.uid, &secrets).map_err(one)?;
        let mut body = datasource.fields.clone();
        mark(&mut body, &datasource.plugin);
        let path = format!("/api/datasources/uid/{}", datasource.uid);
        let theirs = self.grafana.get(&path)?;
        if let Some(theirs) = &theirs {
            let version = theirs["version"].as_i64().unwrap_or_default();
            let is_from_file = theirs["readOnly"] == true;
            let same_secrets = secrets.is_empty()
                || is_from_file
                || self.saved.has(&datasource.uid, &sum, version);
            if same_secrets && is_same(&body, theirs) {
                return Ok(Became::Unchanged);
            }
            if is_from_file {
                return Err(Trouble::One(
                    "it comes from a provisioning file of Grafana's: change that, or take it away \
                     there"
                        .to_owned(),
                ));
            }
            // Whether it is the default is for the people there to say.
            body.insert("isDefault".to_owned(), (theirs["isDefault"] == true).into());
        }
        if !secrets.is_empty() {
            let texts = secrets.iter().map(|(name, secret)| (name.clone(), secret.reveal().into()));
            body.insert("secureJsonData".to_owned(), texts.collect::<Map<_, _>>().into());
        }
        let body = Value::Object(body);
        let answer = match &theirs {
            None => self.grafana.call(Method::Post, "/api/datasources", Some(&body))?,
            Some(_) => self.grafana.call(Method::Put, &path, Some(&body))?,
        };
        if !secrets.is_empty() {
            let version = answer["datasource"]["version"].as_i64().unwrap_or_default();
            self.saved.note(&datasource.uid, sum, version);
        }
        Ok(if theirs.is_none() { Became::Created } else { Became::Updated })
    }

    /// Tells the secrets of a datasource from others; nothing where there are none.
    fn sum(&mut self, uid: &str, secrets: &[(String, Secret)]) -> anyhow::Result<String> {
        if secrets.is_empty() {
            return Ok(String::new());
        }
        let salt = self.saved.salt()?;
        let parts = secrets.iter().flat_map(|(name, secret)| [name.as_str(), secret.reveal()]);
        Ok(secrets::sum([salt.as_str(), uid].into_iter().chain(parts)))
    }

    /// A dashboard.
    pub(super) fn dashboard(&mut self, plugin: &str, dashboard: &Dashboard) {
        let object = Object::new("dashboard", &dashboard.uid, &dashboard.title, plugin);
        self.object(object, |session| session.bring_dashboard(plugin, dashboard));
    }

    fn bring_dashboard(&mut self, plugin: &str, dashboard: &Dashboard) -> Result<Became, Trouble> {
        let content = Value::Object(dashboard.content.clone());
        let message = message(plugin, &content);
        let path = format!("/api/dashboards/uid/{}", dashboard.uid);
        let theirs = self.grafana.get(&path)?;
        if let Some(theirs) = &theirs {
            let in_folder = theirs["meta"]["folderUid"] == FOLDER;
            if in_folder && (is_dashboard(&content, theirs) || self.is_last(dashboard, &message)?) {
                return Ok(Became::Unchanged);
            }
            if theirs["meta"]["provisioned"] == true {
                return Err(Trouble::One(
                    "it comes from a provisioning file of Grafana's: change that, or take it away \
                     there"
                        .to_owned(),
                ));
            }
        }
        let body = json!({
            "dashboard": content,
            "folderUid": FOLDER,
            "message": message,
            "overwrite": true,
        });
        self.grafana.call(Method::Post, "/api/dashboards/db", Some(&body))?;
        Ok(if theirs.is_none() { Became::Created } else { Became::Updated })
    }

    /// Whether the last who saved it was us, with this content: a Grafana may bring what it is given
    /// into the form of its own version.
    fn is_last(&mut self, dashboard: &Dashboard, message: &str) -> Result<bool, Trouble> {
        let path = format!("/api/dashboards/uid/{}/versions?limit=10", dashboard.uid);
        let versions = match self.grafana.get(&path) {
            Ok(versions) => versions.unwrap_or_default(),
            Err(Trouble::One(_)) => return Ok(false),
            Err(all) => return Err(all),
        };
        let all = versions.get("versions").unwrap_or(&versions).as_array();
        let last = all.into_iter().flatten().max_by_key(|version| version["version"].as_i64());
        Ok(last.is_some_and(|version| version["message"] == message))
    }
}

/// Notes the plugin in the datasource.
fn mark(body: &mut Map<String, Value>, plugin: &str) {
    let data = body.entry("jsonData").or_insert_with(|| Map::new().into());
    if let Some(data) = data.as_object_mut() {
        data.insert(MARK.to_owned(), plugin.into());
    }
}

/// Whether Grafana has all that we would give, and nothing of what we say and it must not have.
fn is_same(ours: &Map<String, Value>, theirs: &Value) -> bool {
    let nothing = |value: &Value| {
        value.is_null() || *value == json!("") || *value == json!(false) || *value == json!({})
    };
    let fields = ours.iter().filter(|(name, _)| *name != "jsonData");
    let same = |(name, value): (&String, &Value)| {
        theirs[name] == *value || (nothing(value) && nothing(&theirs[name]))
    };
    let ours_of = |name: &str| ours.get("jsonData").and_then(|data| data.get(name));
    let data = ours.get("jsonData").and_then(Value::as_object).into_iter().flatten();
    let their_data = &theirs["jsonData"];
    let strangers = their_data.as_object().into_iter().flatten().any(|(name, value)| {
        secrets::is_access(name) && !nothing(value) && ours_of(name).is_none()
    });
    let basic = ours.contains_key("basicAuth") || nothing(&theirs["basicAuth"]);
    fields.into_iter().all(same)
        && data.into_iter().all(|(name, value)| their_data[name] == *value)
        && !strangers
        && basic
}

fn is_dashboard(ours: &Value, theirs: &Value) -> bool {
    let mut theirs = theirs["dashboard"].clone();
    if let Some(fields) = theirs.as_object_mut() {
        fields.shift_remove("id");
        fields.shift_remove("version");
    }
    *ours == theirs
}

/// What the history of a dashboard in Grafana says of our saving it.
fn message(plugin: &str, content: &Value) -> String {
    let sum = secrets::sum([content.to_string().as_str()]);
    format!("lb {}, plugin {plugin}, {}", env!("CARGO_PKG_VERSION"), &sum[..16])
}
