# What is said by flags, what stands in the way, and what --dry-run and the checks leave alone: everything.

# Variables come from helper.bash and repositories.bash:
# shellcheck disable=SC2154

setup() {
  load helper
  fresh_machine
}

# refuses TEXT ARGUMENT…: exit 2, and nothing is changed.
refuses() {
  local text=$1 before
  shift
  before=$(everything)
  run install --yes "$@"
  ends 2
  says "$text"
  [ "$(everything)" = "$before" ]
}

@test "--help teaches both, and names every flag" {
  for script in install uninstall; do
    run "$project/scripts/$script-loki-grafana.sh" --help
    ends 0
    for flag in $(sed -n 's/^    \(--[a-z|  -]*\)) .*/\1/p' "$project/scripts/$script-loki-grafana.sh" | tr '|' ' '); do says "$flag"; done
  done
}

@test "nothing that bash 3.2 lacks" {
  for lacking in 'declare -[gAn]' 'local -[An]' mapfile readarray '\$\{[A-Za-z_]+(,,|\^\^|@)' '\|&' '&>>' 'wait -n' '\[\[ -v' BASHPID coproc EPOCH 'printf .%\('; do
    ! grep -rnE -- "$lacking" "$project/scripts" --include '*.sh' || false
  done
  # A case inside $(…) is misread by it.
  ! grep -rnE '\$\(.*case .* in' "$project/scripts" || false
}

@test "values that cannot be are named with what to give instead" {
  refuses 'unknown argument --frob' --frob
  refuses '--listen wants a value' --listen
  refuses '--method snap: it is brew, apt or docker' --method snap
  for address in 1.2.3 1.2.3.256 localhost 1.2.3.4.5 '' 1..2.3 'a b'; do
    [ -z "$address" ] || refuses "--listen $address: give an IP address" --method docker --listen "$address"
  done
  refuses '--listen 192.168.8.2: this machine does not have that address' --method docker --listen 192.168.8.2
  refuses 'port 0: give a number' --method docker --loki-port 0
  refuses 'port 65536: give a number' --method docker --grafana-port 65536
  refuses 'port x: give a number' --method docker --loki-grpc-port x
  refuses 'the ports must differ' --method docker --loki-port 4000 --grafana-port 4000
  refuses '--retention -1: give a number of days' --method docker --retention -1
  refuses '--apt-repository ftp://x: give a URL' --method apt --apt-repository ftp://x
  refuses 'give the whole path' --method docker --data-dir some/where
  for character in '"' '$' '%' ':' ',' ';' '#' '&' '{' '`' \\; do
    refuses 'take a name without' --method docker --data-dir "$machine/a${character}b"
  done
}

@test "all that stands in the way is said at once" {
  refuses 'give an IP address' --method docker --listen x --retention y
  says 'give a number of days'
}

@test "a port that is taken: by a Loki, a Grafana, another program" {
  python3 -c '
import socket, sys, time
listeners = [socket.create_server(("127.0.0.1", int(port))) for port in sys.argv[1:]]
print("ready", flush=True)
time.sleep(60)' "$loki_port" "$grafana_port" >"$machine/listener" 3>&- &
  listener=$!
  until grep -q ready "$machine/listener"; do sleep 0.05; done
  refuses "http://127.0.0.1:$loki_port is taken by another program: take --loki-port" --method docker
  says "http://127.0.0.1:$grafana_port is taken by another program: take --grafana-port"
  echo loki >"$FAKE/up/$loki_port"
  echo grafana >"$FAKE/up/$grafana_port"
  refuses "a Loki (3.7.8) answers at http://127.0.0.1:$loki_port already: use it" --method docker
  says "a Grafana (13.2.3) answers at http://127.0.0.1:$grafana_port already: use it"
  kill "$listener"
}

@test "--dry-run says what would be done, and what stands in the way, and changes nothing" {
  before=$(everything)
  for method in docker apt; do
    run install --dry-run --method "$method"
    ends 0
    says "To be done, by $method"
    says 'nothing was changed'
  done
  FAKE_SYSTEM=Darwin run install --dry-run
  ends 0
  says 'To be done, by brew'
  says 'brew services start loki'
  run install --dry-run --method brew
  ends 2
  says 'brew is for macOS'
  [ "$(everything)" = "$before" ]
  not_called '^(sudo -n [^t]|apt-get|docker (create|pull|start)|brew (install|services))'
  install --yes --method docker
  before=$(everything)
  run uninstall --dry-run --purge
  ends 0
  says 'container lb-log-loki'
  says 'volume lb-log-loki'
  [ "$(everything)" = "$before" ]
}

@test "another address, another folder: ours may be there already; data do not move by themselves" {
  LBLOG_WAIT_SECONDS=0 install --yes --method docker --listen 0.0.0.0 --data-dir "$machine/data" || true
  echo loki >"$FAKE/up/$loki_port"
  python3 -m http.server --bind 0.0.0.0 "$loki_port" >/dev/null 2>&1 3>&- &
  listener=$!
  until (exec 3<>"/dev/tcp/127.0.0.1/$loki_port") 2>/dev/null; do sleep 0.05; done
  run install --yes --listen 127.0.0.2 --data-dir "$machine/elsewhere"
  kill "$listener"
  ends 0
  says "The data that are in $machine/data stay there"
}

@test "another method than before: uninstall first" {
  install --yes --method docker
  refuses 'installed by docker already: uninstall that first' --method apt
}

@test "--mode is what it was: local or docker" {
  FAKE_SYSTEM=Darwin run install --dry-run --mode local
  says 'by brew'
  run install --dry-run --mode=local
  says 'by apt'
  run install --dry-run --mode docker
  says 'by docker'
}

@test "whoever lets others in is told what protects Loki; who does not is not" {
  run install --dry-run --method docker --listen 0.0.0.0
  says 'Loki asks nobody for a password'
  says 'what docker publishes goes past ufw'
  says "ssh -R $loki_port:127.0.0.1:$loki_port TARGET"
  run install --dry-run --method docker --listen ::1
  [[ $output != *password.\ What* ]]
  [[ $output != *Careful* ]]
}

@test "listening on all addresses, the endpoint for targets is one of them" {
  install --yes --method docker --listen 0.0.0.0
  run status
  ends 0
  [[ $output =~ endpoint\ +http://192\.168\.7\.2:$loki_port\ +for\ targets ]]
}

@test "an IPv6 address has its brackets where they belong" {
  install --yes --method docker --listen ::1
  called "--publish \\\\\[::1\\\\\]:$loki_port:3100"
  grep -x "set	endpoint	http://\[::1\]:$loki_port" "$state"
  refuses '--listen fd00::8: this machine does not have that address' --listen fd00::8
}

@test "at the end lb makes datasources and dashboards, if it is here; it gets no secret" {
  mkdir "$machine/bin"
  cat >"$machine/bin/lb-log" <<'LB'
#!/bin/sh
echo "lb $*" >>"$FAKE/calls"
exit "${LB_ENDS:-0}"
LB
  chmod +x "$machine/bin/lb-log"
  PATH=$machine/bin:$PATH
  script=$project/scripts/install-loki-grafana.sh
  run unattended "$script" --yes --method docker --loki-port "$loki_port" --grafana-port "$grafana_port" --no-configure
  ends 0
  not_called '^lb '
  # Whatever lb this checkout has built is not asked.
  cp -R "$project/scripts" "$machine/scripts"
  run unattended "$machine/scripts/install-loki-grafana.sh" --yes
  ends 0
  called '^lb provision loki-grafana configure$'
  LB_ENDS=1 run unattended "$machine/scripts/install-loki-grafana.sh" --yes
  ends 0
  LB_ENDS=1 run unattended "$machine/scripts/install-loki-grafana.sh" --yes --configure
  ends 1
  says 'lb is not here'
}

@test "status: nothing installed, all up, one down" {
  run status
  ends 1
  says 'nothing is installed'
  install --yes --method docker
  run status
  ends 0
  rm "$FAKE/up/$grafana_port"
  run status
  ends 1
  [[ $output =~ grafana\ +http://127.0.0.1:$grafana_port\ +down ]]
}
