#!/usr/bin/env bash
# The harness, as `make bench` runs it: benches/run.sh --help
set -eu -o pipefail

cd "$(dirname "$0")/.."
python=build/venv/bin/python
[ -x "$python" ] || python=python3
# What the tests know of Loki.
export PYTHONPATH=tests
exec "$python" -m benches "$@"
