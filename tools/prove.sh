#!/usr/bin/env bash
# Proves the queue beyond what `make test` does:
#
#   loom   models of the rings in every order of steps that the memory model allows
#   miri   the rings, frames and blocks in an interpreter that sees undefined behaviour
#   tsan   the threads' tests under ThreadSanitizer
#   asan   the same, hostile ring files, and a C program with threads, under AddressSanitizer
#   fuzz   each fuzz target for FUZZ_SECONDS (60), beginning with the inputs in fuzz/seeds
#
#   tools/prove.sh [loom|miri|tsan|asan|fuzz …]
#
# All but loom need nightly Rust. What cannot be run is named, and makes the outcome "in part"
# (status 3). Closes with one line for each, and how long it took.
#
# Functions are called by the names of proofs:
# shellcheck disable=SC2317
set -eu -o pipefail

cd "$(dirname "$0")/.."
readonly root=$PWD
readonly target=${CARGO_TARGET_DIR:-$root/target}/prove
readonly seconds=${FUZZ_SECONDS:-60}
unset CARGO_TARGET_DIR
# Fast programs, but neither the slow builds nor the missing checks of a release.
export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16
export CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS=true CARGO_PROFILE_RELEASE_OVERFLOW_CHECKS=true

# lacks WHAT HOW: says what is missing and how to get it, and ends the proof.
lacks() {
  echo "missing: $1; get it with: $2"
  exit 77
}

need_nightly() {
  command -v rustup >/dev/null || lacks rustup 'https://rustup.rs'
  rustup run nightly rustc --version 2>/dev/null || lacks 'a nightly compiler' 'rustup toolchain install nightly'
}

# need_component NAME: a part of the nightly toolchain.
need_component() {
  need_nightly
  rustup component list --toolchain nightly --installed | grep "^$1" ||
    lacks "nightly's $1" "rustup component add --toolchain nightly $1"
}

host() { rustc -vV | sed -n 's/^host: //p'; }

prove_loom() {
  CARGO_TARGET_DIR=$target/loom RUSTFLAGS='--cfg lb_loom' \
    cargo test --locked --release --package lb-log-core --lib -- --nocapture loom_
}

prove_miri() {
  need_component miri
  need_component rust-src
  CARGO_TARGET_DIR=$target/miri cargo +nightly miri test --locked --package lb-log-core --lib -- \
    ring:: frame:: file::block:: encode::line:: encode::tags::
}

# sanitize NAME COMMAND…: cargo with a sanitizer, in the standard library, too.
sanitize() {
  local name=$1
  shift
  need_component rust-src
  CARGO_TARGET_DIR=$target/$name RUSTFLAGS="-Zsanitizer=$name -Cforce-frame-pointers=yes" FUZZ_SECONDS=5 \
    cargo +nightly "$1" --locked --release -Zbuild-std --target "$(host)" "${@:2}"
}

readonly threads=(ring:: logger:: recover:: file:: frame:: encode::)

# One test after the other: memory is mapped by system calls that the sanitizer does not see, and an
# address that two tests have had, one after the other, would look shared.
prove_tsan() { sanitize thread test --package lb-log-core --lib -- --test-threads=1 "${threads[@]}"; }

prove_asan() {
  local program=$target/asan-c folder status=0
  sanitize address test --package lb-log-core --lib -- "${threads[@]}" fuzzing::
  echo '--- a C program with threads and forks'
  sanitize address build --package lb-log-ffi
  gcc -O1 -g -fsanitize=address -Iffi/include ffi/examples/fork.c \
    "$target/address/$(host)/release/liblb_log.a" -lgcc_s -lutil -lrt -lpthread -lm -ldl -lc -o "$program"
  folder=$(mktemp -d)
  "$program" "$folder" 4 2000 || status=$?
  rm -rf "$folder"
  return "$status"
}

prove_fuzz() {
  local name status=0
  need_nightly
  cargo fuzz --version 2>/dev/null || lacks cargo-fuzz 'cargo install cargo-fuzz'
  for name in ring_file frames encoder config note; do
    echo "--- $name"
    mkdir -p "$target/corpus/$name"
    cargo +nightly fuzz run --fuzz-dir fuzz --target-dir "$target/fuzz" "$name" "$target/corpus/$name" "fuzz/seeds/$name" -- \
      -max_total_time="$seconds" -rss_limit_mb=2048 -verbosity=0 -print_final_stats=1 || status=1
  done
  return "$status"
}

results=()
worst=0

# run PROOF: in a shell of its own, where `set -e` holds.
run() {
  local proof=$1 started=$SECONDS status=0 result=proved
  printf '\n=== %s\n' "$proof"
  set +e
  (
    set -e
    "prove_$proof"
  )
  status=$?
  set -e
  case $status in
  0) ;;
  77)
    result='NOT RUN: something is missing, see above'
    [ "$worst" != 0 ] || worst=3
    ;;
  *)
    result=FAILED
    worst=1
    ;;
  esac
  results+=("$(printf '%-5s %5d s   %s' "$proof" "$((SECONDS - started))" "$result")")
}

[ "$#" -gt 0 ] || set -- loom miri tsan asan fuzz
for proof in "$@"; do
  declare -F "prove_$proof" >/dev/null || {
    echo 'usage: tools/prove.sh [loom|miri|tsan|asan|fuzz …]' >&2
    exit 2
  }
done
for proof in "$@"; do run "$proof"; done
printf '\n'
printf '%s\n' "${results[@]}"
exit "$worst"
