//! grafana/datasources.yaml: datasources with settings to be filled in, and filled.

use std::path::{Path, PathBuf};

use lb_core::config::Format;
use serde_json::{Map, Value, json};

use super::files::read;
use super::manifest::Manifest;
use super::mistakes::{Mistakes, unknown};
use super::setting::Kind;
use super::template::Template;
use super::uid;
use super::values::{Item, Missing, Values};

/// Where datasources are declared, in a plugin's folder.
pub(crate) const FILE: &str = "grafana/datasources.yaml";

/// What may stand in a datasource, as Grafana's API and its provisioning files call it.
const FIELDS: [&str; 12] = [
    "uid",
    "name",
    "type",
    "access",
    "url",
    "user",
    "database",
    "basicAuth",
    "basicAuthUser",
    "withCredentials",
    "jsonData",
    "secureJsonData",
];

/// A datasource as a plugin declares it.
#[derive(Clone, Debug)]
pub(crate) struct Declared {
    fields: Map<String, Value>,
    secure: Map<String, Value>,
}

/// A datasource as Grafana gets it, but for its secrets.
#[derive(Clone, Debug)]
pub(crate) struct Datasource {
    pub(crate) plugin: String,
    pub(crate) uid: String,
    pub(crate) name: String,
    pub(crate) kind: String,
    /// All fields but `secureJsonData`.
    pub(crate) fields: Map<String, Value>,
    pub(crate) secure: Vec<(String, Secure)>,
}

/// A value below `secureJsonData`.
#[derive(Clone, Debug)]
pub(crate) struct Secure {
    pub(crate) before: String,
    /// The secret itself; none: what is before it is all.
    pub(crate) secret: Option<Hidden>,
    pub(crate) after: String,
}

/// Where a secret is.
#[derive(Clone, Debug)]
pub(crate) enum Hidden {
    /// In a file; the blanks around it do not belong to it.
    File(PathBuf),
    /// In our configuration. Grafana may read it from this variable of its environment.
    Value(lb_core::config::access::Secret, String),
}

/// A datasource that cannot be made.
#[derive(Clone, Debug)]
pub(crate) struct Skipped {
    pub(crate) uid: String,
    pub(crate) name: String,
    pub(crate) why: String,
}

impl Declared {
    /// Reads the file of a plugin's folder, where there is one.
    pub(crate) fn read_all(
        folder: &Path,
        manifest: &Manifest,
        mistakes: &mut Mistakes,
    ) -> Vec<Self> {
        let path = folder.join(FILE);
        if !path.exists() {
            return Vec::new();
        }
        let mut file = match read(&path).and_then(|bytes| Format::Yaml.read(&bytes)) {
            Ok(file) => file,
            Err(why) => {
                mistakes.file(&path, why);
                return Vec::new();
            }
        };
        let mut wrong = Vec::new();
        if file.shift_remove("apiVersion") != Some(json!(1)) {
            wrong.push("apiVersion: expected 1".to_owned());
        }
        let declared = match file.shift_remove("datasources") {
            Some(Value::Array(items)) => items,
            None | Some(Value::Null) => Vec::new(),
            Some(_) => {
                wrong.push("datasources: expected a list".to_owned());
                Vec::new()
            }
        };
        for name in file.keys() {
            wrong.push(unknown("key", name, ["apiVersion", "datasources"].into_iter()));
        }
        let mut all = Vec::new();
        for (at, item) in declared.into_iter().enumerate() {
            let mut of_item = Vec::new();
            all.extend(Self::read(item, manifest, &mut of_item));
            wrong.extend(of_item.into_iter().map(|why| format!("datasources[{at}]: {why}")));
        }
        for why in wrong {
            mistakes.file(&path, why);
        }
        all
    }

    fn read(item: Value, manifest: &Manifest, wrong: &mut Vec<String>) -> Option<Self> {
        let Value::Object(mut fields) = item else {
            wrong.push("expected uid, name, type and so on".to_owned());
            return None;
        };
        for name in fields.keys().filter(|name| !FIELDS.contains(&name.as_str())) {
            wrong.push(unknown("field", name, FIELDS.into_iter()));
        }
        for needed in ["uid", "name", "type"] {
            match fields.get(needed) {
                Some(Value::String(text)) if !text.is_empty() => {}
                Some(_) => wrong.push(format!("{needed}: expected text")),
                None => wrong.push(format!("{needed}: it is missing")),
            }
        }
        if fields.get("jsonData").is_some_and(|data| !data.is_object()) {
            wrong.push("jsonData: expected names and values".to_owned());
        }
        let secure = match fields.shift_remove("secureJsonData") {
            None => Map::new(),
            Some(Value::Object(secure)) if secure.values().all(Value::is_string) => secure,
            Some(_) => {
                wrong.push("secureJsonData: expected names and texts".to_owned());
                Map::new()
            }
        };
        let declared = Self { fields, secure };
        declared.check(manifest, wrong);
        Some(declared)
    }

    fn check(&self, manifest: &Manifest, wrong: &mut Vec<String>) {
        let known = manifest.settings.iter().map(|setting| setting.name.as_str());
        let mut check = |name: &str, text: &str, secure: bool| {
            let template = match Template::parse(text) {
                Ok(template) => template,
                Err(why) => return wrong.push(format!("{name}: {why}")),
            };
            let mut secrets = 0;
            for setting in template.settings() {
                match manifest.setting(setting).map(|setting| setting.kind) {
                    None => {
                        wrong.push(format!(
                            "{name}: {}",
                            unknown("setting", setting, known.clone())
                        ));
                    }
                    Some(Kind::SecretFile) if secure => secrets += 1,
                    Some(Kind::SecretFile) => wrong.push(format!(
                        "{name}: ${{{setting}}} is a secret, and stands below secureJsonData alone"
                    )),
                    Some(_) => {}
                }
            }
            if secrets > 1 {
                wrong.push(format!("{name}: two secrets in one value"));
            }
        };
        for (name, value) in &self.fields {
            texts(value, &mut |text| check(name, text, false));
        }
        for (name, value) in &self.secure {
            texts(value, &mut |text| check(&format!("secureJsonData.{name}"), text, true));
        }
        let lists = |name: &str| manifest.setting(name).is_some_and(|s| s.kind == Kind::List);
        let mut named: Vec<String> = self.settings().into_iter().filter(|n| lists(n)).collect();
        named.dedup();
        if named.len() > 1 {
            let named = named.join(", ");
            wrong.push(format!("it names several lists ({named}); it is made for each of one"));
        }
        if let (Some(list), Some(Value::String(uid))) = (named.first(), self.fields.get("uid"))
            && !uid.contains(&format!("${{{list}}}"))
        {
            wrong.push(format!(
                "uid: it is made for each of {list}, so ${{{list}}} belongs into it"
            ));
        }
    }

    /// The uid as it is written.
    pub(crate) fn uid(&self) -> &str {
        self.fields.get("uid").and_then(Value::as_str).unwrap_or_default()
    }

    fn settings(&self) -> Vec<String> {
        let mut names = Vec::new();
        let mut add = |text: &str| {
            if let Ok(template) = Template::parse(text) {
                names.extend(template.settings().map(str::to_owned));
            }
        };
        for value in self.fields.values().chain(self.secure.values()) {
            texts(value, &mut add);
        }
        names.sort();
        names.dedup();
        names
    }

    /// What it comes to: one datasource, one for each item of a list, or none and why.
    pub(crate) fn fill(
        &self,
        plugin: &str,
        values: &Values,
        mistakes: &mut Mistakes,
    ) -> Vec<Result<Datasource, Skipped>> {
        let lists = values.lists(&self.settings());
        let Some(list) = lists.first() else {
            return vec![self.fill_one(plugin, values, None, mistakes)];
        };
        let items = values.items(list);
        let item = |item: &String| self.fill_one(plugin, values, Some((list, item)), mistakes);
        items.iter().map(item).collect()
    }

    fn fill_one(
        &self,
        plugin: &str,
        values: &Values,
        item: Option<Item<'_>>,
        mistakes: &mut Mistakes,
    ) -> Result<Datasource, Skipped> {
        let written =
            |name: &str| self.fields.get(name).and_then(Value::as_str).unwrap_or_default();
        let uid_item = item.map(|(list, item)| (list, uid::part(item)));
        let uid_item = uid_item.as_ref().map(|(list, item)| (*list, item.as_str()));
        let filled = |name: &str, item| filled_text(written(name), values, item);
        let (uid, name) = (filled("uid", uid_item), filled("name", item));
        let skipped = |Missing(why)| Skipped {
            uid: uid.clone().unwrap_or_else(|_| written("uid").to_owned()),
            name: name.clone().unwrap_or_else(|_| written("name").to_owned()),
            why,
        };
        let uid_text = uid.clone().map_err(skipped)?;
        if let Err(why) = uid::check(&uid_text) {
            mistakes.0.push(format!("plugin {plugin}: {why}"));
        }
        let mut fields = Map::new();
        fields.insert("access".to_owned(), "proxy".into());
        for (field, value) in &self.fields {
            let value = if field == "uid" {
                uid_text.clone().into()
            } else {
                filled_value(value, values, item).map_err(skipped)?
            };
            fields.insert(field.clone(), value);
        }
        let mut secure = Vec::new();
        for (field, value) in &self.secure {
            let text = value.as_str().unwrap_or_default();
            secure.push((field.clone(), filled_secure(text, values, item).map_err(skipped)?));
        }
        let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default();
        let (plugin, uid) = (plugin.to_owned(), text("uid").to_owned());
        let (name, kind) = (text("name").to_owned(), text("type").to_owned());
        Ok(Datasource { plugin, uid, name, kind, fields, secure })
    }
}

/// Every text in a value.
fn texts(value: &Value, with: &mut impl FnMut(&str)) {
    match value {
        Value::String(text) => with(text),
        Value::Array(items) => items.iter().for_each(|item| texts(item, with)),
        Value::Object(map) => map.values().for_each(|value| texts(value, with)),
        _ => {}
    }
}

fn template(text: &str) -> Result<Template, Missing> {
    Template::parse(text).map_err(Missing)
}

fn filled_text(text: &str, values: &Values, item: Option<Item<'_>>) -> Result<String, Missing> {
    template(text)?.fill(|name| values.text(name, item))
}

fn filled_value(value: &Value, values: &Values, item: Option<Item<'_>>) -> Result<Value, Missing> {
    match value {
        Value::String(text) => {
            let template = template(text)?;
            match template.only() {
                Some(name) => values.value(name, item),
                None => template.fill(|name| values.text(name, item)).map(Value::from),
            }
        }
        Value::Array(items) => {
            items.iter().map(|value| filled_value(value, values, item)).collect()
        }
        Value::Object(map) => {
            let filled = |(name, value): (&String, &Value)| {
                Ok((name.clone(), filled_value(value, values, item)?))
            };
            map.iter().map(filled).collect::<Result<Map<_, _>, _>>().map(Value::Object)
        }
        other => Ok(other.clone()),
    }
}

fn filled_secure(text: &str, values: &Values, item: Option<Item<'_>>) -> Result<Secure, Missing> {
    /// Stands for the secret while the rest is filled: no text of a file has it.
    const MARK: char = '\0';
    let mut secret = None;
    let filled = template(text)?.fill(|name| match values.secret_file(name) {
        Some(path) => {
            secret = Some(Hidden::File(path?));
            Ok(MARK.to_string())
        }
        None => values.text(name, item),
    })?;
    let (before, after) = filled.split_once(MARK).unwrap_or((&filled, ""));
    Ok(Secure { before: before.to_owned(), secret, after: after.to_owned() })
}
