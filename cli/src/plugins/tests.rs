#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use lb_core::config::{Config, Surroundings, load_with};
use serde_json::json;

use super::*;

const MANIFEST: &str = "name = 'p'\nversion = '1'\ndescription = 'd'\n\
    [config.url]\ntype = 'url'\nfrom = 'prometheus.url'\ndescription = 'u'\n\
    [config.hosts]\ntype = 'list'\ndefault = []\ndescription = 'h'\n\
    [config.of_host]\ntype = 'url'\ndefault = 'http://${hosts}:1'\ndescription = 'o'\n\
    [config.size]\ntype = 'integer'\ndefault = 7\ndescription = 's'\n\
    [config.token]\ntype = 'secret_file'\ndescription = 't'\n";
const DATASOURCES: &str = "apiVersion: 1\ndatasources:\n\
    \x20 - {uid: one, name: One $$, type: prometheus, url: '${url}', jsonData: {n: '${size}', t: '${size}s'}}\n\
    \x20 - {uid: 'of-${hosts}', name: 'Of ${hosts}', type: prometheus, url: '${of_host}'}\n\
    \x20 - {uid: secret, name: S, type: x, url: 'http://s', secureJsonData: {key: 'a ${token} b'}}\n";
const DASHBOARD: &str = r#"{"uid": "d", "title": "D", "version": 3, "panels": [
    {"id": 1, "datasource": {"uid": "one"}}, {"id": 2, "datasource": {"uid": "of-x"}},
    {"id": 3, "datasource": {"uid": "${ds}"}}, {"id": 4, "datasource": {"uid": "-- Mixed --"}}],
    "templating": {"list": [{"type": "datasource", "name": "ds"}]}}"#;

struct World(tempfile::TempDir);

impl World {
    fn new() -> Self {
        let world = Self(tempfile::tempdir().unwrap());
        world.file("own/p/plugin.toml", MANIFEST);
        world.file("own/p/grafana/datasources.yaml", DATASOURCES);
        world.file("own/p/grafana/dashboards/d.json", DASHBOARD);
        world
    }

    fn file(&self, path: &str, text: &str) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn config(&self, toml: &str) -> Config {
        self.file("lb.toml", toml);
        let mut around = Surroundings::of_process().unwrap();
        (around.env, around.cwd) = (Vec::new(), self.0.path().to_owned());
        load_with(br#"{"plugins_dir": "own"}"#, &around).unwrap()
    }

    /// What the plugin wants, and all mistakes, with this folder as `$F`.
    fn wanted(&self, toml: &str) -> (shelf::Wanted, Vec<String>) {
        let config = self.config(toml);
        let mut mistakes = Mistakes::default();
        let all = Shelf::read(&config, &mut mistakes);
        let values = all.values(&config, &Own::of(&config), &mut mistakes);
        let mut wanted = all.wanted(&values, &mut mistakes);
        wanted.datasources.retain(|datasource| datasource.plugin == "p");
        wanted.skipped.retain(|(plugin, _)| plugin == "p");
        let folder = self.0.path().canonicalize().unwrap().display().to_string();
        (wanted, mistakes.0.iter().map(|m| m.replace(&folder, "$F")).collect())
    }

    fn mistakes(&self, toml: &str) -> Vec<String> {
        self.wanted(toml).1
    }
}

#[test]
fn settings_are_filled_in() {
    let (wanted, mistakes) = World::new().wanted(
        "prometheus.url = 'http://me:pw@prom'\n\
         [plugins.p]\nhosts = ['a', 'b.c']\ntoken = '/run/t'\n",
    );
    assert_eq!(mistakes, [""; 0]);
    assert!(wanted.skipped.is_empty(), "{:?}", wanted.skipped);
    let [one, a, b, secret] = wanted.datasources.as_slice() else { panic!("{wanted:?}") };
    assert_eq!(
        json!(one.fields),
        json!({"access": "proxy", "uid": "one", "name": "One $", "type": "prometheus",
               "url": "http://prom", "jsonData": {"n": 7, "t": "7s"}})
    );
    assert_eq!((a.uid.as_str(), &a.fields["url"]), ("of-a", &json!("http://a:1")));
    assert_eq!((b.uid.as_str(), b.name.as_str()), ("of-b-c", "Of b.c"));
    let (name, value) = &secret.secure[0];
    assert_eq!((name.as_str(), &*value.before, &*value.after), ("key", "a ", " b"));
    let Some(datasource::Hidden::File(path)) = &value.secret else { panic!("{value:?}") };
    assert_eq!(path, Path::new("/run/t"));
    let ours = |(plugin, _): &&(String, dashboard::Dashboard)| plugin == "p";
    let (_, dashboard) = wanted.dashboards.iter().find(ours).unwrap();
    assert_eq!(dashboard.content["tags"], json!(["lb-log"]));
    assert!(!dashboard.content.contains_key("version"));
}

#[test]
fn what_is_not_configured_is_skipped_and_named() {
    let (wanted, mistakes) = World::new().wanted("");
    assert_eq!(mistakes, [""; 0]);
    let skipped: Vec<_> =
        wanted.skipped.iter().map(|(_, s)| (s.uid.as_str(), s.why.as_str())).collect();
    assert_eq!(
        skipped,
        [
            ("one", "neither prometheus.url nor plugins.p.url is set"),
            ("secret", "plugins.p.token is not set"),
        ]
    );
    let (wanted, _) = World::new().wanted("[plugins.p]\nenabled = false");
    assert!(wanted.skipped.is_empty() && wanted.datasources.is_empty());
}

#[test]
fn an_own_plugin_goes_before_one_that_comes_with_lb() {
    let world = World::new();
    world.file("own/platform/plugin.toml", "name='platform'\nversion='9'\ndescription='mine'");
    let shelf = Shelf::read(&world.config(""), &mut Mistakes::default());
    let platform = shelf.0.iter().find(|plugin| plugin.manifest.name == "platform").unwrap();
    assert_eq!((platform.shipped, platform.manifest.version.as_str()), (false, "9"));
}

#[test]
fn every_mistake_in_the_settings_is_told() {
    assert_eq!(
        World::new().mistakes(
            "[plugins.p]\nhost = ['a']\nurl = 'http://me:pw@x'\nsize = 'x'\nof_host = 'http://${hots}'\n\
             enabled = 1\n[plugins.q]\n"
        ),
        [
            "plugins.q: unknown plugin q; did you mean p?",
            "plugins.p.enabled: expected true or false, found 1",
            "plugins.p.host: unknown setting host; did you mean hosts?",
            "plugins.p.of_host: unknown setting hots; did you mean hosts?",
            "plugins.p.size: expected a whole number, found \"x\"",
            "plugins.p.url: it holds a user, which everybody would see in Grafana; put user and \
             password into the block loki or prometheus",
        ]
    );
    let twice = World::new().mistakes("[plugins.p]\nhosts = ['a.b', 'a-b']");
    assert_eq!(
        twice,
        ["datasource of-a-b: two would have this uid; give the items of the list other names"]
    );
}

#[test]
fn every_mistake_in_the_files_is_told() {
    let world = World::new();
    world.file(
        "own/bad/plugin.toml",
        "name = 'Bad'\nversion = 1\ndescripton = 'd'\n[config.a]\ntype = 'urls'\nfrm = 1\n\
         [config.B]\ntype = 'text'\nfrom = 'loki.endpoint'\ndescription = 'b'\ndefault = 3\n\
         [config.t]\ntype = 'secret_file'\ndescription = 't'\n\
         [config.x]\ntype = 'text'\ndescription = 'x'\ndefault = '${y}'\n",
    );
    world.file(
        "own/bad/grafana/datasources.yaml",
        "apiVersion: 2\ndatasource: []\ndatasources:\n  - {uid: u, name: n, typ: x}\n\
         \x20 - {uid: one, name: n, type: x, url: '${q} $', jsonData: {a: '${t}'}}\n",
    );
    world.file("own/bad/grafana/dashboards/a.txt", "");
    world.file("own/bad/grafana/dashboards/b.json", "{\"uid\": \"b\", \"uid\": \"c\"}");
    world.file(
        "own/bad/grafana/dashboards/c.json",
        r#"{"uid": "a b", "id": 4, "title": "", "tags": 1, "panels": [
            {"id": 1, "datasource": "Loki"}, {"id": 1, "datasource": {"uid": "${x}"}},
            {"id": 2, "datasource": {"uid": "secrets"}}, {"id": 3, "datasource": {}}]}"#,
    );
    let mistakes = world.mistakes("");
    for expected in [
        "$F/own/bad/plugin.toml: unknown key descripton; did you mean description?",
        "$F/own/bad/plugin.toml: version: expected text, found 1",
        "$F/own/bad/plugin.toml: description: it is missing",
        "$F/own/bad/plugin.toml: name: \"Bad\": a name is made of a-z, 0-9 and -, and begins with a letter",
        "$F/own/bad/plugin.toml: config.a: unknown field frm; did you mean from?",
        "$F/own/bad/plugin.toml: config.a: unknown type urls; did you mean url?",
        "$F/own/bad/plugin.toml: config.a: it has no description",
        "$F/own/bad/plugin.toml: config.B: a name is made of a-z, 0-9 and _, and begins with a letter",
        "$F/own/bad/plugin.toml: config.B: from: what it stands in for is a url",
        "$F/own/bad/plugin.toml: config.B: default: expected text, found 3",
        "$F/own/bad/plugin.toml: config.x: default: unknown setting y; did you mean B?",
        "$F/own/bad/grafana/datasources.yaml: apiVersion: expected 1",
        "$F/own/bad/grafana/datasources.yaml: unknown key datasource; did you mean datasources?",
        "$F/own/bad/grafana/datasources.yaml: datasources[0]: unknown field typ; did you mean type?",
        "$F/own/bad/grafana/datasources.yaml: datasources[0]: type: it is missing",
        "$F/own/bad/grafana/datasources.yaml: datasources[1]: url: \"${q} $\": a dollar that begins \
         nothing; ${setting} names a setting, $$ is a dollar",
        "$F/own/bad/grafana/datasources.yaml: datasources[1]: jsonData: ${t} is a secret, and stands \
         below secureJsonData alone",
        "$F/own/bad/grafana/dashboards/a.txt: it is no dashboard: only .json files belong here",
        "$F/own/bad/grafana/dashboards/b.json: line 1, column 18: \"uid\" is given twice in one \
         block; keep one",
        "$F/own/bad/grafana/dashboards/c.json: title: expected text",
        "$F/own/bad/grafana/dashboards/c.json: uid \"a b\": it is made of a-z, A-Z, 0-9, - and _",
        "$F/own/bad/grafana/dashboards/c.json: id: a dashboard of one Grafana alone has it; take it \
         away",
        "$F/own/bad/grafana/dashboards/c.json: panels: two have the id 1",
        "$F/own/bad/grafana/dashboards/c.json: datasource \"Loki\": expected type and uid",
        "$F/own/bad/grafana/dashboards/c.json: datasource ${x}: no variable x of type datasource is \
         there",
        "$F/own/bad/grafana/dashboards/c.json: datasource {}: it has no uid",
        "$F/own/bad/grafana/dashboards/c.json: tags: expected a list of texts",
        "$F/own/bad/grafana/dashboards/c.json: unknown datasource secrets; did you mean secret?",
        "$F/own/p: datasource one: there is one in $F/own/bad already",
    ] {
        assert!(mistakes.iter().any(|m| m == expected), "{expected}\nin {mistakes:#?}");
    }
    assert_eq!(mistakes.len(), 29, "{mistakes:#?}");
}
