/* Two copies of the library in one process: this program is linked with one, and the Python that it
 * embeds loads another from a file of its own (embed.py). They know nothing of each other, and need
 * not: both write to one log at once, each also to one of its own, both go on in a forked child, and
 * each closes what it has opened.
 *
 *     cc embed.c $(python3-config --embed --cflags --ldflags) $(pkg-config --cflags --libs lb_log)
 *     embed FOLDER RECORDS COPY-OF-LIBRARY embed.py
 */
#include <Python.h>
#include <lb_log.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

static lb_logger *common, *own;
static int records;

static lb_logger *open_logger(const char *folder, const char *component) {
  lb_logger *logger = NULL;
  lb_error *error = NULL;
  char config[600];

  snprintf(config, sizeof config, "{\"output_dir\": \"%s\", \"run_id\": \"embed\", \"component\": \"%s\"}", folder,
           component);
  if (lb_logger_open(config, strlen(config), &logger, &error) != LB_OK) {
    lb_str why = lb_error_message(error);
    fprintf(stderr, "open: %.*s\n", (int)why.len, why.data);
    exit(2);
  }
  return logger;
}

/* Logs records 0 … RECORDS - 1 of `source` to both logs of this half. */
static void log_all(const char *source) {
  lb_record record;
  lb_tag number;
  int64_t index;

  memset(&number, 0, sizeof number);
  number.key.data = "number";
  number.key.len = 6;
  number.type = LB_TAG_INTEGER;
  memset(&record, 0, sizeof record);
  record.struct_size = sizeof record;
  record.level = LB_LEVEL_INFO;
  record.message.data = source;
  record.message.len = strlen(source);
  record.tags = &number;
  record.tag_count = 1;
  for (index = 0; index < records; index++) {
    number.value.integer = index;
    if (lb_logger_log(common, &record, NULL) != LB_OK || lb_logger_log(own, &record, NULL) != LB_OK)
      _exit(3);
  }
}

static void *work(void *argument) {
  log_all((const char *)argument);
  return NULL;
}

static void close_all(void) {
  if (lb_logger_close(common, 20000, NULL) != LB_OK || lb_logger_close(own, 20000, NULL) != LB_OK)
    _exit(4);
  lb_logger_free(common);
  lb_logger_free(own);
}

/* Runs a line of Python in the module that embed.py has filled. */
static void python(const char *line) {
  if (PyRun_SimpleString(line) != 0)
    _exit(5);
}

/* Starts Python and reads embed.py, which finds our arguments in sys.argv. */
static void start_python(int argc, char **argv) {
  PyConfig config;
  PyStatus status;
  FILE *script = fopen(argv[4], "r");

  PyConfig_InitPythonConfig(&config);
  config.parse_argv = 0;
  status = PyConfig_SetBytesArgv(&config, argc, argv);
  if (!PyStatus_Exception(status))
    status = Py_InitializeFromConfig(&config);
  PyConfig_Clear(&config);
  if (PyStatus_Exception(status))
    Py_ExitStatusException(status);
  if (script == NULL || PyRun_SimpleFileEx(script, argv[4], 1) != 0)
    exit(5);
}

int main(int argc, char **argv) {
  pthread_t worker;
  pid_t child;
  int status = 0;

  if (argc != 5) {
    fprintf(stderr, "usage: embed FOLDER RECORDS COPY-OF-LIBRARY embed.py\n");
    return 2;
  }
  records = atoi(argv[2]);
  common = open_logger(argv[1], "common");
  own = open_logger(argv[1], "program");
  start_python(argc, argv);

  /* Both at once. */
  if (pthread_create(&worker, NULL, work, (void *)"program") != 0)
    return 2;
  python("log_all('script')");
  pthread_join(worker, NULL);

  /* And both in a child, which begins with nothing of what its parent had under way. */
  PyOS_BeforeFork();
  child = fork();
  if (child == 0) {
    PyOS_AfterFork_Child();
    log_all("program's child");
    python("log_all(\"script's child\")");
    python("close_all()");
    close_all();
    _exit(0);
  }
  PyOS_AfterFork_Parent();
  if (child < 0 || waitpid(child, &status, 0) != child)
    return 2;

  python("close_all()");
  close_all();
  if (Py_FinalizeEx() != 0)
    return 5;
  return status == 0 ? 0 : 1;
}
