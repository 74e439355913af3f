/* Very many threads that log.
 *
 *   many_threads CONFIG together|in_turn THREADS RECORDS FILL
 *
 * Together: all threads live at once, and each logs RECORDS. In turn: each ends before the next begins. With CONFIG "-"
 * everything happens but the logging. Then as many threads as have rings of their own log once more, and the program
 * prints what it has seen, as JSON: its resident memory in KiB behind a fortieth of the threads (in turn) and behind
 * all of them, while they live (together), the accounting then, and how many pushes of the last threads were through
 * the shared ring.
 *
 * A record's message is "THREAD NUMBER FILL", with FILL bytes of fill for the first thousand threads.
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lb_log.h"

enum { STACK_BYTES = 64 * 1024, LATE_THREADS = 16, FILLED_THREADS = 1000, FILL_MAX = 4096 };

struct memory {
  uint64_t anonymous_kib, shared_kib;
};

static lb_logger *logger;
static uint64_t records, fill;
static atomic_uint refused;
/* The threads that live together wait here until they have been looked at. */
static pthread_barrier_t logged, seen;

static void die(const char *what) {
  fprintf(stderr, "%s failed\n", what);
  exit(2);
}

static void log_all(uint64_t thread) {
  char message[FILL_MAX + 64];
  for (uint64_t number = 0; number < records; number++) {
    lb_record record = {.struct_size = sizeof record, .level = LB_LEVEL_INFO};
    record.message.data = message;
    record.message.len = (size_t)snprintf(message, sizeof message, "%" PRIu64 " %" PRIu64 " ", thread, number);
    if (thread < FILLED_THREADS) {
      memset(message + record.message.len, 'x', fill);
      record.message.len += fill;
    }
    if (logger != NULL && lb_logger_log(logger, &record, NULL) != LB_OK) atomic_fetch_add(&refused, 1);
  }
}

static void *alone(void *argument) {
  log_all((uint64_t)(uintptr_t)argument);
  return NULL;
}

static void *in_company(void *argument) {
  log_all((uint64_t)(uintptr_t)argument);
  pthread_barrier_wait(&logged);
  pthread_barrier_wait(&seen);
  return NULL;
}

static pthread_t begin(void *(*work)(void *), uint64_t thread) {
  pthread_attr_t attributes;
  pthread_t handle;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, STACK_BYTES);
  if (pthread_create(&handle, &attributes, work, (void *)(uintptr_t)thread) != 0) die("pthread_create");
  pthread_attr_destroy(&attributes);
  return handle;
}

static struct memory measure(void) {
  struct memory found = {0};
  char line[256];
  FILE *status = fopen("/proc/self/status", "r");
  if (status == NULL) die("/proc/self/status");
  while (fgets(line, sizeof line, status) != NULL) {
    sscanf(line, "RssAnon: %" SCNu64, &found.anonymous_kib);
    sscanf(line, "RssShmem: %" SCNu64, &found.shared_kib);
  }
  fclose(status);
  return found;
}

static lb_stats stats(void) {
  lb_stats now = {.struct_size = sizeof now};
  if (logger != NULL && lb_logger_stats(logger, &now, NULL) != LB_OK) die("stats");
  return now;
}

static void print(const char *name, struct memory memory) {
  printf("\"%s\": {\"anonymous_kib\": %" PRIu64 ", \"shared_kib\": %" PRIu64 "}, ", name, memory.anonymous_kib,
         memory.shared_kib);
}

static void open_log(const char *config) {
  lb_error *error = NULL;
  if (lb_logger_open(config, strlen(config), &logger, &error) != LB_OK) {
    lb_str text = lb_error_message(error);
    fprintf(stderr, "%.*s\n", (int)text.len, text.data);
    exit(3);
  }
}

int main(int count, char **arguments) {
  if (count != 6) {
    fprintf(stderr, "usage: many_threads CONFIG|- together|in_turn THREADS RECORDS FILL\n");
    return 1;
  }
  unsigned threads = (unsigned)strtoul(arguments[3], NULL, 10);
  records = strtoull(arguments[4], NULL, 10);
  fill = strtoull(arguments[5], NULL, 10) % FILL_MAX;
  if (strcmp(arguments[1], "-") != 0) open_log(arguments[1]);

  struct memory early = {0}, all;
  if (strcmp(arguments[2], "together") == 0) {
    pthread_t *handles = calloc(threads, sizeof *handles);
    if (handles == NULL) die("calloc");
    pthread_barrier_init(&logged, NULL, threads + 1);
    pthread_barrier_init(&seen, NULL, threads + 1);
    for (unsigned i = 0; i < threads; i++) handles[i] = begin(in_company, i);
    pthread_barrier_wait(&logged);
    all = measure();
    pthread_barrier_wait(&seen);
    for (unsigned i = 0; i < threads; i++) pthread_join(handles[i], NULL);
    free(handles);
  } else {
    for (unsigned i = 0; i < threads; i++) {
      pthread_join(begin(alone, i), NULL);
      if (i == threads / 40) early = measure();
    }
    all = measure();
  }
  lb_stats before = stats();
  for (unsigned i = 0; i < LATE_THREADS; i++) pthread_join(begin(alone, threads + i), NULL);
  lb_stats after = stats();
  if (logger != NULL && lb_logger_close(logger, 60000, NULL) != LB_OK) die("close");
  lb_stats end = stats();
  lb_logger_free(logger);

  printf("{");
  print("early", early);
  print("all", all);
  printf("\"shared\": %" PRIu64 ", \"shared_later\": %" PRIu64 ", \"refused\": %u, \"offered\": %" PRIu64
         ", \"written\": %" PRIu64 "}\n",
         before.shared, after.shared - before.shared, atomic_load(&refused), end.offered, end.written);
  return 0;
}
