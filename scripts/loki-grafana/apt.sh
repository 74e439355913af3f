# shellcheck shell=bash
# Variables come from, and go to, the scripts that read this:
# shellcheck disable=SC2034,SC2154
# Loki and Grafana as packages from Grafana's own signed repository, run by systemd: Ubuntu 24.04 and Debian 12 on.
#
# The distributions have a package `loki` too, which is a genetics program. So the repository is pinned by its host, and
# before anything is installed apt says which file it would fetch from where.

readonly etc=$system_root/etc
readonly apt_key=$etc/apt/keyrings/lb-log-grafana.asc
readonly apt_source=$etc/apt/sources.list.d/lb-log-grafana.sources
readonly apt_pins=$etc/apt/preferences.d/lb-log-grafana
readonly etc_ours=$etc/lb-log

apt_unit() { if [ "$1" = loki ]; then echo loki; else echo grafana-server; fi; }
apt_drop_in() { printf '%s/systemd/system/%s.service.d/lb-log.conf\n' "$etc" "$(apt_unit "$1")"; }

# os_release KEY
os_release() { sed -n "s/^$1=//p" "$etc/os-release" 2>/dev/null | tr -d "\"'" | head -n 1; }

# True for Ubuntu 24.04 and later, Debian 12 and later.
apt_knows_this_system() {
  local oldest major
  case $(os_release ID) in
  ubuntu) oldest=24 ;;
  debian) oldest=12 ;;
  *) return 1 ;;
  esac
  major=$(os_release VERSION_ID)
  major=${major%%.*}
  case $major in '' | *[!0-9]*) return 1 ;; esac
  [ "$major" -ge "$oldest" ]
}

# Nothing for a package that dpkg has never seen.
package_status() {
  # The format is dpkg's.
  # shellcheck disable=SC2016
  dpkg-query --show --showformat '${db:Status-Status}' "$1" 2>/dev/null || true
}
package_is_installed() { [ "$(package_status "$1")" = installed ]; }

# Somebody else has installed it from Grafana's packages.
apt_theirs() { package_is_installed "$1" && ! is_recorded package "$1"; }

apt_check() {
  local named
  if ! apt_knows_this_system; then
    named=$(os_release PRETTY_NAME)
    problem "the packages are for Ubuntu 24.04 and later and Debian 12 and later, this is ${named:-another system}: take --method docker"
    return
  fi
  if ! [ -d "$system_root/run/systemd/system" ] || ! has systemctl; then
    problem "systemd does not run here (a container?), so the services could not be started: take --method docker"
  fi
  if apt_theirs loki; then
    if dpkg-query --listfiles loki 2>/dev/null | grep -qx /etc/loki/config.yml; then
      problem "Loki is installed already, and not by this script: use it (lb provision loki-grafana configure --loki-endpoint URL), remove it (apt-get remove loki), or take --method docker with --loki-port"
    else
      problem "a package loki is installed that is another program (genetics, from the distribution): remove it (apt-get remove loki), or take --method docker"
    fi
  fi
  case ${data_dir#"$system_root"}/ in
  /home/* | /root/* | /tmp/* | /run/* | /var/tmp/*) problem "services of the system do not see $data_dir: take a --data-dir elsewhere, /srv/lb-log for example" ;;
  esac
  check_root
}

# The repository may be set up already, in a file of this machine's own: two entries with different keys are an error for apt.
apt_foreign_source() {
  local file
  # As apt reads them: no others, and none that is switched off.
  for file in "$etc/apt/sources.list" "$etc"/apt/sources.list.d/*.list "$etc"/apt/sources.list.d/*.sources; do
    if [ -f "$file" ] && [ "$file" != "$apt_source" ] && ! grep -Eiq '^Enabled: *no' "$file" && grep -v '^ *#' "$file" | grep -Fq -- "$apt_url"; then
      printf '%s\n' "$file"
      return
    fi
  done
}

apt_plan() {
  local foreign component
  foreign=$(apt_foreign_source)
  if [ -n "$foreign" ]; then
    printf '%s\n' "  - take $apt_url as $foreign has it"
  else
    printf '%s\n' "  - add the repository $apt_url, signed by the key that it publishes ($apt_source)"
  fi
  printf '%s\n' "  - pin $components to that repository ($apt_pins), and run apt-get update"
  for component in $components; do
    printf '%s\n' "  - install the package $component, after a look at where apt would take it from" \
      "  - let $(apt_unit "$component").service listen as said ($(apt_drop_in "$component")), enable and start it; data in $data_dir/$component"
  done
  [ "$(id -u)" = 0 ] || printf '%s\n' "All of this as root, by sudo."
}

apt_install() {
  # First, so that Loki, which its package starts at once, never listens otherwise than asked for.
  apt_services
  apt_repository
  apt_packages
  apt_start
}

# put_recorded FILE MODE: a file that is ours alone, in folders that are there after it.
put_recorded() {
  make_folder "$(dirname "$1")"
  record file "$1"
  put "$1" "$2"
}

apt_services() {
  loki_config "$listen" "$loki_port" "$grpc_port" "$data_dir/loki" "$retention" | put_recorded "$etc_ours/loki.yaml" 644
  put_recorded "$(apt_drop_in loki)" 644 <<UNIT
# Made by install-loki-grafana.sh of lb-log.
[Service]
ExecStartPre=+/usr/bin/install -d -m 0750 -o loki "$data_dir/loki"
ExecStart=
ExecStart=/usr/bin/loki "-config.file=$etc_ours/loki.yaml"
UNIT
  case $components in *grafana*) ;; *) return ;; esac
  put_recorded "$etc_ours/grafana-admin-password" 600 <"$password_file"
  put_recorded "$(apt_drop_in grafana)" 644 <<UNIT
# Made by install-loki-grafana.sh of lb-log. A variable GF_SECTION_KEY goes before /etc/grafana/grafana.ini.
[Service]
ExecStartPre=+/usr/bin/install -d -m 0750 -o grafana -g grafana "$data_dir/grafana"
LoadCredential=admin-password:$etc_ours/grafana-admin-password
Environment="GF_SECURITY_ADMIN_PASSWORD=\$__file{%d/admin-password}"
Environment="GF_SERVER_HTTP_ADDR=$listen" "GF_SERVER_HTTP_PORT=$grafana_port"
Environment="GF_PATHS_DATA=$data_dir/grafana"
Environment="GF_ANALYTICS_REPORTING_ENABLED=false"
UNIT
}

apt_repository() {
  local host key
  host=${apt_url#*://} host=${host%%/*} host=${host%%:*}
  if [ -z "$(apt_foreign_source)" ]; then
    say "  fetching the key of $apt_url"
    key=$(curl --fail --silent --show-error --location --max-time 60 "$apt_url/gpg-full.key") ||
      die "the key $apt_url/gpg-full.key could not be fetched: is the network there, and a proxy needed (https_proxy)?"
    case $key in
    *'-----BEGIN PGP PUBLIC KEY BLOCK-----'*) ;;
    *) die "$apt_url/gpg-full.key is no key: something on the way answers in its place (a proxy's login page?)" ;;
    esac
    printf '%s\n' "$key" | put_recorded "$apt_key" 644
    put_recorded "$apt_source" 644 <<SOURCE
Types: deb
URIs: $apt_url
Suites: stable
Components: main
Signed-By: $apt_key
SOURCE
  fi
  pins_to "$host" | put_recorded "$apt_pins" 644
  say '  apt-get update'
  as_root apt-get -qq update >&2 || say "warning: apt-get update did not do all; going on with what apt knows"
}

# pins_to HOST: the programs come from there or not at all, and from our entry for it comes nothing else. Of several
# entries for one package the first that fits decides.
pins_to() {
  cat <<PINS
Explanation: made by install-loki-grafana.sh of lb-log
Package: $components
Pin: origin "$1"
Pin-Priority: 990

Package: $components
Pin: version *
Pin-Priority: -1
PINS
  [ -n "$(apt_foreign_source)" ] || cat <<PINS

Package: *
Pin: origin "$1"
Pin-Priority: -1
PINS
}

# apt_would_fetch PACKAGE: where from, as if nothing had been fetched before. Nothing when the newest is installed.
apt_would_fetch() {
  local said
  said=$(as_root apt-get -qq -o Dir::Cache::archives=/nonexistent --print-uris --no-install-recommends install "$1") || return 1
  printf '%s\n' "$said" | sed -n "s/^'\([^']*\)' $1_.*/\1/p"
}

apt_packages() {
  local component package uri
  for component in $components; do
    uri=$(apt_would_fetch "$component") ||
      die "apt cannot install $component from $apt_url: what it says is above; when that is mended, run this again"
    case $uri in
    "$apt_url"/*) ;;
    '') package_is_installed "$component" || die "apt has no package $component from $apt_url" ;;
    *) die "apt would take $component from $uri, not from $apt_url: nothing was installed" ;;
    esac
  done
  # What comes along goes again, too, unless somebody else needs it by then.
  # One word a package, here and below.
  # shellcheck disable=SC2086
  for package in $(as_root apt-get -qq --simulate --no-install-recommends install $components | sed -n 's/^Inst \([^ ]*\) .*/\1/p'); do
    package_is_installed "$package" && continue
    case " $components " in
    *" $package "*) record package "$package" ;;
    *) record dependency "$package" ;;
    esac
  done
  # Loki's package starts it.
  for component in $components; do record service "$(apt_unit "$component")"; done
  say "  installing $components"
  # shellcheck disable=SC2086
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq --yes --no-install-recommends install $components >&2
}

apt_start() {
  local component unit settings
  as_root systemctl daemon-reload
  for component in $components; do
    unit=$(apt_unit "$component")
    as_root systemctl enable --quiet "$unit"
    settings=$(apt_settings "$component")
    if [ "$(value_of "settings-$component")" = "$settings" ] && systemctl is-active --quiet "$unit"; then
      say "  $unit runs already"
      continue
    fi
    say "  starting $unit"
    # A package that was installed while its folder was missing may have tried too often.
    as_root systemctl reset-failed "$unit" 2>/dev/null || true
    as_root systemctl restart "$unit"
    set_value "settings-$component" "$settings"
  done
}

apt_settings() {
  # The format is dpkg's.
  # shellcheck disable=SC2016
  { cat "$(apt_drop_in "$1")" && { [ "$1" != loki ] || cat "$etc_ours/loki.yaml"; } && dpkg-query --show --showformat '${Version}' "$1"; } | settings_sum
}

apt_logs() { as_root journalctl --no-pager --lines 20 --unit "$(apt_unit "$1")" 2>&1; }

# apt_undo KIND NAME, with $purge.
apt_undo() {
  case $1 in
  service)
    as_root systemctl disable --quiet --now "$2" 2>/dev/null || ! package_is_installed "${2%-server}"
    ;;
  package)
    # Half installed, too.
    case $(package_status "$2") in
    '' | not-installed) ;;
    *) as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq --yes "$([ "$purge" = yes ] && echo purge || echo remove)" "$2" >&2 ;;
    esac
    ;;
  dependency)
    if apt-get -qq --simulate autoremove | grep -q "^Remv $2 "; then
      as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq --yes remove "$2" >&2
    fi
    ;;
  esac
}
