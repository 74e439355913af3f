# shellcheck shell=bash
# Variables come from, and go to, the scripts that read this:
# shellcheck disable=SC2034,SC2154
# Loki and Grafana as containers with pinned images: macOS and any Linux.

readonly docker_network=lb-log

docker_name() { printf 'lb-log-%s\n' "$1"; }
docker_image() { if [ "$1" = loki ]; then printf '%s\n' "$loki_image"; else printf '%s\n' "$grafana_image"; fi; }
# Where the image keeps its data, and the user that it runs as.
docker_folder() { if [ "$1" = loki ]; then echo /loki; else echo /var/lib/grafana; fi; }
docker_owner() { if [ "$1" = loki ]; then echo 10001:10001; else echo 472:0; fi; }

docker_check() {
  local said endpoint
  if ! has docker; then
    problem "docker is not here: install it (https://docs.docker.com/engine/install), or take another --method"
    return
  fi
  if ! said=$(docker version --format '{{.Server.Version}}' 2>&1); then
    case $said in
    *'permission denied'*) problem "docker does not let you in: join the group docker (sudo usermod -aG docker $(id -un), then log in again), or run this with sudo" ;;
    *) problem "docker does not answer, is it running? (sudo systemctl start docker, or start Docker Desktop) It says: $(printf '%s' "$said" | tr '\n' ' ')" ;;
    esac
    return
  fi
  endpoint=${DOCKER_HOST:-$(docker context inspect --format '{{.Endpoints.docker.Host}}' 2>/dev/null || true)}
  case $endpoint in
  tcp://127.* | tcp://localhost:*) ;;
  ssh:* | tcp:*) problem "docker works on another machine here ($endpoint): run this script there" ;;
  esac
  docker_check_names
}

# What has our names and is not ours stays as it is.
docker_check_names() {
  local component name
  for component in $components; do
    name=$(docker_name "$component")
    if docker container inspect "$name" >/dev/null 2>&1 && ! is_recorded container "$name"; then
      problem "a container $name is there that this user did not install: remove it (docker rm -f $name) if nobody needs it"
    fi
    if [ -z "$data_dir" ] && docker volume inspect "$name" >/dev/null 2>&1 && ! is_recorded volume "$name"; then
      problem "a volume $name is there that this user did not install: remove it (docker volume rm $name) if nobody needs it, or take --data-dir"
    fi
  done
}

docker_theirs() { false; }

docker_plan() {
  local component
  for component in $components; do
    printf '%s\n' "  - pull the image $(docker_image "$component") where it is not here" \
      "  - run it as the container $(docker_name "$component"), started again after a reboot, data in $(docker_data "$component")"
  done
  printf '%s\n' "  - connect them by the docker network $docker_network"
}

docker_data() {
  if [ -n "$data_dir" ]; then printf '%s\n' "$data_dir/$1"; else printf 'the volume %s\n' "$(docker_name "$1")"; fi
}

docker_install() {
  local component
  docker network inspect "$docker_network" >/dev/null 2>&1 || {
    record network "$docker_network"
    docker network create "$docker_network" >/dev/null
  }
  record file "$state_dir/docker"
  for component in $components; do docker_run "$component"; done
}

# docker_files COMPONENT: what goes into its container, below the state's folder, which is its owner's alone; inside,
# another user reads it. It is copied, because not every docker sees all folders of this machine.
docker_files() {
  local folder=$state_dir/docker/$1
  rm -rf "$folder"
  mkdir -p "$folder/lb-log"
  if [ "$1" = loki ]; then
    loki_config 0.0.0.0 3100 9096 /loki "$retention" >"$folder/lb-log/loki.yaml"
  else
    cp "$password_file" "$folder/lb-log/admin-password"
  fi
  chmod -R a+rX "$folder"
}

# docker_publish PORT INSIDE: a port as --publish wants it.
docker_publish() { case $listen in *:*) printf '[%s]:%s:%s\n' "$listen" "$1" "$2" ;; *) printf '%s:%s:%s\n' "$listen" "$1" "$2" ;; esac }

# docker_storage COMPONENT NAME: leaves the arguments in $storage.
docker_storage() {
  local component=$1 name=$2 target
  target=$(docker_folder "$component")
  if [ -z "$data_dir" ]; then
    record volume "$name"
    storage=(--mount "type=volume,source=$name,target=$target")
    return
  fi
  mkdir -p "$data_dir/$component"
  storage=(--mount "type=bind,source=$data_dir/$component,target=$target")
  if [ "$(id -u)" = 0 ]; then
    chown "$(docker_owner "$component")" "$data_dir/$component"
  elif docker info --format '{{.SecurityOptions}}' | grep -q rootless; then
    # There, root inside is who runs docker.
    storage+=(--user 0:0)
  else
    storage+=(--user "$(id -u):$(id -g)")
  fi
}

docker_run() {
  local component=$1 name image settings arguments storage
  name=$(docker_name "$component") image=$(docker_image "$component")
  arguments=(--name "$name" --network "$docker_network" --restart unless-stopped --log-driver local)
  if [ "$component" = loki ]; then
    arguments+=(--publish "$(docker_publish "$loki_port" 3100)")
  else
    arguments+=(--publish "$(docker_publish "$grafana_port" 3000)" --env GF_ANALYTICS_REPORTING_ENABLED=false
    --env "GF_SECURITY_ADMIN_PASSWORD=\$__file{/etc/lb-log/admin-password}")
  fi
  docker_storage "$component" "$name"
  arguments+=("${storage[@]}" "$image")
  [ "$component" != loki ] || arguments+=(-config.file=/etc/lb-log/loki.yaml)

  # A container with the very same settings stays.
  docker_files "$component"
  settings=$(printf '%s\n' "${arguments[@]}" | cat - "$state_dir/docker/$component"/lb-log/* | settings_sum)
  if [ "$(docker container inspect --format '{{index .Config.Labels "lb-log.settings"}}' "$name" 2>/dev/null || true)" = "$settings" ]; then
    say "  $name is there already"
    docker start "$name" >/dev/null
    return
  fi
  docker image inspect "$image" >/dev/null 2>&1 || {
    record image "$image"
    say "  pulling $image"
    docker pull --quiet "$image" >/dev/null
  }
  record container "$name"
  docker rm --force "$name" >/dev/null 2>&1 || true
  docker create --label "lb-log.settings=$settings" "${arguments[@]}" >/dev/null
  docker cp "$state_dir/docker/$component/lb-log" "$name:/etc/" >/dev/null 2>&1
  say "  starting $name"
  docker start "$name" >/dev/null
}

docker_logs() { docker logs --tail 20 "$(docker_name "$1")" 2>&1; }

# docker_undo KIND NAME. A docker that does not answer does not prove that something is gone.
docker_undo() {
  if ! docker version >/dev/null 2>&1; then
    say "  docker does not answer: start it; if it is gone for good, delete the line from $state_file"
    return 1
  fi
  docker "$1" inspect "$2" >/dev/null 2>&1 || return 0
  case $1 in
  container) docker rm --force "$2" ;;
  network) docker network rm "$2" ;;
  volume) docker volume rm "$2" ;;
  # Another container may have come to use it.
  image) docker image rm "$2" || say "  $2 is in use by others: it stays" ;;
  esac >/dev/null
}
