/* Calls at moments when nobody should call.
 *
 *   moments FOLDER MOMENT [FILE]
 *
 * MOMENT is one of those in `moments` below. Each counts what its calls answered and compares that with the library's
 * own accounting; what is in the file is for the test to compare. A record's message says whose it is, and the tag
 * `number` counts what was accepted of each: 0, 1, 2 … without a gap.
 *
 * Compiles as C and, for a destructor of a thread_local object, as C++.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <dlfcn.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "lb_log.h"

static lb_logger *logger;
static uint32_t last_context;
static const char *folder, *extra_path;

#define CHECK(true_thing) \
  do { \
    if (!(true_thing)) { \
      fprintf(stderr, "line %d: %s\n", __LINE__, #true_thing); \
      _exit(1); \
    } \
  } while (0)

static lb_str text(const char *from) {
  lb_str result;
  result.data = from;
  result.len = strlen(from);
  return result;
}

static void open_logger(const char *more) {
  char config[700];
  lb_error *error = NULL;
  snprintf(config, sizeof config,
           "{\"output_dir\": \"%s\", \"run_id\": \"moments\", \"component\": \"c\", \"host\": \"h\"%s}", folder, more);
  if (lb_logger_open(config, strlen(config), &logger, &error) != LB_OK) {
    lb_str why = lb_error_message(error);
    fprintf(stderr, "%.*s\n", (int)why.len, why.data);
    _exit(2);
  }
}

/* One who logs: what it is called, and how its calls were answered. Touched by one thread at a time, and by a signal
 * handler only if it is the handler's own. */
struct voice {
  const char *name;
  volatile uint64_t accepted, nested, dropped, other;
};

enum { MANY = 3000 };

/* With `more` tags, at most MANY, before the number: all without a name, so that the line stays short while the call
 * takes long. A handler, which may interrupt a call with more, has none. */
static int32_t say_with(struct voice *voice, uint32_t context, size_t more) {
  static __thread lb_tag many[MANY + 1];
  lb_tag one, *tags = more == 0 ? &one : many;
  lb_record record;
  int32_t status;
  size_t i;
  memset(&record, 0, sizeof record);
  record.struct_size = sizeof record;
  record.level = LB_LEVEL_INFO;
  record.context = context;
  record.message = text(voice->name);
  record.tags = tags;
  record.tag_count = more + 1;
  for (i = 0; i < more; i++) tags[i].type = LB_TAG_NULL;
  memset(&tags[more], 0, sizeof *tags);
  tags[more].key = text("number");
  tags[more].type = LB_TAG_UNSIGNED;
  tags[more].value.unsigned_integer = voice->accepted;
  status = lb_logger_log(logger, &record, NULL);
  if (status == LB_OK)
    voice->accepted += 1;
  else if (status == LB_ERR_NESTED)
    voice->nested += 1;
  else if (status == LB_ERR_DROPPED)
    voice->dropped += 1;
  else
    voice->other += 1;
  return status;
}

static int32_t say(struct voice *voice) { return say_with(voice, LB_CONTEXT_DEFAULT, 0); }

static lb_stats stats_now(void) {
  lb_stats stats;
  memset(&stats, 0, sizeof stats);
  stats.struct_size = sizeof stats;
  CHECK(lb_logger_stats(logger, &stats, NULL) == LB_OK);
  CHECK(stats.offered == stats.written + stats.queued + stats.dropped + stats.rejected);
  return stats;
}

static void close_logger(void) {
  CHECK(lb_logger_close(logger, 20000, NULL) == LB_OK);
  lb_logger_free(logger);
}

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* --- a storm of signals whose handler logs, while the thread logs --- */

enum { LOGGING = 3, ENOUGH_NESTED = 30 };

static __thread struct voice *mine, *handlers;
static volatile int storm_is_over;

static void on_alarm(int number) {
  (void)number;
  if (handlers != NULL) say_with(handlers, last_context, 0);
}

static void begin_storm(void) {
  struct itimerval interval;
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = on_alarm;
  action.sa_flags = SA_RESTART;
  CHECK(sigaction(SIGALRM, &action, NULL) == 0);
  memset(&interval, 0, sizeof interval);
  interval.it_interval.tv_usec = interval.it_value.tv_usec = 150;
  CHECK(setitimer(ITIMER_REAL, &interval, NULL) == 0);
}

static void end_storm(void) {
  struct itimerval interval;
  memset(&interval, 0, sizeof interval);
  CHECK(setitimer(ITIMER_REAL, &interval, NULL) == 0);
}

static void *in_the_storm(void *argument) {
  struct voice *pair = (struct voice *)argument;
  sigset_t alarm_only;
  uint64_t calls = 0;
  sigemptyset(&alarm_only);
  sigaddset(&alarm_only, SIGALRM);
  mine = &pair[0];
  /* A thread's first call takes a ring, and may allocate: it is made before a handler may call. */
  say(mine);
  handlers = &pair[1];
  pthread_sigmask(SIG_UNBLOCK, &alarm_only, NULL);
  while (!storm_is_over) {
    calls += 1;
    say_with(mine, LB_CONTEXT_DEFAULT, calls % 3 == 0 ? 0 : MANY);
    /* A call that finds its ring full ends at once, and would hardly ever be interrupted. */
    if (calls % 50 == 0) CHECK(lb_logger_flush(logger, 20000, NULL) == LB_OK);
  }
  pthread_sigmask(SIG_BLOCK, &alarm_only, NULL);
  return NULL;
}

static void storm(void) {
  static struct voice voices[LOGGING][2] = {{{"thread 0", 0, 0, 0, 0}, {"handler 0", 0, 0, 0, 0}},
                                            {{"thread 1", 0, 0, 0, 0}, {"handler 1", 0, 0, 0, 0}},
                                            {{"thread 2", 0, 0, 0, 0}, {"handler 2", 0, 0, 0, 0}}};
  pthread_t threads[LOGGING];
  sigset_t alarm_only;
  double end = seconds() + 20;
  uint64_t nested = 0, all = 0, dropped = 0;
  lb_stats stats;
  int i;

  open_logger(", \"on_full\": \"drop\"");
  sigemptyset(&alarm_only);
  sigaddset(&alarm_only, SIGALRM);
  pthread_sigmask(SIG_BLOCK, &alarm_only, NULL);
  for (i = 0; i < LOGGING; i++) CHECK(pthread_create(&threads[i], NULL, in_the_storm, voices[i]) == 0);
  begin_storm();
  while (nested < ENOUGH_NESTED && seconds() < end) {
    usleep(2000);
    for (i = 0, nested = 0; i < LOGGING; i++) nested += voices[i][1].nested;
    stats_now();
  }
  storm_is_over = 1;
  for (i = 0; i < LOGGING; i++) pthread_join(threads[i], NULL);
  end_storm();
  CHECK(lb_logger_flush(logger, 20000, NULL) == LB_OK);
  stats = stats_now();
  for (i = 0, nested = 0; i < 2 * LOGGING; i++) {
    const struct voice *voice = &voices[i / 2][i % 2];
    CHECK(voice->other == 0);
    CHECK(i % 2 == 1 || voice->nested == 0);
    nested += voice->nested;
    dropped += voice->dropped;
    all += voice->accepted + voice->nested + voice->dropped;
    printf("%s: %" PRIu64 "\n", voice->name, voice->accepted);
  }
  fprintf(stderr, "%" PRIu64 " nested of %" PRIu64 ", %" PRIu64 " dropped\n", nested, all, dropped);
  CHECK(nested >= ENOUGH_NESTED);
  CHECK(stats.rejected == nested && stats.dropped == dropped && stats.offered == all && stats.queued == 0);
  close_logger();
}

/* --- the same while the interrupted call is any other --- */

static void storm_on_other_calls(void) {
  static struct voice voices[2] = {{"thread", 0, 0, 0, 0}, {"handler", 0, 0, 0, 0}};
  char context[600], host[400];
  uint64_t contexts = 0;
  double end = seconds() + 20;
  lb_stats stats;

  open_logger("");
  memset(host, 'h', sizeof host - 1);
  host[sizeof host - 1] = 0;
  mine = &voices[0];
  say(mine);
  handlers = &voices[1];
  begin_storm();
  /* Soon there are more contexts than a ring file holds: those that follow travel with the records. */
  while (seconds() < end && (contexts < 6000 || voices[1].accepted < 500)) {
    snprintf(context, sizeof context, "{\"host\": \"%s\", \"workload\": \"%" PRIu64 "\"}", host, contexts % 3000);
    CHECK(lb_logger_context(logger, context, strlen(context), &last_context, NULL) == LB_OK);
    contexts += 1;
    say_with(mine, last_context, 0);
    if (contexts % 50 == 0) CHECK(lb_logger_flush(logger, 20000, NULL) == LB_OK);
    stats_now();
  }
  end_storm();
  stats = stats_now();
  CHECK(voices[0].other + voices[1].other == 0);
  CHECK(contexts >= 6000 && voices[1].accepted >= 500);
  CHECK(stats.rejected == voices[1].nested && stats.dropped == 0);
  CHECK(stats.offered == voices[0].accepted + voices[1].accepted + voices[1].nested);
  fprintf(stderr, "%" PRIu64 " contexts, %" PRIu64 " nested\n", contexts, voices[1].nested);
  printf("thread: %" PRIu64 "\nhandler: %" PRIu64 "\n", voices[0].accepted, voices[1].accepted);
  handlers = NULL;
  close_logger();
}

/* --- threads that log while they end --- */

enum { ENDING = 80 };

static pthread_key_t key;
static struct voice at_the_end = {"destructor", 0, 0, 0, 0};
static struct voice while_it_lives = {"thread", 0, 0, 0, 0};

/* Called again in each round of destructors, the last ones behind everybody else's. */
static void on_thread_end(void *rounds) {
  CHECK(say(&at_the_end) == LB_OK);
  if ((intptr_t)rounds > 1) pthread_setspecific(key, (void *)((intptr_t)rounds - 1));
}

static void *speaks_and_ends(void *argument) {
  (void)argument;
  pthread_setspecific(key, (void *)(intptr_t)3);
  CHECK(say(&while_it_lives) == LB_OK);
  return NULL;
}

static void *speaks_only_at_its_end(void *argument) {
  (void)argument;
  pthread_setspecific(key, (void *)(intptr_t)3);
  return NULL;
}

#ifdef __cplusplus
struct Last {
  bool armed = false;
  ~Last() {
    if (armed) CHECK(say(&at_the_end) == LB_OK);
  }
};
static thread_local Last last;
/* Its destructor comes behind the library's own: it was made before the library knew the thread. */
static void *speaks_behind_the_library(void *argument) {
  (void)argument;
  last.armed = true;
  CHECK(say(&while_it_lives) == LB_OK);
  return NULL;
}
#else
#define speaks_behind_the_library speaks_and_ends
#endif

static void one_after_the_other(void *(*work)(void *)) {
  pthread_t thread;
  int i;
  for (i = 0; i < ENDING; i++) {
    CHECK(pthread_create(&thread, NULL, work, NULL) == 0);
    pthread_join(thread, NULL);
  }
}

static void thread_ends(void) {
  uint64_t shared;
  open_logger("");
  CHECK(pthread_key_create(&key, on_thread_end) == 0);
  one_after_the_other(speaks_and_ends);
  one_after_the_other(speaks_behind_the_library);
  /* They have all given back what they had: who comes now has a ring to itself. */
  shared = stats_now().shared;
  pthread_key_delete(key);
  one_after_the_other(speaks_and_ends);
  CHECK(stats_now().shared == shared);
  CHECK(pthread_key_create(&key, on_thread_end) == 0);
  one_after_the_other(speaks_only_at_its_end);
  CHECK(stats_now().rejected == 0);
  printf("destructor: %" PRIu64 "\nthread: %" PRIu64 "\n", at_the_end.accepted, while_it_lives.accepted);
  close_logger();
}

/* --- a process that logs while it ends --- */

static struct voice in_main = {"main", 0, 0, 0, 0};
static struct voice in_atexit = {"atexit", 0, 0, 0, 0};
static struct voice in_program = {"destructor of the program", 0, 0, 0, 0};
static struct voice in_library = {"destructor of a library", 0, 0, 0, 0};

static void on_exit_of_process(void) { CHECK(say(&in_atexit) == LB_OK); }

__attribute__((destructor)) static void last_of_the_program(void) {
  if (in_main.accepted > 0) CHECK(say(&in_program) == LB_OK);
}

static void last_of_the_library(void) {
  CHECK(say(&in_library) == LB_OK);
  CHECK(in_atexit.accepted == 2 && in_program.accepted == 1);
  close_logger();
}

/* FILE is a shared library whose destructor calls what its variable `late` says. */
static void exit_handlers(void) {
  void *library = dlopen(extra_path, RTLD_NOW);
  void (**late)(void);
  CHECK(library != NULL);
  late = (void (**)(void))dlsym(library, "late");
  CHECK(late != NULL);
  *late = last_of_the_library;
  CHECK(atexit(on_exit_of_process) == 0);
  open_logger("");
  CHECK(atexit(on_exit_of_process) == 0);
  CHECK(say(&in_main) == LB_OK);
}

/* --- a thread that logs on while main has returned --- */

struct page {
  uint64_t published, when_main_returned;
};

static struct page *page;
static struct voice immortal = {"thread", 0, 0, 0, 0};

static void *never_ends(void *argument) {
  (void)argument;
  for (;;) {
    if (say(&immortal) == LB_OK) __atomic_store_n(&page->published, immortal.accepted, __ATOMIC_RELEASE);
    usleep(10);
  }
  return NULL;
}

static void on_exit_wait_for_the_thread(void) {
  uint64_t start = __atomic_load_n(&page->published, __ATOMIC_ACQUIRE);
  page->when_main_returned = start;
  while (__atomic_load_n(&page->published, __ATOMIC_ACQUIRE) < start + 500) usleep(100);
}

static void after_main(void) {
  pthread_t thread;
  int file = open(extra_path, O_RDWR | O_CREAT, 0600);
  CHECK(file >= 0 && ftruncate(file, sizeof(struct page)) == 0);
  page = (struct page *)mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  CHECK(page != MAP_FAILED);
  open_logger("");
  CHECK(atexit(on_exit_wait_for_the_thread) == 0);
  CHECK(pthread_create(&thread, NULL, never_ends, NULL) == 0);
  while (__atomic_load_n(&page->published, __ATOMIC_ACQUIRE) < 500) usleep(100);
}

/* --- the accounting, looked at without pause while others log well, badly, and too much --- */

enum { HAMMERS = 3, EACH = 20000 };

static uint64_t begun, ended, refused;

static void *hammer(void *argument) {
  struct voice *voice = (struct voice *)argument;
  int i;
  for (i = 0; i < EACH; i++) {
    int bad = i % 7 == 3;
    int32_t status;
    __atomic_fetch_add(&begun, 1, __ATOMIC_SEQ_CST);
    status = say_with(voice, bad ? LB_CONTEXT_INVALID : LB_CONTEXT_DEFAULT, 50);
    if (i % 100 == 99) usleep(1000);
    CHECK(bad ? status == LB_ERR_REJECTED : status == LB_OK || status == LB_ERR_DROPPED);
    if (bad) __atomic_fetch_add(&refused, 1, __ATOMIC_SEQ_CST);
    __atomic_fetch_add(&ended, 1, __ATOMIC_SEQ_CST);
  }
  return NULL;
}

static void accounts(void) {
  static struct voice voices[HAMMERS] = {{"hammer 0", 0, 0, 0, 0}, {"hammer 1", 0, 0, 0, 0}, {"hammer 2", 0, 0, 0, 0}};
  pthread_t threads[HAMMERS];
  lb_stats before, now;
  uint64_t looks = 0, dropped = 0;
  int i;

  /* Small rings: many of the records find them full. */
  open_logger(", \"on_full\": \"drop\", \"ring_bytes\": 65536");
  before = stats_now();
  for (i = 0; i < HAMMERS; i++) CHECK(pthread_create(&threads[i], NULL, hammer, &voices[i]) == 0);
  do {
    uint64_t ended_before = __atomic_load_n(&ended, __ATOMIC_SEQ_CST);
    uint64_t refused_before = __atomic_load_n(&refused, __ATOMIC_SEQ_CST);
    now = stats_now();
    /* A call that has returned is counted, one that has not begun is not, and nothing is taken back. */
    CHECK(now.offered >= ended_before && now.offered <= __atomic_load_n(&begun, __ATOMIC_SEQ_CST));
    CHECK(now.rejected >= refused_before);
    CHECK(now.offered >= before.offered && now.written >= before.written);
    CHECK(now.dropped >= before.dropped && now.rejected >= before.rejected);
    before = now;
    looks += 1;
  } while (now.offered < HAMMERS * EACH);
  for (i = 0; i < HAMMERS; i++) {
    pthread_join(threads[i], NULL);
    dropped += voices[i].dropped;
    printf("%s: %" PRIu64 "\n", voices[i].name, voices[i].accepted);
  }
  now = stats_now();
  fprintf(stderr, "%" PRIu64 " looks, %" PRIu64 " dropped\n", looks, dropped);
  CHECK(now.dropped == dropped && now.rejected == refused && now.offered == HAMMERS * EACH);
  CHECK(looks > 100 && dropped > 0);
  close_logger();
}

static const struct {
  const char *name;
  void (*play)(void);
} moments[] = {{"storm", storm},
               {"storm-on-other-calls", storm_on_other_calls},
               {"thread-ends", thread_ends},
               {"exit-handlers", exit_handlers},
               {"after-main", after_main},
               {"accounts", accounts}};

int main(int argc, char **argv) {
  size_t i;
  CHECK(argc >= 3);
  folder = argv[1];
  extra_path = argc > 3 ? argv[3] : NULL;
  for (i = 0; i < sizeof moments / sizeof *moments; i++)
    if (strcmp(argv[2], moments[i].name) == 0) {
      moments[i].play();
      return 0;
    }
  fprintf(stderr, "no moment %s\n", argv[2]);
  return 2;
}
