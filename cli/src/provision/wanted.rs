//! What is wanted, from configuration, plugins and what the install has noted.

use anyhow::{Context as _, bail};
use lb_core::config::access::{Authentication, SecretSource};
use lb_core::config::{Config, GrafanaConfig};

use super::installed::Installed;
use super::saved::Saved;
use super::secrets;
use crate::args::Common;
use crate::args::provision::GrafanaFlags;
use crate::plugins::datasource::{Datasource, Skipped};
use crate::plugins::mistakes::Mistakes;
use crate::plugins::shelf::{Shelf, Wanted};
use crate::plugins::values::Own;
use crate::say::Say;

/// Everything that is known before anybody is called.
pub(super) struct Plan {
    pub(super) config: Config,
    pub(super) installed: Installed,
    /// All plugins, used or not.
    pub(super) shelf: Shelf,
    pub(super) wanted: Wanted,
    /// Where Grafana is.
    pub(super) url: Option<String>,
}

impl Plan {
    /// Reads configuration and plugins.
    ///
    /// # Errors
    /// All that is wrong with them.
    pub(super) fn make(flags: &GrafanaFlags, common: &Common, say: Say) -> anyhow::Result<Self> {
        let config = load(flags, common, say)?;
        let installed = Installed::read();
        let mut mistakes = Mistakes::default();
        let shelf = Shelf::read(&config, &mut mistakes);
        let url = config.grafana.url.clone().or_else(|| installed.grafana.clone());
        let url = url.filter(|_| config.grafana.enabled && !flags.no_grafana);
        let own = own(&config, &installed, url.as_deref());
        let values = shelf.values(&config, &own, &mut mistakes);
        let wanted = shelf.wanted(&values, &mut mistakes);
        let mut wanted = mistakes.or(wanted)?;
        if flags.no_loki {
            for Datasource { plugin, uid, name, .. } in
                wanted.datasources.extract_if(.., |datasource| datasource.kind == "loki")
            {
                let why = "--no-loki".to_owned();
                wanted.skipped.push((plugin, Skipped { uid, name, why }));
            }
        }
        for datasource in &mut wanted.datasources {
            secrets::add(datasource, &config);
        }
        Ok(Self { config, installed, shelf, wanted, url })
    }

    /// Where Grafana is, or what there is to configure.
    pub(super) fn url(&self) -> anyhow::Result<&str> {
        if self.url.is_none() && self.config.grafana.url.is_some() {
            bail!(
                "Grafana is off: --no-grafana, or grafana.enabled is false; --grafana turns it on"
            );
        }
        self.url.as_deref().context(
            "no Grafana is configured: name it with --grafana-url URL, LB_GRAFANA_URL, or grafana.url \
             in lb.toml; or let `lb provision loki-grafana install` install one; or write files for \
             one with --export DIR",
        )
    }

    /// Who we are to Grafana: as configured, else by the token that was saved, else as the admin of
    /// the Grafana that was installed here.
    pub(super) fn server(&self, saved: &Saved) -> GrafanaConfig {
        let mut server = self.config.grafana.clone();
        if server.access.authentication != Authentication::None {
            return server;
        }
        let is_ours = self.url == self.installed.grafana;
        if let Some(token) = saved.known().token {
            let token = lb_core::config::access::Secret::new(token);
            server.access.authentication = Authentication::Bearer(SecretSource::Value(token));
        } else if let (Some((user, password)), true) = (&self.installed.admin, is_ours) {
            let (user, password) = (user.clone(), SecretSource::File(password.clone()));
            server.access.authentication = Authentication::Basic { user, password };
        }
        server
    }
}

/// The configuration with what flags say.
pub(super) fn load(flags: &GrafanaFlags, common: &Common, say: Say) -> anyhow::Result<Config> {
    let given = [
        ("--grafana-url", "grafana.url", &flags.grafana_url),
        ("--grafana-api-key", "grafana.api_key", &flags.grafana_api_key),
        ("--grafana-api-key-file", "grafana.api_key_file", &flags.grafana_api_key_file),
        ("--grafana-admin-user", "grafana.username", &flags.grafana_admin_user),
        ("--grafana-admin-password", "grafana.password", &flags.grafana_admin_password),
        (
            "--grafana-admin-password-file",
            "grafana.password_file",
            &flags.grafana_admin_password_file,
        ),
        ("--grafana-org-id", "grafana.org_id", &flags.grafana_org_id),
    ];
    let mut layers: Vec<(&str, &str, &str)> = Vec::new();
    for (flag, key, value) in &given {
        if let Some(value) = value {
            layers.push((flag, key, value));
        }
    }
    if flags.grafana {
        layers.push(("--grafana", "grafana.enabled", "true"));
    }
    for (flag, value, instead) in [
        ("--grafana-api-key", &flags.grafana_api_key, "LB_GRAFANA_API_KEY"),
        ("--grafana-admin-password", &flags.grafana_admin_password, "LB_GRAFANA_PASSWORD"),
    ] {
        if value.is_some() {
            say.warning(&format!(
                "{flag}: others on this machine can read it in the list of processes; rather use \
                 {flag}-file FILE or {instead}"
            ));
        }
    }
    let config = common.flags().load_for(&layers)?;
    let ours = ["loki.", "grafana.", "prometheus."];
    for warning in config.warnings.iter().filter(|w| ours.iter().any(|block| w.starts_with(block)))
    {
        say.warning(warning);
    }
    Ok(config)
}

/// lb's own keys for plugins. A Grafana that was installed beside its Loki may reach that by another
/// name than programs do.
fn own(config: &Config, installed: &Installed, url: Option<&str>) -> Own {
    let mut own = Own::of(config);
    let same = |a: &Option<String>| a.as_deref() == own.loki.as_deref();
    let is_installed = own.loki.is_none() || same(&installed.loki) || same(&installed.endpoint);
    let beside = url.is_none() || url == installed.grafana.as_deref();
    if is_installed && beside && installed.loki_for_grafana.is_some() {
        own.loki.clone_from(&installed.loki_for_grafana);
    } else if own.loki.is_none() {
        own.loki.clone_from(&installed.endpoint);
    }
    own.grafana = own.grafana.or_else(|| installed.grafana.clone());
    own
}
