# shellcheck shell=bash
# What stands in the way of an install, found before anything is changed.
# Variables come from, and go to, the scripts that read this:
# shellcheck disable=SC2034,SC2154

is_address() {
  case $1 in
  *[!0-9a-fA-F:.]*) return 1 ;;
  *:*) return 0 ;;
  *.*.*.*.* | *..* | .* | *. | *[a-fA-F]*) return 1 ;;
  *.*.*.*) ;;
  *) return 1 ;;
  esac
  local part rest=$1.
  while [ -n "$rest" ]; do
    part=${rest%%.*} rest=${rest#*.}
    [ "${#part}" -le 3 ] && [ "$part" -le 255 ] || return 1
  done
}

is_number() { case $1 in '' | *[!0-9]* | ??????*) false ;; *) true ;; esac }

# has_address ADDRESS: some interface has it, as far as that can be told.
has_address() {
  case $1 in
  127.* | 0.0.0.0 | ::1 | ::) return 0 ;;
  esac
  if has ip; then
    ip -o addr | grep -Eiq " inet6? $1/"
  elif has ifconfig; then
    ifconfig | grep -Eiq "inet6? $1 "
  fi
}

check_values() {
  local port
  if ! is_address "$listen"; then
    problem "--listen $listen: give an IP address, such as 127.0.0.1, 192.168.7.2 or 0.0.0.0"
  elif ! has_address "$listen"; then
    problem "--listen $listen: this machine does not have that address (ip addr shows those it has)"
  fi
  for port in "$loki_port" "$grafana_port" "$grpc_port"; do
    if ! is_number "$port" || [ "$port" -lt 1 ] || [ "$port" -gt 65535 ]; then problem "port $port: give a number from 1 to 65535"; fi
  done
  if [ "$loki_port" = "$grafana_port" ] || [ "$loki_port" = "$grpc_port" ] || [ "$grpc_port" = "$grafana_port" ]; then
    problem "the ports must differ: Loki $loki_port, its own parts $grpc_port, Grafana $grafana_port"
  fi
  is_number "$retention" || problem "--retention $retention: give a number of days, 0 for ever"
  case $apt_url in http://?* | https://?*) ;; *) problem "--apt-repository $apt_url: give a URL that begins with https://" ;; esac
  case $apt_url$loki_image$grafana_image in *[[:space:]]*) problem 'no spaces in URLs and names of images' ;; esac
  has curl || problem 'curl is not here: install it (apt-get install curl)'
}

url_of_component() { if [ "$1" = loki ]; then url_of "$listen" "$loki_port"; else url_of "$listen" "$grafana_port"; fi; }

is_taken() {
  local url=$1 host
  host=${url#http://} host=${host%:*} host=${host#[} host=${host%]}
  (exec 3<>"/dev/tcp/$host/${url##*:}") 2>/dev/null
}

check_ports() {
  local component url version
  for component in $components; do
    url=$(url_of_component "$component")
    # Ours may stay, on whichever address it listened.
    if [ -n "$(value_of "$component")" ] && [ "$(value_of "$component-port")" = "${url##*:}" ]; then continue; fi
    is_taken "$url" || continue
    version=$(version_of "$component" "$url")
    if [ "$component" = loki ] && loki_is_ready "$url"; then
      problem "a Loki${version:+ ($version)} answers at $url already: use it (lb provision loki-grafana configure --loki-endpoint $url), or take --loki-port"
    elif [ "$component" = grafana ] && grafana_is_ready "$url"; then
      problem "a Grafana${version:+ ($version)} answers at $url already: use it (--no-grafana, then lb provision loki-grafana configure --grafana-url $url), or take --grafana-port"
    else
      problem "$url is taken by another program: take --$component-port"
    fi
  done
  [ "$method" != docker ] && [ "$(value_of loki-grpc-port)" != "$grpc_port" ] && is_taken "http://127.0.0.1:$grpc_port" &&
    problem "port $grpc_port, which Loki wants for its own parts, is taken: take --loki-grpc-port"
  return 0
}

check_data() {
  local component parent=$data_dir
  [ -n "$data_dir" ] || return 0
  case $data_dir in
  /*) ;;
  *) problem "--data-dir $data_dir: give the whole path, from / on" ;;
  esac
  # Each of these means something in one of the files that name the folder.
  case $data_dir in *['"\$%:,;#&{}`']* | *[[:cntrl:]]*) problem "--data-dir $data_dir: take a name without \" \\ \$ % : , ; # & { } \` and control characters" ;; esac
  for component in $components; do
    if [ -d "$data_dir/$component" ] && ! [ -e "$(mark_of "$data_dir")" ] && [ -n "$(ls -A "$data_dir/$component" 2>&1)" ]; then
      problem "$data_dir/$component is there and not empty, and not from this script: take another --data-dir"
    fi
  done
  while ! [ -e "$parent" ]; do parent=$(dirname "$parent"); done
  if [ "$method" != apt ] && ! [ -w "$parent" ]; then
    problem "$parent is not yours to write: make the folder first (sudo install -d -o $(id -un) '$data_dir')"
  fi
}
