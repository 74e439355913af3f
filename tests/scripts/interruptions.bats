# An install that is killed at each step that changes something, before it and after it: it can be taken away to the last
# file, and it can be run again.

# Variables come from helper.bash and repositories.bash:
# shellcheck disable=SC2154

setup_file() {
  load repositories
  make_repositories
}

teardown_file() {
  load repositories
  remove_repositories
}

setup() {
  load helper
  load repositories
}

# What changes something. What is run again, and apt, which is slow, is not killed at each folder and line of the state.
programs='^docker (network create|pull|create|cp|start|rm)|^brew (install|services)'
all_points="^mkdir|^mv|$programs"
apt_points='^mv .*/etc/|^apt-get -qq (update|--yes)|^systemctl (enable|restart)'

# All that is there, docker's objects included, without what apt keeps for itself.
left() { everything | grep -v -e root/var/cache -e root/var/lib/apt -e root/var/lib/dpkg -e fake/changes -e root/var/log; }

# killed WHEN POINTS ARGUMENT…: installs are killed at step after step, until one comes to its end.
killed() {
  local when=$1 step=0 before
  export KILL_POINTS=$2
  shift 2
  while :; do
    step=$((step + 1))
    "$fresh"
    before=$(left)
    : >"$FAKE/changes"
    # In a process group of its own.
    KILL_AT=$step KILL_WHEN=$when run env PATH="$here/kill-points:$PATH" setsid --wait "$project/scripts/install-loki-grafana.sh" --yes --no-configure \
      --loki-port "$loki_port" --grafana-port "$grafana_port" --loki-grpc-port "$grpc_port" "$@" </dev/null
    echo "$when step $step: $(tail -n 1 "$FAKE/changes")"
    if [ "$status" = 0 ]; then
      [ "$step" -gt 4 ]
      return
    fi
    ends 137
    if [ "$when" = before ]; then
      run install --yes "$@"
      ends 0
    fi
    run uninstall --yes --purge
    # Where it was killed before it has noted anything, nothing is installed.
    [ "$status" = 0 ] || says 'nothing is installed'
    diff <(printf '%s\n' "$before") <(left)
  done
}

@test "docker, run again" {
  fresh=fresh_machine
  killed before "$programs" --method docker --data-dir "$BATS_TEST_TMPDIR/a machine/my data"
}

@test "docker, taken away" {
  fresh=fresh_machine
  killed after "$all_points" --method docker
}

fresh_mac() {
  fresh_machine
  export FAKE_SYSTEM=Darwin
  mkdir -p "$FAKE/brew/etc/grafana" "$FAKE/brew/var"
  echo 'http_listen_port: 1' >"$FAKE/brew/etc/loki-local-config.yaml"
  echo '; as it came' >"$FAKE/brew/etc/grafana/grafana.ini"
}

@test "brew, run again" {
  fresh=fresh_mac
  killed before "$programs" --method brew
}

@test "brew, taken away" {
  fresh=fresh_mac
  killed after "$all_points" --method brew
}

@test "apt, taken away" {
  need_repositories
  fresh=fresh_system
  fresh_system
  killed after "$apt_points" --method apt --apt-repository "$vendor"
}
