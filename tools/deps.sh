#!/usr/bin/env bash
# What building and testing needs from the machine.
#
#   tools/deps.sh --check   say what the build cannot do without; exit 1 if any of it is missing
#   tools/deps.sh           the same, and install missing Debian packages where apt is there and
#                           we are root or sudo asks for no password; elsewhere name what is
#                           missing and what is left out without it
set -eu

cd "$(dirname "$0")/.."

# The oldest Go that can fetch the one that go.work asks for.
readonly oldest_go=1.21
readonly oldest_python=3.10
oldest_rust=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)

missing=()  # what the build needs, one sentence each
packages=() # Debian packages that are missing
left_out=() # what cannot be done without them

say() { printf 'deps: %s\n' "$*" >&2; }

has() { command -v "$1" >/dev/null 2>&1; }

# at_least WANTED FOUND: version FOUND is WANTED or newer.
at_least() { [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]; }

# optional COMMAND PACKAGE WHAT-IS-LEFT-OUT
optional() {
  if ! has "$1"; then
    packages+=("$2")
    left_out+=("$1 (Debian package $2): without it, $3")
  fi
}

need_rust() {
  local found
  if ! has cargo; then
    missing+=("Rust $oldest_rust or newer: install rustup from https://rustup.rs; it reads rust-toolchain.toml")
  elif ! found=$(cargo --version 2>&1); then
    missing+=("cargo does not start: $found")
  else
    found=$(printf '%s\n' "$found" | sed -n 's/^cargo \([0-9.]*\).*/\1/p')
    at_least "$oldest_rust" "$found" ||
      missing+=("Rust $oldest_rust or newer, cargo here is $found: install rustup from https://rustup.rs")
  fi
}

need_go() {
  local found
  if ! has go; then
    missing+=("Go $oldest_go or newer: see https://go.dev/dl")
    return
  fi
  found=$(cd / && GOWORK=off GOTOOLCHAIN=local go env GOVERSION) || found=go0
  at_least "$oldest_go" "${found#go}" ||
    missing+=("Go $oldest_go or newer, here is ${found#go}: see https://go.dev/dl")
}

need_python() {
  local found
  if ! has python3; then
    missing+=("Python $oldest_python or newer with venv (Debian packages python3 python3-venv)")
    packages+=(python3 python3-venv)
    return
  fi
  found=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  if ! at_least "$oldest_python" "$found"; then
    missing+=("Python $oldest_python or newer, python3 here is $found")
  elif ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
    missing+=("Python's venv (Debian package python3-venv)")
    packages+=(python3-venv)
  fi
}

need_c() {
  if ! has "${CC:-cc}" || ! has ar; then
    missing+=("a C compiler, ${CC:-cc} is not here (Debian packages gcc libc6-dev)")
    packages+=(gcc libc6-dev)
  fi
}

look() {
  missing=() packages=() left_out=()
  need_rust
  need_go
  need_python
  need_c
}

look_for_options() {
  optional g++ g++ "the header is not compiled as C++ and spdlog is left out of \`make bench\`"
  optional pkg-config pkg-config "lb_log.pc is not tested"
  optional readelf binutils "SONAME and size of the shared library are not tested"
  optional shellcheck shellcheck "\`make check\` skips shellcheck"
  optional bats bats "installing and uninstalling Loki and Grafana is not tested"
  optional apt-ftparchive apt-utils "installing by apt is not tested"
  optional gpg gpg "installing by apt is not tested"
  optional curl curl "installing Loki and Grafana is not tested"
  optional valgrind valgrind "the C examples are not run under valgrind"
  optional python3-config python3-dev "the C example that embeds Python is not built"
  optional strace strace "it is not seen when lines are forced to the disk"
  optional bindfs bindfs "file systems whose locks are not to be trusted are not tested"
  optional mkfs.ext4 e2fsprogs "disks that break or stall are not tested"
  optional openssl openssl "certificates on the way to Loki are not tested"
  optional chromium chromium "the pages of \`lb report\` are not opened"
  PATH="$PATH:/usr/sbin:/sbin" optional sshd openssh-server "collecting logs from hosts is not tested"
  optional ssh openssh-client "collecting logs from hosts is not tested"
  optional jq jq "examples in the documentation that use jq are not run"
  optional lnav lnav "\`make bench\` does not compare \`lb logs\` with lnav"
  optional prometheus prometheus "dashboards are not tested against Prometheus"
  optional prometheus-node-exporter prometheus-node-exporter "dashboards are not tested against Prometheus"
  # Debian's npm brings hundreds of packages: it is named, and not installed.
  has npm || left_out+=("npm (https://nodejs.org): without it, dashboards are not compared with the types that Grafana publishes")
  optional mkfs.ext4 e2fsprogs "\`make bench\` cannot freeze a disk under k6's log"
  if ! [ -e /usr/include/spdlog/spdlog.h ] && ! [ -e /usr/local/include/spdlog/spdlog.h ]; then
    packages+=(libspdlog-dev)
    left_out+=("spdlog (Debian package libspdlog-dev): without it, \`make bench\` has no peer in C++")
  fi
}

# as_root COMMAND…: false where that is impossible without a question.
as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif has sudo && sudo -n true 2>/dev/null; then
    sudo -n "$@"
  else
    return 1
  fi
}

# What is installed for the tests starts nothing, neither now nor at the next boot: the tests start
# their own. Debian asks this file.
readonly policy=/usr/sbin/policy-rc.d
without_services() {
  [ ! -e "$policy" ] || {
    "$@"
    return
  }
  trap 'as_root rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null && as_root chmod 755 "$policy"
  "$@"
}

install_packages() {
  local service
  has apt-get && as_root true || return 1
  say "installing ${packages[*]}"
  as_root apt-get -qq update || say "apt-get update failed, trying what is known"
  without_services as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get -qq install --yes --no-install-recommends "${packages[@]}" >/dev/null || return 1
  for service in prometheus prometheus-node-exporter; do
    case " ${packages[*]} " in
    *" $service "*) ! has systemctl || as_root systemctl --quiet disable "$service" 2>/dev/null || true ;;
    esac
  done
}

report() {
  local line
  for line in "${missing[@]}"; do say "missing: $line"; done
  for line in "${left_out[@]}"; do say "not here: $line"; done
  [ "${#missing[@]}" = 0 ]
}

look
case ${1:-} in
--check) ;;
'')
  look_for_options
  if [ "${#packages[@]}" != 0 ]; then
    install_packages || say "these Debian packages could not be installed from here: ${packages[*]}"
    look
    look_for_options
  fi
  ;;
*)
  echo "usage: tools/deps.sh [--check]" >&2
  exit 2
  ;;
esac
report
