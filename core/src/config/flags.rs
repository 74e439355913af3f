//! What is given with every command that works on logs, and the configuration that it comes to.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::{Config, LokiConfig, Rotation, load};
use crate::error::{Error, Result};

/// The common flags of a command line.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Flags {
    /// `--config`
    pub config: Option<PathBuf>,
    /// `--output-dir`
    pub output_dir: Option<PathBuf>,
    /// `--loki-endpoint`
    pub loki_endpoint: Option<String>,
}

impl Flags {
    /// The configuration that the flags, the environment and the file come to.
    ///
    /// # Errors
    /// The configuration has mistakes: all of them, one a line.
    pub fn load(&self) -> Result<Config> {
        load(&self.request(&[])?)
    }

    /// The same, with values of flags of one command: flag, key, value.
    ///
    /// # Errors
    /// As [`Flags::load`].
    pub fn load_for(&self, flags: &[(&str, &str, &str)]) -> Result<Config> {
        load(&self.request(flags)?)
    }

    /// The flags as the validator wants them.
    ///
    /// # Errors
    /// A path is not UTF-8.
    pub fn request(&self, flags: &[(&str, &str, &str)]) -> Result<Vec<u8>> {
        let (mut request, mut layers) = (json!({}), Vec::new());
        if let Some(file) = &self.config {
            request["config"] = text(file, "--config")?.into();
        }
        if let Some(folder) = &self.output_dir {
            let values = json!({"output_dir": text(folder, "--output-dir")?});
            layers.push(json!({"source": "--output-dir", "rank": "argument", "values": values}));
        }
        if let Some(endpoint) = &self.loki_endpoint {
            let values = json!({"loki.endpoint": endpoint});
            layers.push(json!({"source": "--loki-endpoint", "rank": "argument", "values": values}));
        }
        for (flag, key, value) in flags {
            let values = json!({*key: value});
            let layer = json!({"source": flag, "rank": "argument", "text": true, "values": values});
            layers.push(layer);
        }
        request["layers"] = layers.into();
        Ok(request.to_string().into_bytes())
    }

    /// The folder of all runs, absolute. Where a flag names it, no configuration is needed.
    ///
    /// # Errors
    /// As [`Flags::load`].
    pub fn output_dir(&self) -> Result<PathBuf> {
        match &self.output_dir {
            Some(folder) => std::path::absolute(folder)
                .map_err(|e| Error::io(folder, "finding the working directory", e)),
            None => Ok(self.load()?.output_dir),
        }
    }

    /// How a program that opens a log here would rotate it. Where the configuration cannot be
    /// loaded, never: recovery is not the moment to insist.
    #[must_use]
    pub fn rotation(&self) -> Rotation {
        self.load().map_or(Rotation::default(), |config| config.rotation)
    }

    /// The Loki of the configuration, whether programs push there or not, and what is to be said
    /// of its settings.
    ///
    /// # Errors
    /// There is none, or as [`Flags::load`].
    pub fn loki(&self) -> Result<(LokiConfig, Vec<String>)> {
        const NONE: &str = "no Loki is configured: name it with --loki-endpoint URL, LB_LOKI_ENDPOINT, or loki.endpoint in lb.toml";
        let config = self.load()?;
        let loki = config.loki.ok_or_else(|| Error::Argument(NONE.to_owned()))?;
        let of_loki = |warning: &String| warning.starts_with("loki.");
        Ok((loki, config.warnings.into_iter().filter(of_loki).collect()))
    }
}

fn text(path: &Path, flag: &str) -> Result<String> {
    let text = path.to_str().map(str::to_owned);
    text.ok_or_else(|| {
        Error::Argument(format!("{flag}: {}: the path is not UTF-8", path.display()))
    })
}
