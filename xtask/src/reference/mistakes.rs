//! Examples of mistakes, with what is really said of them.

use std::fmt::Write as _;

use anyhow::{Result, bail};
use lb_core::config::load_with;
use lb_core::error::Error;

use super::surroundings;

struct Example {
    about: &'static str,
    /// The file's name and text.
    file: (&'static str, &'static str),
    env: &'static [(&'static str, &'static str)],
}

const EXAMPLES: &[Example] = &[
    Example {
        about: "Names and values, in the file and in the environment, all at once:",
        file: (
            "lb.toml",
            "repetition = 0\nring_byts = \"2MiB\"\n\n[loki]\nendpoint = \"loki:3100\"\nmin_level = \"loud\"\n",
        ),
        env: &[("LB_K6_SAMPELS", "raw"), ("LB_FULL_TIMEOUT_MS", "1h")],
    },
    Example {
        about: "A value that another one excludes:",
        file: ("lb.toml", "ring_bytes = \"64KiB\"\nmax_record_bytes = \"64KiB\"\n"),
        env: &[],
    },
    Example {
        about: "Secrets: what is said never holds one:",
        file: (
            "lb.toml",
            "[grafana]\napi_key = \"glsa_x\"\napi_key_file = \"/run/secrets/grafana\"\n\n[loki]\nusername = \"campaign\"\n",
        ),
        env: &[],
    },
    Example {
        about: "A name that is given twice:",
        file: ("lb.json", "{\n  \"host\": \"a\",\n  \"host\": \"b\"\n}\n"),
        env: &[],
    },
    Example {
        about: "A tab, where YAML wants blanks:",
        file: ("lb.yaml", "loki:\n\tenabled: true\n"),
        env: &[],
    },
    Example {
        about: "An alias in YAML:",
        file: ("lb.yaml", "host: &name node-1\ncomponent: *name\n"),
        env: &[],
    },
];

/// The section of the page.
pub(super) fn text() -> Result<String> {
    let mut text = "## Mistakes\n\nEvery mistake is named with its source and key, and an unknown name with the nearest known one. A text that cannot be read is named with line and column. A program with a wrong configuration does not start; `lb config check` ends with status 2.\n".to_owned();
    for example in EXAMPLES {
        write!(text, "\n{}\n\n", example.about)?;
        let (name, content) = example.file;
        let (_, ending) = name.rsplit_once('.').unwrap_or_default();
        write!(text, "```{ending}\n{content}```\n\n")?;
        if !example.env.is_empty() {
            text.push_str("```sh\n");
            for (name, value) in example.env {
                writeln!(text, "export {name}={value}")?;
            }
            text.push_str("```\n\n");
        }
        write!(text, "```\n{}\n```\n", said(example)?)?;
    }
    Ok(text)
}

fn said(example: &Example) -> Result<String> {
    let folder = tempfile::tempdir()?;
    let (name, content) = example.file;
    std::fs::write(folder.path().join(name), content)?;
    let around = surroundings(folder.path(), example.env);
    match load_with(format!("{{\"config\": \"{name}\"}}").as_bytes(), &around) {
        Err(Error::Config(said)) => Ok(said.replace(&format!("{}/", folder.path().display()), "")),
        other => bail!("{name}: expected mistakes, found {other:?}"),
    }
}
