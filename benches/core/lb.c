/* Our own library.
 *
 *   lb caller CONFIG BURSTS
 *   lb end CONFIG THREADS RECORDS    records in all; the time until the last one is in the kernel
 *   lb idle CONFIG SECONDS           CPU time of an open log that nobody uses
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <pthread.h>

#include "bench.h"
#include "lb_log.h"

static void die_of(const char *what, lb_error *error) {
  lb_str text = lb_error_message(error);
  fprintf(stderr, "%s: %.*s\n", what, (int)text.len, text.data);
  lb_error_free(error);
  exit(2);
}

static void lb_call(void *state, const struct message *m) {
  lb_record record = {.struct_size = sizeof record, .context = LB_CONTEXT_DEFAULT, .level = LB_LEVEL_INFO};
  record.message.data = m->text;
  record.message.len = m->length;
  if (lb_logger_log(state, &record, NULL) != LB_OK) exit(3);
}

struct job {
  lb_logger *logger;
  unsigned thread;
  uint64_t records;
};

static void *produce(void *argument) {
  struct job *job = argument;
  struct message m;
  message_init(&m, job->thread);
  for (uint64_t i = 0; i < job->records; i++) {
    message_number(&m, job->thread, i);
    lb_call(job->logger, &m);
  }
  return NULL;
}

static void end_to_end(lb_logger *logger, unsigned threads, uint64_t records) {
  pthread_t ids[64];
  struct job jobs[64];
  lb_error *error = NULL;
  uint64_t start = wall_ns(), cpu = cpu_ns();
  for (unsigned i = 0; i < threads; i++) {
    jobs[i] = (struct job){logger, i, records / threads};
    if (pthread_create(&ids[i], NULL, produce, &jobs[i]) != 0) exit(2);
  }
  for (unsigned i = 0; i < threads; i++) pthread_join(ids[i], NULL);
  if (lb_logger_flush(logger, 60000, &error) != LB_OK) die_of("flush", error);
  printf("{\"seconds\": %.6f, \"cpu\": %.6f, \"records\": %" PRIu64 "}\n", (double)(wall_ns() - start) / 1e9,
         (double)(cpu_ns() - cpu) / 1e9, records / threads * threads);
}

static void idle(double seconds) {
  uint64_t cpu = cpu_ns(), start = wall_ns();
  struct timespec nap = {.tv_sec = (time_t)seconds, .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};
  nanosleep(&nap, NULL);
  printf("{\"cpu\": %.6f, \"seconds\": %.6f}\n", (double)(cpu_ns() - cpu) / 1e9, (double)(wall_ns() - start) / 1e9);
}

int main(int count, char **arguments) {
  if (count < 4) {
    fprintf(stderr, "usage: lb caller CONFIG BURSTS | lb end CONFIG THREADS RECORDS | lb idle CONFIG SECONDS\n");
    return 1;
  }
  lb_logger *logger = NULL;
  lb_error *error = NULL;
  if (lb_logger_open(arguments[2], strlen(arguments[2]), &logger, &error) != LB_OK) die_of("open", error);
  if (strcmp(arguments[1], "caller") == 0)
    run_caller(lb_call, logger, strtoull(arguments[3], NULL, 10));
  else if (strcmp(arguments[1], "end") == 0 && count == 5)
    end_to_end(logger, (unsigned)strtoul(arguments[3], NULL, 10), strtoull(arguments[4], NULL, 10));
  else
    idle(strtod(arguments[3], NULL));
  lb_stats stats = {.struct_size = sizeof stats};
  if (lb_logger_close(logger, 60000, &error) != LB_OK) die_of("close", error);
  if (lb_logger_stats(logger, &stats, &error) != LB_OK) die_of("stats", error);
  lb_logger_free(logger);
  if (stats.dropped != 0 || stats.written != stats.offered) {
    fprintf(stderr, "%" PRIu64 " of %" PRIu64 " records were written\n", stats.written, stats.offered);
    return 4;
  }
  return 0;
}
