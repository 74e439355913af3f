//! The reference page of the configuration.

mod mistakes;

use std::fmt::Write as _;
use std::path::Path;
use std::time::UNIX_EPOCH;

use anyhow::{Result, ensure};
use lb_core::config::{BLOCKS, Block, Effect, Key, Surroundings, load_with, starting_file};
use serde_json::Value;

const HEAD: &str = "\
<!-- Made from the code by `cargo run -p xtask -- reference`: change core/src/config instead. -->

# Configuration

One set of keys for every program: k6's output, the C library, the command `lb`. `lb config init` writes a file to start with, `lb config show -v` tells every key with its value and where that comes from, and `lb config check` names every mistake at once.

";

const SOURCES: &str = "\
## Sources

Each goes over the ones before it, key by key:

1. the defaults below;
2. defaults of the program: k6's output has some (`component` is `k6`, `on_full` is `drop`, `ring_bytes` is 8 MiB), and takes k6's tags `run_id`, `workload`, `repetition`, `component` and `scenario` for the keys of these names;
3. the file: the one that the program names (`--config FILE`, `\"config\"` in C), else the one that `LB_CONFIG` names, else `./lb.toml`, else `~/.config/lb/config.toml`; one file is read, not several;
4. for k6, `collectors` → `lb-loki` of its JSON configuration;
5. the environment: `LB_<KEY>`, with `_` for the dot;
6. for k6, `K6_LB_<KEY>`, then `--out lb-loki=key=value,key=value`; for `lb`, flags such as `--output-dir`;
7. keys that the program passes itself.

`LB_RUN_HOST`, `LB_RUN_WORKLOAD` and `LB_RUN_REPETITION`, which runners of campaigns hand down, are used where `LB_HOST`, `LB_WORKLOAD` and `LB_REPETITION` are not set. Other `LB_RUN_…` variables belong to runners and are left alone, and so are those that Kubernetes sets for services whose names begin with `lb`. Any other `LB_…` variable that is no key is a mistake.

";

const FILES: &str = "\
## Files

The ending of the name says how a file is written: `.toml`, `.json`, `.yaml` or `.yml`. These three say the same:

";

const FILE_RULES: &str = "\
A key may be written with its block (`[loki]`, then `endpoint`) or with a dot (`\"loki.endpoint\"`). A name that is given twice in one block is refused in all three. `null` in JSON and YAML means: not set. In YAML, anchors, aliases, tags and further documents are refused, and `yes`, `no`, `on` and `off` are text (YAML 1.2): write `true` or `false`. A file is UTF-8, and at most 4 MiB.

";

const VALUES: &str = "\
## Values

| type | in a file | in the environment and on command lines |
|---|---|---|
| size | bytes, or text: `64KiB`, `1MiB`, `2GB` | the same |
| duration | text: `500ms`, `1m30s`, `2h`, `1d`; a number counts the unit that the key's name tells, seconds where it tells none | the same |
| off | `\"off\"`, `false` or 0, where a key knows it | `off` or `0` |
| true or false | `true`, `false` | also `yes`, `no`, `on`, `off`, `1`, `0` |
| list | a list of texts | words with commas between them |
| names and values | a block | `name=value`, with commas between them |

Nothing is converted between types: `repetition = \"3\"` in a file is a mistake.

## Secrets

A secret (`loki.password`, `grafana.api_key`, …) is a value in a file, a variable of the environment, or the content of the file that the key with `_file` at its end names. The two keys are one setting: whichever the higher source gives holds, and one source that gives both is a mistake. Secrets, values of headers and passwords in URLs are never shown: not by `lb config show`, not in messages, not in logs.

";

/// What `docs/configuration.md` should be.
pub(crate) fn text() -> Result<String> {
    let mut text = [HEAD, SOURCES, FILES].concat();
    text.push_str(&files()?);
    text.push_str(FILE_RULES);
    text.push_str(VALUES);
    text.push_str("## Keys\n\nWhere the last column says *later*, a key is read and checked, and has no effect in this version; `lb config check` names those that are set.\n\n");
    for block in BLOCKS {
        table(&mut text, block)?;
    }
    text.push_str(&mistakes::text()?);
    Ok(text)
}

fn table(text: &mut String, block: &Block) -> Result<()> {
    let name = if block.name.is_empty() { String::new() } else { format!("`{}`: ", block.name) };
    let title = if name.is_empty() { block.title.to_owned() } else { lowered(block.title) };
    writeln!(text, "### {name}{title}\n")?;
    if !block.about.is_empty() {
        writeln!(text, "{}\n", block.about)?;
    }
    text.push_str(
        "| key | environment | value | default | meaning | effect |\n|---|---|---|---|---|---|\n",
    );
    for key in block.keys() {
        row(text, key)?;
    }
    text.push('\n');
    Ok(())
}

/// With a small letter at the beginning, unless it is a name.
fn lowered(title: &str) -> String {
    if BLOCKS.iter().any(|block| title.eq_ignore_ascii_case(block.name)) {
        return title.to_owned();
    }
    let mut letters = title.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

fn row(text: &mut String, key: &Key) -> Result<()> {
    let default = key.default.filter(|default| !default.is_empty());
    let default = default.map_or_else(String::new, |text| {
        let value = key.kind.parse(text).unwrap_or(Value::Null);
        format!("`{}`", key.kind.show(&value))
    });
    let effect = match key.effect {
        Effect::Now => "now",
        Effect::Later => "later",
    };
    let expects = key.kind.expects();
    let cells = [&expects, &default, key.doc].map(|cell| cell.replace('|', "\\|"));
    writeln!(
        text,
        "| `{}` | `{}` | {} | {} | {} | {effect} |",
        key.name,
        key.variable(),
        cells[0],
        cells[1],
        cells[2]
    )?;
    Ok(())
}

const EXAMPLES: [(&str, &str); 3] = [
    (
        "toml",
        "component = \"generator\"\nring_bytes = \"2MiB\"\n\n[jsonl]\nlog_rotate_bytes = \"100MiB\"\n\n[k6]\nmetrics_deny = [\"vus\", \"vus_max\"]\n",
    ),
    (
        "yaml",
        "component: generator\nring_bytes: 2MiB\njsonl:\n  log_rotate_bytes: 100MiB\nk6:\n  metrics_deny: [vus, vus_max]\n",
    ),
    (
        "json",
        "{\n  \"component\": \"generator\",\n  \"ring_bytes\": \"2MiB\",\n  \"jsonl\": {\"log_rotate_bytes\": \"100MiB\"},\n  \"k6\": {\"metrics_deny\": [\"vus\", \"vus_max\"]}\n}\n",
    ),
];

/// One configuration in the three formats, and the proof that they say the same.
fn files() -> Result<String> {
    let folder = tempfile::tempdir()?;
    let around = surroundings(folder.path(), &[]);
    let mut text = String::new();
    let mut values: Option<Vec<Value>> = None;
    for (ending, example) in EXAMPLES {
        let name = format!("lb.{ending}");
        std::fs::write(folder.path().join(&name), example)?;
        let config = load_with(format!("{{\"config\": \"{name}\"}}").as_bytes(), &around)?;
        let these: Vec<Value> = config.settings.into_iter().map(|setting| setting.value).collect();
        let others = values.get_or_insert_with(|| these.clone());
        ensure!(*others == these, "{name}: it does not say what the other examples say");
        write!(text, "```{ending}\n{example}```\n\n")?;
    }
    std::fs::write(folder.path().join("lb.toml"), starting_file())?;
    load_with(b"", &around)?;
    Ok(text)
}

/// A machine that is the same everywhere.
fn surroundings(folder: &Path, env: &[(&str, &str)]) -> Surroundings {
    Surroundings {
        env: env.iter().map(|(name, value)| (name.into(), value.into())).collect(),
        cwd: folder.to_owned(),
        home: None,
        host: "node-1".to_owned(),
        started: UNIX_EPOCH,
        pid: 1,
    }
}
