/* The shortest whole program: open, log with tags, look at the accounting, close.
 *
 *     cc quickstart.c $(pkg-config --cflags --libs lb_log) -o quickstart && ./quickstart
 *
 * writes benchmark_results/<run>/logs/generator-<host>.jsonl.
 */
#include <inttypes.h>
#include <lb_log.h>
#include <stdio.h>
#include <string.h>

static lb_str text(const char *from) {
  lb_str result;
  result.data = from;
  result.len = strlen(from);
  return result;
}

static int failed(const char *what, lb_error *error) {
  lb_str why = lb_error_message(error);
  fprintf(stderr, "%s: %.*s\n", what, (int)why.len, why.data);
  lb_error_free(error);
  return 1;
}

int main(void) {
  /* What is not said here comes from LB_* variables, lb.toml, and defaults. */
  static const char config[] = "{\"component\": \"generator\", \"workload\": \"checkout\"}";
  lb_logger *logger = NULL;
  lb_error *error = NULL;
  lb_record record;
  lb_tag tags[3];
  lb_stats stats;
  uint32_t workers = 0;

  if (lb_abi_version() != LB_ABI_VERSION) {
    fprintf(stderr, "liblb_log %s has another ABI than its header\n", lb_version());
    return 1;
  }
  if (lb_logger_open(config, sizeof config - 1, &logger, &error) != LB_OK)
    return failed("open", error);

  memset(&record, 0, sizeof record);
  record.struct_size = sizeof record;
  record.level = LB_LEVEL_INFO;
  record.message = text("ready");
  if (lb_logger_log(logger, &record, &error) != LB_OK)
    return failed("log", error);

  /* Constant fields of many records are a context: said once, encoded once. */
  static const char context[] = "{\"logger\": \"generator.worker\", \"tags\": {\"phase\": \"run\"}}";
  if (lb_logger_context(logger, context, sizeof context - 1, &workers, &error) != LB_OK)
    return failed("context", error);

  memset(tags, 0, sizeof tags);
  tags[0].key = text("path");
  tags[0].type = LB_TAG_STRING;
  tags[0].value.string = text("/cart");
  tags[1].key = text("status");
  tags[1].type = LB_TAG_INTEGER;
  tags[1].value.integer = 503;
  tags[2].key = text("duration_ms");
  tags[2].type = LB_TAG_NUMBER;
  tags[2].value.number = 12.5;
  record.context = workers;
  record.level = LB_LEVEL_WARNING;
  record.message = text("request failed");
  record.tags = tags;
  record.tag_count = 3;
  if (lb_logger_log(logger, &record, &error) != LB_OK)
    return failed("log", error);

  if (lb_logger_close(logger, 5000, &error) != LB_OK)
    return failed("close", error);
  stats.struct_size = sizeof stats;
  if (lb_logger_stats(logger, &stats, &error) != LB_OK)
    return failed("stats", error);
  printf("%" PRIu64 " records written, %" PRIu64 " bytes\n", stats.written, stats.file_bytes);
  lb_logger_free(logger);
  return 0;
}
