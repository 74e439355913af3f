/* Our own library. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lb_log.h"
#include "logger.h"

static void die_of(const char *what, lb_error *error) {
  lb_str text = lb_error_message(error);
  fprintf(stderr, "%s: %.*s\n", what, (int)text.len, text.data);
  lb_error_free(error);
  exit(2);
}

void *logger_open(const char *argument) {
  lb_logger *logger = NULL;
  lb_error *error = NULL;
  if (lb_logger_open(argument, strlen(argument), &logger, &error) != LB_OK) die_of("open", error);
  return logger;
}

void logger_log(void *logger, const char *text, size_t length) {
  lb_record record = {.struct_size = sizeof record, .context = LB_CONTEXT_DEFAULT, .level = LB_LEVEL_INFO};
  record.message.data = text;
  record.message.len = length;
  int32_t status = lb_logger_log(logger, &record, NULL);
  if (status != LB_OK) {
    fprintf(stderr, "a record was not accepted: status %" PRId32 "\n", status);
    exit(3);
  }
}

void logger_flush(void *logger) {
  lb_error *error = NULL;
  if (lb_logger_flush(logger, 60000, &error) != LB_OK) die_of("flush", error);
}

void logger_close(void *logger) {
  lb_error *error = NULL;
  lb_stats stats = {.struct_size = sizeof stats};
  int32_t status = lb_logger_close(logger, 60000, &error);
  /* Loki may lack lines, the file may not. */
  if (status == LB_ERR_TIMEOUT)
    lb_error_free(error), error = NULL;
  else if (status != LB_OK)
    die_of("close", error);
  if (lb_logger_stats(logger, &stats, &error) != LB_OK) die_of("stats", error);
  lb_logger_free(logger);
  if (stats.dropped != 0 || stats.written != stats.offered) {
    fprintf(stderr, "%" PRIu64 " of %" PRIu64 " records were written\n", stats.written, stats.offered);
    exit(4);
  }
}
