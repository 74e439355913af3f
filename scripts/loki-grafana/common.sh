# shellcheck shell=bash
# Variables come from, and go to, the scripts that read this:
# shellcheck disable=SC2034,SC2154
# What installing and uninstalling share: speaking, asking, root, files, and the record of what was made.
# macOS has bash 3.2: no associative arrays, no mapfile, no ${x,,}, and an empty array counts as unset.

# Tests put another root before the system's own files.
readonly system_root=${LBLOG_ROOT:-}

# --- speaking and asking: everything on stderr, stdout is for data ---

say() { printf '%s\n' "$*" >&2; }

die() {
  say "error: $*"
  exit 2
}

has() { command -v "$1" >/dev/null 2>&1; }

# All that stands in the way is said at once.
problems=()
problem() { problems[${#problems[@]}]=$*; }

die_of_problems() {
  local line
  [ "${#problems[@]}" = 0 ] && return
  for line in "${problems[@]}"; do say "error: $line"; done
  exit 2
}

# Functions read pipes; whether somebody can be asked is known at the start.
interactive=no
[ ! -t 0 ] || interactive=yes

# ask QUESTION DEFAULT: what is typed is in $answer.
answer=
ask() {
  [ "$interactive" = yes ] || die "standard input is no terminal, so nobody can be asked: $1 Say it by a flag (--help), and --yes"
  printf '%s [%s] ' "$1" "$2" >&2
  if ! IFS= read -r answer; then
    say ''
    die 'the input ended without an answer: nothing was changed'
  fi
  [ -n "$answer" ] || answer=$2
}

# confirm QUESTION: only a yes goes on.
confirm() {
  while :; do
    ask "$1" no
    case $answer in
    y | Y | yes | Yes | YES) return 0 ;;
    n | N | no | No | NO)
      say 'Nothing was changed.'
      exit 1
      ;;
    esac
    say 'Please answer yes or no.'
  done
}

# --- root ---

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif [ "$interactive" = yes ]; then
    sudo "$@"
  else
    sudo -n "$@"
  fi
}

check_root() {
  [ "$(id -u)" = 0 ] && return
  if ! has sudo; then
    problem "this needs root, and sudo is not here: run it as root"
  elif [ "$interactive" = no ] && ! sudo -n true 2>/dev/null; then
    problem "this needs root, and sudo asks for a password where nobody can type it: run it as root"
  fi
}

# put FILE MODE: writes standard input into a file, as root where the folder asks for it; never in part.
put() {
  local runner=''
  [ -w "$(dirname "$1")" ] || runner=as_root
  # $1 and $2 are the inner shell's.
  # shellcheck disable=SC2016
  $runner sh -c 'umask 077 && cat >"$1.new" && chmod "$2" "$1.new" && mv "$1.new" "$1"' sh "$1" "$2"
}

# remove PATH: a file or a folder with all that is in it, and what an interrupted `put` has left.
remove() {
  if [ -w "$(dirname "$1")" ]; then
    rm -rf "$1" "$1.new" 2>/dev/null || as_root rm -rf "$1" "$1.new"
  elif [ -e "$(dirname "$1")" ]; then
    as_root rm -rf "$1" "$1.new"
  fi
}

# remove_empty FOLDER: stays where somebody else has put something into it.
remove_empty() {
  [ -d "$1" ] || return 0
  if [ -w "$(dirname "$1")" ]; then rmdir "$1" 2>/dev/null || true; else as_root rmdir "$1" 2>/dev/null || true; fi
}

# make_folder DIR: with its parents, each recorded; for all to read. as_root where the nearest parent asks for it.
make_folder() {
  [ -d "$1" ] && return
  local parent
  parent=$(dirname "$1")
  make_folder "$parent"
  record folder "$1"
  if [ -w "$parent" ]; then mkdir -m 755 "$1"; else as_root mkdir -m 755 "$1"; fi
}

# --- the state: one line for each thing that was made, written before it is made ---

# lb looks there, too.
readonly state_dir=${XDG_STATE_HOME:-${HOME:-/root}/.local/state}/lb-log
readonly state_file=$state_dir/loki-grafana.state
readonly password_file=$state_dir/grafana-admin-password
readonly tab='	'

# state_lines PREFIX: what follows it, in each line that begins with it.
state_lines() {
  local line
  [ -f "$state_file" ] || return 0
  while IFS= read -r line; do
    case $line in "$1$tab"*) printf '%s\n' "${line#"$1$tab"}" ;; esac
  done <"$state_file"
}

state_has() { [ -f "$state_file" ] && grep -Fqx -- "$1" "$state_file"; }

state_add() {
  state_has "$1" && return
  if ! [ -f "$state_file" ]; then
    (umask 077 && mkdir -p "$state_dir")
    # A folder that is shared would give away the password.
    chmod 700 "$state_dir"
    printf '%s\n' '# What install-loki-grafana.sh has made; uninstall-loki-grafana.sh undoes it.' "version${tab}1" >"$state_file"
  fi
  printf '%s\n' "$1" >>"$state_file"
}

# state_rewrite PROGRAM…: the state becomes what the program makes of it.
state_rewrite() {
  local status=0
  "$@" <"$state_file" >"$state_file.new" || status=$?
  # 1 is grep's for nothing left.
  [ "$status" -le 1 ] || die "$state_file.new cannot be written: is the disk full?"
  mv "$state_file.new" "$state_file"
}

state_drop() { state_rewrite grep -Fvx -- "$1"; }

record() { state_add "made$tab$1$tab$2"; }
is_recorded() { state_has "made$tab$1$tab$2"; }
recorded() { state_lines "made$tab$1"; }

# set_value KEY VALUE, value_of KEY [DEFAULT]
set_value() {
  state_has "set$tab$1$tab$2" && return
  [ -z "$(state_lines "set$tab$1")" ] || state_rewrite grep -v -- "^set$tab$1$tab"
  state_add "set$tab$1$tab$2"
}
value_of() {
  local found
  found=$(state_lines "set$tab$1")
  printf '%s\n' "${found:-${2:-}}"
}

# What something was started with, as one word.
settings_sum() { cksum | tr ' ' -; }

installed_method() { state_lines method; }

# --- the network ---

# url_of ADDRESS PORT: of a listener as this machine reaches it.
url_of() {
  case $1 in
  0.0.0.0) printf 'http://127.0.0.1:%s\n' "$2" ;;
  ::) printf 'http://[::1]:%s\n' "$2" ;;
  *:*) printf 'http://[%s]:%s\n' "$1" "$2" ;;
  *) printf 'http://%s:%s\n' "$1" "$2" ;;
  esac
}

is_loopback() { case $1 in 127.* | ::1) true ;; *) false ;; esac }

# fetch URL: its body; false for anything but success. Nobody needs a proxy to reach this machine.
fetch() { curl --fail --silent --show-error --noproxy '*' --max-time 5 "$1" 2>/dev/null; }

loki_is_ready() { [ "$(fetch "$1/ready")" = ready ]; }
grafana_is_ready() { fetch "$1/api/health" | grep -q '"database": *"ok"'; }
# version_of COMPONENT URL
version_of() {
  local path=/api/health
  [ "$1" != loki ] || path=/loki/api/v1/status/buildinfo
  fetch "$2$path" | sed -n 's/.*"version": *"\([^"]*\)".*/\1/p' | head -n 1
}

# --- data: one folder, marked, in which each program has its own ---

mark_of() { printf '%s/.lb-log\n' "$1"; }

make_data() {
  [ -n "$data_dir" ] || return 0
  make_folder "$data_dir"
  record data "$data_dir"
  echo 'The data of Loki and Grafana, kept by lb-log.' | put "$(mark_of "$data_dir")" 644
}

# Only what bears the mark is deleted.
purge_data() {
  local component
  [ -e "$(mark_of "$1")" ] || return 0
  for component in loki grafana; do remove "$1/$component" || return 1; done
  remove "$(mark_of "$1")" && remove_empty "$1"
}
