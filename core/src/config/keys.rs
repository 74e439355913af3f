//! The one table of configuration keys. Names in the environment, defaults, checks, `lb config`
//! and the reference page all derive from it.

pub use super::key::{Effect, Key, find, is_block};
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
    later(
        "jsonl.log_backups",
        integer(0, 1_000_000),
        None,
        "How many rotated files are kept; all unless set.",
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
    // What exists already and gets its effect later
    later("loki.enabled", Kind::Boolean, Some("false"), "Push to Loki."),
    later("loki.endpoint", Kind::Url, None, "Loki's URL; without a path, /loki/api/v1/push."),
    later("loki.labels", Kind::Labels, Some(""), "Static labels, name=value."),
    later("loki.batch_size", integer(1, 1_000_000), None, "Most lines in a push."),
    later(
        "loki.flush_interval_ms",
        millis(1, HOUR),
        None,
        "The longest wait before a push, milliseconds.",
    ),
    later(
        "loki.timeout_seconds",
        Kind::Number { min: 0.001, max: 3600.0 },
        None,
        "The time-out of a push, seconds.",
    ),
    later(
        "loki.max_retries",
        integer(0, 1_000_000),
        None,
        "After so many failures in a row only every 30 s.",
    ),
    later(
        "loki.max_queue_size",
        integer(1, i64::MAX as u64),
        None,
        "Without effect: the file is the queue.",
    ),
    later(
        "loki.backoff_base",
        Kind::Number { min: 0.0, max: 3600.0 },
        None,
        "The first pause after a failure, seconds.",
    ),
    later(
        "loki.backoff_factor",
        Kind::Number { min: 1.0, max: 1000.0 },
        None,
        "What the pause is multiplied with.",
    ),
    later("grafana.enabled", Kind::Boolean, Some("false"), "Use Grafana."),
    later("grafana.url", Kind::Url, None, "Grafana's URL."),
    later("grafana.api_key", Kind::Secret, None, "The token of a service account."),
    later("grafana.org_id", integer(1, i64::MAX as u64), None, "Grafana's organisation."),
    later("prometheus.url", Kind::Url, None, "Prometheus' URL."),
    later("log.level", Kind::Level, None, "The level of Python's loggers, never that of the file."),
    later("log.json", Kind::Boolean, None, "JSON on the console."),
    later("log.file", Kind::Path, None, "A copy of the console."),
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
            LB_SCENARIO LB_PHASE LB_OUTPUT_DIR"
            .split_whitespace()
        {
            assert!(variables.iter().any(|known| known == name), "{name}");
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
        assert!(is_block("jsonl") && is_block("k6") && !is_block("k") && !is_block("host"));
    }
}
