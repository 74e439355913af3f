/* The least that a call can do: a counter read and a copy into a warm buffer. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "logger.h"

enum { WARM = 4096 };

struct warm {
  uint64_t at;
  unsigned char buffer[WARM + 256];
};

void *logger_open(const char *argument) {
  (void)argument;
  return calloc(1, sizeof(struct warm));
}

void logger_log(void *logger, const char *text, size_t length) {
  struct warm *warm = logger;
  uint64_t now = ticks();
  unsigned char *to = warm->buffer + warm->at;
  memcpy(to, &now, sizeof now);
  memcpy(to + sizeof now, text, length);
  warm->at = (warm->at + 128) % WARM;
}

void logger_flush(void *logger) { (void)logger; }

void logger_close(void *logger) { free(logger); }
