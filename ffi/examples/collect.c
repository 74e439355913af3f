/* Collects the logs of a run: whole, checked, gzipped, and listed in a manifest. */
#include <lb_log.h>
#include <stdio.h>
#include <string.h>

static int fail(const char *what, lb_error *error) {
  lb_str why = lb_error_message(error);
  fprintf(stderr, "%s: %.*s\n", what, (int)why.len, why.data);
  lb_error_free(error);
  return 1;
}

int main(int argc, char **argv) {
  lb_report *report = NULL;
  lb_error *error = NULL;
  char request[600];
  lb_str json;
  int length;

  if (argc != 3) {
    fprintf(stderr, "usage: collect RUN SOURCE\n");
    return 2;
  }
  /* Real programs let a JSON library write this: a name can hold what JSON must escape. */
  length = snprintf(request, sizeof request, "{\"run_id\": \"%s\", \"from\": [\"%s\"]}", argv[1], argv[2]);
  if (length < 0 || (size_t)length >= sizeof request) {
    fprintf(stderr, "names that are too long\n");
    return 2;
  }
  if (lb_collect(request, (size_t)length, &report, &error) != LB_OK) {
    return fail("collect", error);
  }
  /* LB_OK says that there is a report; "ok" in it, whether everything was had. */
  json = lb_report_json(report);
  printf("%.*s\n", (int)json.len, json.data);
  lb_report_free(report);
  return 0;
}
