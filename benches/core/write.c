/* The floor of a file: write(2) in blocks of 64 KiB, by one thread that does nothing else.
 *
 *   write FILE RECORDS
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "logger.h"

enum { BLOCK = 65536 };

static const char line[] =
    "{\"timestamp\":\"2026-11-22T10:11:12.123456789Z\",\"level\":\"INFO\",\"component\":\"" COMPONENT "\",\"host\":\"" HOST
    "\",\"run_id\":\"" RUN_ID "\",\"logger\":\"" LOGGER "\",\"message\":\"0 00000000 stressor finished its step: 128 operations, "
    "42 retries, queue depth 7, next in 250 ms....\",\"event_type\":\"log\",\"workload\":\"" WORKLOAD
    "\",\"repetition\":1}\n";

int main(int count, char **arguments) {
  static char block[BLOCK + sizeof line];
  if (count != 3) {
    fprintf(stderr, "usage: write FILE RECORDS\n");
    return 1;
  }
  size_t records = strtoull(arguments[2], NULL, 10), filled = 0;
  int file = open(arguments[1], O_WRONLY | O_CREAT | O_APPEND | O_TRUNC, 0600);
  if (file < 0) {
    perror(arguments[1]);
    return 2;
  }
  uint64_t start = wall_ns(), cpu = cpu_ns();
  for (size_t i = 0; i < records; i++) {
    memcpy(block + filled, line, sizeof line - 1);
    filled += sizeof line - 1;
    if (filled < BLOCK && i + 1 < records) continue;
    if (write(file, block, filled) != (ssize_t)filled) {
      perror(arguments[1]);
      return 2;
    }
    filled = 0;
  }
  printf("{\"seconds\": %.6f, \"cpu\": %.6f, \"records\": %zu}\n", (double)(wall_ns() - start) / 1e9,
         (double)(cpu_ns() - cpu) / 1e9, records);
  return close(file) == 0 ? 0 : 2;
}
