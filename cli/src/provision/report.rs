//! What became of each object, for people and for programs.

use serde_json::{Value, json};

use crate::Outcome;
use crate::table::{Lean, Table};

/// What became of an object.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Became {
    Created,
    Updated,
    Unchanged,
    Removed,
    /// It was never made, and why.
    Skipped(String),
    /// It is not ours, and why.
    Left(String),
    Failed(String),
    /// Something before it was in its way.
    NotTried,
}

/// Whether a datasource answers Grafana, and what it says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Health {
    pub(super) ok: bool,
    pub(super) said: String,
}

/// One object of Grafana's.
#[derive(Clone, Debug)]
pub(super) struct Object {
    pub(super) kind: &'static str,
    pub(super) uid: String,
    pub(super) title: String,
    /// The plugin that it is of; may be empty.
    pub(super) plugin: String,
    pub(super) became: Became,
    pub(super) health: Option<Health>,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) objects: Vec<Object>,
    /// Why not everything was tried.
    pub(super) stopped: Option<String>,
}

impl Became {
    fn word(&self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Unchanged => "unchanged",
            Self::Removed => "removed",
            Self::Skipped(_) => "skipped",
            Self::Left(_) => "left",
            Self::Failed(_) => "failed",
            Self::NotTried => "not tried",
        }
    }

    fn why(&self) -> Option<&str> {
        match self {
            Self::Skipped(why) | Self::Left(why) | Self::Failed(why) => Some(why),
            _ => None,
        }
    }

    fn is_done(&self) -> bool {
        matches!(self, Self::Created | Self::Updated | Self::Unchanged | Self::Removed)
    }
}

impl Object {
    /// An object of which nothing is known yet.
    pub(super) fn new(kind: &'static str, uid: &str, title: &str, plugin: &str) -> Self {
        let (uid, title, plugin) = (uid.to_owned(), title.to_owned(), plugin.to_owned());
        Self { kind, uid, title, plugin, became: Became::NotTried, health: None }
    }

    fn remark(&self) -> String {
        let health = self.health.as_ref().map(|health| {
            let word = if health.ok { "healthy" } else { "does not answer" };
            if health.said.is_empty() || health.ok {
                word.to_owned()
            } else {
                format!("{word}: {}", health.said)
            }
        });
        let why = self.became.why().map(str::to_owned);
        why.or(health).unwrap_or_default()
    }

    fn is_well(&self) -> bool {
        !matches!(self.became, Became::Failed(_) | Became::NotTried)
            && self.health.as_ref().is_none_or(|health| health.ok)
    }

    fn document(&self) -> Value {
        let health =
            self.health.as_ref().map(|health| json!({"ok": health.ok, "message": health.said}));
        json!({
            "kind": self.kind,
            "uid": self.uid,
            "title": self.title,
            "plugin": Some(&self.plugin).filter(|plugin| !plugin.is_empty()),
            "result": self.became.word().replace(' ', "_"),
            "why": self.became.why(),
            "health": health,
        })
    }
}

impl Report {
    /// Of a server, as one document.
    pub(super) fn document(&self, url: &str, version: Option<&str>) -> Value {
        json!({
            "grafana": url,
            "version": version,
            "ok": self.outcome() == Outcome::Done,
            "stopped": self.stopped,
            "objects": self.objects.iter().map(Object::document).collect::<Vec<_>>(),
        })
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let left = |name| (name, Lean::Left);
        let mut table = Table::new(&["OBJECT", "UID", "RESULT", "REMARK"].map(left));
        for object in &self.objects {
            table.row(&[
                object.kind.to_owned(),
                object.uid.clone(),
                object.became.word().to_owned(),
                object.remark(),
            ]);
        }
        table.text()
    }

    /// How far it came: all well, some of it done, nothing.
    pub(super) fn outcome(&self) -> Outcome {
        if self.stopped.is_none() && self.objects.iter().all(Object::is_well) {
            return Outcome::Done;
        }
        let any = self.objects.iter().any(|object| object.became.is_done());
        if any { Outcome::Partly } else { Outcome::Failed }
    }
}
