# shellcheck shell=bash
# Some variables are those of bats and of the tests:
# shellcheck disable=SC2034,SC2154
# A machine of each test's own: home, root of the system, stand-ins that write down every call.

here=$BATS_TEST_DIRNAME
project=$(cd "$here/../.." && pwd)

# fresh_machine [NAME]
fresh_machine() {
  # Not BATS_TEST_TMPDIR alone: folders with a space are ordinary.
  machine="$BATS_TEST_TMPDIR/${1:-a machine}"
  rm -rf "$machine"
  export HOME="$machine/home" FAKE="$machine/fake" LBLOG_ROOT="$machine/root" LBLOG_WAIT_SECONDS=20
  mkdir -p "$HOME" "$FAKE/up" "$LBLOG_ROOT/etc" "$LBLOG_ROOT/run/systemd/system" "$LBLOG_ROOT/var/lib" "$LBLOG_ROOT/srv"
  : >"$FAKE/calls"
  system debian 12
  unset XDG_STATE_HOME DOCKER_HOST http_proxy https_proxy
  PATH=$here/stand-ins:$PATH
  [ -n "${loki_port:-}" ] || free_ports
  state="$HOME/.local/state/lb-log/loki-grafana.state"
  password="$HOME/.local/state/lb-log/grafana-admin-password"
}

system() { printf 'PRETTY_NAME="%s %s"\nID=%s\nVERSION_ID="%s"\n' "$1" "$2" "$1" "$2" >"$LBLOG_ROOT/etc/os-release"; }

# Not those that a Loki of this machine's own may have, nor those that the kernel gives to outgoing connections.
free_ports() {
  local port ports=()
  while [ "${#ports[@]}" -lt 3 ]; do
    port=$((20000 + RANDOM % 12000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || ports+=("$port")
  done
  loki_port=${ports[0]} grafana_port=${ports[1]} grpc_port=${ports[2]}
}

# With our ports, nobody at a terminal, and without configuring Grafana.
install() { unattended "$project/scripts/install-loki-grafana.sh" --loki-port "$loki_port" --grafana-port "$grafana_port" --loki-grpc-port "$grpc_port" --no-configure "$@"; }
uninstall() { unattended "$project/scripts/uninstall-loki-grafana.sh" "$@"; }
unattended() { "$@" </dev/null; }
status() { "$project/scripts/install-loki-grafana.sh" --status; }

# called PATTERN: some call was like that.
called() { grep -Eq -- "$1" "$FAKE/calls" || { echo "not called: $1" && cat "$FAKE/calls" && false; }; }
not_called() { ! grep -E -- "$1" "$FAKE/calls"; }

# All files that are there, with their content and rights: what is the same before and after was not changed. The calls
# and what the stand-ins copy are no part of it, nor are folders.
everything() { (cd "$machine" && find . -path ./fake/calls -prune -o -path ./fake/copied -prune -o -type f -printf '%m ' -exec cksum {} \; | sort); }

no_line() { ! grep -e "$1" "$2"; }

# says TEXT: the output of `run` has it.
says() {
  case $output in *"$1"*) ;; *)
    echo "does not say: $1"
    echo "$output"
    false
    ;;
  esac
}

# ends STATUS: so the command of `run` has ended.
ends() {
  [ "$status" = "$1" ] || {
    echo "ends with $status:"
    echo "$output"
    false
  }
}
