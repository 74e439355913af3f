/*
 * lb_log.h: the C ABI of lb-log.
 *
 * OVERVIEW
 *
 * A logger writes records to a local JSONL file, one line each, in the schema of
 * schema/record.schema.json. A call copies its record into a ring in memory that outlives the
 * process; a thread of the library writes it to the file within about 5 milliseconds. A record is
 * accepted when the call returns LB_OK: from then on it survives a crash of the process.
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
 * Whole programs are in ffi/examples: quickstart, errors, threads, fork, crash, embed, collect. They
 * are C99 and C++17. Compile and link with `pkg-config --cflags --libs lb_log` (and --static).
 *
 * STATUS
 *
 * A function that can fail returns an int32_t: LB_OK (0) or an LB_ERR_ number. Numbers are never
 * reused; 9 is retired. Its last argument is an lb_error** that may be NULL. Where it is not, a
 * failure stores an error object there, with the number and a text that says what to do; the
 * caller frees it with lb_error_free. On success it is not touched, and on failure the other
 * out-arguments are not, unless the function says otherwise. There is no errno and no thread-local
 * last error. A NULL handle is refused with LB_ERR_ARGUMENT. Panics do not cross this boundary: a
 * bug in the library is LB_ERR_PANIC with its text.
 *
 * STRINGS
 *
 * A string is pointer and length (lb_str), never NUL-terminated, of any bytes: what is not UTF-8
 * is replaced by U+FFFD in the file, and control characters are escaped. NULL with length 0 is an
 * empty string; NULL with another length is refused. What the library hands out is UTF-8.
 *
 * OWNERSHIP
 *
 * What is passed in is borrowed for the call. What the library hands out the library frees:
 * loggers by lb_logger_free, errors by lb_error_free, reports by lb_report_free. An lb_str that is
 * returned belongs to the object that it was asked of. Everything that a logger had is freed with
 * it.
 *
 * THREADS
 *
 * Everything but the three free functions may be called from any thread at once; a free function
 * must be the last call on its object. Each thread's records keep their order; the order between
 * threads is that of their times, roughly. A thread that is ending may log, from its destructors
 * too. Copies of the library in one process (a program that is linked with it and embeds a Python
 * that loads its own) know nothing of each other and need not.
 *
 * WAITING
 *
 * lb_logger_log and lb_logger_push_batch wait for nothing but room in the thread's ring, at most
 * full_timeout_ms (100) a record, and not at all with the configuration on_full = "drop". Once that
 * was in vain, records are dropped at once until the writer gets on. A slow disk, fsync and the
 * network are never waited for. lb_logger_flush and lb_logger_close wait as long as they are told
 * to, lb_logger_open for the file system, and lb_collect for all its sources. The others do not
 * wait.
 *
 * SIGNAL HANDLERS
 *
 * A handler may call lb_logger_log, with NULL for the error and a valid record that is not longer
 * than max_record_bytes, if its thread has logged with that logger before: a thread's first call
 * allocates. Where it has interrupted a call that puts a record into the ring, it is refused with
 * LB_ERR_NESTED and counted as rejected. The library's own threads block all signals; it installs
 * no handler.
 *
 * FORKS
 *
 * A forked child may go on with the loggers of its parent: its first record opens the log anew,
 * with rings, threads, and counters from 0, and the contexts that were made before the fork keep
 * their ids. What the parent has in its rings stays the parent's, and it gives up, without freeing
 * it, its copy of the parent's memory. A child that never logs costs nothing, and may end by _exit.
 *
 * CRASHES
 *
 * A program has nothing to do. When its process dies, even by SIGKILL, what its calls had accepted
 * is moved into the file by whoever opens the log next, by a process that has it open (within a
 * second), or by `lb drain` or `lb status`: in each thread's order, each record once. Where rings
 * are in plain memory only (rings_in of lb_stats says so) they die with the process.
 *
 * A process may also end without lb_logger_close, or log on in atexit handlers, in destructors,
 * and in threads that are still running when main has returned: the same holds.
 *
 * To survive a crash of the machine a line must be on the disk. A thread of the library forces
 * lines there within 5 seconds (sync_interval_ms), when a file is rotated, and at the end; with the
 * configuration "sync": "always" a flush returns when they are there. A disk that has refused lines
 * is never believed for the same ones later: they count as lost if the machine crashes
 * (sync_errors of lb_stats, and a record of event type log_unsynced).
 *
 * LIMITS
 *
 * A line has at most max_record_bytes (256 KiB). A longer record is never refused: it loses tags
 * from the last, then its message is cut, and the tag truncated_bytes says by how much. Names such
 * as component and run_id have 1 to 1024 bytes, contexts 16 KiB of JSON, a tag's key 16 MiB. A
 * logger has 65536 contexts. Rings take ring_bytes (1 MiB) a thread and ring_total_bytes (32 MiB) a
 * logger; threads beyond that share one, which is slower.
 *
 * FILES
 *
 * The log is {output_dir}/{run_id}/logs/{component}-{host}.jsonl unless jsonl.log_path says
 * otherwise; `path` of lb_logger_config names it. Beside it are .{component}-{host}.lock, which
 * stays, a note (.rings) for each process that has it open, and rotated segments
 * {component}-{host}.000001.jsonl and so on. Any number of loggers, threads and processes may have
 * one log open; one that cannot have its lock, or cannot trust it (NFS, CIFS, 9p, FUSE), writes
 * {component}-{host}~{8 hex digits}.jsonl instead (apart of lb_stats). Only the logs and their
 * segments are for readers.
 *
 * GROWTH
 *
 * Structures whose first member is struct_size may grow at their end: set it to sizeof, and set
 * what you do not fill in to zero. An older program runs with a newer library. When that ends,
 * LB_ABI_VERSION and the SONAME are raised.
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

// The value is `value.string`: any bytes.
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

// The rings are in /dev/shm: they survive the process.
#define LB_RINGS_SHM 1

// The rings are in a file beside the log: they survive the process.
#define LB_RINGS_LOG 2

// The rings are in plain memory: what was not written yet dies with the process.
#define LB_RINGS_MEMORY 3

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

// What came of a collection. Made by lb_collect, freed by the caller with lb_report_free.
typedef struct lb_report lb_report;

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

// One record, borrowed for the call. Set it to zero, then fill in what it has.
typedef struct lb_record {
  // sizeof(lb_record), so that the structure may grow.
  size_t struct_size;
  // From lb_logger_context; 0 for the logger's own.
  uint32_t context;
  // LB_LEVEL_TRACE … LB_LEVEL_CRITICAL.
  int32_t level;
  // Nanoseconds since 1970, UTC, which are left as they are; 0 for now. Two records of a thread
  // that come without a time never have the same.
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
  // sizeof(lb_batch_result): set by the caller; no more than that is written.
  size_t struct_size;
  // Entries that were accepted, or are below min_level.
  uint64_t accepted;
  // Entries that found their ring full.
  uint64_t dropped;
  // Entries that were refused.
  uint64_t rejected;
} lb_batch_result;

// One consistent snapshot of this process's records through one logger, from 0 at open or fork:
// offered = written + queued + dropped + rejected, at any moment and whatever other threads do.
// Counts never go back, and a call that has returned is counted. What is recovered for dead
// processes stands apart.
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
  // Records that were refused: invalid, or a call inside a call.
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
  // Bytes of the current file, whoever wrote them, after this process's last append.
  uint64_t file_bytes;
  // LB_RINGS_SHM, LB_RINGS_LOG or LB_RINGS_MEMORY.
  int32_t rings_in;
  // 1: the log is a file of this process's own, beside the one that was asked for, because the
  // lock of that cannot be had or, on a network's file system, not be trusted; else 0.
  int32_t apart;
  // How often a file was forced to the disk.
  uint64_t syncs;
  // How often that failed: what was written before may be lost if the machine crashes.
  uint64_t sync_errors;
  // Rotated files that this process has deleted, being more than are to be kept.
  uint64_t segments_deleted;
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

// Collects the logs of a run, as `lb collect` does, and stores in `*out` what came of it.
//
// `request` is a JSON object of `request_len` bytes: "run_id", and "from", a list of output folders:
// paths, or "host:folder", "user@host:folder" as with scp. Optional: "output_dir" (where the run's folder is),
// "config" (a file), "ssh" (the command that reaches hosts), "timeout_s" (how long a host may be
// silent; 60), "jobs" (sources at once; 8), "gzip" (true), "gzip_level" (1 to 9; 6),
// "remove_source" (false), "dry_run" (false).
//
// LB_OK says that there is a report, not that everything was had: "ok" in it does. A source that
// fails stops no other. LB_ERR_CONFIG or LB_ERR_ARGUMENT for a request that cannot be understood,
// LB_ERR_IO where the run's folder cannot be used, LB_ERR_TIMEOUT while another collection of this
// run is at work; `*out` is then not touched.
//
// Waits until all is done, which may take long. Starts programs (ssh) and threads, which have
// ended when it returns. From any thread at once.
int32_t lb_collect(const char *request,
                   size_t request_len,
                   struct lb_report **out,
                   struct lb_error **error);

// The report as JSON: {"ok": whether all was had, "run_id", "folder", "manifest": its path, "files":
// [{"outcome": "collected", "unchanged" or "to_collect", "path", "source", "size", "lines",
// "sha256", "first_timestamp", "last_timestamp", …}, …], "failed": [{"source", "why"}, …],
// "remarks": the same, "removed": [source, …]}. Belongs to the report: it is valid until
// lb_report_free. Empty for NULL. From any thread; never waits.
struct lb_str lb_report_json(const struct lb_report *report);

// Frees a report and its text; the last call on it. NULL is ignored.
void lb_report_free(struct lb_report *report);

// The status number of an error: the same that the call returned. LB_ERR_ARGUMENT for NULL.
// From any thread; never waits.
int32_t lb_error_code(const struct lb_error *error);

// What went wrong and what to do, as UTF-8, possibly several lines. Belongs to the error: it is
// valid until lb_error_free. Empty for NULL. From any thread; never waits.
struct lb_str lb_error_message(const struct lb_error *error);

// Frees an error and its message; the last call on it. NULL is ignored.
void lb_error_free(struct lb_error *error);

// The version of the library, such as "0.1.0": NUL-terminated, the only such string; never freed.
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
// starts two threads, with all signals blocked: one that writes, and one that forces what was
// written to the disk. Takes about a millisecond, and where there is much to move as long as that
// is to write. The environment is read here and nowhere else, and never set.
//
// LB_ERR_CONFIG with every mistake in the message, LB_ERR_IO with the file or folder, or
// LB_ERR_ARGUMENT; `*out` is then not touched. The caller frees the logger with lb_logger_free.
// From any thread at once.
int32_t lb_logger_open(const char *config,
                       size_t config_len,
                       struct lb_logger **out,
                       struct lb_error **error);

// The configuration that counts, as JSON: {"path": the log file, "values": {key: {"value": …,
// "source": …}, …}, "warnings": [text, …]}; secrets are hidden. Belongs to the logger: it is
// valid until lb_logger_free, also after close. Empty for NULL. From any thread; never waits.
struct lb_str lb_logger_config(const struct lb_logger *logger);

// Stores in `*out` the id of a context: the constant fields of many records, encoded once.
//
// `json` is an object with any of component, host, run_id, logger, event_type, workload,
// repetition, scenario, package, plugin and tags (an object). What is missing is as in the
// logger's configuration; null takes scenario, package or plugin away; tags are added, a nested
// value as its JSON text. Equal contexts have equal ids, valid as long as the logger, in forked
// children too; they need not be freed. Make them once, not for each record: a call parses and
// allocates.
//
// LB_ERR_REJECTED with every reason for what the schema does not allow, such as repetition 0;
// records of such an identity can be offered with LB_CONTEXT_INVALID, which counts them.
// LB_ERR_LIMIT beyond 65536: put what varies so much into tags. From any thread at once; waits
// only for others that make one.
int32_t lb_logger_context(const struct lb_logger *logger,
                          const char *json,
                          size_t json_len,
                          uint32_t *out,
                          struct lb_error **error);

// Logs one record. LB_OK means accepted, or below min_level, which is not counted.
//
// In the steady state it allocates nothing, takes no lock and makes no system call: only at a
// thread's first record, when its ring passes half, while it is full, and for a record that must
// be cut.
//
// LB_ERR_DROPPED: the ring was full, for full_timeout_ms or with on_full = "drop" just now;
// counted as dropped. LB_ERR_ARGUMENT (a NULL record, a wrong struct_size, level or tag),
// LB_ERR_REJECTED (no such context) and LB_ERR_NESTED are counted as rejected. LB_ERR_CLOSED is
// not counted. In a forked child the first call can fail as lb_logger_open does. From any thread
// at once, and from signal handlers as their chapter says.
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
// Entries may have any alignment and repeat tags, as lb_record may. One that cannot be understood
// is rejected and counted; its neighbours are not touched. A size that leads out of the batch ends
// it: LB_ERR_ARGUMENT, the entries before it are accepted, what follows counts as one rejected.
// LB_OK when all were accepted, else the first LB_ERR_DROPPED or LB_ERR_REJECTED. LB_ERR_CLOSED
// ends the batch where it stands.
//
// `result` may be NULL; else its struct_size must be set, and the counts are stored there in every
// case but that of a wrong one, which is LB_ERR_ARGUMENT before anything is logged. Each record
// waits as in lb_logger_log. From any thread at once, not from signal handlers.
int32_t lb_logger_push_batch(const struct lb_logger *logger,
                             const uint8_t *batch,
                             size_t batch_len,
                             struct lb_batch_result *result,
                             struct lb_error **error);

// Waits until every record that was accepted before the call, from any thread, is in the file:
// handed to the kernel; with "sync": "always", on the disk, where one fdatasync serves all threads
// that wait. At most `timeout_ms` milliseconds, then LB_ERR_TIMEOUT with what is left and why;
// nothing is lost by it. 0 only asks. From any thread at once.
//
// LB_ERR_IO, only with "sync": "always": the disk has refused lines. It is never asked for the
// same ones again, because it might only seem to work. All calls that wait for these lines fail,
// and of lines that nobody waited for the next call; later lines are tried and reported on their
// own.
int32_t lb_logger_flush(const struct lb_logger *logger,
                        uint32_t timeout_ms,
                        struct lb_error **error);

// Stores the accounting in `*out`, whose struct_size must be set. Also after close. From any thread
// at once, at any moment; never waits.
int32_t lb_logger_stats(const struct lb_logger *logger,
                        struct lb_stats *out,
                        struct lb_error **error);

// Refuses further records (LB_ERR_CLOSED), waits until the accepted ones are in the file and
// forced to the disk, and ends the threads; at most `deadline_ms` milliseconds. LB_ERR_TIMEOUT:
// unfinished; what is not in the file stays in the rings for the next program that opens the log,
// or for `lb drain`. LB_ERR_IO: all is in the file, but the disk has refused lines that no call
// has told of yet. Closing again waits again for what was left. Afterwards the handle still
// answers every call, until it is freed. In a forked child it ends what the child has opened, and
// nothing of its parent's. From any thread at once.
int32_t lb_logger_close(const struct lb_logger *logger,
                        uint32_t deadline_ms,
                        struct lb_error **error);

// Frees a logger and all that belongs to it; the last call on it. One that was not closed is closed
// first, which takes at most 5 seconds. NULL is ignored.
void lb_logger_free(struct lb_logger *logger);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* LB_LOG_H */
