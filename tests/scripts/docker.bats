# Containers, with a docker that writes down every call.

# Variables come from helper.bash and repositories.bash:
# shellcheck disable=SC2154

setup() {
  load helper
  fresh_machine
}

here_are() { (cd "$FAKE/docker" && find "$@" -type f | sort | tr '\n' ' '); }

@test "two containers with pinned images and volumes, on the loopback interface, started again after a reboot" {
  run install --method docker --yes
  ends 0
  called "^docker pull --quiet grafana/loki:3\.7\.[0-9]+$"
  called "^docker pull --quiet grafana/grafana:13\.[0-9.]+$"
  called "^docker create .*--name lb-log-loki --network lb-log --restart unless-stopped .*--publish 127.0.0.1:$loki_port:3100 --mount type=volume\\\\,source=lb-log-loki\\\\,target=/loki grafana/loki"
  called "^docker create .*--name lb-log-grafana .*--publish 127.0.0.1:$grafana_port:3000 .*target=/var/lib/grafana grafana/grafana"
  [ "$(here_are running)" = 'running/lb-log-grafana running/lb-log-loki ' ]
  says "up 3.7.8"
  says "up 13.2.3"
  not_called '^sudo'
}

@test "Grafana gets a password made by chance, which is in no argument, no output and nobody else's file" {
  run install --method docker --yes
  ends 0
  secret=$(cat "$password")
  [ "${#secret}" = 24 ]
  [ "$(stat -c %a "$password")" = 600 ]
  [ "$(stat -c %a "$(dirname "$password")")" = 700 ]
  [ "$(cat "$FAKE/copied/lb-log-grafana/lb-log/admin-password")" = "$secret" ]
  called 'GF_SECURITY_ADMIN_PASSWORD=.*__file.\{/etc/lb-log/admin-password'
  not_called "$secret"
  [[ $output != *$secret* ]]
  no_line "$secret" "$state"
}

@test "the state names the endpoints: this machine's, the targets', Grafana's own" {
  install --method docker --yes --listen 0.0.0.0
  grep -x "set	endpoint	http://192.168.7.2:$loki_port" "$state"
  grep -x "set	loki-for-grafana	http://lb-log-loki:3100" "$state"
  grep -x "set	grafana	http://127.0.0.1:$grafana_port" "$state"
  grep -x "set	admin-password-file	$password" "$state"
}

@test "a second install changes nothing; other flags change what they say, the rest stays" {
  install --method docker --yes --retention 30
  before=$(everything)
  : >"$FAKE/calls"
  run install --yes
  ends 0
  [ "$(everything)" = "$before" ]
  not_called '^docker (create|rm|pull|cp|network create)'
  run install --yes --loki-image grafana/loki:3.7.9
  ends 0
  called '^docker rm --force lb-log-loki$'
  not_called 'docker (rm --force|create .*--name) lb-log-grafana'
  grep -q '^  retention_period: 720h' "$FAKE/copied/lb-log-loki/lb-log/loki.yaml"
}

@test "uninstall takes away what was made, keeps the data, and another install finds them" {
  touch "$HOME/mine"
  install --method docker --yes
  secret=$(cat "$password")
  run uninstall --yes
  ends 0
  [ "$(here_are .)" = './volume/lb-log-grafana ./volume/lb-log-loki ' ]
  says 'The data stay'
  [ "$(cat "$password")" = "$secret" ]
  run install --method docker --yes
  ends 0
  [ "$(cat "$password")" = "$secret" ]
}

@test "--purge, or --remove-data, at once or later: nothing is left" {
  before=$(everything)
  for purge in --purge --remove-data; do
    install --method docker --yes
    run uninstall "$purge" --yes
    ends 0
    [ "$(everything)" = "$before" ]
    [ -z "$(here_are .)" ]
  done
  install --method docker --yes
  uninstall --yes
  run uninstall --purge --yes
  ends 0
  [ -z "$(here_are .)" ]
  [ ! -e "$state" ] && [ ! -e "$password" ]
  run uninstall --yes
  ends 1
  says 'nothing is installed'
}

@test "what was there before stays: an image, and one that others use" {
  mkdir -p "$FAKE/docker/image" "$FAKE/docker/container"
  touch "$FAKE/docker/image/grafana_loki:3.7.8"
  install --method docker --yes
  printf 'x\nx\ngrafana/grafana:13.2.3\n' >"$FAKE/docker/container/theirs"
  run uninstall --purge --yes
  ends 0
  says 'is in use by others: it stays'
  [ "$(here_are .)" = './container/theirs ./image/grafana_grafana:13.2.3 ./image/grafana_loki:3.7.8 ' ]
}

@test "somebody else's container or volume with our name is left alone" {
  mkdir -p "$FAKE/docker/container" "$FAKE/docker/volume"
  touch "$FAKE/docker/container/lb-log-loki" "$FAKE/docker/volume/lb-log-grafana"
  before=$(everything)
  run install --method docker --yes
  ends 2
  says 'a container lb-log-loki is there'
  says 'a volume lb-log-grafana is there'
  [ "$(everything)" = "$before" ]
}

@test "a data directory with a space: bound into the containers, theirs by user, kept or purged" {
  install --method docker --yes --data-dir "$machine/my data/"
  called "type=bind\\\\,source=.*my\\\\ data/loki\\\\,target=/loki --user 1000:1000"
  uninstall --yes
  touch "$machine/my data/loki/chunk" "$machine/my data/mine"
  run install --method docker --yes
  ends 0
  uninstall --purge --yes
  [ "$(cd "$machine/my data" && ls -A)" = mine ]
}

@test "rootless docker: root inside is who runs it" {
  FAKE_ROOTLESS=yes install --method docker --yes --data-dir "$machine/data"
  called '--user 0:0'
}

@test "folders that hold something else are not taken for data" {
  mkdir -p "$machine/data/loki"
  touch "$machine/data/loki/theirs"
  run install --method docker --yes --data-dir "$machine/data"
  ends 2
  says 'is there and not empty'
}

@test "a docker that is not here, not running, not for us, or on another machine" {
  echo 'Cannot connect to the Docker daemon' >"$FAKE/docker-says"
  run install --method docker --yes
  ends 2
  says 'is it running?'
  echo 'permission denied while trying to connect' >"$FAKE/docker-says"
  run install --method docker --yes
  ends 2
  says 'join the group docker'
  rm "$FAKE/docker-says"
  FAKE_DOCKER_HOST=ssh://elsewhere run install --method docker --yes
  ends 2
  says 'docker works on another machine here (ssh://elsewhere)'
  [ ! -e "$state" ]
}

@test "any Linux will do" {
  system fedora 43
  install --method docker --yes
}

@test "Loki alone" {
  run install --method docker --yes --no-grafana
  ends 0
  not_called grafana/grafana
  [ ! -e "$password" ]
  no_line grafana-admin "$state"
}

@test "what does not get ready: its last words, exit 1, and the next install goes on" {
  touch "$FAKE/never-ready"
  LBLOG_WAIT_SECONDS=1 run install --method docker --yes
  ends 1
  says 'loki does not answer'
  says 'what lb-log-loki said last'
  run status
  ends 1
  says down
  rm "$FAKE/never-ready"
  install --yes
}

@test "no network: said, and the next install goes on; docker gone at the end: still noted" {
  touch "$FAKE/no-network"
  run install --method docker --yes
  [ "$status" != 0 ]
  says 'no route'
  says 'run this again'
  rm "$FAKE/no-network"
  install --yes
  echo gone >"$FAKE/docker-says"
  run uninstall --yes
  ends 1
  says 'docker does not answer'
  rm "$FAKE/docker-says"
  uninstall --yes
}
