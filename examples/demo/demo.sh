#!/usr/bin/env bash
# What `make demo` runs: a server of our own, k6 with our output against it, and a look at the file.
# Everything that is started here is ended here, after Ctrl-C too. Only the log file stays, and the
# copy of it that is collected at the end.
#
#   demo.sh [--loki] [OUTPUT_DIR]     the folder of all runs; benchmark_results unless given. Beside
#                                     it, OUTPUT_DIR-collected, is where logs are collected to.
#
# With --loki the same goes to a real Loki of its own while k6 runs, and lb verify has the last word.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
readonly here root

with_loki=
programs=("$root/build/k6" "$root/build/lb" "$root/build/bin/target")
if [ "${1:-}" = --loki ]; then
  with_loki=1
  programs+=("$root/build/tools/loki")
  shift
fi
for program in "${programs[@]}"; do
  if ! [ -x "$program" ]; then
    echo "demo: $program is not there: run \`make demo${with_loki:+ LOKI=1}\`" >&2
    exit 2
  fi
done

# What the environment says of other runs and other tests is not meant for the demo.
for name in "${!LB_@}" "${!K6_@}"; do unset "$name"; done
export K6_NO_USAGE_REPORT=true K6_AUTO_EXTENSION_RESOLUTION=false

output_dir=${1:-$root/benchmark_results}
run_id=demo-$(date -u +%Y%m%d-%H%M%S)-$$
scratch=$(mktemp -d "${TMPDIR:-/tmp}/lb-log-demo.XXXXXX")
started=()

end() {
  local pid
  for pid in "${started[@]}"; do
    kill "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
  rm -rf "$scratch"
}
trap end EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

"$root/build/bin/target" -grpc-listen '' -port-file "$scratch/ports" >"$scratch/target.log" 2>&1 &
target_pid=$!
started+=("$target_pid")

# await PID NAME COMMAND…: until the command succeeds; what the process says is in NAME.log.
await() {
  local pid=$1 name=$2
  shift 2
  for _ in $(seq 300); do
    if "$@" 2>/dev/null; then return; fi
    if ! kill -0 "$pid" 2>/dev/null; then break; fi
    sleep 0.1
  done
  echo "demo: the $name did not start:" >&2
  cat "$scratch/$name.log" >&2
  exit 1
}
await "$target_pid" target [ -e "$scratch/ports" ]
TARGET=$(sed -n 's/.*"http":"\([^"]*\)".*/\1/p' "$scratch/ports")
export TARGET

out=lb-loki
if [ -n "$with_loki" ]; then
  read -r LOKI_HTTP_PORT LOKI_GRPC_PORT < <(python3 "$here/loki.py" ports)
  export LOKI_HTTP_PORT LOKI_GRPC_PORT LOKI_FOLDER=$scratch/loki
  "$root/build/tools/loki" -config.file="$root/tests/loki/loki.yaml" -config.expand-env=true >"$scratch/loki.log" 2>&1 &
  loki_pid=$!
  started+=("$loki_pid")
  url=http://127.0.0.1:$LOKI_HTTP_PORT
  await "$loki_pid" loki python3 "$here/loki.py" ready "$url"
  out=lb-loki=$url
fi

# In the folder of the script, where no lb.toml of somebody else lies.
export LB_OUTPUT_DIR=$output_dir LB_RUN_ID=$run_id
echo "\$ LB_RUN_ID=$run_id k6 run --quiet --out $out script.js"
status=0
(cd "$here" && exec "$root/build/k6" run --quiet --out "$out" script.js) || status=$?
# 105: k6 was interrupted, and so are we. Whether bash runs the trap behind a child that has ended
# in good order is not certain.
if [ "$status" = 105 ]; then exit 130; fi
# 99: a threshold was missed, which this script is meant to show.
if [ "$status" != 99 ] && [ "$status" != 0 ]; then
  echo "demo: k6 ended with exit code $status" >&2
  exit "$status"
fi

logs=("$output_dir/$run_id"/logs/*.jsonl)
if ! [ -e "${logs[0]}" ]; then
  echo "demo: k6 left no log file in $output_dir/$run_id/logs" >&2
  exit 1
fi

# What a controller does at the end of a run; with hosts it is --from HOST.
echo
echo "\$ lb collect $run_id --from $output_dir --output-dir $output_dir-collected"
"$root/build/lb" collect "$run_id" --from "$output_dir" --output-dir "$output_dir-collected"
echo
cd "$root"
python3 "$here/show.py" "${logs[@]#"$root/"}"
if [ -n "$with_loki" ]; then
  echo "\$ lb verify --loki-endpoint $url $run_id"
  (cd "$here" && exec "$root/build/lb" verify --loki-endpoint "$url" "$run_id")
fi
