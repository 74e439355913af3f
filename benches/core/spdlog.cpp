/* spdlog's asynchronous logger, with a pattern that makes an equivalent JSON line. (It escapes nothing: the message has
 * nothing to escape.) Its queue has the default 8192 places and blocks when full, so that it loses nothing either.
 *
 *   spdlog caller FILE BURSTS
 *   spdlog end FILE THREADS RECORDS
 */
#include <spdlog/async.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/spdlog.h>

#include <thread>
#include <vector>

#include "bench.h"

static const char pattern[] =
    "{\"timestamp\":\"%Y-%m-%dT%H:%M:%S.%FZ\",\"level\":\"%l\",\"component\":\"" COMPONENT "\",\"host\":\"" HOST
    "\",\"run_id\":\"" RUN_ID "\",\"logger\":\"" LOGGER "\",\"message\":\"%v\",\"event_type\":\"log\",\"workload\":\"" WORKLOAD
    "\",\"repetition\":1}";

static void spdlog_call(void *state, const struct message *m) {
  static_cast<spdlog::logger *>(state)->log(spdlog::level::info, spdlog::string_view_t(m->text, m->length));
}

int main(int count, char **arguments) {
  if (count < 4) {
    std::fprintf(stderr, "usage: spdlog caller FILE BURSTS | spdlog end FILE THREADS RECORDS\n");
    return 1;
  }
  spdlog::init_thread_pool(8192, 1);
  auto logger = spdlog::basic_logger_mt<spdlog::async_factory>("bench", arguments[2], true);
  logger->set_pattern(pattern, spdlog::pattern_time_type::utc);
  if (std::strcmp(arguments[1], "caller") == 0) {
    run_caller(spdlog_call, logger.get(), std::strtoull(arguments[3], nullptr, 10));
    logger.reset();
    spdlog::shutdown();
    return 0;
  }
  unsigned threads = static_cast<unsigned>(std::strtoul(arguments[3], nullptr, 10));
  uint64_t each = std::strtoull(arguments[4], nullptr, 10) / threads;
  uint64_t start = wall_ns(), cpu = cpu_ns();
  std::vector<std::thread> producers;
  for (unsigned thread = 0; thread < threads; thread++) {
    producers.emplace_back([&logger, thread, each] {
      struct message m;
      message_init(&m, thread);
      for (uint64_t i = 0; i < each; i++) {
        message_number(&m, thread, i);
        spdlog_call(logger.get(), &m);
      }
    });
  }
  for (auto &producer : producers) producer.join();
  logger.reset();
  spdlog::shutdown(); /* waits until the queue is empty and the file is closed */
  std::printf("{\"seconds\": %.6f, \"cpu\": %.6f, \"records\": %llu}\n", static_cast<double>(wall_ns() - start) / 1e9,
              static_cast<double>(cpu_ns() - cpu) / 1e9, static_cast<unsigned long long>(each * threads));
  return 0;
}
