#!/usr/bin/env bash
# Runs the suites of `make test` or `make check`, all of them even when one fails, and closes with
# one line for each. Called by make, which gives its own name.
#
#   tools/suites.sh test|check [SUITE…]
#
# The full output of each suite is kept in build/logs/SUITE.log.
#
# Functions are called by the names of suites:
# shellcheck disable=SC2317
set -eu -o pipefail

cd "$(dirname "$0")/.."
readonly root=$PWD
readonly make=${MAKE_PROGRAM:-make}
readonly logs=build/logs
readonly bin=build/bin python=build/venv/bin/python
mkdir -p "$logs"

# Colours are for people, and the logs are read by programs.
export CARGO_TERM_COLOR=never PY_COLORS=0
# A user's own settings must not reach the programs under test.
for name in "${!LB_@}" "${!K6_@}"; do unset "$name"; done
export K6_NO_USAGE_REPORT=true K6_AUTO_EXTENSION_RESOLUTION=false

# Makes what a suite needs; silent where it is made already.
need() { "$make" --no-print-directory --silent "$@"; }

# --- suites of `make test` ---

# What the suites need is made first, at the same time; what fails here is reported by the suite
# that asks for it.
prepare_test() {
  "$make" --no-print-directory -j2 --keep-going test-products
}

# Those that are ignored otherwise want a real Loki.
suite_rust() {
  need build/tools/loki
  TEST_LOKI=$root/build/tools/loki cargo test --locked --workspace --no-fail-fast -- --include-ignored
}
count_rust() { sum_of '[0-9]+ passed' '[0-9]+ failed' '[0-9]+ ignored'; }

# The queue in every order of steps: the part of `make prove` that takes seconds.
suite_models() { tools/prove.sh loom; }
count_models() { count_rust; }

suite_go() {
  local directory package program status=0
  need build/.stamps/go-tests
  while read -r directory package; do
    program=$PWD/build/go-tests/${package##*/}.test
    [ -x "$program" ] || continue
    echo "--- $package"
    (cd "$directory" && "$program" -test.v -test.timeout 10m) || status=1
  done < <(go list -f '{{.Dir}} {{.ImportPath}}' ./examples/target/... ./xk6-lb/...)
  return "$status"
}
count_go() { count_lines '^ *--- PASS: ' '^ *--- FAIL: ' '^ *--- SKIP: '; }

# run_tests ARGUMENT…: pytest over what is below tests/, by Python with the options of `interpreter`.
interpreter=()
run_tests() {
  (cd tests && ../"$python" "${interpreter[@]}" -m pytest -v -o cache_dir="$root/build/.pytest_cache" "$@")
}

suite_python() {
  need build/k6 build/lb build/lib/pkgconfig/lb_log.pc build/bin/target build/.stamps/venv build/.stamps/failpoints
  run_tests --ignore loki --ignore grafana --ignore dashboards --ignore python --ignore controller
}
count_python() { grep -E '^=+ .* in [0-9.]+s' | sum_of '[0-9]+ passed' '[0-9]+ (failed|errors?)' '[0-9]+ skipped'; }

# These wait more than they work: several at a time.
suite_loki() {
  need build/k6 build/lb build/lib/pkgconfig/lb_log.pc build/bin/target build/tools/loki build/.stamps/venv build/.stamps/lb_log
  run_tests --numprocesses 4 --dist worksteal loki
}
count_loki() { count_python; }

# One process: all of them ask the same run.
suite_dashboards() {
  need build/k6 build/bin/target build/tools/loki build/.stamps/venv build/.stamps/lb_log
  run_tests dashboards
}
count_dashboards() { count_python; }

# As users run it who want to hear of everything.
suite_bindings() {
  need build/lb build/tools/loki build/.stamps/venv build/.stamps/lb_log
  local interpreter=(-W error -X dev)
  run_tests --numprocesses 2 --dist worksteal python
}
count_bindings() { count_python; }

suite_grafana() {
  need build/lb build/bin/grafana build/.stamps/venv
  run_tests --numprocesses 4 --dist worksteal grafana
}
count_grafana() { count_python; }

# Hosts are waited for: several tests at a time.
suite_controller() {
  need build/lb build/tools/loki build/.stamps/venv build/.stamps/lb_log
  local interpreter=(-W error -X dev)
  run_tests --numprocesses 4 --dist worksteal controller
}
count_controller() { count_python; }

suite_demo() {
  need build/k6 build/lb build/bin/target build/tools/loki build/.stamps/venv
  "$python" -m pytest -v --config-file tests/pyproject.toml --rootdir . -o cache_dir="$root/build/.pytest_cache" examples/demo
}
count_demo() { count_python; }

suite_docs() {
  need build/lb build/.stamps/venv
  "$python" -m pytest -v --config-file tests/pyproject.toml --rootdir . -o cache_dir="$root/build/.pytest_cache" tools
}
count_docs() { count_python; }

# Stand-ins and a repository of the tests' own: nothing of this machine is changed.
suite_scripts() {
  command -v bats >/dev/null || skip 'bats is not installed: make deps'
  need build/tools/loki
  # Each test has a machine of its own.
  printf '%s\0' tests/scripts/*.bats | xargs -0 -n 1 -P 2 bats
}
count_scripts() {
  awk '/^ok .* # skip/ { s++; next } /^ok / { p++ } /^not ok / { f++ } END { print p + 0, f + 0, s + 0 }'
}

suite_install() {
  need build/k6 build/lb build/lib/pkgconfig/lb_log.pc
  tools/test_install.sh
}
count_install() { grep '^install: ' | sum_of '[0-9]+ passed' '[0-9]+ failed' '[0-9]+ skipped'; }

# --- suites of `make check` ---

prepare_check() {
  "$make" --no-print-directory -j2 --keep-going check-products
}

suite_rustfmt() {
  cargo fmt --all --check
  cargo fmt --all --check --manifest-path benches/peers/Cargo.toml
}
suite_clippy() { cargo clippy --locked --workspace --all-targets -- --deny warnings; }
suite_rustdoc() { RUSTDOCFLAGS='--deny warnings' cargo doc --locked --workspace --no-deps --document-private-items; }
suite_header() { cargo run --locked --quiet --package xtask -- header --check; }
suite_reference() { cargo run --locked --quiet --package xtask -- reference --check; }

readonly go_packages=(./examples/target/... ./xk6-lb/...)

suite_gofmt() {
  local files
  files=$(gofmt -s -l benches examples tests xk6-lb)
  [ -z "$files" ] || {
    printf 'gofmt -s -w would change:\n%s\n' "$files"
    return 1
  }
}
suite_gotidy() {
  local module status=0
  for module in tools tools/loki benches/k6/timed benches/peers/loki-go examples/target tests/grafana/server xk6-lb; do GOWORK=off go -C "$module" mod tidy -diff || status=1; done
  return "$status"
}
suite_govet() {
  CGO_ENABLED=1 go vet "${go_packages[@]}"
  GOWORK=off CGO_ENABLED=0 go -C tests/grafana/server vet ./...
}
# What is built without cgo is other code: it has to compile, too.
suite_govet-nocgo() { CGO_ENABLED=0 go vet "${go_packages[@]}"; }
suite_staticcheck() {
  need "$bin/staticcheck"
  CGO_ENABLED=1 "$bin/staticcheck" "${go_packages[@]}"
  (cd tests/grafana/server && GOWORK=off CGO_ENABLED=0 "$root/$bin/staticcheck" ./...)
}

# Our Python outside tests/, which is a project of its own and has the settings for all.
python_files() { find bindings tools examples benches ffi -name '*.py' 2>/dev/null | sort; }

# ruff COMMAND…
ruff() {
  local files status=0
  need build/.stamps/venv
  mapfile -t files < <(python_files)
  (cd tests && ../"$python" -m ruff "$@" --no-cache .) || status=1
  "$python" -m ruff "$@" --no-cache --config tests/pyproject.toml "${files[@]}" || status=1
  return "$status"
}
suite_ruff() { ruff check; }
suite_ruff-format() { ruff format --diff; }

suite_mypy() {
  local files status=0
  need build/.stamps/venv
  mapfile -t files < <(python_files)
  (cd tests && ../"$python" -m mypy --strict --cache-dir ../build/.mypy_cache/tests .) || status=1
  MYPYPATH=examples/demo "$python" -m mypy --strict --config-file tests/pyproject.toml \
    --cache-dir build/.mypy_cache/others "${files[@]}" || status=1
  return "$status"
}

shell_files() { "$bin/shfmt" --find .ci benches bindings core examples ffi scripts tests tools xk6-lb 2>/dev/null || true; }

suite_shellcheck() {
  local files
  command -v shellcheck >/dev/null || skip 'shellcheck is not installed: make deps'
  need "$bin/shfmt"
  mapfile -t files < <(shell_files)
  shellcheck "${files[@]}"
}
suite_shfmt() {
  local files
  need "$bin/shfmt"
  mapfile -t files < <(shell_files)
  "$bin/shfmt" --indent 2 --diff "${files[@]}"
}

# Dashboards are committed as they are made.
suite_dashboard-files() { python3 -m tools.dashboards --check; }

suite_licences() { python3 tools/licences.py; }
# What others made and is committed here is as they published it.
suite_vendored() { python3 tools/uplot.py --check; }

# --- the runner ---

# skip REASON: ends a suite that cannot be run here.
skip() {
  echo "skipped: $1"
  exit 77
}

# sum_of PASSED FAILED SKIPPED: adds up what these patterns find in a log, as "12 0 1".
sum_of() {
  awk -v passed="$1" -v failed="$2" -v skipped="$3" '
    function number(pattern) { return match($0, pattern) ? substr($0, RSTART, RLENGTH) + 0 : 0 }
    { p += number(passed); f += number(failed); s += number(skipped) }
    END { print p + 0, f + 0, s + 0 }'
}

# count_lines PASSED FAILED SKIPPED: counts the lines of a log that match, as "12 0 1".
count_lines() {
  awk -v passed="$1" -v failed="$2" -v skipped="$3" '
    $0 ~ passed { p++ } $0 ~ failed { f++ } $0 ~ skipped { s++ }
    END { print p + 0, f + 0, s + 0 }'
}

results=()
worst=0

# run KIND SUITE: KIND test shows the output as it comes, KIND check only that of a failure.
run() {
  local kind=$1 suite=$2 log=$logs/$2.log started=$SECONDS status=0 result=ok counts='' passed failed skipped
  # In a shell of its own, where `set -e` holds: it would not in a condition.
  set +e
  if [ "$kind" = test ]; then
    printf '\n=== %s\n' "$suite"
    (
      set -e
      "suite_$suite"
    ) 2>&1 | tee "$log"
    status=${PIPESTATUS[0]}
  else
    (
      set -e
      "suite_$suite"
    ) >"$log" 2>&1
    status=$?
  fi
  set -e
  case $status in
  0) ;;
  77) result=skipped ;;
  *)
    result=FAILED
    worst=1
    [ "$kind" = test ] || {
      printf '=== %s\n' "$suite"
      cat "$log"
    }
    ;;
  esac
  if [ "$result" = skipped ]; then
    counts=$(sed -n 's/^skipped: //p' "$log")
  elif declare -F "count_$suite" >/dev/null; then
    read -r passed failed skipped < <("count_$suite" <"$log")
    counts="$passed passed, $failed failed, $skipped skipped"
  fi
  results+=("$(printf '%-13s %-8s %4d s   %s' "$suite" "$result" "$((SECONDS - started))" "$counts")")
}

main() {
  local kind=${1:-} suites suite
  case $kind in
  test) suites=(rust models go install scripts docs python bindings controller loki grafana dashboards demo) ;;
  check)
    suites=(rustfmt clippy rustdoc header reference gofmt gotidy govet govet-nocgo staticcheck
      ruff ruff-format mypy shellcheck shfmt dashboard-files licences vendored)
    ;;
  *)
    echo 'usage: tools/suites.sh test|check [SUITE…]' >&2
    exit 2
    ;;
  esac
  shift
  [ "$#" = 0 ] || suites=("$@")
  "prepare_$kind" || echo "=== not everything could be built: the suites that need it will say so"
  for suite in "${suites[@]}"; do run "$kind" "$suite"; done

  printf '\n'
  printf '%s\n' "${results[@]}"
  printf 'make %s: %s after %d s, full output in %s/\n' "$kind" \
    "$([ "$worst" = 0 ] && echo 'all is well' || echo 'FAILED')" "$SECONDS" "$logs"
  exit "$worst"
}

main "$@"
