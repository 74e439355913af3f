/* Four threads that log until they are killed.
 *
 *   crash CONFIG SESSION PAGE BURST PAUSE_US [COUNT [FILE_LIMIT]]
 *
 * Each thread counts what was accepted. Once a call has returned "accepted", the count is published in PAGE, a file
 * mapped into memory, which outlives this process: whoever reads it afterwards knows what must be in the log. A record
 * that was not accepted is offered again under the same number, so that the numbers of a thread have no gaps.
 *
 * A record's message is "SESSION THREAD NUMBER FILL", where FILL is NUMBER's own pattern and length: a glued or cut
 * line cannot look right. After BURST records a thread sleeps PAUSE_US (0: never).
 *
 * With a COUNT each thread ends behind so many records, and the log is closed. FILE_LIMIT is the length, in bytes, that
 * no file can pass once the log is open: a full disk.
 *
 * With SESSION 0 the log is opened and closed, and nothing is logged: a recovery.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "lb_log.h"

enum { THREADS = 4, FILL_MAX = 4096 };

/* One cache line for each thread; read by the test as unsigned 64-bit integers, 8 of them a thread. */
struct page {
  struct {
    _Atomic uint64_t published;
    _Atomic uint64_t refused;
    uint64_t unused[6];
  } thread[THREADS];
};

struct job {
  const lb_logger *logger;
  struct page *page;
  unsigned session, thread, burst, pause_us;
  uint64_t count;
};

static void die(const char *what) {
  perror(what);
  exit(2);
}

static void die_of(const char *what, lb_error *error) {
  lb_str text = lb_error_message(error);
  fprintf(stderr, "%s: %.*s\n", what, (int)text.len, text.data);
  lb_error_free(error);
  exit(3);
}

/* Mostly short; each 50th up to 4 KiB. */
static size_t fill_length(uint64_t number) { return number % 50 == 0 ? (number * 131) % FILL_MAX : (number * 7) % 90; }

static size_t compose(char *to, size_t room, const struct job *job, uint64_t number) {
  int head = snprintf(to, room, "%u %u %" PRIu64 " ", job->session, job->thread, number);
  size_t at = (size_t)head, end = at + fill_length(number);
  for (uint64_t i = 0; at < end; i++) to[at++] = (char)('a' + (number + i) % 26);
  return at;
}

static void *work(void *argument) {
  const struct job *job = argument;
  static const char key[] = "number";
  char message[FILL_MAX + 128];
  for (uint64_t number = 1; job->count == 0 || number <= job->count; number++) {
    lb_tag tag = {.key = {key, sizeof key - 1}, .type = LB_TAG_UNSIGNED, .value = {.unsigned_integer = number}};
    lb_record record = {.struct_size = sizeof record, .context = LB_CONTEXT_DEFAULT, .level = LB_LEVEL_INFO};
    record.message.data = message;
    record.message.len = compose(message, sizeof message, job, number);
    record.tags = &tag;
    record.tag_count = 1;
    int32_t code;
    while ((code = lb_logger_log(job->logger, &record, NULL)) == LB_ERR_DROPPED) {
      atomic_fetch_add_explicit(&job->page->thread[job->thread].refused, 1, memory_order_relaxed);
      nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
    }
    if (code != LB_OK) {
      fprintf(stderr, "log answered %" PRId32 "\n", code);
      exit(4);
    }
    atomic_store_explicit(&job->page->thread[job->thread].published, number, memory_order_release);
    if (job->pause_us != 0 && number % job->burst == 0)
      nanosleep(&(struct timespec){.tv_nsec = (long)job->pause_us * 1000}, NULL);
  }
  return NULL;
}

static void close_log(lb_logger *logger) {
  lb_error *error = NULL;
  if (lb_logger_close(logger, 10000, &error) != LB_OK) die_of("close", error);
  lb_logger_free(logger);
}

int main(int count, char **arguments) {
  if (count < 6 || count > 8) {
    fprintf(stderr, "usage: crash CONFIG SESSION PAGE BURST PAUSE_US [COUNT [FILE_LIMIT]]\n");
    return 1;
  }
  lb_logger *logger = NULL;
  lb_error *error = NULL;
  if (lb_logger_open(arguments[1], strlen(arguments[1]), &logger, &error) != LB_OK) die_of("open", error);
  unsigned session = (unsigned)strtoul(arguments[2], NULL, 10);
  if (session == 0) {
    close_log(logger);
    return 0;
  }
  if (count > 7) {
    rlim_t limit = strtoul(arguments[7], NULL, 10);
    signal(SIGXFSZ, SIG_IGN);
    if (setrlimit(RLIMIT_FSIZE, &(struct rlimit){limit, limit}) != 0) die("setrlimit");
  }
  int file = open(arguments[3], O_RDWR | O_CREAT, 0600);
  if (file < 0 || ftruncate(file, sizeof(struct page)) != 0) die(arguments[3]);
  struct page *page = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (page == MAP_FAILED) die("mmap");

  pthread_t threads[THREADS];
  struct job jobs[THREADS];
  for (unsigned i = 0; i < THREADS; i++) {
    jobs[i] = (struct job){.logger = logger, .page = page, .session = session, .thread = i,
                           .burst = (unsigned)strtoul(arguments[4], NULL, 10),
                           .pause_us = (unsigned)strtoul(arguments[5], NULL, 10),
                           .count = count > 6 ? strtoull(arguments[6], NULL, 10) : 0};
    if (pthread_create(&threads[i], NULL, work, &jobs[i]) != 0) die("pthread_create");
  }
  for (unsigned i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  close_log(logger);
  return 0;
}
