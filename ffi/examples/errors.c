/* What goes wrong, and how a program sees it: each call here fails, and says why. */
#include <lb_log.h>
#include <stdio.h>
#include <string.h>

static int mistakes;

/* Prints an error and checks that it is the one that was expected. */
static void expect(const char *what, int32_t status, int32_t expected, lb_error *error) {
  lb_str why = lb_error_message(error);
  printf("%s: %d: %.*s\n", what, (int)status, (int)why.len, why.data);
  if (status != expected || lb_error_code(error) != expected || why.len == 0) {
    fprintf(stderr, "%s: expected %d\n", what, (int)expected);
    mistakes += 1;
  }
  lb_error_free(error);
}

int main(int argc, char **argv) {
  lb_logger *logger = NULL;
  lb_error *error = NULL;
  lb_record record;
  lb_stats stats;
  uint32_t context = 0;
  char config[600];
  int32_t status;

  if (argc != 2) {
    fprintf(stderr, "usage: errors FOLDER\n");
    return 2;
  }
  static const char wrong[] = "{\"repetition\": 0, \"componnent\": \"x\"}";
  status = lb_logger_open(wrong, sizeof wrong - 1, &logger, &error);
  expect("two mistakes at once", status, LB_ERR_CONFIG, error);

  static const char nowhere[] = "{\"output_dir\": \"/dev/null/x\"}";
  error = NULL;
  status = lb_logger_open(nowhere, sizeof nowhere - 1, &logger, &error);
  expect("a folder that is a file", status, LB_ERR_IO, error);

  snprintf(config, sizeof config, "{\"output_dir\": \"%s\", \"run_id\": \"errors\"}", argv[1]);
  error = NULL;
  status = lb_logger_open(config, strlen(config), &logger, &error);
  if (status != LB_OK) {
    expect("a sound configuration", status, LB_OK, error);
    return 2;
  }

  error = NULL;
  status = lb_logger_context(logger, "{\"repetition\": 0}", 17, &context, &error);
  expect("an impossible context", status, LB_ERR_REJECTED, error);

  memset(&record, 0, sizeof record);
  error = NULL;
  status = lb_logger_log(logger, &record, &error);
  expect("no struct_size", status, LB_ERR_ARGUMENT, error);

  record.struct_size = sizeof record;
  error = NULL;
  status = lb_logger_log(logger, &record, &error);
  expect("no level", status, LB_ERR_ARGUMENT, error);

  record.level = LB_LEVEL_INFO;
  record.context = LB_CONTEXT_INVALID;
  error = NULL;
  status = lb_logger_log(logger, &record, &error);
  expect("no identity", status, LB_ERR_REJECTED, error);

  error = NULL;
  status = lb_logger_log(NULL, &record, &error);
  expect("no logger", status, LB_ERR_ARGUMENT, error);

  lb_logger_close(logger, 5000, NULL);
  record.context = LB_CONTEXT_DEFAULT;
  error = NULL;
  status = lb_logger_log(logger, &record, &error);
  expect("too late", status, LB_ERR_CLOSED, error);

  /* Everything that was refused is in the accounting. */
  stats.struct_size = sizeof stats;
  lb_logger_stats(logger, &stats, NULL);
  if (stats.rejected != 3 || stats.offered != 3)
    mistakes += 1;
  lb_logger_free(logger);
  return mistakes == 0 ? 0 : 1;
}
