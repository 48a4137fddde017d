#!/bin/sh
# Installs, uses, upgrades, removes and purges the package, and looks at what stays.
# in_package.sh PACKAGE NEWER-PACKAGE NEWER-VERSION
set -eu
die() {
  echo "package: $1" >&2
  exit 1
}
mode() { stat -c '%U:%G %a' "$1"; }
same() { [ "$2" = "$3" ] || die "$1: wanted '$2', found '$3'"; }
kept() { [ -e "$1" ] || die "$1 is gone"; }
gone() { [ ! -e "$1" ] || die "$1 is still there"; }
quiet() { "$@" >/tmp/said 2>&1 || { cat /tmp/said >&2; die "$* failed"; }; }
# As systemd would: this user, this folder, the secrets' file; but it speaks to a terminal.
serve() {
  setpriv --reuid pihub --regid pihub --clear-groups --inh-caps=-all \
    sh -c "cd /var/lib/pihub && umask 077 && set -a && . /etc/pihub/environment && $1"
}

quiet dpkg -i "$1"
pihub --version
same "owner of the configuration" "root:pihub 640" "$(mode /etc/pihub/pihub.toml)"
same "owner of the secrets" "root:pihub 640" "$(mode /etc/pihub/environment)"
same "owner of the data" "pihub:pihub 750" "$(mode /var/lib/pihub)"
kept /usr/lib/systemd/system/pihub.service
grep -q MemoryMax /etc/systemd/system/pihub.service.d/memory.conf || die "no limit of memory"
du -sm /usr/lib/pihub | awk '{ print "installed: " $1 " MB"; exit ($1 >= 60) }' || die "too large"

run="PIHUB_SERVER__RUN_DIR=/tmp/pihub python3 /mnt/arm/serve_check.py --demo --known /tmp/key"
serve "$run -- pihub serve --config /etc/pihub/pihub.toml"
kept /var/lib/pihub/pihub.db

echo "# mine" >>/etc/pihub/pihub.toml
echo "# mine" >>/etc/pihub/environment
quiet dpkg -i "$2"
same "version after the upgrade" "$3" "$(dpkg-query -W -f '${Version}' pihub)"
tail -1 /etc/pihub/pihub.toml | grep -qx '# mine' || die "the upgrade overwrote pihub.toml"
tail -1 /etc/pihub/environment | grep -qx '# mine' || die "the upgrade overwrote environment"
# the key that the first start made is still good: the data came through
serve "$run -- pihub serve --config /etc/pihub/pihub.toml"

quiet dpkg -r pihub
gone /usr/bin/pihub
gone /usr/lib/pihub
kept /etc/pihub/pihub.toml
kept /var/lib/pihub/pihub.db
quiet dpkg -P pihub
gone /etc/pihub
gone /var/lib/pihub
echo "package: installed, served, upgraded with its data, removed, purged"
