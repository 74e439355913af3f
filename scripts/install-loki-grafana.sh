#!/usr/bin/env bash
# Installs Grafana Loki and Grafana for benchmark campaigns; --help says how. bash 3.2, that of macOS, is enough.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
readonly here
# shellcheck source=scripts/loki-grafana/common.sh
. "$here/loki-grafana/common.sh"
# shellcheck source=scripts/loki-grafana/checks.sh
. "$here/loki-grafana/checks.sh"
# shellcheck source=scripts/loki-grafana/loki_config.sh
. "$here/loki-grafana/loki_config.sh"
# shellcheck source=scripts/loki-grafana/apt.sh
. "$here/loki-grafana/apt.sh"
# shellcheck source=scripts/loki-grafana/brew.sh
. "$here/loki-grafana/brew.sh"
# shellcheck source=scripts/loki-grafana/docker.sh
. "$here/loki-grafana/docker.sh"

usage() {
  cat <<'TEXT'
Installs Grafana Loki and Grafana for benchmark campaigns.

  install-loki-grafana.sh                      asks what it needs to know, says what it will do, asks again
  install-loki-grafana.sh --method docker --yes
                                               asks nothing
  install-loki-grafana.sh --dry-run            says what it would do, and what stands in the way; changes nothing
  install-loki-grafana.sh --status             what runs, and the endpoint that targets use
  uninstall-loki-grafana.sh                    takes away what this has made, and nothing else

How:
  --method brew|apt|docker  brew: Homebrew, on macOS. apt: Grafana's packages, on Ubuntu 24.04 and later and Debian 12
                            and later, as services of the system. docker: containers, on macOS and any Linux.
  --mode local|docker       the same by older names: local is brew on macOS and apt elsewhere
  --no-grafana              Loki only
  --data-dir DIR            where the data go (default: with docker a volume each, with apt /var/lib/lb-log)
  --retention DAYS          how long Loki keeps lines (default 365; 0: for ever). The log files are not touched.

Who reaches it:
  --listen ADDRESS          the address that both listen on (default 127.0.0.1: this machine alone). Loki asks nobody for
                            a password: whoever reaches its port can read and write logs. For targets on other machines
                            give the address of a network that only they are in, or 0.0.0.0 behind a firewall; or keep
                            the default, and let each target come by ssh -R 3100:127.0.0.1:3100 TARGET.
  --loki-port PORT          (default 3100)
  --loki-grpc-port PORT     for Loki's own parts, always on 127.0.0.1 (default 9096; not with docker)
  --grafana-port PORT       (default 3000)

Which:
  --loki-image IMAGE, --grafana-image IMAGE     with docker
  --apt-repository URL      a mirror of https://apt.grafana.com, key included, with apt

The rest:
  --yes, -y                 ask nothing; what no flag says takes its default
  --dry-run, -n             check and say what would be done
  --configure, --no-configure
                            at the end, run `lb provision loki-grafana configure`, which makes datasources and
                            dashboards (default: where lb is found)
  --print-loki-config       print the configuration that Loki would get, and end
  --help, -h

Run again, it goes on where it was interrupted, or changes what other flags ask for; what no flag says stays as it was.
Grafana's user is admin; its password is made by chance and lies in ~/.local/state/lb-log/grafana-admin-password.
Exit codes: 0 done, 1 not all runs, 2 nothing could be done.
TEXT
}

# --- what is asked for ---

action=install
method='' listen='' loki_port='' grpc_port='' grafana_port='' data_dir='' retention='' with_grafana=''
loki_image='' grafana_image='' apt_url=''
yes=no dry_run=no configure=auto

want() { [ "$#" -ge 2 ] || die "$1 wants a value (--help)"; }

parse() {
  local flag value
  while [ "$#" != 0 ]; do
    case $1 in
    --*=*)
      flag=${1%%=*} value=${1#*=}
      shift
      set -- "$flag" "$value" "$@"
      ;;
    esac
    case $1 in
    --method) want "$@" && method=$2 && shift ;;
    --mode) want "$@" && method=$(method_of_mode "$2") && shift ;;
    --listen) want "$@" && listen=$2 && shift ;;
    --loki-port) want "$@" && loki_port=$2 && shift ;;
    --loki-grpc-port) want "$@" && grpc_port=$2 && shift ;;
    --grafana-port) want "$@" && grafana_port=$2 && shift ;;
    --data-dir) want "$@" && data_dir=${2%/} && shift ;;
    --retention) want "$@" && retention=$2 && shift ;;
    --loki-image) want "$@" && loki_image=$2 && shift ;;
    --grafana-image) want "$@" && grafana_image=$2 && shift ;;
    --apt-repository) want "$@" && apt_url=${2%/} && shift ;;
    --no-grafana) with_grafana=no ;;
    --yes | -y) yes=yes ;;
    --dry-run | -n) dry_run=yes ;;
    --configure) configure=yes ;;
    --no-configure) configure=no ;;
    --status) action=status ;;
    --print-loki-config) action=print ;;
    --help | -h)
      usage
      exit 0
      ;;
    *) die "unknown argument $1 (--help)" ;;
    esac
    shift
  done
}

method_of_mode() {
  case $1 in
  local) if [ "$(uname -s)" = Darwin ]; then echo brew; else echo apt; fi ;;
  docker) echo docker ;;
  *) printf '%s\n' "$1" ;;
  esac
}

# What no flag says is what the last time said, then the default.
fill() {
  listen=${listen:-$(value_of listen)}
  loki_port=${loki_port:-$(value_of loki-port 3100)}
  grpc_port=${grpc_port:-$(value_of loki-grpc-port 9096)}
  grafana_port=${grafana_port:-$(value_of grafana-port 3000)}
  retention=${retention:-$(value_of retention 365)}
  with_grafana=${with_grafana:-$(value_of with-grafana yes)}
  loki_image=${loki_image:-$(value_of loki-image grafana/loki:3.7.8)}
  grafana_image=${grafana_image:-$(value_of grafana-image grafana/grafana:13.2.3)}
  apt_url=${apt_url:-$(value_of apt-repository https://apt.grafana.com)}
  components=loki
  [ "$with_grafana" = no ] || components='loki grafana'
}

default_method() {
  if [ "$(uname -s)" = Darwin ]; then
    if has brew || ! has docker; then echo brew; else echo docker; fi
  elif apt_knows_this_system && [ -d "$system_root/run/systemd/system" ]; then
    echo apt
  else
    echo docker
  fi
}

default_data_dir() {
  case $method in
  apt) printf '%s\n' "$system_root/var/lib/lb-log" ;;
  brew) printf '%s/var/lb-log\n' "$(brew_prefix)" ;;
  esac
}

ask_method() {
  local choices='apt or docker'
  [ "$(uname -s)" != Darwin ] || choices='brew or docker'
  while :; do
    ask "How shall Loki and Grafana be installed, by $choices?" "$(default_method)"
    case $answer in brew | apt | docker) break ;; esac
    say "Please answer $choices."
  done
  method=$answer
}

ask_listen() {
  say '
Loki asks nobody for a password: whoever reaches its port can read and write logs. On 127.0.0.1 only this machine does.
Targets on other machines need more: the address of a network that only they are in, or 0.0.0.0 behind a firewall.'
  while :; do
    ask 'On which address shall it listen?' 127.0.0.1
    ! is_address "$answer" || break
    say 'Please give an IP address, such as 127.0.0.1, 192.168.7.2 or 0.0.0.0.'
  done
  listen=$answer
}

# Questions come first, before anything is changed.
ask_what_is_missing() {
  local before
  before=$(installed_method)
  if [ -z "$method" ]; then
    if [ -n "$before" ]; then
      method=$before
    elif [ "$yes" = yes ] || [ "$dry_run" = yes ]; then
      method=$(default_method)
    else
      ask_method
    fi
  fi
  case $method in brew | apt | docker) ;; *) die "--method $method: it is brew, apt or docker" ;; esac
  [ -z "$before" ] || [ "$before" = "$method" ] ||
    die "installed by $before already: uninstall that first ($here/uninstall-loki-grafana.sh), its data stay"
  if [ -z "$listen" ]; then
    if [ "$yes" = yes ] || [ "$dry_run" = yes ]; then listen=127.0.0.1; else ask_listen; fi
  fi
  data_dir=${data_dir:-$(value_of data-dir "$(default_data_dir)")}
}

# --- what will be done ---

protection() {
  is_loopback "$listen" && return
  say "
Careful: at $listen others reach it, and Loki asks nobody for a password. What protects it is the network alone:
  - an address that only your targets reach, or a firewall that lets nobody else in, for example
      sudo ufw allow from 192.168.7.0/24 to any port $loki_port proto tcp"
  [ "$method" != docker ] || [ "$(uname -s)" = Darwin ] ||
    say "    (not with docker: what docker publishes goes past ufw and firewalld; use an address of your own network)"
  say "  - a proxy before it that asks for a password or a certificate, and then --listen 127.0.0.1 here
  - ssh: --listen 127.0.0.1 here, and ssh -R $loki_port:127.0.0.1:$loki_port TARGET for each target"
}

plan() {
  local before
  say ''
  say "To be done, by $method:"
  say "$("${method}_plan")"
  say "Loki listens on $listen, port $loki_port, and keeps lines for $([ "$retention" = 0 ] && echo ever || echo "$retention days")."
  case $components in *grafana*) say "Grafana listens on $listen, port $grafana_port, with a password made by chance." ;; esac
  say "What is made is noted in $state_file."
  before=$(value_of data-dir)
  [ -z "$before" ] || [ "$before" = "$data_dir" ] || say "The data that are in $before stay there: to go on with them, move them while nothing runs."
  protection
  say ''
}

# --- doing it ---

make_password() {
  [ -s "$password_file" ] && return
  record secret "$password_file"
  (umask 077 && LC_ALL=C tr -dc 'A-Za-z0-9' </dev/urandom | head -c 24 >"$password_file")
}

wait_for() {
  local component=$1 url until=$((SECONDS + ${LBLOG_WAIT_SECONDS:-180}))
  url=$(url_of_component "$component")
  say "  waiting for $component at $url"
  while ! "${component}_is_ready" "$url"; do
    if [ "$SECONDS" -ge "$until" ]; then
      say "error: $component does not answer at $url. What it said last:"
      "${method}_logs" "$component" >&2 || true
      exit 1
    fi
    sleep 0.5
  done
}

# shellcheck disable=SC2317 # called by trap
interrupted() {
  trap - INT TERM HUP
  say ''
  say "interrupted: run this again to go on, or $here/uninstall-loki-grafana.sh to take away what was made"
  exit 130
}

# Left behind by `set -e` somewhere in between.
# shellcheck disable=SC2317 # called by trap
ended() {
  local status=$?
  [ "$status" = 0 ] || [ "$finished" = yes ] ||
    say "not finished: run this again to go on, or $here/uninstall-loki-grafana.sh to take away what was made"
}

note_settings() {
  set_value listen "$listen"
  set_value loki-port "$loki_port"
  set_value loki-grpc-port "$grpc_port"
  set_value grafana-port "$grafana_port"
  set_value retention "$retention"
  set_value with-grafana "$with_grafana"
  set_value loki-image "$loki_image"
  set_value grafana-image "$grafana_image"
  set_value apt-repository "$apt_url"
  [ -z "$data_dir" ] || set_value data-dir "$data_dir"
}

# What `lb provision loki-grafana configure` reads, and --status.
note_endpoints() {
  set_value endpoint "$(endpoint)"
  set_value loki-for-grafana "$(loki_for_grafana)"
  case $components in
  *grafana*)
    set_value admin-user admin
    set_value admin-password-file "$password_file"
    ;;
  esac
}

# As Grafana reaches it: containers by their names.
loki_for_grafana() { if [ "$method" = docker ]; then echo "http://$(docker_name loki):3100"; else url_of_component loki; fi; }

# Where targets push to: for all addresses the one that this machine has towards others.
endpoint() {
  local found=''
  case $listen in
  0.0.0.0 | ::)
    if has ip; then
      found=$(ip -4 route get 192.0.2.1 2>/dev/null | sed -n 's/.* src \([0-9.]*\).*/\1/p' | head -n 1)
    elif has ipconfig; then
      found=$(ipconfig getifaddr en0 2>/dev/null || true)
    fi
    url_of "${found:-$(hostname)}" "$loki_port"
    ;;
  *) url_of "$listen" "$loki_port" ;;
  esac
}

install_all() {
  local component
  finished=no
  trap interrupted INT TERM HUP
  trap ended EXIT
  state_add "method$tab$method"
  note_settings
  case $components in *grafana*) make_password ;; esac
  make_data
  for component in $components; do set_value "$component" "$(url_of_component "$component")"; done
  "${method}_install"
  note_endpoints
  for component in $components; do wait_for "$component"; done
  finished=yes
}

# The program lb of ours: another one may have that name.
find_lb() {
  local lb
  # Ours in a checkout, ours in PREFIX/share/lb-log/scripts, whatever has the name.
  for lb in "$here/../build/lb" "$here/../../../bin/lb-log" lb-log lb; do
    if has "$lb" && "$lb" provision loki-grafana configure --help >/dev/null 2>&1; then
      command -v "$lb"
      return
    fi
  done
  return 1
}

configure_grafana() {
  local lb
  case $components in *grafana*) ;; *) return 0 ;; esac
  [ "$configure" != no ] || return 0
  if lb=$(find_lb); then
    say ''
    # It finds the rest in the state.
    "$lb" provision loki-grafana configure >&2 || {
      say "error: Loki and Grafana run, but $lb provision loki-grafana configure has failed: mend that and run it alone"
      exit 1
    }
  elif [ "$configure" = yes ]; then
    say 'error: Loki and Grafana run, but lb is not here to make datasources and dashboards: install it, then run lb provision loki-grafana configure'
    exit 1
  fi
}

# --- status ---

status() {
  local component url state=0 shown
  [ -n "$(installed_method)" ] || {
    say "nothing is installed: $state_file names nothing"
    exit 1
  }
  printf '%-10s %s\n' method "$(installed_method)"
  for component in loki grafana; do
    url=$(value_of "$component")
    [ -n "$url" ] || continue
    if "${component}_is_ready" "$url"; then
      shown="up $(version_of "$component" "$url")"
    else
      shown=down
      state=1
    fi
    printf '%-10s %-28s %s\n' "$component" "$url" "$shown"
  done
  url=$(value_of endpoint)
  printf '%-10s %-28s %s\n' endpoint "${url:--}" "$(reach)"
  printf '%-10s %s\n' state "$state_file"
  exit "$state"
}

# Who reaches it.
reach() {
  if is_loopback "$(value_of listen)"; then
    echo 'for this machine; for others ssh -R, or --listen'
  else
    echo 'for targets: LB_LOKI_ENDPOINT'
  fi
}

main() {
  parse "$@"
  case $action in
  status) status ;;
  print)
    fill
    loki_config "${listen:-127.0.0.1}" "$loki_port" "$grpc_port" "${data_dir:-/var/lib/lb-log}/loki" "$retention"
    exit 0
    ;;
  esac
  fill
  ask_what_is_missing
  check_values
  [ "${#problems[@]}" != 0 ] || "${method}_check"
  if "${method}_theirs" grafana; then
    say 'Grafana is installed already: it stays as it is (lb provision loki-grafana configure --grafana-url URL gives it our dashboards).'
    components=loki
  fi
  check_data
  [ "${#problems[@]}" != 0 ] || check_ports
  [ "$dry_run" = yes ] || die_of_problems
  plan
  if [ "$dry_run" = yes ]; then
    die_of_problems
    say 'A dry run: nothing was changed.'
    exit 0
  fi
  [ "$yes" = yes ] || confirm 'Go on?'
  install_all
  configure_grafana
  say ''
  status
}

main "$@"
