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

installed_but_share() { [ "$(find "$prefix" -path "$prefix/share" -prune -o \( -type f -o -type l \) -print | sed "s|^$prefix/||" | sort | tr '\n' ' ')" = "$1" ]; }
installed() { [ "$(find "$prefix" -type f -o -type l | sed "s|^$prefix/||" | sort | tr '\n' ' ')" = "$1" ]; }

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
expect 'everything is in its place' installed_but_share "${short}bin/lb-log include/lb_log.h lib/liblb_log.a lib/liblb_log.so lib/$soname lib/$shared lib/pkgconfig/lb_log.pc "
# Each command that --help lists has a page with an example.
pages_of_all() {
  local command
  for command in '' $("$prefix/bin/lb-log" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z][a-z]*\) .*/-\1/p'); do
    [ -s "$prefix/share/man/man1/lb-log$command.1" ] && grep -q 'Examples:' "$prefix/share/man/man1/lb-log$command.1" || return 1
  done
}
expect 'each command has a man page with an example' pages_of_all
bash_completes() {
  # shellcheck disable=SC2016
  bash --norc --noprofile -c 'source "$1"; COMP_WORDS=(lb-log st); COMP_CWORD=1; _lb__log lb-log st lb-log; [ "${COMPREPLY[*]}" = status ]' \
    bash "$prefix/share/bash-completion/completions/lb-log"
}
expect 'bash completes commands' bash_completes
for shell in zsh fish; do
  if command -v "$shell" >/dev/null; then
    expect "$shell reads its completions" "$shell" -n "$(find "$prefix/share/$shell" -name '*lb-log*')"
  else
    skip "$shell is not here: its completions are not tested"
  fi
done
finds_plugins() { (cd "$scratch" && HOME=$scratch "$prefix/bin/lb-log" plugins check) | grep -q '^platform: no mistakes'; }
expect 'lb finds the plugins that come with it' finds_plugins
finds_scripts() { (cd "$scratch" && HOME=$scratch "$prefix/bin/lb-log" provision loki-grafana install -- --help) | grep -q install-loki-grafana.sh; }
expect 'lb finds the scripts that come with it' finds_scripts
# What lb is made of is as it was at the commit that it names, or it says that it is not.
names_its_commit() {
  local commit
  commit=$("$prefix/bin/lb-log" --version | sed -n 's/^commit //p')
  git rev-parse --quiet --verify "${commit%-dirty}^{commit}" >/dev/null || return 1
  if git diff --quiet "${commit%-dirty}" -- Cargo.lock core cli; then [ "$commit" = "${commit%-dirty}" ]; else [ "$commit" != "${commit%-dirty}" ]; fi
}
if [ -e .git ]; then
  expect 'lb says what it was built from' names_its_commit
else
  expect 'lb starts' "$prefix/bin/lb-log" --version
fi

# logs WAY PROGRAM: runs the example threads; its 800 records are in the file.
logs() {
  local way=$1
  shift
  env "$@" "$scratch/$way" "$scratch/of-$way" 4 200 >/dev/null &&
    [ "$(cat "$scratch/of-$way"/threads/logs/app-*.jsonl | wc -l)" = 800 ]
}
readonly example=ffi/examples/threads.c warnings='-std=c99 -Wall -Wextra -Wpedantic -Werror'

if command -v pkg-config >/dev/null; then
  export PKG_CONFIG_PATH="$prefix/lib/pkgconfig"
  read -ra flags < <(pkg-config --cflags --libs lb_log)
  # shellcheck disable=SC2086
  "$cc" $warnings -o "$scratch/shared" "$example" "${flags[@]}"
  expect 'a program with the shared library logs' logs shared LD_LIBRARY_PATH="$prefix/lib"

  # -l takes a shared library where there is one: name the static one.
  read -ra flags < <(pkg-config --cflags --libs --static lb_log | sed "s|-llb_log|$prefix/lib/liblb_log.a|")
  # shellcheck disable=SC2086
  "$cc" $warnings -o "$scratch/static" "$example" "${flags[@]}"
  expect 'a program with the static library logs' logs static

  # As a package is built: installed below DESTDIR, for a PREFIX where nothing is yet.
  "$make" --no-print-directory --silent install PREFIX=/opt/lb DESTDIR="$scratch/stage" >/dev/null
  export PKG_CONFIG_PATH="$scratch/stage/opt/lb/lib/pkgconfig" PKG_CONFIG_SYSROOT_DIR="$scratch/stage"
  read -ra flags < <(pkg-config --cflags --libs lb_log)
  # shellcheck disable=SC2086
  "$cc" $warnings -o "$scratch/staged" "$example" "${flags[@]}"
  expect 'a program with a staged library logs' logs staged LD_LIBRARY_PATH="$scratch/stage/opt/lb/lib"
  expect 'lb_log.pc names no place of the build' grep -qx 'prefix=/opt/lb' "$PKG_CONFIG_PATH/lb_log.pc"
else
  skip 'pkg-config is not here: lb_log.pc is not tested'
fi

# As a package ships it: Loki's client and its encryption are in it, and it stays small.
readonly most_bytes=$((6 << 20))
is_small() {
  strip --strip-unneeded -o "$scratch/stripped" "$prefix/lib/$shared"
  local bytes
  bytes=$(stat -c %s "$scratch/stripped")
  [ "$bytes" -lt "$most_bytes" ] || {
    echo "$shared has $bytes bytes when it is stripped"
    return 1
  }
}
if command -v readelf >/dev/null; then
  expect "the shared library, stripped, has less than $most_bytes bytes" is_small
  expect "the shared library's SONAME is $soname" \
    grep -q "SONAME.*\[$soname\]" <(readelf -d "$prefix/lib/$shared")
  expect 'it is never unloaded (nodelete)' grep -q 'NODELETE' <(readelf -d "$prefix/lib/$shared")
  expect 'it exports nothing but lb_…' \
    [ -z "$(readelf --dyn-syms -W "$prefix/lib/$shared" | awk '$5 == "GLOBAL" && $7 != "UND" && $8 !~ /^lb_/ { print $8 }')" ]
else
  skip 'readelf is not here: SONAME and size of the shared library are not tested'
fi

"$make" --no-print-directory --silent uninstall PREFIX="$prefix"
expect 'uninstall leaves nothing' installed ''

echo "install: $ok passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
