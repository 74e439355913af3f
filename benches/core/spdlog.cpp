/* spdlog's asynchronous logger, with a pattern that makes an equivalent JSON line. (It escapes nothing: the message has
 * nothing to escape.) Its queue has the default 8192 places and blocks when full, so that it loses nothing either. */
#include <spdlog/async.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/spdlog.h>

#include "logger.h"

static const char pattern[] =
    "{\"timestamp\":\"%Y-%m-%dT%H:%M:%S.%FZ\",\"level\":\"%l\",\"component\":\"" COMPONENT "\",\"host\":\"" HOST
    "\",\"run_id\":\"" RUN_ID "\",\"logger\":\"" LOGGER "\",\"message\":\"%v\",\"event_type\":\"log\",\"workload\":\"" WORKLOAD
    "\",\"repetition\":1}";

void *logger_open(const char *argument) {
  spdlog::init_thread_pool(8192, 1);
  auto logger = spdlog::basic_logger_mt<spdlog::async_factory>("bench", argument, true);
  logger->set_pattern(pattern, spdlog::pattern_time_type::utc);
  return logger.get(); /* spdlog's registry keeps it */
}

void logger_log(void *logger, const char *text, size_t length) {
  static_cast<spdlog::logger *>(logger)->log(spdlog::level::info, spdlog::string_view_t(text, length));
}

/* Waits until the queue is empty and the file is closed: the only moment at which all is known to be written. */
void logger_flush(void *) { spdlog::shutdown(); }

/* logger_flush has done it. */
void logger_close(void *) {}
