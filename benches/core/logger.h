/* What measure.c measures: a logger behind four functions, the same for all. A program is measure.c and one of them.
 *
 * The record is the same for all, too: a message of 100 bytes and the ten fields that are always there, a line of
 * about 340 bytes. */
#ifndef LOGGER_H
#define LOGGER_H

#include <stddef.h>

#define COMPONENT "generator"
#define HOST "bench-node-1"
#define RUN_ID "run-20261122-101112"
#define LOGGER "lb_runner.engine"
#define WORKLOAD "stress_ng"

#ifdef __cplusplus
extern "C" {
#endif

/* Ends the program with a line on stderr where that fails. The argument is the file's path; ours: its configuration. */
void *logger_open(const char *argument);
/* One INFO record; by any thread. */
void logger_log(void *logger, const char *text, size_t length);
/* Returns when every record is in the file. */
void logger_flush(void *logger);
/* Ends the program where a record was lost and the logger knows it. */
void logger_close(void *logger);

#ifdef __cplusplus
}
#endif

#endif
