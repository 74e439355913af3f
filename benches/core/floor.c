/* The floors: a call that does the least (a counter read and a copy into a warm buffer), and a file that is written in
 * blocks of 64 KiB by one thread that does nothing else.
 *
 *   floor caller BURSTS
 *   floor write FILE RECORDS
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <unistd.h>

#include "bench.h"

enum { WARM = 4096, BLOCK = 65536 };

struct warm {
  uint64_t at;
  unsigned char buffer[WARM + 256];
};

__attribute__((noinline)) static void floor_call(void *state, const struct message *m) {
  struct warm *warm = state;
  uint64_t now = ticks();
  unsigned char *to = warm->buffer + warm->at;
  memcpy(to, &now, sizeof now);
  memcpy(to + sizeof now, m->text, m->length);
  warm->at = (warm->at + 128) % WARM;
  __asm__ volatile("" ::: "memory");
}

static const char line[] =
    "{\"timestamp\":\"2026-11-22T10:11:12.123456789Z\",\"level\":\"INFO\",\"component\":\"" COMPONENT "\",\"host\":\"" HOST
    "\",\"run_id\":\"" RUN_ID "\",\"logger\":\"" LOGGER "\",\"message\":\"0 00000000 stressor finished its step: 128 operations, "
    "42 retries, queue depth 7, next in 250 ms....\",\"event_type\":\"log\",\"workload\":\"" WORKLOAD
    "\",\"repetition\":1}\n";

static int write_blocks(const char *path, size_t records) {
  static char block[BLOCK + sizeof line];
  int file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_TRUNC, 0600);
  if (file < 0) return 2;
  uint64_t start = wall_ns(), cpu = cpu_ns();
  size_t filled = 0;
  for (size_t i = 0; i < records; i++) {
    memcpy(block + filled, line, sizeof line - 1);
    filled += sizeof line - 1;
    if (filled >= BLOCK || i + 1 == records) {
      if (write(file, block, filled) != (ssize_t)filled) return 2;
      filled = 0;
    }
  }
  uint64_t end = wall_ns();
  printf("{\"seconds\": %.6f, \"cpu\": %.6f, \"records\": %zu, \"line_bytes\": %zu}\n", (double)(end - start) / 1e9,
         (double)(cpu_ns() - cpu) / 1e9, records, sizeof line - 1);
  close(file);
  return 0;
}

int main(int count, char **arguments) {
  if (count == 3 && strcmp(arguments[1], "caller") == 0) {
    static struct warm warm;
    run_caller(floor_call, &warm, strtoull(arguments[2], NULL, 10));
    return 0;
  }
  if (count == 4 && strcmp(arguments[1], "write") == 0) return write_blocks(arguments[2], strtoull(arguments[3], NULL, 10));
  fprintf(stderr, "usage: floor caller BURSTS | floor write FILE RECORDS\n");
  return 1;
}
