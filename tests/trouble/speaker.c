/* A program that logs on command, so that a test decides what happens between two records.
 *
 *   speaker CONFIG THREADS PAGE
 *
 * It reads commands from stdin, one a line, and answers each with one line of JSON:
 *
 *   log COUNT FILL PAUSE_US   each thread logs COUNT records, FILL bytes more than their number, and sleeps PAUSE_US
 *                             behind each (0: never)
 *   stats                     the accounting
 *   flush MS, close MS        the answer of the call and how long it took
 *   exit                      exit(0), whatever is open
 *
 * At the end of its input it closes the logger and ends.
 *
 * A record's message is "THREAD NUMBER FILL"; numbers count each thread's records, accepted or not. Which were accepted
 * stands in PAGE, a file mapped into memory, which outlives this process: a byte for each number of each thread.
 *
 * While threads log, another one looks at the accounting all the time and ends the program when it is wrong.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "lb_log.h"

enum { MOST_THREADS = 64, NUMBERS = 1 << 18, FILL_MAX = 8192 };

struct speaker {
  pthread_t thread;
  unsigned index;
  uint64_t next;
  _Atomic uint8_t *accepted;
  /* Of the command under way. */
  uint64_t counts[12], longest_us;
};

static lb_logger *logger;
static struct speaker speakers[MOST_THREADS];
static unsigned threads;
static pthread_barrier_t begin, end;
static struct {
  uint64_t count, fill, pause_us;
} job;
static _Atomic uint64_t begun, done;
static atomic_bool speaking;

static void die(const char *what) {
  perror(what);
  exit(2);
}

static uint64_t now_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void speak(struct speaker *self, uint64_t fill) {
  char message[FILL_MAX + 64];
  int head = snprintf(message, sizeof message, "%u %" PRIu64 " ", self->index, self->next);
  memset(message + head, 'a' + (int)(self->next % 26), fill);
  lb_record record = {.struct_size = sizeof record, .context = LB_CONTEXT_DEFAULT, .level = LB_LEVEL_INFO};
  record.message.data = message;
  record.message.len = (size_t)head + fill;
  uint64_t start = now_us();
  atomic_fetch_add(&begun, 1);
  int32_t code = lb_logger_log(logger, &record, NULL);
  atomic_fetch_add(&done, 1);
  uint64_t took = now_us() - start;
  if (took > self->longest_us) self->longest_us = took;
  self->counts[code]++;
  atomic_store(&self->accepted[self->next++], code == LB_OK);
}

static void *speaker(void *argument) {
  struct speaker *self = argument;
  for (;;) {
    pthread_barrier_wait(&begin);
    for (uint64_t i = 0; i < job.count; i++) {
      speak(self, job.fill);
      if (job.pause_us != 0)
        nanosleep(&(struct timespec){.tv_sec = (time_t)(job.pause_us / 1000000),
                                     .tv_nsec = (long)(job.pause_us % 1000000) * 1000}, NULL);
    }
    pthread_barrier_wait(&end);
  }
  return NULL;
}

/* What the accounting says now; it must lie between the calls that had ended and those that had begun. */
static lb_stats look(void) {
  lb_stats stats = {.struct_size = sizeof stats};
  uint64_t before = atomic_load(&done);
  if (lb_logger_stats(logger, &stats, NULL) != LB_OK) die("stats");
  uint64_t after = atomic_load(&begun);
  if (stats.offered != stats.written + stats.queued + stats.dropped + stats.rejected || stats.offered < before ||
      stats.offered > after) {
    fprintf(stderr,
            "the accounting is wrong: offered %" PRIu64 ", written %" PRIu64 ", queued %" PRIu64 ", dropped %" PRIu64
            ", rejected %" PRIu64 "; calls: %" PRIu64 " had ended, %" PRIu64 " had begun\n",
            stats.offered, stats.written, stats.queued, stats.dropped, stats.rejected, before, after);
    _exit(5);
  }
  uint64_t dealt_with = stats.loki_acknowledged + stats.loki_below_level + stats.loki_pending + stats.loki_quarantined;
  if (stats.loki_lines != dealt_with) {
    fprintf(stderr, "the accounting of Loki is wrong: %" PRIu64 " lines, dealt with %" PRIu64 "\n", stats.loki_lines,
            dealt_with);
    _exit(5);
  }
  return stats;
}

static void *watch(void *looks) {
  while (atomic_load(&speaking)) {
    look();
    ++*(uint64_t *)looks;
    nanosleep(&(struct timespec){.tv_nsec = 50000}, NULL);
  }
  return NULL;
}

static void answer_log(void) {
  uint64_t counts[12] = {0}, longest_us = 0, looks = 0, start = now_us();
  pthread_t watcher;
  atomic_store(&speaking, true);
  if (pthread_create(&watcher, NULL, watch, &looks) != 0) die("pthread_create");
  for (unsigned i = 0; i < threads; i++) {
    memset(speakers[i].counts, 0, sizeof speakers[i].counts);
    speakers[i].longest_us = 0;
    if (speakers[i].next + job.count > NUMBERS || job.fill > FILL_MAX) {
      fprintf(stderr, "too many or too long records\n");
      exit(2);
    }
  }
  pthread_barrier_wait(&begin);
  pthread_barrier_wait(&end);
  uint64_t took_us = now_us() - start;
  atomic_store(&speaking, false);
  pthread_join(watcher, NULL);
  for (unsigned i = 0; i < threads; i++) {
    for (int code = 0; code < 12; code++) counts[code] += speakers[i].counts[code];
    if (speakers[i].longest_us > longest_us) longest_us = speakers[i].longest_us;
  }
  printf("{\"accepted\": %" PRIu64 ", \"dropped\": %" PRIu64 ", \"rejected\": %" PRIu64 ", \"closed\": %" PRIu64
         ", \"longest_us\": %" PRIu64 ", \"took_us\": %" PRIu64 ", \"looks\": %" PRIu64 "}\n",
         counts[LB_OK], counts[LB_ERR_DROPPED], counts[LB_ERR_REJECTED], counts[LB_ERR_CLOSED], longest_us, took_us,
         looks);
}

static void answer_stats(void) {
  lb_stats stats = look();
  printf("{\"offered\": %" PRIu64 ", \"written\": %" PRIu64 ", \"queued\": %" PRIu64 ", \"dropped\": %" PRIu64
         ", \"rejected\": %" PRIu64 ", \"shared\": %" PRIu64 ", \"write_errors\": %" PRIu64 ", \"rotations\": %" PRIu64 ", \"rings_in\": %d",
         stats.offered, stats.written, stats.queued, stats.dropped, stats.rejected, stats.shared, stats.write_errors,
         stats.rotations, (int)stats.rings_in);
  printf(", \"loki_lines\": %" PRIu64 ", \"loki_acknowledged\": %" PRIu64 ", \"loki_pending\": %" PRIu64
         ", \"loki_quarantined\": %" PRIu64 ", \"loki_replayed\": %" PRIu64 "}\n",
         stats.loki_lines, stats.loki_acknowledged, stats.loki_pending, stats.loki_quarantined, stats.loki_replayed);
}

/* An answer is one line: whatever the library says is ASCII or UTF-8 without quotes here, or the test fails. */
static void answer_call(int32_t (*call)(const lb_logger *, uint32_t, lb_error **), uint32_t ms) {
  lb_error *error = NULL;
  uint64_t start = now_us();
  int32_t code = call(logger, ms, &error);
  uint64_t took_us = now_us() - start;
  lb_str text = lb_error_message(error);
  printf("{\"code\": %d, \"took_us\": %" PRIu64 ", \"message\": \"%.*s\"}\n", (int)code, took_us, (int)text.len,
         text.len != 0 ? text.data : "");
  lb_error_free(error);
}

static void map_page(const char *path) {
  size_t bytes = (size_t)threads * NUMBERS;
  int file = open(path, O_RDWR | O_CREAT, 0600);
  if (file < 0 || ftruncate(file, (off_t)bytes) != 0) die(path);
  _Atomic uint8_t *page = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (page == MAP_FAILED) die("mmap");
  for (unsigned i = 0; i < threads; i++) speakers[i].accepted = page + (size_t)i * NUMBERS;
}

int main(int count, char **arguments) {
  threads = count == 4 ? (unsigned)strtoul(arguments[2], NULL, 10) : 0;
  if (threads == 0 || threads > MOST_THREADS) {
    fprintf(stderr, "usage: speaker CONFIG THREADS PAGE\n");
    return 1;
  }
  setvbuf(stdout, NULL, _IOLBF, 0);
  map_page(arguments[3]);
  lb_error *error = NULL;
  if (lb_logger_open(arguments[1], strlen(arguments[1]), &logger, &error) != LB_OK) {
    lb_str text = lb_error_message(error);
    fprintf(stderr, "open: %d: %.*s\n", (int)lb_error_code(error), (int)text.len, text.data);
    lb_error_free(error);
    return 3;
  }
  pthread_barrier_init(&begin, NULL, threads + 1);
  pthread_barrier_init(&end, NULL, threads + 1);
  for (unsigned i = 0; i < threads; i++) {
    speakers[i].index = i;
    if (pthread_create(&speakers[i].thread, NULL, speaker, &speakers[i]) != 0) die("pthread_create");
  }
  char line[128];
  uint32_t ms;
  printf("{}\n");
  while (fgets(line, sizeof line, stdin) != NULL) {
    if (sscanf(line, "log %" SCNu64 " %" SCNu64 " %" SCNu64, &job.count, &job.fill, &job.pause_us) == 3) {
      answer_log();
    } else if (strcmp(line, "stats\n") == 0) {
      answer_stats();
    } else if (sscanf(line, "flush %" SCNu32, &ms) == 1) {
      answer_call(lb_logger_flush, ms);
    } else if (sscanf(line, "close %" SCNu32, &ms) == 1) {
      answer_call(lb_logger_close, ms);
    } else if (strcmp(line, "exit\n") == 0) {
      exit(0);
    } else {
      fprintf(stderr, "what is %s", line);
      return 1;
    }
  }
  int32_t code = lb_logger_close(logger, 5000, NULL);
  lb_logger_free(logger);
  return code == LB_OK ? 0 : 4;
}
