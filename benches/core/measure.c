/* Measures the logger that it is linked with (logger.h), and prints one line of JSON.
 *
 *   caller ARGUMENT THREADS BURSTS BURST RATE   the time of a call; RATE calls a second of all threads together, which
 *                                               come in BURSTS bursts of BURST calls; the mean is that of bursts
 *   end ARGUMENT THREADS RECORDS                records in all, as fast as possible, until the last one is in the file
 *   idle ARGUMENT SECONDS                       an open log that nobody uses
 *   memory ARGUMENT RECORDS                     memory when it is open, after a tenth of the records, and after all
 *
 * Each line also has what the process has given to disks, as far as the kernel counts it.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "clock.h"
#include "logger.h"

/* FIRST calls fill a ring of 1 MiB more than once. */
enum { MESSAGE = 100, THREADS = 64, FIRST = 10000 };

static void die(const char *what) {
  perror(what);
  exit(2);
}

/* The length is known at run time only, as it is to any logger. */
struct message {
  char text[MESSAGE + 1];
  volatile size_t length;
};

static void message_init(struct message *m, unsigned thread) {
  int length = snprintf(m->text, sizeof m->text,
                        "%02u 00000000 stressor finished its step: 128 operations, 42 retries, queue depth 7, next in 250 ms", thread);
  memset(m->text + length, '.', MESSAGE - (size_t)length);
  m->text[MESSAGE] = 0;
  m->length = MESSAGE;
}

/* Outside of what is timed one by one. */
static void message_number(struct message *m, uint64_t number) {
  for (int i = 7; i >= 0; i--, number /= 10) m->text[3 + i] = (char)('0' + number % 10);
}

struct producer {
  void *logger;
  unsigned thread;
  /* caller */
  size_t bursts, burst;
  double tick;
  uint64_t interval_ns; /* from one burst to the next */
  int spin;             /* waits for the next burst awake */
  double *first, *means, *singles;
  size_t mean_count, single_count;
  /* end, memory */
  uint64_t records;
};

static void start(pthread_t *id, void *(*run)(void *), struct producer *producer) {
  if (pthread_create(id, NULL, run, producer) != 0) die("pthread_create");
}

/* Waits for the moment `next`. */
static void wait_until(const struct producer *p, uint64_t next) {
  if (!p->spin) {
    struct timespec moment = {.tv_sec = (time_t)(next / 1000000000u), .tv_nsec = (long)(next % 1000000000u)};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &moment, NULL);
  }
  while (wall_ns() < next) {
  }
}

/* Nanoseconds of a burst. */
static double timed(const struct producer *p, const struct message *m, size_t calls) {
  uint64_t begun = ticks();
  for (size_t i = 0; i < calls; i++) logger_log(p->logger, m->text, m->length);
  return (double)(ticks() - begun) * p->tick;
}

/* A thread's first calls, during which a ring is touched for the first time, are told apart. Of the bursts that follow,
 * each second one is timed as a whole, the others call by call. */
static void *call(void *argument) {
  struct producer *p = argument;
  struct message m;
  message_init(&m, p->thread);
  prctl(PR_SET_TIMERSLACK, 1);
  uint64_t number = 0, next = wall_ns() + p->interval_ns * p->thread / 4;
  for (size_t i = 0; i < FIRST; i++) {
    message_number(&m, number++);
    p->first[i] = timed(p, &m, 1);
    if (i % 20 == 19) wait_until(p, next += 100000);
  }
  for (size_t burst = 0; burst < p->bursts; burst++) {
    wait_until(p, next);
    next += p->interval_ns;
    if (wall_ns() > next + 100 * p->interval_ns) next = wall_ns(); /* the machine was elsewhere: no burst of bursts */
    message_number(&m, number);
    if (p->burst > 1 && burst % 2 == 0) {
      number += p->burst;
      p->means[p->mean_count++] = timed(p, &m, p->burst) / (double)p->burst;
      continue;
    }
    for (size_t i = 0; i < p->burst; i++) {
      message_number(&m, number++);
      p->singles[p->single_count++] = timed(p, &m, 1);
    }
  }
  return NULL;
}

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double percentile(const double *sorted, size_t count, double share) {
  size_t at = (size_t)(share * (double)(count - 1) + 0.5);
  return sorted[at < count ? at : count - 1];
}

static double *numbers(size_t count) {
  double *room = malloc(count * sizeof *room);
  if (!room) die("malloc");
  return memset(room, 1, count * sizeof *room); /* no page fault later */
}

static void caller(void *logger, unsigned threads, size_t bursts, size_t burst, double rate) {
  pthread_t ids[THREADS];
  struct producer producers[THREADS];
  size_t each = bursts / threads, mean_count = 0, single_count = 0;
  double *first = numbers(FIRST * threads), *means = numbers(bursts), *singles = numbers(bursts * burst);
  double tick = tick_ns(), sum = 0;
  for (unsigned i = 0; i < threads; i++) {
    producers[i] = (struct producer){.logger = logger, .thread = i, .bursts = each, .burst = burst, .tick = tick};
    producers[i].interval_ns = (uint64_t)(1e9 * (double)burst * threads / rate);
    producers[i].spin = threads == 1;
    producers[i].first = first + i * FIRST;
    producers[i].means = means + i * each;
    producers[i].singles = singles + i * each * burst;
  }
  for (unsigned i = 0; i < threads; i++) start(&ids[i], call, &producers[i]);
  for (unsigned i = 0; i < threads; i++) {
    pthread_join(ids[i], NULL);
    memmove(means + mean_count, producers[i].means, producers[i].mean_count * sizeof *means);
    memmove(singles + single_count, producers[i].singles, producers[i].single_count * sizeof *singles);
    mean_count += producers[i].mean_count;
    single_count += producers[i].single_count;
  }
  logger_flush(logger);
  qsort(first, FIRST * threads, sizeof *first, by_value);
  qsort(means, mean_count, sizeof *means, by_value);
  qsort(singles, single_count, sizeof *singles, by_value);
  for (size_t i = 0; i < mean_count; i++) sum += means[i];
  printf("\"p50\": %.1f, \"p99\": %.1f, \"p99_9\": %.1f, \"max\": %.0f, \"first_p99\": %.1f, \"records\": %zu",
         percentile(singles, single_count, 0.5), percentile(singles, single_count, 0.99), percentile(singles, single_count, 0.999),
         singles[single_count - 1], percentile(first, FIRST * threads, 0.99), threads * (FIRST + each * burst));
  if (mean_count > 0) printf(", \"mean\": %.2f, \"typical\": %.2f", sum / (double)mean_count, percentile(means, mean_count, 0.5));
  free(first);
  free(means);
  free(singles);
}

static void *produce(void *argument) {
  struct producer *p = argument;
  struct message m;
  message_init(&m, p->thread);
  for (uint64_t i = 0; i < p->records; i++) {
    message_number(&m, i);
    logger_log(p->logger, m.text, m.length);
  }
  return NULL;
}

static void end_to_end(void *logger, unsigned threads, uint64_t records) {
  pthread_t ids[THREADS];
  struct producer producers[THREADS];
  uint64_t begun = wall_ns(), cpu = cpu_ns();
  for (unsigned i = 0; i < threads; i++) {
    producers[i] = (struct producer){.logger = logger, .thread = i, .records = records / threads};
    start(&ids[i], produce, &producers[i]);
  }
  for (unsigned i = 0; i < threads; i++) pthread_join(ids[i], NULL);
  logger_flush(logger);
  printf("\"seconds\": %.6f, \"cpu\": %.6f, \"records\": %" PRIu64, (double)(wall_ns() - begun) / 1e9,
         (double)(cpu_ns() - cpu) / 1e9, records / threads * threads);
}

static void idle(double seconds) {
  uint64_t cpu = cpu_ns(), begun = wall_ns();
  struct timespec nap = {.tv_sec = (time_t)seconds, .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};
  nanosleep(&nap, NULL);
  printf("\"cpu\": %.6f, \"seconds\": %.6f, \"records\": 0", (double)(cpu_ns() - cpu) / 1e9, (double)(wall_ns() - begun) / 1e9);
}

/* The number behind a name in one of the kernel's files; -1 where it is not there. */
static long long number_of(const char *path, const char *name) {
  char line[256];
  long long found = -1;
  FILE *file = fopen(path, "r");
  if (!file) return -1;
  while (found < 0 && fgets(line, sizeof line, file))
    if (strncmp(line, name, strlen(name)) == 0) found = strtoll(line + strlen(name), NULL, 10);
  fclose(file);
  return found;
}

/* Anonymous and shared, KiB. */
static long long resident(void) {
  return number_of("/proc/self/status", "RssAnon:") + number_of("/proc/self/status", "RssShmem:");
}

static void memory(void *logger, uint64_t records) {
  pthread_t id;
  struct producer producer = {.logger = logger, .records = records / 10};
  printf("\"open_kib\": %lld", resident());
  start(&id, produce, &producer);
  pthread_join(id, NULL);
  printf(", \"tenth_kib\": %lld", resident());
  producer.records = records - records / 10;
  start(&id, produce, &producer);
  pthread_join(id, NULL);
  printf(", \"all_kib\": %lld, \"records\": %" PRIu64, resident(), records);
  logger_flush(logger);
}

int main(int count, char **arguments) {
  const char *mode = count > 3 ? arguments[1] : "";
  double number[4] = {0};
  for (int i = 3; i < count && i < 7; i++) number[i - 3] = strtod(arguments[i], NULL);
  int known = (strcmp(mode, "caller") == 0 && count == 7) || (strcmp(mode, "end") == 0 && count == 5) ||
              (strcmp(mode, "idle") == 0 && count == 4) || (strcmp(mode, "memory") == 0 && count == 4);
  if (!known || number[0] <= 0 || (count > 4 && number[0] > THREADS)) {
    fprintf(stderr, "usage: %s caller|end|idle|memory ARGUMENT NUMBER…, see measure.c\n", arguments[0]);
    return 1;
  }
  void *logger = logger_open(arguments[2]);
  printf("{");
  if (*mode == 'c')
    caller(logger, (unsigned)number[0], (size_t)number[1], (size_t)number[2], number[3]);
  else if (*mode == 'e')
    end_to_end(logger, (unsigned)number[0], (uint64_t)number[1]);
  else if (*mode == 'i')
    idle(number[0]);
  else
    memory(logger, (uint64_t)number[0]);
  logger_close(logger);
  printf(", \"disk_bytes\": %lld}\n", number_of("/proc/self/io", "write_bytes:"));
  return 0;
}
