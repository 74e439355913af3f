/* Clocks. */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdint.h>
#include <time.h>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

static inline uint64_t clock_ns(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline uint64_t wall_ns(void) { return clock_ns(CLOCK_MONOTONIC); }

/* Of all threads of this process. */
static inline uint64_t cpu_ns(void) { return clock_ns(CLOCK_PROCESS_CPUTIME_ID); }

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

#endif
