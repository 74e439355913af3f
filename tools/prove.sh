#!/usr/bin/env bash
# Proves the queue, beyond what `make test` does: models in every order of steps (loom), undefined
# behaviour (miri), races and memory errors of real threads (sanitizers), any bytes (fuzzing).
#
#   tools/prove.sh [loom|miri|tsan|asan|fuzz …]
#
# FUZZ_SECONDS (60): how long each fuzz target runs. All but loom need a nightly compiler; what is
# missing is said, and makes the outcome "in part" (status 3).
#
# Functions are called by the names of proofs:
# shellcheck disable=SC2317
set -eu -o pipefail

cd "$(dirname "$0")/.."
readonly target=${CARGO_TARGET_DIR:-$PWD/target}/prove
readonly seconds=${FUZZ_SECONDS:-60}
unset CARGO_TARGET_DIR

# lacks WHAT HOW: says what is missing and how to get it, and ends the proof.
lacks() {
  echo "missing: $1; get it with: $2"
  exit 77
}

need_nightly() {
  command -v rustup >/dev/null || lacks 'rustup' 'https://rustup.rs'
  rustup run nightly rustc --version 2>/dev/null || lacks 'a nightly compiler' 'rustup toolchain install nightly'
}

# need_component NAME: a part of the nightly toolchain.
need_component() {
  need_nightly
  rustup component list --toolchain nightly --installed | grep -q "^$1" ||
    lacks "nightly's $1" "rustup component add --toolchain nightly $1"
}

host() { rustc -vV | sed -n 's/^host: //p'; }

prove_loom() {
  CARGO_TARGET_DIR=$target/loom RUSTFLAGS='--cfg loom' CARGO_PROFILE_RELEASE_LTO=off \
    cargo test --locked --package lb-log-core --release --lib loom_
}

prove_miri() {
  need_component miri
  need_component rust-src
  CARGO_TARGET_DIR=$target/miri cargo +nightly miri test --locked --package lb-log-core --lib -- \
    ring:: frame:: file::block:: encode::line:: encode::tags::
}

# sanitize NAME: the tests of threads under a sanitizer, the standard library included.
sanitize() {
  need_component rust-src
  CARGO_TARGET_DIR=$target/$1 RUSTFLAGS="-Zsanitizer=$1" FUZZ_SECONDS=5 \
    cargo +nightly test --locked -Zbuild-std --target "$(host)" --package lb-log-core --lib -- \
    ring:: logger:: writer:: intake:: recover:: frame:: encode:: "${@:2}"
}

prove_tsan() { sanitize thread; }
prove_asan() { sanitize address fuzzing::; }

prove_fuzz() {
  local name status=0
  need_nightly
  cargo fuzz --version 2>/dev/null || lacks cargo-fuzz 'cargo install cargo-fuzz'
  for name in ring_file frames encoder config note; do
    echo "--- $name"
    cargo +nightly fuzz run --target-dir "$target/fuzz" "$name" -- \
      -max_total_time="$seconds" -rss_limit_mb=2048 -verbosity=0 -print_final_stats=1 || status=1
  done
  return "$status"
}

results=()
worst=0
[ "$#" -gt 0 ] || set -- loom miri tsan asan fuzz
for proof in "$@"; do
  declare -F "prove_$proof" >/dev/null || {
    echo "usage: tools/prove.sh [loom|miri|tsan|asan|fuzz …]" >&2
    exit 2
  }
  printf '\n=== %s\n' "$proof"
  status=0
  set +e
  (
    set -e
    "prove_$proof"
  )
  status=$?
  set -e
  case $status in
  0) results+=("$proof: proved") ;;
  77)
    results+=("$proof: NOT RUN, something is missing (see above)")
    [ "$worst" != 0 ] || worst=3
    ;;
  *)
    results+=("$proof: FAILED")
    worst=1
    ;;
  esac
done
printf '\n'
printf '%s\n' "${results[@]}"
exit "$worst"
