/*
 * lb_log.h: the C ABI of lb-log.
 *
 * A logger writes records to a local JSONL file, one line each, in the schema of
 * schema/record.schema.json. A call copies its record into a ring in memory that outlives the
 * process; a thread of the library writes it to the file within about 5 milliseconds. A record is
 * accepted when the call returns LB_OK: from then on it survives a crash of the process (not of
 * the machine), because whoever opens the log next moves it into the file, as does `lb drain`.
 *
 *     lb_logger *logger = NULL;
 *     lb_error *error = NULL;
 *     const char config[] = "{\"component\": \"generator\", \"run_id\": \"run-1\"}";
 *     if (lb_logger_open(config, sizeof config - 1, &logger, &error) != LB_OK) {
 *         lb_str text = lb_error_message(error);
 *         fprintf(stderr, "%.*s\n", (int)text.len, text.data);
 *         lb_error_free(error);
 *         return 2;
 *     }
 *     lb_record record = {0};
 *     record.struct_size = sizeof record;
 *     record.level = LB_LEVEL_INFO;
 *     record.message.data = "ready";
 *     record.message.len = 5;
 *     lb_logger_log(logger, &record, NULL);
 *     lb_logger_close(logger, 5000, NULL);
 *     lb_logger_free(logger);
 *
 * Status. Functions that can fail return an int32_t: LB_OK (0) or an LB_ERR_ number; numbers are
 * never reused. The last argument of each is an lb_error** that may be NULL; where it is not, a
 * failure stores an error object there, which the caller frees with lb_error_free; it is not
 * touched on success. Out-arguments are written on success only. There is no errno and no
 * thread-local last error.
 *
 * Strings are pointer and length, never NUL-terminated, any bytes (lb_str). A NULL pointer with
 * length 0 is an empty string.
 *
 * Ownership. Everything passed in is borrowed for the call. What the library hands out is freed by
 * the library: loggers by lb_logger_free, errors by lb_error_free; an lb_str that is returned
 * belongs to the object that it was asked of.
 *
 * Thread safety. Everything but the two free functions may be called from any thread at once.
 * A free function must be the last call on its object. A call from a signal handler that has
 * interrupted a call on the same thread is refused (LB_ERR_NESTED) and counted.
 *
 * Fork. A forked child may go on with the loggers of its parent: its first call opens the log
 * anew, with rings, a thread and counters of its own, and what the parent has in its rings stays
 * the parent's. A child that never calls costs nothing, and may end by _exit.
 *
 * Panics never cross this boundary: a bug in the library is LB_ERR_PANIC with its text.
 */

#ifndef LB_LOG_H
#define LB_LOG_H

/* Generated from ffi/src by `cargo run -p xtask -- header`. Do not edit. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Raised when a program that was compiled against an older header would break.
#define LB_ABI_VERSION 1

// Level TRACE.
#define LB_LEVEL_TRACE 1

// Level DEBUG.
#define LB_LEVEL_DEBUG 2

// Level INFO.
#define LB_LEVEL_INFO 3

// Level WARNING.
#define LB_LEVEL_WARNING 4

// Level ERROR.
#define LB_LEVEL_ERROR 5

// Level CRITICAL.
#define LB_LEVEL_CRITICAL 6

// The value is `value.string`: any bytes; invalid UTF-8 becomes U+FFFD.
#define LB_TAG_STRING 1

// The value is `value.integer`.
#define LB_TAG_INTEGER 2

// The value is `value.unsigned_integer`.
#define LB_TAG_UNSIGNED 3

// The value is `value.number`; NaN and infinities become null and are counted.
#define LB_TAG_NUMBER 4

// The value is `value.boolean`.
#define LB_TAG_BOOLEAN 5

// The value is null; `value` is not read.
#define LB_TAG_NULL 6

// The context of the logger itself: its configuration.
#define LB_CONTEXT_DEFAULT 0

// No context: a record with it is always rejected and counted. For callers who find that a
// record's own identity is impossible.
#define LB_CONTEXT_INVALID 4294967295

// Done.
#define LB_OK 0

// An argument that must not be passed: a NULL handle or pointer, a wrong struct_size, a batch
// that cannot be read.
#define LB_ERR_ARGUMENT 1

// The configuration was refused; the message lists every mistake, one a line.
#define LB_ERR_CONFIG 2

// A file or folder cannot be used; the message names it and what to do.
#define LB_ERR_IO 3

// The record was refused, and counted as rejected.
#define LB_ERR_REJECTED 4

// The ring was full: the record was dropped, and counted as dropped.
#define LB_ERR_DROPPED 5

// The logger was closed.
#define LB_ERR_CLOSED 6

// Flush or close was not finished within its time.
#define LB_ERR_TIMEOUT 7

// A call inside a call on one thread (a signal handler); counted as rejected.
#define LB_ERR_NESTED 8

// A bound of the library was reached (too many contexts).
#define LB_ERR_LIMIT 10

// A bug in the library; the message has the panic's text.
#define LB_ERR_PANIC 11

// Why a call failed. Made by the library, freed by the caller with lb_error_free.
typedef struct lb_error lb_error;

// An open logger.
typedef struct lb_logger lb_logger;

// A string: `len` bytes at `data`, any bytes, no NUL needed. NULL with length 0 is empty.
typedef struct lb_str {
  // First byte.
  const char *data;
  // Number of bytes.
  size_t len;
} lb_str;

// The value of a tag; `type` of the tag says which member counts.
typedef union lb_tag_value {
  // LB_TAG_STRING.
  struct lb_str string;
  // LB_TAG_INTEGER.
  int64_t integer;
  // LB_TAG_UNSIGNED.
  uint64_t unsigned_integer;
  // LB_TAG_NUMBER.
  double number;
  // LB_TAG_BOOLEAN.
  bool boolean;
} lb_tag_value;

// A name and a value. Of equal names in a record the last wins.
typedef struct lb_tag {
  // Any bytes, at most 16777215.
  struct lb_str key;
  // LB_TAG_STRING, LB_TAG_INTEGER, …
  int32_t type;
  // The value.
  union lb_tag_value value;
} lb_tag;

// One record. Set it to zero, then fill in what it has.
typedef struct lb_record {
  // sizeof(lb_record), so that the structure may grow.
  size_t struct_size;
  // From lb_logger_context; 0 for the logger's own.
  uint32_t context;
  // LB_LEVEL_TRACE … LB_LEVEL_CRITICAL.
  int32_t level;
  // Nanoseconds since 1970, UTC; 0 for now.
  int64_t timestamp_ns;
  // The text: any bytes.
  struct lb_str message;
  // `tag_count` tags; may be NULL when that is 0.
  const struct lb_tag *tags;
  // Number of tags.
  size_t tag_count;
} lb_record;

// What became of the entries of a batch.
typedef struct lb_batch_result {
  // sizeof(lb_batch_result).
  size_t struct_size;
  // Entries that will be in the file.
  uint64_t accepted;
  // Entries that found their ring full.
  uint64_t dropped;
  // Entries that were refused.
  uint64_t rejected;
} lb_batch_result;

// One consistent snapshot of the process's records for this log:
// offered = written + queued + dropped + rejected, always.
typedef struct lb_stats {
  // sizeof(lb_stats): set by the caller; no more than that is written.
  size_t struct_size;
  // Calls with a record at or above min_level.
  uint64_t offered;
  // Records whose lines are in the file.
  uint64_t written;
  // Records that are in rings, on their way.
  uint64_t queued;
  // Records that found their ring full.
  uint64_t dropped;
  // Records that were refused.
  uint64_t rejected;
  // Written records that were cut to max_record_bytes.
  uint64_t truncated;
  // Tag values NaN or infinite, written as null.
  uint64_t nonfinite;
  // Pushes through the ring that threads share when there are more threads than rings.
  uint64_t shared;
  // Records of dead processes that were moved into the file.
  uint64_t recovered;
  // Records lost in damaged rings.
  uint64_t damaged;
  // Appends that failed.
  uint64_t write_errors;
  // Rotations by this process.
  uint64_t rotations;
  // Committed bytes of the current file.
  uint64_t file_bytes;
  // LB_RINGS_SHM, LB_RINGS_LOG or LB_RINGS_MEMORY.
  int32_t rings_in;
  // 1 where the log is pushed to Loki, else 0, and all that follows is 0. What follows is in
  // lines, of all processes that write to the log:
  // loki_lines = loki_acknowledged + loki_below_level + loki_pending + loki_quarantined, always.
  int32_t loki_enabled;
  // Lines of the log.
  uint64_t loki_lines;
  // Lines that Loki has.
  uint64_t loki_acknowledged;
  // Lines below loki.min_level.
  uint64_t loki_below_level;
  // Lines that are still to be pushed.
  uint64_t loki_pending;
  // The pending lines that Loki refuses for now.
  uint64_t loki_parked;
  // Lines that Loki will never take.
  uint64_t loki_quarantined;
  // Lines that were pushed again without knowing whether Loki had them.
  uint64_t loki_replayed;
  // Lines that were pending in files that somebody deleted.
  uint64_t loki_missing;
} lb_stats;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// The status number of an error: the same that the call returned. LB_ERR_ARGUMENT for NULL.
int32_t lb_error_code(const struct lb_error *error);

// What went wrong and what to do, as UTF-8, possibly several lines. Belongs to the error.
// Empty for NULL.
struct lb_str lb_error_message(const struct lb_error *error);

// Frees an error. NULL is ignored.
void lb_error_free(struct lb_error *error);

// The version of the library, such as "0.1.0": NUL-terminated, never freed.
const char *lb_version(void);

// The ABI of the library that runs; compare it with LB_ABI_VERSION of the header.
uint32_t lb_abi_version(void);

// Opens a logger and stores it in `*out`.
//
// `config` is a JSON object of `config_len` bytes (NULL with 0 for none) with the keys of the
// configuration page: "component", "host", "run_id", "workload", "repetition", "output_dir", … They
// win over LB_* variables, which win over the configuration file, which wins over the defaults.
// "config" names the file; "layers" adds sources of one's own.
//
// Makes the folders and the file, moves into it what dead processes have left in their rings, and
// starts a thread, with all signals blocked. Fails with LB_ERR_CONFIG and every mistake in the
// message, or with LB_ERR_IO. Takes about a millisecond.
int32_t lb_logger_open(const char *config,
                       size_t config_len,
                       struct lb_logger **out,
                       struct lb_error **error);

// The configuration that counts, as JSON: {"path": the log file, "values": {key: {"value": …,
// "source": …}, …}, "warnings": [text, …]}; secrets are hidden. Belongs to the logger. Empty for
// NULL.
struct lb_str lb_logger_config(const struct lb_logger *logger);

// Stores in `*out` the id of a context: the constant fields of many records, encoded once.
//
// `json` is an object with any of component, host, run_id, logger, event_type, workload,
// repetition, scenario, package, plugin and tags (an object). What is missing is as in the
// logger's configuration; null takes scenario, package or plugin away; tags are added. Equal
// contexts have equal ids, valid as long as the logger. At most 65536 (LB_ERR_LIMIT); put what
// varies more into tags. Fails with LB_ERR_REJECTED for what the schema does not allow, such as
// repetition 0; records of such an identity can be offered with LB_CONTEXT_INVALID, which counts
// them.
int32_t lb_logger_context(const struct lb_logger *logger,
                          const char *json,
                          size_t json_len,
                          uint32_t *out,
                          struct lb_error **error);

// Logs one record. LB_OK means accepted (or below min_level).
//
// In the steady state it allocates nothing, takes no lock and makes no system call. When the
// thread's ring is full it waits up to full_timeout_ms for the writer, unless on_full is "drop";
// then LB_ERR_DROPPED. A record larger than max_record_bytes loses tags from the last and then has
// its message cut; the tag truncated_bytes says by how much. LB_ERR_REJECTED and LB_ERR_ARGUMENT
// are counted as rejected.
int32_t lb_logger_log(const struct lb_logger *logger,
                      const struct lb_record *record,
                      struct lb_error **error);

// Logs many records in one call, in order: for languages in which a call is dear.
//
// A batch is entries back to back, little-endian, unaligned:
//
//     u32 size           bytes of the whole entry, this number included
//     u32 context        from lb_logger_context, 0 for the logger's own
//     i64 timestamp_ns   nanoseconds since 1970, 0 for now
//     u32 message_len
//     u8  level          LB_LEVEL_…
//     u8  zero[3]
//     message, message_len bytes
//     tags until the size is used up, each
//         u32 head       type LB_TAG_… | key length << 8
//         key
//         value          STRING u32 length and bytes; INTEGER i64; UNSIGNED u64; NUMBER f64
//                        (IEEE 754); BOOLEAN u8; NULL nothing
//
// An entry that cannot be understood is rejected and counted; its neighbours are not touched. A
// size that leads out of the batch ends it: LB_ERR_ARGUMENT, the entries before it are accepted.
// LB_OK when all were accepted, else the first LB_ERR_DROPPED or LB_ERR_REJECTED. The counts are
// stored in `*result` in every case, where it is not NULL.
int32_t lb_logger_push_batch(const struct lb_logger *logger,
                             const uint8_t *batch,
                             size_t batch_len,
                             struct lb_batch_result *result,
                             struct lb_error **error);

// Waits until every record that was accepted before the call is in the file (in the kernel), at
// most `timeout_ms` milliseconds; then LB_ERR_TIMEOUT.
int32_t lb_logger_flush(const struct lb_logger *logger,
                        uint32_t timeout_ms,
                        struct lb_error **error);

// Stores the accounting in `*out`, whose struct_size must be set. Also after close.
int32_t lb_logger_stats(const struct lb_logger *logger,
                        struct lb_stats *out,
                        struct lb_error **error);

// Refuses further records (LB_ERR_CLOSED), waits until the accepted ones are in the file, and
// ends the thread; at most `deadline_ms` milliseconds. LB_ERR_TIMEOUT: unfinished; what is left
// stays in the rings for the next program that opens the log, or for `lb drain`. Closing again
// is allowed.
int32_t lb_logger_close(const struct lb_logger *logger,
                        uint32_t deadline_ms,
                        struct lb_error **error);

// Frees a logger; one that was not closed is closed first, with 5 seconds. NULL is ignored.
void lb_logger_free(struct lb_logger *logger);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* LB_LOG_H */
