# shellcheck shell=bash
# Variables come from, and go to, the scripts that read this:
# shellcheck disable=SC2034,SC2154
# Loki and Grafana from Homebrew, run by `brew services`: macOS. Their services read files in Homebrew's etc, so ours
# takes the place of these, and theirs comes back.

brew_prefix() { brew --prefix 2>/dev/null || echo /opt/homebrew; }

brew_file() {
  if [ "$1" = loki ]; then printf '%s/etc/loki-local-config.yaml\n' "$(brew_prefix)"; else printf '%s/etc/grafana/grafana.ini\n' "$(brew_prefix)"; fi
}

formula_is_installed() { brew list --formula --versions "$1" 2>/dev/null | grep -q .; }
brew_theirs() { formula_is_installed "$1" && ! is_recorded formula "$1"; }

brew_check() {
  if [ "$(uname -s)" != Darwin ]; then
    problem "--method brew is for macOS: take apt or docker here"
  elif [ "$(id -u)" = 0 ]; then
    problem "Homebrew refuses to run as root: run this as yourself"
  elif ! has brew; then
    problem "Homebrew is not here (https://brew.sh): install it, or take --method docker"
  elif brew_theirs loki; then
    problem "Loki is installed by brew already, and not by this script: use it (lb provision loki-grafana configure --loki-endpoint URL), remove it (brew uninstall loki), or take --method docker with --loki-port"
  fi
}

brew_plan() {
  local component
  for component in $components; do
    printf '%s\n' "  - brew install $component" \
      "  - put our configuration into $(brew_file "$component"); what is there comes back when it is uninstalled" \
      "  - brew services start $component; data in $data_dir/$component"
  done
}

brew_install() {
  local component settings
  for component in $components; do
    if ! formula_is_installed "$component"; then
      record formula "$component"
      brew install "$component" >&2
    fi
    mkdir -p "$data_dir/$component"
    brew_config "$component" | replace "$(brew_file "$component")"
    record service "$component"
    settings=$({ brew_config "$component" && brew list --formula --versions "$component"; } | settings_sum)
    if [ "$(value_of "settings-$component")" = "$settings" ] && "${component}_is_ready" "$(url_of_component "$component")"; then
      say "  $component runs already"
      continue
    fi
    brew services restart "$component" >&2
    set_value "settings-$component" "$settings"
  done
}

brew_config() {
  if [ "$1" = loki ]; then
    loki_config "$listen" "$loki_port" "$grpc_port" "$data_dir/loki" "$retention"
  else
    cat <<INI
# Made by install-loki-grafana.sh of lb-log.
[server]
http_addr = $listen
http_port = $grafana_port
[paths]
data = $data_dir/grafana
[security]
admin_password = \$__file{$password_file}
[analytics]
reporting_enabled = false
INI
  fi
}

# replace FILE: by standard input; what was there is kept beside it.
replace() {
  if ! is_recorded replaced "$1" && ! [ -e "$1" ]; then
    record file "$1"
  elif ! is_recorded file "$1"; then
    record replaced "$1"
    [ -e "$1.before-lb-log" ] || mv "$1" "$1.before-lb-log"
  fi
  mkdir -p "$(dirname "$1")"
  put "$1" 600
}

brew_logs() { tail -n 20 "$(brew_prefix)/var/log"/"$1"*.log 2>&1; }

brew_undo() {
  case $1 in
  service) brew services stop "$2" >&2 || ! formula_is_installed "$2" ;;
  formula) ! formula_is_installed "$2" || brew uninstall "$2" >&2 ;;
  # Without the copy it was never replaced.
  replaced) ! [ -e "$2.before-lb-log" ] || mv "$2.before-lb-log" "$2" ;;
  esac
}
