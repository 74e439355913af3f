//! `lb provision` and `lb plugins`, as they are written.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Subcommand};

pub(super) const PROVISION_EXAMPLES: &str = "\
Examples:
  lb provision loki-grafana install             asks how, installs Loki and Grafana, configures Grafana
  lb provision loki-grafana --grafana-url http://grafana:3000 --grafana-api-key-file token
  lb provision loki-grafana status              what runs, and the endpoint that targets use
  lb provision loki-grafana configure --export ./provisioning
  lb provision loki-grafana configure --remove  takes away what configure has made
  lb provision loki-grafana remove              takes away what install has made; data stay";

/// What to provision.
#[derive(Debug, Subcommand)]
pub(crate) enum ProvisionCommand {
    /// Loki, Grafana, its datasources and dashboards; without a command: configure
    #[command(after_help = PROVISION_EXAMPLES)]
    LokiGrafana(LokiGrafana),
}

/// `lb provision loki-grafana`.
#[derive(Debug, Args)]
pub(crate) struct LokiGrafana {
    #[command(flatten)]
    pub(crate) configure: ConfigureFlags,
    #[command(flatten)]
    pub(crate) server: GrafanaFlags,
    #[command(subcommand)]
    pub(crate) command: Option<LokiGrafanaCommand>,
}

// The comments are the help: names stand in it as one types them.
#[allow(clippy::doc_markdown, clippy::struct_excessive_bools)]
/// Where Grafana is, and who we are to it.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Loki and Grafana")]
pub(crate) struct GrafanaFlags {
    /// Grafana's URL (otherwise as configured, or where `install` has put it)
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) grafana_url: Option<String>,
    /// The token of a service account; others of this machine can see it: rather a file, or LB_GRAFANA_API_KEY
    #[arg(long, global = true, value_name = "TOKEN")]
    pub(crate) grafana_api_key: Option<String>,
    /// A file with the token
    #[arg(long, global = true, value_name = "FILE", conflicts_with = "grafana_api_key")]
    pub(crate) grafana_api_key_file: Option<String>,
    /// A user with the role Admin, instead of a token
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) grafana_admin_user: Option<String>,
    /// The user's password; others of this machine can see it: rather a file, or LB_GRAFANA_PASSWORD
    #[arg(long, global = true, value_name = "PASSWORD")]
    pub(crate) grafana_admin_password: Option<String>,
    /// A file with the user's password
    #[arg(long, global = true, value_name = "FILE", conflicts_with = "grafana_admin_password")]
    pub(crate) grafana_admin_password_file: Option<String>,
    /// Grafana's organisation (otherwise that of the token or user)
    #[arg(long, global = true, value_name = "ID")]
    pub(crate) grafana_org_id: Option<String>,
    /// Leave Loki out
    #[arg(long, global = true, overrides_with = "loki")]
    pub(crate) no_loki: bool,
    /// Take Loki in again, against an earlier --no-loki
    #[arg(long, global = true, overrides_with = "no_loki", hide = true)]
    pub(crate) loki: bool,
    /// Leave Grafana out
    #[arg(long, global = true, overrides_with = "grafana")]
    pub(crate) no_grafana: bool,
    /// Take Grafana in, whatever grafana.enabled says
    #[arg(long, global = true, overrides_with = "no_grafana")]
    pub(crate) grafana: bool,
}

/// What configure does.
#[derive(Clone, Debug, Default, Eq, PartialEq, Args)]
pub(crate) struct ConfigureFlags {
    /// Write provisioning files for Grafana into this folder, and call nobody
    #[arg(long, value_name = "DIR")]
    pub(crate) export: Option<PathBuf>,
    /// Where Grafana will see that folder (otherwise where it is)
    #[arg(long, value_name = "PATH", requires = "export")]
    pub(crate) export_as: Option<String>,
    /// Take away what configure has made, and nothing else
    #[arg(long, conflicts_with = "export")]
    pub(crate) remove: bool,
    /// With a user and password: make a token and keep it for the next time, readable by you alone
    #[arg(long, conflicts_with_all = ["export", "remove", "no_save_token"])]
    pub(crate) save_token: bool,
    /// Do not ask whether to make one
    #[arg(long)]
    pub(crate) no_save_token: bool,
}

/// What to do with Loki and Grafana.
#[derive(Debug, Subcommand)]
pub(crate) enum LokiGrafanaCommand {
    /// Give Grafana its datasources and dashboards; repeatable: what is as it should be stays
    #[command(after_help = PROVISION_EXAMPLES)]
    Configure(ConfigureFlags),
    /// Is Loki ready, is Grafana healthy, what is provisioned, which endpoint do targets use
    #[command(after_help = PROVISION_EXAMPLES)]
    Status,
    /// Install Loki and Grafana on this machine, then configure
    ///
    /// Asks what no flag says, says what it will do, and asks before it does it.
    #[command(after_help = PROVISION_EXAMPLES)]
    Install(InstallFlags),
    /// Take away what install has made; data stay
    #[command(after_help = PROVISION_EXAMPLES)]
    Remove(RemoveFlags),
}

#[allow(clippy::struct_excessive_bools)] // Flags.
/// What the script that installs is told.
#[derive(Clone, Debug, Args)]
pub(crate) struct InstallFlags {
    /// brew on macOS; apt on Ubuntu 24.04 and later, Debian 12 and later; docker anywhere
    #[arg(long, value_name = "HOW", value_parser = ["brew", "apt", "docker"])]
    pub(crate) method: Option<String>,
    /// The same by older names: local is brew or apt
    #[arg(long, value_name = "HOW", value_parser = ["local", "docker"], conflicts_with = "method")]
    pub(crate) mode: Option<String>,
    /// Ask nothing
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// Check, and say what would be done; change nothing
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,
    /// Do not configure Grafana afterwards
    #[arg(long, overrides_with = "configure")]
    pub(crate) no_configure: bool,
    /// Configure Grafana afterwards, as ever
    #[arg(long, overrides_with = "no_configure", hide = true)]
    pub(crate) configure: bool,
    /// Where the data go
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<OsString>,
    /// How long Loki keeps lines, days; 0 is for ever
    #[arg(long, value_name = "DAYS")]
    pub(crate) retention: Option<OsString>,
    /// The address that both listen on; beyond 127.0.0.1 the network alone protects them
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<OsString>,
    /// Loki's port
    #[arg(long, value_name = "PORT")]
    pub(crate) loki_port: Option<OsString>,
    /// Grafana's port
    #[arg(long, value_name = "PORT")]
    pub(crate) grafana_port: Option<OsString>,
    /// More for scripts/install-loki-grafana.sh; -- --help tells what there is
    #[arg(last = true, value_name = "ARGUMENT")]
    pub(crate) more: Vec<OsString>,
}

/// What the script that takes away is told.
#[derive(Clone, Debug, Args)]
pub(crate) struct RemoveFlags {
    /// The data too: all lines in Loki, all dashboards and users of Grafana; asks
    #[arg(long, visible_alias = "remove-data")]
    pub(crate) purge: bool,
    /// Ask nothing
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// Say what would go; change nothing
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,
    /// More for scripts/uninstall-loki-grafana.sh; -- --help tells what there is
    #[arg(last = true, value_name = "ARGUMENT")]
    pub(crate) more: Vec<OsString>,
}

pub(super) const PLUGINS_EXAMPLES: &str = "\
Examples:
  lb plugins list -v            all plugins, and their settings with values and meaning
  lb plugins check              every mistake in all of them, and in their settings
  lb plugins check ./energy     in one folder
  lb plugins init energy        a plugin to start with";

/// What to do with plugins.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum PluginsCommand {
    /// All plugins (-v: their settings with values and meaning)
    #[command(after_help = PLUGINS_EXAMPLES)]
    List,
    /// Every mistake at once
    #[command(after_help = PLUGINS_EXAMPLES)]
    Check {
        /// Plugins' folders (otherwise all plugins)
        folders: Vec<PathBuf>,
    },
    /// Write a plugin to start with
    #[command(after_help = PLUGINS_EXAMPLES)]
    Init {
        /// Its name, that of its folder below `plugins_dir`
        name: String,
    },
}
