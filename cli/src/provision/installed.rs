//! What scripts/install-loki-grafana.sh has noted of its work.

use std::path::PathBuf;

use super::saved::folder;

/// What it has installed, as far as it is noted.
#[derive(Clone, Debug, Default)]
pub(super) struct Installed {
    pub(super) loki: Option<String>,
    pub(super) grafana: Option<String>,
    /// Loki as that Grafana reaches it.
    pub(super) loki_for_grafana: Option<String>,
    /// Loki as targets reach it.
    pub(super) endpoint: Option<String>,
    pub(super) admin: Option<(String, PathBuf)>,
}

impl Installed {
    /// Nothing where nothing is noted.
    pub(super) fn read() -> Self {
        let path = folder().map(|folder| folder.join("loki-grafana.state"));
        let text = path.and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
        Self::parse(&text)
    }

    fn parse(text: &str) -> Self {
        let value = |key: &str| {
            let lines = text.lines().filter_map(|line| line.strip_prefix("set\t"));
            let mut values = lines.filter_map(|line| line.strip_prefix(key)?.strip_prefix('\t'));
            values.next_back().filter(|value| !value.is_empty()).map(str::to_owned)
        };
        Self {
            loki: value("loki"),
            grafana: value("grafana"),
            loki_for_grafana: value("loki-for-grafana"),
            endpoint: value("endpoint"),
            admin: value("admin-user").zip(value("admin-password-file").map(PathBuf::from)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_script_notes() {
        let text = "# What\nversion\t1\nmethod\tdocker\nset\tloki\thttp://127.0.0.1:3100\n\
            made\tfolder\t/x\nset\tloki-port\t3100\nset\tloki-for-grafana\thttp://lb-loki:3100\n\
            set\tadmin-user\tadmin\nset\tadmin-password-file\t/s/a b\nset\tendpoint\t\n";
        let installed = Installed::parse(text);
        assert_eq!(installed.loki.as_deref(), Some("http://127.0.0.1:3100"));
        assert_eq!(installed.loki_for_grafana.as_deref(), Some("http://lb-loki:3100"));
        assert_eq!((installed.grafana, installed.endpoint), (None, None));
        assert_eq!(installed.admin, Some(("admin".to_owned(), "/s/a b".into())));
    }
}
