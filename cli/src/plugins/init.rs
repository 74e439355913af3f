//! `lb plugins init`: a plugin to start with.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail};

use super::manifest::is_name;
use crate::Outcome;
use crate::args::Common;
use crate::say::{Say, near};

const MANIFEST: &str = r#"# The format: docs/plugins.md
name = "NAME"
version = "0.1.0"
description = "What NAME shows"

[config.prometheus_url]
type = "url"
from = "prometheus.url"
description = "The Prometheus of NAME, as Grafana reaches it"
"#;

const DATASOURCES: &str = "apiVersion: 1
datasources:
  - uid: NAME-prometheus
    name: NAME Prometheus
    type: prometheus
    url: ${prometheus_url}
";

const DASHBOARD: &str = r#"{
  "uid": "NAME",
  "title": "NAME",
  "tags": ["lb-log"],
  "schemaVersion": 39,
  "time": {"from": "now-1h", "to": "now"},
  "panels": [
    {
      "id": 1,
      "type": "logs",
      "title": "Warnings and errors",
      "gridPos": {"x": 0, "y": 0, "w": 24, "h": 12},
      "datasource": {"type": "loki", "uid": "lb-loki"},
      "targets": [
        {
          "refId": "A",
          "datasource": {"type": "loki", "uid": "lb-loki"},
          "expr": "{kind=\"log\"} | level=~\"WARNING|ERROR|CRITICAL\""
        }
      ]
    }
  ]
}
"#;

pub(super) fn run(name: &str, common: &Common, say: Say) -> anyhow::Result<Outcome> {
    if !is_name(name) {
        bail!("{name:?}: a plugin's name is made of a-z, 0-9 and -, and begins with a letter");
    }
    let config = common.flags().load()?;
    let folder = config.plugins_dir.join(name);
    if folder.exists() {
        bail!("{}: exists already; take another name", near(&folder));
    }
    for (file, text) in [
        (super::manifest::FILE.to_owned(), MANIFEST),
        (super::datasource::FILE.to_owned(), DATASOURCES),
        (format!("{}/{name}.json", super::dashboard::FOLDER), DASHBOARD),
    ] {
        let path = folder.join(file);
        write(&path, &text.replace("NAME", name))
            .with_context(|| format!("{}: cannot be written", near(&path)))?;
    }
    say.remark(&format!(
        "{}: written; `lb plugins check` checks what you change, `lb provision loki-grafana` brings \
         it to Grafana",
        near(&folder)
    ));
    Ok(Outcome::Done)
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, text)
}
