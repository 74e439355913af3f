#!/usr/bin/env bash
# Takes away what install-loki-grafana.sh has made, and nothing else; --help says how. bash 3.2 is enough.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
readonly here
# shellcheck source=scripts/loki-grafana/common.sh
. "$here/loki-grafana/common.sh"
# shellcheck source=scripts/loki-grafana/apt.sh
. "$here/loki-grafana/apt.sh"
# shellcheck source=scripts/loki-grafana/brew.sh
. "$here/loki-grafana/brew.sh"
# shellcheck source=scripts/loki-grafana/docker.sh
. "$here/loki-grafana/docker.sh"

usage() {
  cat <<'TEXT'
Takes away what install-loki-grafana.sh has made, and nothing else: it goes by the lines of
~/.local/state/lb-log/loki-grafana.state, last one first. A half install is taken away, too.

  uninstall-loki-grafana.sh              says what goes and what stays, asks, removes; the data stay
  uninstall-loki-grafana.sh --purge      the data too: all log lines in Loki, all dashboards and users of Grafana
                                         (the log files of runs are not touched). Asks for that apart.

  --purge, --remove-data    see above; may also be given later, when the rest is gone already
  --yes, -y                 ask nothing
  --dry-run, -n             say what would go; change nothing
  --help, -h

Exit codes: 0 done, 1 something could not be removed (it stays noted: run this again), or nothing is installed, 2 error.
TEXT
}

yes=no dry_run=no purge=no

parse() {
  while [ "$#" != 0 ]; do
    case $1 in
    --purge | --remove-data) purge=yes ;;
    --yes | -y) yes=yes ;;
    --dry-run | -n) dry_run=yes ;;
    --help | -h)
      usage
      exit 0
      ;;
    *) die "unknown argument $1 (--help)" ;;
    esac
    shift
  done
}

# What holds data, and goes with --purge alone.
is_data() { case $1 in data | volume | secret) true ;; *) false ;; esac }

# The recorded lines, last one first.
backwards() { state_lines made | awk '{ line[NR] = $0 } END { for (i = NR; i > 0; i--) print line[i] }'; }

plan() {
  local kind name kept=''
  say 'To be removed:'
  while IFS=$tab read -r kind name; do
    if is_data "$kind" && [ "$purge" = no ]; then
      kept="$kept
  - $kind $name"
    elif [ "$kind" != folder ]; then
      say "  - $kind $name"
    fi
  done <<<"$(backwards)"
  [ -z "$kept" ] || say "Data, which stay (--purge removes them):$kept"
}

undo() {
  case $1 in
  container | network | volume | image) docker_undo "$1" "$2" ;;
  service) if [ "$method" = brew ]; then brew_undo "$1" "$2"; else apt_undo "$1" "$2"; fi ;;
  package | dependency) apt_undo "$1" "$2" ;;
  formula | replaced) brew_undo "$1" "$2" ;;
  file | secret) remove "$2" ;;
  folder) remove_empty "$2" ;;
  data) purge_data "$2" ;;
  *) say "error: $state_file names a $1, which this version does not know: use the scripts that made it" && return 1 ;;
  esac
}

undo_all() {
  local kind name status=0
  while IFS=$tab read -r kind name; do
    [ -n "$kind" ] || continue
    if is_data "$kind" && [ "$purge" = no ]; then continue; fi
    [ "$kind" = folder ] || say "  $kind $name"
    # What fails stays noted.
    if undo "$kind" "$name" </dev/null; then
      state_drop "made$tab$kind$tab$name"
    else
      say "error: $kind $name could not be removed"
      status=1
    fi
  done <<<"$(backwards)"
  return "$status"
}

# Nothing but data is left, or nothing at all.
close_state() {
  if [ -n "$(recorded data)$(recorded volume)$(recorded secret)" ]; then
    state_rewrite grep -v -e "^method$tab" -e "^set$tab"
    say "The data stay, and $state_file notes where; $here/uninstall-loki-grafana.sh --purge removes them."
  else
    rm -f "$state_file" "$state_file.new"
    rmdir "$state_dir" 2>/dev/null || true
  fi
}

main() {
  parse "$@"
  method=$(installed_method)
  readonly method
  if [ -z "$(state_lines made)$method" ]; then
    say "nothing is installed: $state_file names nothing. Who has installed it, another user, or root by sudo?"
    exit 1
  fi
  plan
  if [ "$dry_run" = yes ]; then
    say 'A dry run: nothing was changed.'
    exit 0
  fi
  if [ "$yes" = no ]; then
    confirm 'Go on?'
    [ "$purge" = no ] || confirm 'Delete the data, too? Nobody can bring them back.'
  fi
  trap 'say "interrupted: run this again to go on"; exit 130' INT TERM HUP
  if ! undo_all; then
    say "What could not be removed is still noted in $state_file: mend it and run this again."
    exit 1
  fi
  close_state
}

main "$@"
