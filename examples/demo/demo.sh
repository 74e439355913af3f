#!/usr/bin/env bash
# What `make demo` runs: a server of our own, k6 with our output against it, and a look at the file.
# Everything that is started here is ended here, after Ctrl-C too. Only the log file stays, and the
# copy of it that is collected at the end.
#
#   demo.sh [OUTPUT_DIR]     the folder of all runs; benchmark_results unless given. Beside it,
#                            OUTPUT_DIR-collected, is where logs are collected to.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
readonly here root

for program in "$root/build/k6" "$root/build/lb" "$root/build/bin/target"; do
  if ! [ -x "$program" ]; then
    echo "demo: $program is not there: run \`make demo\`" >&2
    exit 2
  fi
done

# What the environment says of other runs and other tests is not meant for the demo.
for name in "${!LB_@}" "${!K6_@}"; do unset "$name"; done
export K6_NO_USAGE_REPORT=true K6_AUTO_EXTENSION_RESOLUTION=false

output_dir=${1:-$root/benchmark_results}
run_id=demo-$(date -u +%Y%m%d-%H%M%S)-$$
scratch=$(mktemp -d "${TMPDIR:-/tmp}/lb-log-demo.XXXXXX")
target_pid=

end() {
  if [ -n "$target_pid" ]; then
    kill "$target_pid" 2>/dev/null || true
    wait "$target_pid" 2>/dev/null || true
  fi
  rm -rf "$scratch"
}
trap end EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

"$root/build/bin/target" -grpc-listen '' -port-file "$scratch/ports" >"$scratch/target.log" 2>&1 &
target_pid=$!
for _ in $(seq 100); do
  [ -e "$scratch/ports" ] && break
  if ! kill -0 "$target_pid" 2>/dev/null; then break; fi
  sleep 0.1
done
if ! [ -e "$scratch/ports" ]; then
  echo "demo: the target did not start:" >&2
  cat "$scratch/target.log" >&2
  exit 1
fi
TARGET=$(sed -n 's/.*"http":"\([^"]*\)".*/\1/p' "$scratch/ports")
export TARGET

# In the folder of the script, where no lb.toml of somebody else lies.
export LB_OUTPUT_DIR=$output_dir LB_RUN_ID=$run_id
echo "\$ LB_RUN_ID=$run_id k6 run --quiet --out lb-loki script.js"
status=0
(cd "$here" && exec "$root/build/k6" run --quiet --out lb-loki script.js) || status=$?
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
