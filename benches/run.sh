#!/usr/bin/env bash
# Speed beside the peers, as `make bench` runs it: alternating rounds, medians, spread, and what is aimed at.
# It takes minutes and wants a quiet machine.
#
#   benches/run.sh [--quick] [core|k6]…
#
#   --quick   seconds instead of minutes, to try it: the figures are not for keeping
set -eu -o pipefail

cd "$(dirname "$0")/.."
python=build/venv/bin/python
[ -x "$python" ] || python=python3

quick=()
parts=()
for argument in "$@"; do
  case $argument in
  --quick) quick=(--quick) ;;
  core | k6) parts+=("$argument") ;;
  *)
    sed -n 's/^# \{0,1\}//p' "$0" | sed 1d >&2
    exit 2
    ;;
  esac
done
[ "${#parts[@]}" -gt 0 ] || parts=(core k6)

cores=$(nproc)
load=$(cut -d ' ' -f 1 /proc/loadavg 2>/dev/null || echo unknown)
printf 'processors: %s, load average at the start: %s\n' "$cores" "$load"
for part in "${parts[@]}"; do
  case $part in
  core) "$python" -m benches.core_beside_peers "${quick[@]}" ;;
  k6) "$python" -m benches.k6_cost "${quick[@]}" ;;
  esac
done
