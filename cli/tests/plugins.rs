//! `lb plugins`, from a folder of the user's own.
#![allow(clippy::unwrap_used)]

mod support;

use serde_json::Value;
use support::Lb;

#[test]
fn a_plugin_to_start_with_has_no_mistakes() {
    let lb = Lb::new();
    let ran = lb.run("plugins init energy");
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""));
    assert!(
        ran.stderr.starts_with("plugins/energy: written; `lb plugins check`"),
        "{}",
        ran.stderr
    );
    let ran = lb.run("plugins check");
    assert!(
        ran.stdout.contains("energy: no mistakes (1 datasource, 1 dashboard)\n"),
        "{}",
        ran.stderr
    );
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    // Those that come with lb are found from where it was built.
    assert!(ran.stdout.contains("platform: no mistakes"), "{}", ran.stdout);
    let ran = lb.run("plugins init energy");
    assert_eq!(ran.code, 2);
    assert_eq!(ran.stderr, "error: plugins/energy: exists already; take another name\n");
    assert_eq!(lb.run("plugins init Energy").code, 2);
}

#[test]
fn the_example_of_the_documents_has_no_mistakes() {
    let text = include_str!("../../docs/plugins.md");
    let blocks = |language: &str| -> Vec<String> {
        let fence = format!("```{language}\n");
        let found = text.split(fence.as_str()).skip(1);
        found
            .filter_map(|block| block.split_once("```"))
            .map(|(block, _)| block.to_owned())
            .collect()
    };
    let [manifest, values] = blocks("toml").try_into().unwrap();
    let [datasources] = blocks("yaml").try_into().unwrap();
    let lb = Lb::new();
    lb.file("plugins/energy/plugin.toml", &manifest);
    lb.file("plugins/energy/grafana/datasources.yaml", &datasources);
    lb.file("lb.toml", &values);
    let ran = lb.run("plugins check");
    assert!(
        ran.stdout.contains("energy: no mistakes (1 datasource, 0 dashboards)"),
        "{}",
        ran.stderr
    );
    lb.file("lb.toml", "");
    let environment = text.split("LB_PLUGINS='").nth(1).unwrap().split('\'').next().unwrap();
    let ran = Lb::new().env("LB_PLUGINS", environment).run("config show");
    assert!(ran.stdout.contains(r#"{"energy":{"sites":["north"]}}"#), "{}", ran.stdout);
}

#[test]
fn settings_are_listed_with_their_source() {
    let lb = Lb::new().env("LB_PROMETHEUS_URL", "http://me:hunter2@p:9090");
    lb.run("plugins init energy");
    lb.file(
        "lb.toml",
        "[plugins.dfaas]\nhosts = [\"a\", \"b\"]\n[plugins.platform]\nenabled = false\n",
    );
    let ran = lb.run("plugins list -v");
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    let row = |name: &str| -> Vec<String> {
        let line = ran.stdout.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().take(4).map(str::to_owned).collect()
    };
    assert_eq!(row("platform "), ["platform", "0.1.0", "no", "1"]);
    let prometheus = row("plugins.energy.prometheus_url");
    assert_eq!(prometheus[1..], ["http://p:9090", "prometheus.url", "url"]);
    assert!(ran.stdout.contains("  a, b  "), "{}", ran.stdout);
    let document: Value =
        serde_json::from_str(&lb.run("plugins list --format json").stdout).unwrap();
    let names: Vec<_> =
        document["plugins"].as_array().unwrap().iter().map(|plugin| &plugin["name"]).collect();
    assert_eq!(names, ["dfaas", "energy", "platform"]);
}

#[test]
fn every_mistake_is_told_at_once() {
    let lb = Lb::new();
    lb.run("plugins init energy");
    lb.file("plugins/energy/plugin.toml", "name = 'enery'\nversion = '1'\n");
    lb.file("lb.toml", "[plugins.dfas]\n");
    let ran = lb.run("plugins check");
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
    for expected in [
        "plugins/energy/plugin.toml: description: it is missing\n",
        "plugins/energy/plugin.toml: name: \"enery\", but its folder is called \"energy\"; give both \
         one name\n",
        "plugins/energy/grafana/datasources.yaml: datasources[0]: url: unknown setting prometheus_url; \
         there is none\n",
        "plugins.dfas: unknown plugin dfas; did you mean dfaas?\n",
        "4 mistakes; docs/plugins.md tells the format\n",
    ] {
        assert!(ran.stderr.contains(expected), "{expected} in {}", ran.stderr);
    }
    let ran = lb.run("plugins check plugins/energy --format json");
    let document: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((ran.code, &document["ok"]), (2, &Value::Bool(false)));
    assert_eq!(document["mistakes"].as_array().unwrap().len(), 3);
    assert_eq!(lb.run("plugins list").code, 1);
}
