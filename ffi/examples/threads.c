/* Many threads and one logger: nothing to lock, nothing to share out. Each worker logs with tags of
 * every type, and a context of its own says which worker it is; the main thread watches.
 *
 *     threads FOLDER THREADS RECORDS
 */
#include <inttypes.h>
#include <lb_log.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_THREADS = 64 };

struct worker {
  const lb_logger *logger;
  pthread_t thread;
  int number;
  int records;
  uint64_t dropped; /* what did not fit a ring in time: counted by the library, too */
  int failed;
};

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

/* One tag of each type. What changes from record to record is filled in by the loop. */
static void prepare(lb_tag tags[6]) {
  memset(tags, 0, 6 * sizeof *tags);
  tags[0].key = text("number");
  tags[0].type = LB_TAG_INTEGER;
  tags[1].key = text("path");
  tags[1].type = LB_TAG_STRING;
  tags[1].value.string = text("/cart");
  tags[2].key = text("bytes");
  tags[2].type = LB_TAG_UNSIGNED;
  tags[2].value.unsigned_integer = UINT64_MAX;
  tags[3].key = text("duration_ms");
  tags[3].type = LB_TAG_NUMBER;
  tags[4].key = text("first");
  tags[4].type = LB_TAG_BOOLEAN;
  tags[5].key = text("error");
  tags[5].type = LB_TAG_NULL;
}

static void *work(void *argument) {
  struct worker *self = (struct worker *)argument;
  lb_error *error = NULL;
  lb_record record;
  lb_tag tags[6];
  char context[64];
  int number;

  memset(&record, 0, sizeof record);
  record.struct_size = sizeof record;
  record.level = LB_LEVEL_INFO;
  record.message = text("request done");
  record.tags = tags;
  record.tag_count = 6;
  prepare(tags);

  snprintf(context, sizeof context, "{\"logger\": \"worker.%d\"}", self->number);
  if (lb_logger_context(self->logger, context, strlen(context), &record.context, &error) != LB_OK) {
    self->failed = failed("context", error);
    return NULL;
  }
  for (number = 0; number < self->records; number++) {
    int32_t status;
    tags[0].value.integer = number;
    tags[3].value.number = number / 8.0;
    tags[4].value.boolean = number == 0;
    status = lb_logger_log(self->logger, &record, NULL);
    if (status == LB_ERR_DROPPED)
      self->dropped += 1;
    else if (status != LB_OK)
      self->failed = 1;
  }
  return NULL;
}

/* At any moment, whatever the others do, the accounting adds up. */
static int adds_up(const lb_stats *stats) {
  return stats->offered == stats->written + stats->queued + stats->dropped + stats->rejected;
}

int main(int argc, char **argv) {
  struct worker workers[MAX_THREADS];
  lb_logger *logger = NULL;
  lb_error *error = NULL;
  lb_stats stats;
  char config[600];
  int count, records, index, bad = 0;
  uint64_t all, dropped = 0;

  if (argc != 4 || atoi(argv[2]) > MAX_THREADS) {
    fprintf(stderr, "usage: threads FOLDER THREADS RECORDS (at most %d threads)\n", MAX_THREADS);
    return 2;
  }
  count = atoi(argv[2]);
  records = atoi(argv[3]);
  all = (uint64_t)count * (uint64_t)records;
  snprintf(config, sizeof config, "{\"output_dir\": \"%s\", \"run_id\": \"threads\"}", argv[1]);
  if (lb_logger_open(config, strlen(config), &logger, &error) != LB_OK)
    return failed("open", error);

  memset(workers, 0, sizeof workers);
  for (index = 0; index < count; index++) {
    workers[index].logger = logger;
    workers[index].number = index;
    workers[index].records = records;
    if (pthread_create(&workers[index].thread, NULL, work, &workers[index]) != 0)
      return 2;
  }
  memset(&stats, 0, sizeof stats);
  stats.struct_size = sizeof stats;
  do {
    bad += lb_logger_stats(logger, &stats, NULL) != LB_OK || !adds_up(&stats);
  } while (bad == 0 && stats.offered < all);
  for (index = 0; index < count; index++) {
    pthread_join(workers[index].thread, NULL);
    bad += workers[index].failed;
    dropped += workers[index].dropped;
  }

  /* Close waits for the file, and a freed logger leaves nothing behind. */
  if (lb_logger_close(logger, 20000, &error) != LB_OK)
    bad += failed("close", error);
  bad += lb_logger_stats(logger, &stats, NULL) != LB_OK || !adds_up(&stats);
  bad += stats.offered != all || stats.dropped != dropped || stats.queued != 0;
  printf("%" PRIu64 " offered, %" PRIu64 " written, %" PRIu64 " dropped\n", stats.offered, stats.written,
         stats.dropped);
  lb_logger_free(logger);
  return bad == 0 ? 0 : 1;
}
