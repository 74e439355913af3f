/* A program that forks while its threads log: parent and children go on with one logger, each in
 * rings of its own, into one file.
 *
 *     fork FOLDER CHILDREN RECORDS
 */
#define _POSIX_C_SOURCE 200809L
#include <lb_log.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 4 };

static lb_logger *logger;
static int per_thread;

static lb_str text(const char *from) {
  lb_str result;
  result.data = from;
  result.len = strlen(from);
  return result;
}

/* Logs records 0 … per_thread - 1 of a source. */
static void log_all(int64_t source) {
  static const struct timespec pause = {0, 100000};
  lb_record record;
  lb_tag tags[2];
  int64_t number;

  memset(&record, 0, sizeof record);
  memset(tags, 0, sizeof tags);
  record.struct_size = sizeof record;
  record.level = LB_LEVEL_INFO;
  record.message = text("from a family");
  record.tags = tags;
  record.tag_count = 2;
  tags[0].key = text("source");
  tags[0].type = LB_TAG_INTEGER;
  tags[0].value.integer = source;
  tags[1].key = text("number");
  tags[1].type = LB_TAG_INTEGER;
  for (number = 0; number < per_thread; number++) {
    tags[1].value.integer = number;
    if (lb_logger_log(logger, &record, NULL) != LB_OK) {
      fprintf(stderr, "a record was refused\n");
      _exit(3);
    }
    if (number % 64 == 0)
      nanosleep(&pause, NULL);
  }
}

static void *work(void *argument) {
  log_all(-1 - (int64_t)(intptr_t)argument);
  return NULL;
}

int main(int argc, char **argv) {
  pthread_t threads[THREADS];
  char config[600];
  lb_error *error = NULL;
  lb_stats stats;
  int children, child, status = 0, failures = 0;

  if (argc != 4) {
    fprintf(stderr, "usage: fork FOLDER CHILDREN RECORDS\n");
    return 2;
  }
  children = atoi(argv[2]);
  per_thread = atoi(argv[3]);
  snprintf(config, sizeof config, "{\"output_dir\": \"%s\", \"run_id\": \"fork\"}", argv[1]);
  if (lb_logger_open(config, strlen(config), &logger, &error) != LB_OK) {
    lb_str why = lb_error_message(error);
    fprintf(stderr, "%.*s\n", (int)why.len, why.data);
    return 2;
  }
  for (child = 0; child < THREADS; child++)
    pthread_create(&threads[child], NULL, work, (void *)(intptr_t)child);
  for (child = 0; child < children; child++) {
    pid_t pid = fork();
    if (pid < 0)
      return 2;
    if (pid == 0) {
      /* A third of the children says nothing, a third closes, a third just ends. */
      if (child % 3 != 0)
        log_all(child);
      memset(&stats, 0, sizeof stats);
      stats.struct_size = sizeof stats;
      lb_logger_stats(logger, &stats, NULL);
      if (stats.offered != (child % 3 != 0 ? (uint64_t)per_thread : 0))
        _exit(4);
      if (child % 3 == 1 && lb_logger_close(logger, 20000, NULL) != LB_OK)
        _exit(5);
      if (child % 3 == 1)
        lb_logger_free(logger);
      _exit(0);
    }
  }
  while (wait(&status) > 0)
    failures += status != 0;
  for (child = 0; child < THREADS; child++)
    pthread_join(threads[child], NULL);
  /* What children left in their rings is moved by the second by whoever lives; here by us. */
  if (lb_logger_close(logger, 20000, NULL) != LB_OK)
    failures += 1;
  lb_logger_free(logger);
  logger = NULL;
  if (lb_logger_open(config, strlen(config), &logger, NULL) != LB_OK)
    return 2;
  lb_logger_close(logger, 20000, NULL);
  lb_logger_free(logger);
  return failures == 0 ? 0 : 1;
}
