# shellcheck shell=bash
# Some variables are those of bats and of the tests:
# shellcheck disable=SC2034,SC2154
# Two signed repositories, served on the loopback interface: the vendor's as 127.0.0.1, the distribution's as localhost,
# so that they are two origins for apt. And a root of the system in which the real apt and dpkg install.

has_apt_tools() { command -v apt-ftparchive >/dev/null && command -v gpg >/dev/null && [ -x /usr/bin/apt-get ]; }
need_repositories() { [ -e "$BATS_FILE_TMPDIR/server" ] || skip 'apt-ftparchive, gpg or apt is not here'; }

# package FOLDER NAME VERSION DESCRIPTION DEPENDS FILE…: a package with these files.
package() {
  local folder=$1 name=$2 version=$3 text=$4 depends=$5 tree
  shift 5
  tree=$(mktemp -d "$BATS_FILE_TMPDIR/package.XXXXXX")
  mkdir -p "$tree/DEBIAN" "$folder/pool"
  printf '%s\n' "Package: $name" "Version: $version" 'Architecture: all' 'Maintainer: Tests <tests@example.org>' \
    ${depends:+"Depends: $depends"} "Description: $text" >"$tree/DEBIAN/control"
  while [ "$#" != 0 ]; do
    mkdir -p "$tree/$(dirname "$1")"
    echo "$text" >"$tree/$1"
    shift
  done
  dpkg-deb --root-owner-group --build "$tree" "$folder/pool/${name}_${version#*:}_all.deb" >/dev/null
}

# sign FOLDER ORIGIN KEY: makes a repository of the packages in its pool.
sign() {
  local dist=$1/dists/stable
  mkdir -p "$dist/main/binary-all" "$dist/main/binary-$architecture"
  (cd "$1" && apt-ftparchive packages pool) >"$dist/main/binary-all/Packages"
  cp "$dist/main/binary-all/Packages" "$dist/main/binary-$architecture/Packages"
  (cd "$dist" && apt-ftparchive -o "APT::FTPArchive::Release::Origin=$2" -o APT::FTPArchive::Release::Suite=stable \
    -o APT::FTPArchive::Release::Codename=stable -o APT::FTPArchive::Release::Components=main \
    -o "APT::FTPArchive::Release::Architectures=all $architecture" release . >"$1/Release" && mv "$1/Release" Release)
  rm -f "$dist/InRelease"
  gpg --quiet --batch --local-user "$3" --clearsign --output "$dist/InRelease" "$dist/Release"
}

make_repositories() {
  has_apt_tools || return 0
  architecture=$(dpkg --print-architecture)
  # Short: the agent's socket is in it.
  GNUPGHOME=$(mktemp -d)
  export architecture GNUPGHOME
  local key
  for key in vendor distribution; do
    gpg --quiet --batch --passphrase '' --quick-generate-key "$key@example.org" ed25519 sign never 2>/dev/null
    mkdir -p "$BATS_FILE_TMPDIR/www/$key"
    gpg --armor --export "$key@example.org" >"$BATS_FILE_TMPDIR/www/$key/gpg-full.key"
  done
  local vendor=$BATS_FILE_TMPDIR/www/vendor distribution=$BATS_FILE_TMPDIR/www/distribution
  package "$vendor" loki 3.7.8 'Logs' '' usr/bin/loki etc/loki/config.yml
  package "$vendor" grafana 13.2.3 'Dashboards' a-library usr/sbin/grafana-server
  # Of the vendor, too, but nobody has asked for it.
  package "$vendor" a-library 99 'Not wanted from there' '' usr/lib/from-the-vendor
  package "$distribution" loki 1:99.0 'Linkage analysis (genetics)' '' usr/bin/loki
  package "$distribution" grafana 1:99.0 'Another one' '' usr/sbin/grafana-server
  package "$distribution" a-library 1.0 'A library' '' usr/lib/from-the-distribution
  sign "$vendor" '. stable' vendor@example.org
  sign "$distribution" Debian distribution@example.org
  python3 "$BATS_TEST_DIRNAME/serve.py" "$BATS_FILE_TMPDIR/www" >"$BATS_FILE_TMPDIR/port" 2>"$BATS_FILE_TMPDIR/served" 3>&- &
  echo "$!" >"$BATS_FILE_TMPDIR/server"
  until grep -q . "$BATS_FILE_TMPDIR/port"; do sleep 0.05; done
}

remove_repositories() {
  [ -e "$BATS_FILE_TMPDIR/server" ] || return 0
  kill "$(cat "$BATS_FILE_TMPDIR/server")"
  gpgconf --kill gpg-agent
  rm -rf "$GNUPGHOME"
}

# A system that has the distribution's repository.
fresh_system() {
  # apt divides names of keys at spaces.
  fresh_machine machine
  local root=$LBLOG_ROOT
  vendor=http://127.0.0.1:$(cat "$BATS_FILE_TMPDIR/port")/vendor
  mkdir -p "$root"/etc/apt/{apt.conf.d,preferences.d,sources.list.d,trusted.gpg.d,keyrings} "$root"/var/{lib/dpkg,log/apt} \
    "$root"/var/cache/apt/archives/partial "$root"/var/lib/apt/lists/partial "$root"/var/lib/dpkg/{info,updates}
  touch "$root/var/lib/dpkg/status"
  cp "$BATS_FILE_TMPDIR/www/distribution/gpg-full.key" "$root/etc/apt/keyrings/debian.asc"
  printf '%s\n' 'Types: deb' "URIs: http://localhost:$(cat "$BATS_FILE_TMPDIR/port")/distribution" 'Suites: stable' 'Components: main' \
    "Signed-By: $root/etc/apt/keyrings/debian.asc" >"$root/etc/apt/sources.list.d/debian.sources"
  export APT_CONFIG=$machine/apt.conf
  cat >"$APT_CONFIG" <<CONF
Dir "$root";
Dir::State::status "$root/var/lib/dpkg/status";
Dir::Bin::dpkg "$machine/dpkg";
Dir::Etc::trusted "";
APT::Architecture "$architecture";
APT::Sandbox::User "";
Acquire::Languages "none";
CONF
  # Without a chroot: there is nothing to run in that root.
  printf '%s\n' '#!/bin/sh' "exec /usr/bin/dpkg --root='$root' --force-not-root --force-bad-path --force-script-chrootless --log=/dev/null \"\$@\"" >"$machine/dpkg"
  chmod +x "$machine/dpkg"
}

version_installed() { /usr/bin/dpkg-query --admindir "$LBLOG_ROOT/var/lib/dpkg" --show --showformat '${db:Status-Status} ${Version}' "$1" 2>/dev/null || true; }
