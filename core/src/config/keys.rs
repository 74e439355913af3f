//! The one table of configuration keys. Names in the environment, defaults, checks, `lb config`
//! and the reference page all derive from it.

pub use super::key::{Block, Effect, Key, find, is_block};
use super::value::{Kind, Unit};

const fn key(
    name: &'static str,
    kind: Kind,
    default: Option<&'static str>,
    doc: &'static str,
) -> Key {
    Key { name, kind, default, doc, effect: Effect::Now }
}

const fn later(
    name: &'static str,
    kind: Kind,
    default: Option<&'static str>,
    doc: &'static str,
) -> Key {
    Key { name, kind, default, doc, effect: Effect::Later }
}

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const SECOND: u64 = 1_000;
const HOUR: u64 = 3_600 * SECOND;

/// The values of `phase`, in their order in a run.
pub const PHASES: &[&str] = &["install", "setup", "run", "teardown", "collect"];

const fn integer(min: u64, max: u64) -> Kind {
    Kind::Integer { min, max }
}

const fn size(min: u64, max: u64) -> Kind {
    Kind::Size { min, max, off: false }
}

/// For keys without a unit in their names.
const fn duration(min_ms: u64, max_ms: u64) -> Kind {
    Kind::Duration { min_ms, max_ms, off: false, unit: Unit::Unnamed }
}

/// For keys that end in `_ms`.
const fn millis(min_ms: u64, max_ms: u64) -> Kind {
    Kind::Duration { min_ms, max_ms, off: false, unit: Unit::Milliseconds }
}

// Who we are to a server: the same keys for Loki, Grafana and Prometheus. Of a secret and its file,
// and of a name and a token, a configuration has one (`effective.rs`).

const fn username(name: &'static str) -> Key {
    key(name, Kind::Name, None, "Basic authentication: the user.")
}

const fn password(name: &'static str) -> Key {
    key(name, Kind::Secret, None, "Basic authentication: the password.")
}

const fn token(name: &'static str, doc: &'static str) -> Key {
    key(name, Kind::Secret, None, doc)
}

const fn secret_file(name: &'static str, doc: &'static str) -> Key {
    key(name, Kind::Path, None, doc)
}

const fn tenant(name: &'static str) -> Key {
    key(name, Kind::Name, None, "The tenant, sent as X-Scope-OrgID.")
}

const fn headers(name: &'static str) -> Key {
    key(name, Kind::Headers, Some(""), "More HTTP headers of each request; values are hidden.")
}

const fn ca_file(name: &'static str) -> Key {
    key(name, Kind::Path, None, "Certificates (PEM) to trust besides the system's.")
}

const fn cert_file(name: &'static str) -> Key {
    key(name, Kind::Path, None, "Our own certificate (PEM), where the server asks for one.")
}

const fn key_file(name: &'static str) -> Key {
    key(name, Kind::Path, None, "The key (PEM) of cert_file.")
}

const fn insecure_skip_verify(name: &'static str) -> Key {
    let doc = "Accept any certificate of the server: for tests only.";
    key(name, Kind::Boolean, Some("false"), doc)
}

const PASSWORD_FILE: &str = "A file with the password, instead of password.";
const BEARER_TOKEN: &str = "Bearer authentication: the token.";
const BEARER_TOKEN_FILE: &str = "A file with the token, instead of bearer_token.";

/// The blocks of keys, in the order in which they are shown.
pub const BLOCKS: &[Block] = &[
    Block { name: "", title: "Identity, the log file and its rings", about: "" },
    Block { name: "jsonl", title: "Path, rotation and rotated files", about: "" },
    Block { name: "k6", title: "The output of k6", about: "" },
    Block { name: "loki", title: "Pushing to Grafana Loki", about: AUTHENTICATION },
    Block { name: "grafana", title: "Grafana", about: GRAFANA_AUTHENTICATION },
    Block { name: "prometheus", title: "Prometheus", about: AUTHENTICATION },
    Block { name: "log", title: "The console of Python programs", about: "" },
    Block { name: "collect", title: "Collecting logs", about: "" },
];

const AUTHENTICATION: &str = "Authentication is none, basic (username and password) or bearer \
    (bearer_token): one of them.";
const GRAFANA_AUTHENTICATION: &str = "Authentication is basic (username and password) or the \
    token of a service account (api_key): one of them.";

/// All keys, in the order in which they are shown.
pub const KEYS: &[Key] = &[
    // Identity
    key("component", Kind::Name, Some("app"), "Which program this is: runner, generator, k6, …"),
    key("host", Kind::Name, None, "The machine; the host name unless set."),
    key("run_id", Kind::Name, None, "The run; run-YYYYmmdd-HHMMSS (UTC) unless set."),
    key("logger", Kind::Name, Some("lb"), "The logger's name where a record brings none."),
    key("workload", Kind::Name, Some("none"), "The workload."),
    key("repetition", integer(1, i64::MAX as u64), Some("1"), "The repetition, from 1."),
    key("scenario", Kind::Name, None, "The scenario; left out unless set."),
    key("package", Kind::Name, None, "The package; left out unless set."),
    key("plugin", Kind::Name, None, "The plugin; left out unless set."),
    key(
        "phase",
        Kind::Choice(PHASES),
        None,
        "The phase of the run, as a tag; left out unless set.",
    ),
    // The local file and the rings before it
    key("output_dir", Kind::Path, Some("benchmark_results"), "The folder of all runs."),
    key("min_level", Kind::Level, Some("TRACE"), "The lowest level that is written to the file."),
    key(
        "ring_dir",
        Kind::Choice(&["auto", "shm", "log", "memory"]),
        Some("auto"),
        "Where rings live: /dev/shm, beside the log, in plain memory (lost in a crash); auto: /dev/shm where it outlives the process, else beside the log.",
    ),
    key(
        "ring_bytes",
        Kind::PowerOfTwo { min: 64 * KIB, max: GIB },
        Some("1MiB"),
        "The ring of one thread, bytes; a power of two.",
    ),
    key(
        "ring_total_bytes",
        size(64 * KIB, 64 * GIB),
        Some("32MiB"),
        "All rings of a process, bytes; beyond it threads share one.",
    ),
    key(
        "on_full",
        Kind::Choice(&["wait", "drop"]),
        Some("wait"),
        "When a ring is full: wait up to full_timeout_ms, or drop at once; drops are counted.",
    ),
    key(
        "full_timeout_ms",
        millis(0, 600 * SECOND),
        Some("100"),
        "The longest wait for a full ring, milliseconds.",
    ),
    key(
        "max_record_bytes",
        size(KIB, 16 * MIB),
        Some("256KiB"),
        "The longest line, bytes; longer records lose tags, then message. At most a quarter of ring_bytes and of jsonl.log_rotate_bytes.",
    ),
    key(
        "sync",
        Kind::Choice(&["interval", "always"]),
        Some("interval"),
        "When lines are forced to the disk: each sync_interval_ms; or always, where flush waits for the disk.",
    ),
    key(
        "sync_interval_ms",
        millis(100, HOUR),
        Some("5000"),
        "How often lines are forced to the disk, milliseconds; also at rotation and at the end.",
    ),
    key(
        "retention_over_delivery",
        Kind::Boolean,
        Some("false"),
        "Let retention delete rotated files that Loki (when enabled) has not acknowledged.",
    ),
    key(
        "plugins_dir",
        Kind::Path,
        Some("plugins"),
        "The folder of your own plugins for Grafana, beside those that come with lb.",
    ),
    key(
        "plugins",
        Kind::Blocks,
        None,
        "Settings of plugins, a block for each: [plugins.NAME]; `lb plugins list -v` tells them.",
    ),
    key(
        "jsonl.log_path",
        Kind::Path,
        Some("{output_dir}/{run_id}/logs/{component}-{host}.jsonl"),
        "The log file; placeholders {output_dir} {run_id} {component} {host} {pid}.",
    ),
    key(
        "jsonl.log_rotate_bytes",
        Kind::Size { min: 4 * KIB, max: u64::MAX >> 1, off: true },
        Some("off"),
        "Rotate before the file would grow beyond this, bytes; off: never.",
    ),
    key(
        "jsonl.log_rotate_seconds",
        Kind::Duration { min_ms: SECOND, max_ms: 24 * 366 * HOUR, off: true, unit: Unit::Seconds },
        Some("off"),
        "Rotate when the file is older than this, seconds; off: never.",
    ),
    key(
        "jsonl.log_backups",
        integer(0, 1_000_000),
        None,
        "How many rotated files are kept, the newest; all unless set. 0: the log is never rotated.",
    ),
    // k6
    key(
        "k6.samples",
        Kind::Choice(&["compact", "raw", "summary", "none"]),
        Some("compact"),
        "One record per request, iteration and check; one per sample; summaries only; none.",
    ),
    key("k6.metrics_allow", Kind::List, Some(""), "Only these metrics; all when empty."),
    key("k6.metrics_deny", Kind::List, Some(""), "Not these metrics."),
    key(
        "k6.summary_interval",
        duration(100, 24 * HOUR),
        Some("10s"),
        "How often metric_summary records are written.",
    ),
    key(
        "k6.summary_max_series",
        integer(1, 1_000_000),
        Some("2000"),
        "Most series that are summarised; beyond it the rest is counted.",
    ),
    key(
        "k6.vu_iter",
        Kind::Boolean,
        Some("false"),
        "Add VU and iteration to every sample (for all outputs of the test).",
    ),
    key(
        "k6.flush_interval",
        duration(1, 60 * SECOND),
        Some("200ms"),
        "How often samples are handed to the core.",
    ),
    key(
        "k6.buffer_samples",
        integer(1, 1_000_000_000),
        Some("1000000"),
        "Most samples that wait for the next flush; beyond it they are dropped and counted.",
    ),
    key(
        "k6.stop_timeout",
        duration(0, HOUR),
        Some("5s"),
        "The longest wait at the end of the test.",
    ),
    // Loki
    key("loki.enabled", Kind::Boolean, Some("false"), "Push to Loki."),
    key("loki.endpoint", Kind::Url, None, "Loki's URL; without a path, /loki/api/v1/push."),
    key("loki.labels", Kind::Labels, Some(""), "Static labels of every stream, name=value."),
    key("loki.min_level", Kind::Level, Some("INFO"), "The lowest level that is pushed."),
    key(
        "loki.encoding",
        Kind::Choice(&["protobuf", "json"]),
        Some("protobuf"),
        "How a push is written: protobuf with snappy, or JSON with gzip.",
    ),
    key(
        "loki.batch_size",
        integer(1, 1_000_000),
        None,
        "Most lines in a push; its bytes are the limit unless set.",
    ),
    key(
        "loki.flush_interval_ms",
        millis(1, HOUR),
        Some("1000"),
        "The longest wait before a push, milliseconds.",
    ),
    key(
        "loki.timeout_seconds",
        Kind::Number { min: 0.001, max: 3600.0 },
        Some("5"),
        "The time-out of a push, seconds.",
    ),
    key(
        "loki.max_retries",
        integer(0, 1_000_000),
        None,
        "After so many failures in a row it is said once, and tried only every 30 s.",
    ),
    key(
        "loki.max_queue_size",
        integer(1, i64::MAX as u64),
        None,
        "Accepted for existing configurations, without effect: the file is the queue.",
    ),
    key(
        "loki.backoff_base",
        Kind::Number { min: 0.0, max: 3600.0 },
        Some("0.5"),
        "The pause after the first failure, seconds.",
    ),
    key(
        "loki.backoff_factor",
        Kind::Number { min: 1.0, max: 1000.0 },
        Some("2"),
        "What the pause is multiplied with at each failure.",
    ),
    tenant("loki.tenant"),
    username("loki.username"),
    password("loki.password"),
    secret_file("loki.password_file", PASSWORD_FILE),
    token("loki.bearer_token", BEARER_TOKEN),
    secret_file("loki.bearer_token_file", BEARER_TOKEN_FILE),
    headers("loki.headers"),
    ca_file("loki.ca_file"),
    cert_file("loki.cert_file"),
    key_file("loki.key_file"),
    insecure_skip_verify("loki.insecure_skip_verify"),
    key(
        "grafana.enabled",
        Kind::Boolean,
        Some("true"),
        "Provision Grafana; false: leave it alone.",
    ),
    key("grafana.url", Kind::Url, None, "Grafana's URL."),
    key(
        "grafana.timeout_seconds",
        Kind::Number { min: 0.001, max: 3600.0 },
        Some("15"),
        "The time-out of a call of Grafana, seconds.",
    ),
    token("grafana.api_key", "The token of a service account."),
    secret_file("grafana.api_key_file", "A file with the token, instead of api_key."),
    key(
        "grafana.org_id",
        integer(1, i64::MAX as u64),
        None,
        "Grafana's organisation; that of the token or user unless set.",
    ),
    username("grafana.username"),
    password("grafana.password"),
    secret_file("grafana.password_file", PASSWORD_FILE),
    headers("grafana.headers"),
    ca_file("grafana.ca_file"),
    cert_file("grafana.cert_file"),
    key_file("grafana.key_file"),
    insecure_skip_verify("grafana.insecure_skip_verify"),
    key("prometheus.url", Kind::Url, None, "Prometheus' URL, as Grafana reaches it."),
    tenant("prometheus.tenant"),
    username("prometheus.username"),
    password("prometheus.password"),
    secret_file("prometheus.password_file", PASSWORD_FILE),
    token("prometheus.bearer_token", BEARER_TOKEN),
    secret_file("prometheus.bearer_token_file", BEARER_TOKEN_FILE),
    headers("prometheus.headers"),
    ca_file("prometheus.ca_file"),
    cert_file("prometheus.cert_file"),
    key_file("prometheus.key_file"),
    insecure_skip_verify("prometheus.insecure_skip_verify"),
    later("log.level", Kind::Level, None, "The level of Python's loggers, never that of the file."),
    later("log.json", Kind::Boolean, None, "JSON on the console."),
    later("log.file", Kind::Path, None, "A copy of the console."),
    key(
        "collect.ssh",
        Kind::Name,
        Some("ssh"),
        "The command that reaches hosts, as a shell reads it: ssh -F FILE, for instance.",
    ),
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn names_and_variables_are_unique_and_the_existing_ones_are_there() {
        let mut variables: Vec<_> = KEYS.iter().map(Key::variable).collect();
        for name in "LB_LOKI_ENABLED LB_LOKI_ENDPOINT LB_LOKI_LABELS LB_LOKI_BATCH_SIZE \
            LB_LOKI_FLUSH_INTERVAL_MS LB_LOKI_TIMEOUT_SECONDS LB_LOKI_MAX_RETRIES \
            LB_LOKI_MAX_QUEUE_SIZE LB_LOKI_BACKOFF_BASE LB_LOKI_BACKOFF_FACTOR LB_JSONL_LOG_PATH \
            LB_JSONL_LOG_ROTATE_BYTES LB_JSONL_LOG_BACKUPS LB_LOG_LEVEL LB_LOG_JSON LB_LOG_FILE \
            LB_GRAFANA_ENABLED LB_GRAFANA_URL LB_GRAFANA_API_KEY LB_GRAFANA_ORG_ID \
            LB_PROMETHEUS_URL LB_RUN_ID LB_COMPONENT LB_HOST LB_WORKLOAD LB_REPETITION \
            LB_SCENARIO LB_PHASE LB_OUTPUT_DIR LB_SYNC LB_SYNC_INTERVAL_MS \
            LB_RETENTION_OVER_DELIVERY LB_PLUGINS_DIR LB_LOKI_MIN_LEVEL LB_LOKI_ENCODING \
            LB_LOKI_TENANT LB_PROMETHEUS_TENANT LB_GRAFANA_API_KEY_FILE"
            .split_whitespace()
        {
            assert!(variables.iter().any(|known| known == name), "{name}");
        }
        for block in ["LOKI", "GRAFANA", "PROMETHEUS"] {
            for name in "USERNAME PASSWORD PASSWORD_FILE HEADERS CA_FILE CERT_FILE KEY_FILE \
                INSECURE_SKIP_VERIFY"
                .split_whitespace()
            {
                let variable = format!("LB_{block}_{name}");
                assert!(variables.contains(&variable), "{variable}");
            }
        }
        variables.sort_unstable();
        variables.dedup();
        assert_eq!(variables.len(), KEYS.len());
    }

    #[test]
    fn defaults_are_values() {
        for key in KEYS {
            if let Some(default) = key.default {
                key.kind.parse(default).unwrap_or_else(|e| panic!("{}: {e}", key.name));
            }
            assert!(!key.doc.is_empty() && find(key.name).is_some() && !is_block(key.name));
        }
        let in_blocks: Vec<_> = BLOCKS.iter().flat_map(Block::keys).map(|key| key.name).collect();
        assert_eq!(in_blocks, KEYS.iter().map(|key| key.name).collect::<Vec<_>>());
        assert!(is_block("jsonl") && is_block("k6") && !is_block("k") && !is_block("host"));
    }
}
