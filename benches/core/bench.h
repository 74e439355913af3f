/* What the programs share: the counter, the record, percentiles, and one line of JSON as the result.
 *
 * The record is the same for all: a message of about 100 bytes, the ten fields that are always there, a line of about
 * 340 bytes. The number in the message changes with each record, outside of what is timed. */
#ifndef BENCH_H
#define BENCH_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

#define COMPONENT "generator"
#define HOST "bench-node-1"
#define RUN_ID "run-20261122-101112"
#define LOGGER "lb_runner.engine"
#define WORKLOAD "stress_ng"

enum { BURST = 20, MESSAGE = 100 };

static inline uint64_t wall_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline uint64_t cpu_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline uint64_t ticks(void) {
#if defined(__x86_64__)
  return __rdtsc();
#else
  return wall_ns();
#endif
}

/* Nanoseconds of one tick, by 50 ms of looking at both clocks. */
static inline double tick_ns(void) {
  uint64_t wall = wall_ns(), start = ticks(), now;
  while ((now = wall_ns()) - wall < 50000000u) {
  }
  return (double)(now - wall) / (double)(ticks() - start);
}

/* The length is known at run time only, as it is to any logger. */
struct message {
  char text[MESSAGE + 1];
  volatile size_t length;
};

static inline void message_init(struct message *m, unsigned thread) {
  snprintf(m->text, sizeof m->text, "%u 00000000 stressor finished its step: 128 operations, 42 retries, queue depth 7, next %s", thread,
           "in 250 ms");
  size_t length = strlen(m->text);
  memset(m->text + length, '.', MESSAGE - length);
  m->text[MESSAGE] = 0;
  m->length = MESSAGE;
}

static inline void message_number(struct message *m, unsigned thread, uint64_t number) {
  char *digits = m->text + (thread < 10 ? 2 : 3);
  for (int i = 7; i >= 0; i--, number /= 10) digits[i] = (char)('0' + number % 10);
}

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static inline double percentile(double *sorted, size_t count, double share) {
  size_t at = (size_t)(share * (double)(count - 1) + 0.5);
  return sorted[at < count ? at : count - 1];
}

/* One call, as a function: what is measured for a caller. */
typedef void call(void *state, const struct message *m);

/* `bursts` bursts of 20 calls, one each 100 us (200,000 calls a second). The first quarter warms up; of the rest, each
 * second burst is timed as a whole, the others call by call. */
static inline void run_caller(call *one, void *state, size_t bursts) {
  struct message m;
  message_init(&m, 0);
  double tick = tick_ns();
  uint64_t pace = (uint64_t)(100000.0 / tick);
  double *means = (double *)malloc(bursts * sizeof *means), *singles = (double *)malloc(bursts * BURST * sizeof *singles);
  size_t mean_count = 0, single_count = 0;
  if (!means || !singles) exit(2);
  uint64_t number = 0, next = ticks();
  for (size_t burst = 0; burst < bursts; burst++) {
    while (ticks() < next) {
    }
    next += pace;
    if (ticks() > next + 100 * pace) next = ticks(); /* the machine was elsewhere: no burst of bursts */
    int warm = burst >= bursts / 4;
    if (burst % 2 == 0) {
      message_number(&m, 0, number);
      uint64_t start = ticks();
      for (int i = 0; i < BURST; i++) one(state, &m);
      uint64_t end = ticks();
      number += BURST;
      if (warm) means[mean_count++] = (double)(end - start) * tick / BURST;
      continue;
    }
    for (int i = 0; i < BURST; i++) {
      message_number(&m, 0, number++);
      uint64_t start = ticks();
      one(state, &m);
      uint64_t end = ticks();
      if (warm) singles[single_count++] = (double)(end - start) * tick;
    }
  }
  qsort(means, mean_count, sizeof *means, by_value);
  qsort(singles, single_count, sizeof *singles, by_value);
  double sum = 0;
  for (size_t i = 0; i < mean_count; i++) sum += means[i];
  printf("{\"mean\": %.2f, \"burst_p50\": %.2f, \"p50\": %.1f, \"p99\": %.1f, \"p99_9\": %.1f, \"max\": %.0f, \"calls\": %zu}\n",
         sum / (double)mean_count, percentile(means, mean_count, 0.5), percentile(singles, single_count, 0.5),
         percentile(singles, single_count, 0.99), percentile(singles, single_count, 0.999), singles[single_count - 1],
         bursts * BURST);
  free(means);
  free(singles);
}

#endif
