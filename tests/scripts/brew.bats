# Homebrew on macOS, by a stand-in: formulae, their configuration replaced and put back, services.

# Variables come from helper.bash and repositories.bash:
# shellcheck disable=SC2154

setup() {
  load helper
  fresh_machine
  export FAKE_SYSTEM=Darwin
  mkdir -p "$FAKE/brew/etc/grafana" "$FAKE/brew/var"
  loki_file=$FAKE/brew/etc/loki-local-config.yaml
  grafana_file=$FAKE/brew/etc/grafana/grafana.ini
}

@test "formulae, our configuration in the place of theirs, services; all undone" {
  run install --yes
  ends 0
  called '^brew install loki$'
  called '^brew services restart grafana$'
  grep -q "http_listen_port: $loki_port" "$loki_file"
  grep -q "path_prefix: \"$FAKE/brew/var/lb-log/loki\"" "$loki_file"
  grep -qx "http_addr = 127.0.0.1" "$grafana_file"
  grep -qx "admin_password = \$__file{$password}" "$grafana_file"
  not_called '^sudo'
  run uninstall --yes
  ends 0
  called '^brew services stop loki$'
  called '^brew uninstall grafana$'
  [ "$(cat "$loki_file")" = 'http_listen_port: 1' ]
  [ "$(cat "$grafana_file")" = '; as it came' ]
  [ ! -e "$FAKE/brew/formulae/loki" ]
  [ -d "$FAKE/brew/var/lb-log/loki" ]
  run uninstall --yes --purge
  ends 0
  [ ! -e "$FAKE/brew/var/lb-log" ]
}

@test "a second install restarts nothing, and never takes our file for theirs" {
  install --yes
  before=$(everything)
  : >"$FAKE/calls"
  run install --yes
  ends 0
  [ "$(everything)" = "$before" ]
  not_called 'brew (install|services)'
  install --yes --retention 7
  called '^brew services restart loki$'
  not_called 'services restart grafana'
  uninstall --yes --purge
  [ "$(cat "$loki_file")" = 'http_listen_port: 1' ]
}

@test "a Loki that the user has installed is refused, a Grafana of his stays as it is" {
  mkdir -p "$FAKE/brew/formulae"
  touch "$FAKE/brew/formulae/grafana"
  echo '; mine' >"$grafana_file"
  run install --yes
  ends 0
  says 'Grafana is installed already: it stays as it is'
  [ "$(cat "$grafana_file")" = '; mine' ]
  not_called '(install|restart|stop|uninstall) grafana'
  uninstall --yes --purge
  [ -e "$FAKE/brew/formulae/grafana" ]
  touch "$FAKE/brew/formulae/loki"
  run install --yes
  ends 2
  says 'Loki is installed by brew already'
}

@test "as root, and on another system" {
  FAKE_UID=0 run install --yes --method brew
  ends 2
  says 'Homebrew refuses to run as root'
  FAKE_SYSTEM=Linux run install --yes --method brew
  ends 2
  says 'take apt or docker here'
}

@test "a data directory with a space" {
  install --yes --data-dir "$machine/my data"
  grep -q "chunks_directory: \"$machine/my data/loki/chunks\"" "$loki_file"
  grep -qx "data = $machine/my data/grafana" "$grafana_file"
  uninstall --yes --purge
  [ ! -e "$machine/my data" ]
}
