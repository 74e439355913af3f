#!/usr/bin/env bash
# What the Makefile promises: what is made is not made again; and after `make install` into a folder
# of its own a C program finds the library by pkg-config, shared and static, and logs a record with
# it; `make uninstall` leaves nothing behind.
set -eu

cd "$(dirname "$0")/.."
readonly make=${MAKE_PROGRAM:-make} cc=${CC:-cc}
scratch=$(mktemp -d "${TMPDIR:-/tmp}/lb-log-install.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
readonly prefix=$scratch/prefix

ok=0 failed=0 skipped=0
# expect WHAT COMMAND…: one test, passed if the command is true.
expect() {
  local what=$1
  shift
  if "$@"; then
    ok=$((ok + 1))
    echo "ok: $what"
  else
    failed=$((failed + 1))
    echo "FAILED: $what"
  fi
}
skip() {
  skipped=$((skipped + 1))
  echo "skipped: $1"
}

installed() { [ "$(find "$prefix" -type f -o -type l | sed "s|^$prefix/||" | sort | tr '\n' ' ')" = "$1" ]; }
is_in_one_record() { [ "$(grep -c "\"message\":\"$1\"" "$scratch"/*/logs/app-*.jsonl)" = 1 ]; }

makes_nothing() {
  local said
  said=$("$make" --no-print-directory test-products)
  [ -z "$said" ] || printf '%s\n' "$said"
  [ -z "$said" ]
}
"$make" --no-print-directory --silent test-products >/dev/null
expect 'what is made is not made again' makes_nothing

"$make" --no-print-directory --silent install PREFIX="$prefix" >/dev/null
shared=$(basename "$(readlink -f "$prefix/lib/liblb_log.so")")
soname=${shared%.[0-9]*.[0-9]*.[0-9]*}
# The program is lb only where no other lb is in PATH.
short=
if [ -e "$prefix/bin/lb" ]; then short='bin/lb '; fi
expect 'everything is in its place' installed "${short}bin/lb-log include/lb_log.h lib/liblb_log.a lib/liblb_log.so lib/$soname lib/$shared lib/pkgconfig/lb_log.pc "
names_its_commit() { "$prefix/bin/lb-log" --version | grep -qx "commit $(git describe --always --dirty --abbrev=12 --exclude='*')"; }
if [ -e .git ]; then
  expect 'lb says what it was built from' names_its_commit
else
  expect 'lb starts' "$prefix/bin/lb-log" --version
fi

cat >"$scratch/program.c" <<'C'
#include <lb_log.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv) {
  (void)argc;
  lb_logger *logger = NULL;
  lb_error *error = NULL;
  if (lb_logger_open(argv[1], strlen(argv[1]), &logger, &error) != LB_OK) {
    lb_str why = lb_error_message(error);
    fprintf(stderr, "%.*s\n", (int)why.len, why.data);
    return 1;
  }
  lb_record record = {.struct_size = sizeof record, .level = LB_LEVEL_INFO};
  record.message.data = argv[2];
  record.message.len = strlen(argv[2]);
  int32_t code = lb_logger_log(logger, &record, NULL);
  if (code == LB_OK) code = lb_logger_close(logger, 5000, NULL);
  lb_logger_free(logger);
  return code == LB_OK ? 0 : 1;
}
C
readonly config="{\"output_dir\": \"$scratch\", \"run_id\": \"installed\"}"

if command -v pkg-config >/dev/null; then
  export PKG_CONFIG_PATH="$prefix/lib/pkgconfig"
  read -ra flags < <(pkg-config --cflags --libs lb_log)
  "$cc" -Wall -Wextra -Werror -o "$scratch/shared" "$scratch/program.c" "${flags[@]}"
  expect 'a program with the shared library logs' \
    env LD_LIBRARY_PATH="$prefix/lib" "$scratch/shared" "$config" 'from the shared library'
  expect 'its record is in the file' is_in_one_record 'from the shared library'

  # -l takes a shared library where there is one: name the static one.
  read -ra flags < <(pkg-config --cflags --libs --static lb_log | sed "s|-llb_log|$prefix/lib/liblb_log.a|")
  "$cc" -Wall -Wextra -Werror -o "$scratch/static" "$scratch/program.c" "${flags[@]}"
  expect 'a program with the static library logs' "$scratch/static" "$config" 'from the static library'
  expect 'its record is in the file' is_in_one_record 'from the static library'
else
  skip 'pkg-config is not here: lb_log.pc is not tested'
fi

if command -v readelf >/dev/null; then
  expect "the shared library's SONAME is $soname" \
    grep -q "SONAME.*\[$soname\]" <(readelf -d "$prefix/lib/$shared")
  expect 'it is never unloaded (nodelete)' grep -q 'NODELETE' <(readelf -d "$prefix/lib/$shared")
  expect 'it exports nothing but lb_…' \
    [ -z "$(readelf --dyn-syms -W "$prefix/lib/$shared" | awk '$5 == "GLOBAL" && $7 != "UND" && $8 !~ /^lb_/ { print $8 }')" ]
else
  skip 'readelf is not here: the SONAME is not tested'
fi

"$make" --no-print-directory --silent uninstall PREFIX="$prefix"
expect 'uninstall leaves nothing' installed ''

echo "install: $ok passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
