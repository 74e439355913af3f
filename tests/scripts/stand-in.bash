# shellcheck shell=bash
# What every stand-in does first: write down that it was called; die, and with it whoever called it, where the test asks
# for it (KILL_AT: the number of the call among those that KILL_POINTS describes; KILL_WHEN: before or after its work).
set -eu
PATH=${PATH#*/kill-points:}

call=${0##*/}$(printf ' %q' "$@")
printf '%s\n' "$call" >>"$FAKE/calls"

die_here() {
  # The whole group, as if the machine had gone; the test has given it one of its own.
  if [ "$KILL_WHEN" = "$1" ] && [ "$(wc -l <"$FAKE/changes")" = "$KILL_AT" ]; then kill -KILL 0; fi
}
if [ -n "${KILL_AT:-}" ] && [[ $call =~ $KILL_POINTS ]]; then
  echo "$call" >>"$FAKE/changes"
  die_here before
  trap 'die_here after' EXIT
fi
