/* DRAFT written by hand so that callers can be built; the generated header replaces it with the same names. */
#ifndef LB_LOG_H
#define LB_LOG_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

#define LB_ABI_VERSION 1

/* status codes: int32_t, never reused */
#define LB_OK 0
#define LB_ERR_ARGUMENT 1 /* NULL handle or pointer, wrong struct_size, malformed batch */
#define LB_ERR_CONFIG 2   /* configuration refused; the message lists every mistake */
#define LB_ERR_IO 3       /* a file or folder cannot be used */
#define LB_ERR_REJECTED 4 /* the record was refused, and counted */
#define LB_ERR_DROPPED 5  /* the ring was full; the record was dropped, and counted */
#define LB_ERR_CLOSED 6   /* the logger was closed */
#define LB_ERR_TIMEOUT 7  /* flush or close: not finished within the time */
#define LB_ERR_NESTED 8   /* a call inside a call on one thread (signal handler); counted as rejected */
#define LB_ERR_FORKED 9   /* the logger belongs to the parent of this process */
#define LB_ERR_LIMIT 10   /* too many contexts */
#define LB_ERR_PANIC 11   /* a bug in the library; the message has the panic's text */

#define LB_LEVEL_TRACE 1
#define LB_LEVEL_DEBUG 2
#define LB_LEVEL_INFO 3
#define LB_LEVEL_WARNING 4
#define LB_LEVEL_ERROR 5
#define LB_LEVEL_CRITICAL 6

#define LB_TAG_STRING 1
#define LB_TAG_INTEGER 2
#define LB_TAG_UNSIGNED 3
#define LB_TAG_NUMBER 4
#define LB_TAG_BOOLEAN 5
#define LB_TAG_NULL 6

#define LB_CONTEXT_DEFAULT 0u           /* the logger's own identity */
#define LB_CONTEXT_INVALID 0xFFFFFFFFu  /* always rejected and counted: for records whose own identity is impossible */

typedef struct lb_logger lb_logger;
typedef struct lb_error lb_error;

typedef struct lb_str { const char *data; size_t len; } lb_str;

typedef union lb_tag_value {
  lb_str string; int64_t integer; uint64_t unsigned_integer; double number; bool boolean;
} lb_tag_value;

typedef struct lb_tag { lb_str key; int32_t type; lb_tag_value value; } lb_tag;

typedef struct lb_record {
  size_t struct_size;
  uint32_t context;
  int32_t level;
  int64_t timestamp_ns;  /* nanoseconds since 1970, 0 = now */
  lb_str message;
  const lb_tag *tags;
  size_t tag_count;
} lb_record;

typedef struct lb_batch_result { size_t struct_size; uint64_t accepted, dropped, rejected; } lb_batch_result;

/* offered = written + queued + dropped + rejected, always, in records of this process */
typedef struct lb_stats {
  size_t struct_size;
  uint64_t offered, written, queued, dropped, rejected;
  uint64_t truncated;    /* records that were cut to max_record_bytes */
  uint64_t nonfinite;    /* tag values NaN or infinite, written as null */
  uint64_t recovered;    /* records moved into the file from the rings of dead processes */
  uint64_t write_errors; /* failed attempts to append */
  uint64_t rotations;
  uint64_t file_bytes;   /* committed length of the current file, bytes */
} lb_stats;

const char *lb_version(void);
uint32_t lb_abi_version(void);

/* config: a JSON object, see the configuration page: explicit keys at the top, and optionally
   "config" (path of the configuration file) and "layers" (see DESIGN of the layers in core/src/config). */
int32_t lb_logger_open(const char *config, size_t config_len, lb_logger **out, lb_error **error);
/* The effective configuration as JSON: {"path": log file, "instance":…, "values": {key: {"value":…, "source":…}}, "warnings": […]}; borrowed until lb_logger_free. */
lb_str lb_logger_config(const lb_logger *logger);
/* A context = constant fields of many records: JSON object with any of component host run_id logger event_type
   workload repetition scenario package plugin tags; what is missing is the logger's own; null removes scenario,
   package or plugin. Equal contexts get equal ids. Valid as long as the logger. At most 65536 (LB_ERR_LIMIT). */
int32_t lb_logger_context(const lb_logger *logger, const char *json, size_t len, uint32_t *out, lb_error **error);
int32_t lb_logger_log(const lb_logger *logger, const lb_record *record, lb_error **error);
/* Batch = entries back to back, little-endian, unaligned:
     u32 size (of the whole entry), u32 context, i64 timestamp_ns (0 = now), u32 message_len, u8 level, u8[3] zero,
     message bytes, then tags until size is used up:
       u32 head = type | key_len << 8, key bytes, value: STRING u32 len + bytes; INTEGER i64; UNSIGNED u64;
       NUMBER f64; BOOLEAN u8; NULL nothing.
   A malformed entry is rejected and counted, its neighbours are not touched; a size that cannot be followed ends
   the batch with LB_ERR_ARGUMENT, the entries before it accepted. LB_OK when all were accepted, else
   LB_ERR_DROPPED / LB_ERR_REJECTED, with the counts in result (may be NULL). */
int32_t lb_logger_push_batch(const lb_logger *logger, const uint8_t *batch, size_t len, lb_batch_result *result, lb_error **error);
int32_t lb_logger_flush(const lb_logger *logger, uint32_t timeout_ms, lb_error **error);
int32_t lb_logger_stats(const lb_logger *logger, lb_stats *out, lb_error **error);
/* After close: log and push_batch answer LB_ERR_CLOSED; stats and config still work. */
int32_t lb_logger_close(const lb_logger *logger, uint32_t deadline_ms, lb_error **error);
void lb_logger_free(lb_logger *logger);

int32_t lb_error_code(const lb_error *error);
lb_str lb_error_message(const lb_error *error);
void lb_error_free(lb_error *error);

#ifdef __cplusplus
}
#endif
#endif
