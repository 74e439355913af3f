/* What survives a crash: everything that was accepted. A child logs and kills itself with SIGKILL,
 * which nothing can catch, without flush or close. The parent then opens the same log, as the next
 * run of any program would, and that is all there is to do: opening moves into the file what the
 * dead process had left.
 *
 *     crash FOLDER RECORDS
 */
#define _POSIX_C_SOURCE 200809L
#include <inttypes.h>
#include <lb_log.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static lb_logger *open_logger(const char *folder) {
  lb_logger *logger = NULL;
  lb_error *error = NULL;
  char config[600];

  snprintf(config, sizeof config, "{\"output_dir\": \"%s\", \"run_id\": \"crash\"}", folder);
  if (lb_logger_open(config, strlen(config), &logger, &error) != LB_OK) {
    lb_str why = lb_error_message(error);
    fprintf(stderr, "open: %.*s\n", (int)why.len, why.data);
    lb_error_free(error);
    exit(2);
  }
  return logger;
}

/* Logs, and dies. Each call that answers LB_OK is a promise. */
static void crash(const char *folder, int records) {
  const lb_logger *logger = open_logger(folder);
  lb_record record;
  lb_tag number;
  int index;

  memset(&number, 0, sizeof number);
  number.key.data = "number";
  number.key.len = strlen(number.key.data);
  number.type = LB_TAG_INTEGER;
  memset(&record, 0, sizeof record);
  record.struct_size = sizeof record;
  record.level = LB_LEVEL_INFO;
  record.message.data = "before the crash";
  record.message.len = strlen(record.message.data);
  record.tags = &number;
  record.tag_count = 1;
  for (index = 0; index < records; index++) {
    number.value.integer = index;
    if (lb_logger_log(logger, &record, NULL) != LB_OK)
      exit(3);
  }
  kill(getpid(), SIGKILL);
}

int main(int argc, char **argv) {
  lb_logger *logger;
  lb_stats stats;
  pid_t child;
  int status = 0;

  if (argc != 3) {
    fprintf(stderr, "usage: crash FOLDER RECORDS\n");
    return 2;
  }
  child = fork();
  if (child < 0)
    return 2;
  if (child == 0)
    crash(argv[1], atoi(argv[2]));
  if (waitpid(child, &status, 0) != child || !WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) {
    fprintf(stderr, "the child was to be killed\n");
    return 1;
  }

  /* The file is whole again when open returns. What the child's own writer had not yet written is
   * counted as recovered, apart from this process's own records. */
  logger = open_logger(argv[1]);
  memset(&stats, 0, sizeof stats);
  stats.struct_size = sizeof stats;
  if (lb_logger_stats(logger, &stats, NULL) != LB_OK)
    return 1;
  printf("%" PRIu64 " records recovered, %" PRIu64 " of our own\n", stats.recovered, stats.offered);
  lb_logger_free(logger);
  return stats.offered == 0 ? 0 : 1;
}
