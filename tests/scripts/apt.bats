# Grafana's packages, by the real apt and dpkg in a throw-away root, from a signed repository of the test's own, beside
# another that offers packages of the same names with higher versions.

# Variables come from helper.bash and repositories.bash:
# shellcheck disable=SC2154,SC2119,SC2120

setup_file() {
  load repositories
  make_repositories
}

teardown_file() {
  load repositories
  remove_repositories
}

teardown() {
  # So that bats can clear it away.
  [ ! -e "${FAKE:-}/roots-own" ] || chmod -R u+w "$LBLOG_ROOT"
}

setup() {
  load helper
  load repositories
  need_repositories
  fresh_system
}

apt_install() { install --yes --method apt --apt-repository "$vendor" "$@"; }

@test "the vendor's packages, although the distribution offers higher versions; dependencies from the distribution" {
  run apt_install
  ends 0
  [ "$(version_installed loki)" = 'installed 3.7.8' ]
  [ "$(version_installed grafana)" = 'installed 13.2.3' ]
  [ "$(version_installed a-library)" = 'installed 1.0' ]
  [ "$(cat "$LBLOG_ROOT/usr/bin/loki")" = Logs ]
  called '^systemctl enable --quiet loki$'
  called '^systemctl enable --quiet grafana-server$'
  says "up 3.7.8"
  grep -qx "Signed-By: $LBLOG_ROOT/etc/apt/keyrings/lb-log-grafana.asc" "$LBLOG_ROOT/etc/apt/sources.list.d/lb-log-grafana.sources"
}

@test "it is undone to the last file; packages and what came along go, data stay until they are purged" {
  before=$(everything | grep -v var/)
  apt_install
  mkdir -p "$LBLOG_ROOT/var/lib/lb-log/loki"
  touch "$LBLOG_ROOT/var/lib/lb-log/loki/chunk"
  run uninstall --yes
  ends 0
  called 'systemctl disable --quiet --now loki'
  for name in loki grafana a-library; do [[ $(version_installed "$name") != installed* ]]; done
  [ -e "$LBLOG_ROOT/var/lib/lb-log/loki/chunk" ]
  run uninstall --yes --purge
  ends 0
  [ "$(everything | grep -v var/)" = "$before" ]
  [ ! -e "$LBLOG_ROOT/var/lib/lb-log" ]
  [ ! -e "$LBLOG_ROOT/etc/systemd/system/loki.service.d" ]
}

@test "a second install restarts nothing; a setting that changes restarts what it concerns" {
  apt_install
  before=$(everything | grep -v var/)
  : >"$FAKE/calls"
  run install --yes
  ends 0
  [ "$(everything | grep -v var/)" = "$before" ]
  not_called 'systemctl restart'
  install --yes --retention 7
  called 'systemctl restart loki'
  not_called 'systemctl restart grafana'
}

@test "a package from elsewhere is never installed: not when the vendor has none, not when the key is another's" {
  mkdir -p "$BATS_FILE_TMPDIR/www/empty/pool"
  cp "$BATS_FILE_TMPDIR/www/vendor/gpg-full.key" "$BATS_FILE_TMPDIR/www/empty/"
  sign "$BATS_FILE_TMPDIR/www/empty" '. stable' vendor@example.org
  run install --yes --method apt --apt-repository "${vendor%vendor}empty"
  [ "$status" != 0 ]
  [ -z "$(version_installed loki)" ]
  uninstall --yes --purge

  cp -R "$BATS_FILE_TMPDIR/www/vendor" "$BATS_FILE_TMPDIR/www/forged"
  sign "$BATS_FILE_TMPDIR/www/forged" '. stable' distribution@example.org
  run install --yes --method apt --apt-repository "${vendor%vendor}forged"
  [ "$status" != 0 ]
  says 'NO_PUBKEY'
  [ -z "$(version_installed loki)" ]
  not_called 'apt-get .*--yes .*install loki'
}

@test "where a pin of this machine's own goes before ours, the look before the install sees it" {
  printf '%s\n' 'Package: loki' 'Pin: origin "localhost"' 'Pin-Priority: 1001' >"$LBLOG_ROOT/etc/apt/preferences.d/00-mine"
  run apt_install
  ends 2
  says 'apt would take loki from http://localhost:'
  says 'nothing was installed'
  [ -z "$(version_installed loki)$(version_installed grafana)" ]
  not_called 'apt-get .*--yes .*install'
}

@test "what answers in the place of the key is not taken for it" {
  mkdir -p "$BATS_FILE_TMPDIR/www/portal"
  echo '<html>Log in</html>' >"$BATS_FILE_TMPDIR/www/portal/gpg-full.key"
  run install --yes --method apt --apt-repository "${vendor%vendor}portal"
  ends 2
  says 'is no key'
  run install --yes --method apt --apt-repository "${vendor%vendor}nowhere"
  ends 2
  says 'could not be fetched'
}

@test "a repository that this machine has already is used as it is, and stays" {
  cp "$BATS_FILE_TMPDIR/www/vendor/gpg-full.key" "$LBLOG_ROOT/etc/apt/keyrings/grafana.asc"
  printf '%s\n' 'Types: deb' "URIs: $vendor" 'Suites: stable' 'Components: main' "Signed-By: $LBLOG_ROOT/etc/apt/keyrings/grafana.asc" \
    >"$LBLOG_ROOT/etc/apt/sources.list.d/grafana.sources"
  before=$(everything | grep -v var/)
  run apt_install
  ends 0
  says 'as '"$LBLOG_ROOT"'/etc/apt/sources.list.d/grafana.sources has it'
  [ ! -e "$LBLOG_ROOT/etc/apt/sources.list.d/lb-log-grafana.sources" ]
  [ "$(version_installed loki)" = 'installed 3.7.8' ]
  uninstall --yes --purge
  [ "$(everything | grep -v var/)" = "$before" ]
}

@test "entries that apt does not read, or that are switched off, do not count" {
  sources=$LBLOG_ROOT/etc/apt/sources.list.d
  echo "deb $vendor stable main" >"$sources/grafana.list.save"
  echo "# deb $vendor stable main" >"$sources/grafana.list"
  printf '%s\n' 'Types: deb' "URIs: $vendor" 'Suites: stable' 'Enabled: no' >"$sources/grafana.sources"
  run install --dry-run --method apt --apt-repository "$vendor"
  ends 0
  says "add the repository $vendor"
}

@test "the distribution's loki, which is another program, and a Loki of the user's own are refused" {
  apt-get -qq update
  apt-get -qq --yes install loki
  [ "$(version_installed loki)" = 'installed 1:99.0' ]
  run apt_install
  ends 2
  says 'is another program (genetics'
  touch "$LBLOG_ROOT/var/lib/dpkg/info/loki.list"
  echo /etc/loki/config.yml >>"$LBLOG_ROOT/var/lib/dpkg/info/loki.list"
  run apt_install
  ends 2
  says 'Loki is installed already, and not by this script'
}

@test "a Grafana of the user's own stays as it is" {
  apt-get -qq update
  apt-get -qq --yes install grafana
  run apt_install
  ends 0
  says 'Grafana is installed already: it stays as it is'
  not_called grafana-server
  uninstall --yes --purge
  [ "$(version_installed grafana)" = 'installed 1:99.0' ]
}

@test "systems: Ubuntu 24.04 and later, Debian 12 and later, no other" {
  for known in 'ubuntu 24.04' 'ubuntu 26.04' 'debian 12' 'debian 13'; do
    system "${known% *}" "${known#* }"
    run install --dry-run --method apt
    ends 0
  done
  for unknown in 'ubuntu 22.04' 'ubuntu 23.10' 'debian 11' 'debian ' 'linuxmint 22' 'fedora 43' 'raspbian 12' 'debian trixie/sid'; do
    system "${unknown% *}" "${unknown#* }"
    run install --dry-run --method apt
    ends 2
    says 'the packages are for Ubuntu 24.04 and later and Debian 12 and later'
  done
  rm "$LBLOG_ROOT/etc/os-release"
  run install --dry-run --method apt
  ends 2
  system debian 12
  rmdir "$LBLOG_ROOT/run/systemd/system"
  run install --dry-run --method apt
  ends 2
  says 'systemd does not run here'
}

@test "everything that needs root goes by sudo, and the password is in none of its arguments" {
  apt_install
  called '^sudo -n apt-get -qq update$'
  called '^sudo -n systemctl restart loki$'
  not_called "$(cat "$password")"
  [ "$(stat -c %a "$LBLOG_ROOT/etc/lb-log/grafana-admin-password")" = 600 ]
  : >"$FAKE/calls"
  uninstall --yes --purge
  FAKE_UID=0 apt_install
  FAKE_UID=0 uninstall --yes --purge
}

@test "who may write nothing of the system installs and uninstalls by sudo, files and folders included" {
  [ "$(/usr/bin/id -u)" != 0 ] || skip 'root may write everywhere'
  before=$(cd "$LBLOG_ROOT" && find etc srv | sort)
  touch "$FAKE/roots-own"
  chmod -R u-w "$LBLOG_ROOT"
  run apt_install --data-dir "$LBLOG_ROOT/srv/the data"
  ends 0
  called '^sudo -n mkdir .*/etc/lb-log$'
  run uninstall --yes --purge
  ends 0
  chmod -R u+w "$LBLOG_ROOT"
  [ "$(cd "$LBLOG_ROOT" && find etc srv | sort)" = "$before" ]
}

@test "systemd understands the settings of its units, with a folder that has a space" {
  command -v systemd-analyze >/dev/null || skip 'systemd-analyze is not here'
  apt_install --data-dir "$LBLOG_ROOT/srv/the data"
  units=$LBLOG_ROOT/etc/systemd/system
  # Their programs lie elsewhere in this root.
  sed -i 's|^ExecStart=/usr/bin/loki|ExecStart=/bin/true|' "$units/loki.service.d/lb-log.conf"
  for unit in loki grafana-server; do
    printf '%s\n' '[Service]' "User=${unit%-server}" 'ExecStart=/bin/false' >"$units/$unit.service"
    SYSTEMD_UNIT_PATH=$units: run systemd-analyze verify --man=no "$unit.service"
    [ "$output" = '' ]
  done
}

@test "folders of people are refused as data directories of services" {
  run install --yes --method apt --data-dir /home/somebody/logs
  ends 2
  says 'services of the system do not see'
}

@test "a real Loki runs by what was installed, in a folder with a space, and ends with it" {
  [ -x "$project/build/tools/loki" ] || skip 'build/tools/loki is not built'
  export REAL_LOKI=$project/build/tools/loki REAL_CURL=yes
  run apt_install --no-grafana --data-dir "$LBLOG_ROOT/srv/the data"
  ends 0
  says "up"
  pid=$(cat "$FAKE/loki.pid")
  now=$(date +%s)000000000
  [ "$(/usr/bin/curl -s -o /dev/null -w '%{http_code}' -H 'Content-Type: application/json' "http://127.0.0.1:$loki_port/loki/api/v1/push" \
    -d '{"streams":[{"stream":{"component":"test"},"values":[["'"$now"'","hello"]]}]}')" = 204 ]
  [ -d "$LBLOG_ROOT/srv/the data/loki/wal" ]
  run uninstall --yes
  ends 0
  until ! kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
  [ -d "$LBLOG_ROOT/srv/the data/loki/wal" ]
  run uninstall --yes --remove-data
  ends 0
  [ ! -e "$LBLOG_ROOT/srv/the data" ]
}
