#!/bin/sh
# Installs pihub from this folder, without network, compiler or pip on this machine.
#
#   ./install.sh                 into /opt/pihub (as root) or ~/.local/share/pihub
#   ./install.sh --service       also a system user, /etc/pihub and a systemd unit (as root)
#   ./install.sh --prefix DIR    somewhere else      --python PYTHON   another interpreter
#   ./install.sh --uninstall     removes what was installed; settings and data stay
#
# Run it again from a newer folder to upgrade: configuration and data stay as they are.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
service=no
uninstall=no
python=
if [ "$(id -u)" = 0 ]; then prefix=/opt/pihub; else prefix=${XDG_DATA_HOME:-$HOME/.local/share}/pihub; fi

die() { echo "install.sh: $*" >&2; exit 1; }

while [ $# -gt 0 ]; do
  case $1 in
    --service) service=yes ;;
    --prefix) [ $# -gt 1 ] || die "--prefix needs a folder"; prefix=$2; shift ;;
    --python) [ $# -gt 1 ] || die "--python needs a program"; python=$2; shift ;;
    -h | --help) sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 0 ;;
    --uninstall) uninstall=yes ;;
    *) die "unknown option $1 (see --help)" ;;
  esac
  shift
done
[ $service = no ] || [ "$(id -u)" = 0 ] || die "--service needs root: sudo $0 --service"
case $prefix in /*) ;; *) prefix=$PWD/$prefix ;; esac
if [ "$(id -u)" = 0 ]; then bin=/usr/local/bin; else bin=$HOME/.local/bin; fi
unit=/etc/systemd/system/pihub.service

if [ $uninstall = yes ]; then
  [ -e "$prefix/bin/pihub" ] && [ -e "$prefix/pyvenv.cfg" ] ||
    die "there is no pihub in $prefix: name the folder with --prefix"
  if [ "$(id -u)" = 0 ] && grep -qs "$prefix/bin/pihub" $unit; then
    [ ! -d /run/systemd/system ] || systemctl disable --quiet --now pihub
    rm -f $unit
    [ ! -d /run/systemd/system ] || systemctl daemon-reload
  fi
  [ "$(readlink "$bin/pihub")" != "$prefix/bin/pihub" ] || rm "$bin/pihub"
  rm -rf "$prefix"
  echo "removed: $prefix; settings and data stay (a service's: /etc/pihub, /var/lib/pihub)"
  exit 0
fi

machine=$(cat "$here/MACHINE")
fits() { # is $1 a 64-bit CPython of this machine that there are wheels for?
  "$1" -c '
import platform, struct, sys
from pathlib import Path
tag = "cp%d%d" % sys.version_info[:2]
ok = struct.calcsize("P") == 8 and platform.machine() == sys.argv[1]
ok = ok and sys.implementation.name == "cpython" and "t" not in getattr(sys, "abiflags", "")
sys.exit(not (ok and any(Path(sys.argv[2]).glob("pihub-*-%s-*.whl" % tag))))
' "$machine" "$here/wheels" 2>/dev/null
}
if [ -z "$python" ]; then
  for candidate in python3 python3.13 python3.14 python3.11; do
    if command -v $candidate >/dev/null && fits $candidate; then python=$candidate; break; fi
  done
fi
[ -n "$python" ] && fits "$python" || die "needs a 64-bit CPython for $machine of one of these: $(
  cd "$here/wheels" && ls pihub-*.whl | sed 's/.*-cp3\([0-9]*\)-.*/3.\1/' | tr '\n' ' ')
(a 32-bit Raspberry Pi OS cannot run it: install the 64-bit one)"

(cd "$here" && sha256sum --check --quiet SHA256SUMS) || die "this folder is damaged: unpack it again"

"$python" -m venv --without-pip "$prefix"
PYTHONPATH=$(echo "$here"/tools/pip-*.whl) "$prefix/bin/python" -m pip install --quiet \
  --disable-pip-version-check --no-cache-dir --no-index --find-links "$here/wheels" \
  --require-hashes --upgrade -r "$here/requirements.txt"

mkdir -p "$bin"
ln -sf "$prefix/bin/pihub" "$bin/pihub"

if [ $service = yes ]; then
  getent passwd pihub >/dev/null ||
    useradd --system --home-dir /var/lib/pihub --shell /usr/sbin/nologin --user-group pihub
  install -d -o root -g pihub -m 0750 /etc/pihub
  install -d -o pihub -g pihub -m 0750 /var/lib/pihub
  [ -e /etc/pihub/pihub.toml ] || "$prefix/bin/pihub" init --service --output /etc/pihub/pihub.toml
  mkdir -p $unit.d
  sed "s|/usr/bin/pihub|$prefix/bin/pihub|" "$here/pihub.service" >$unit
  [ -e $unit.d/memory.conf ] || "$here/limits.sh" >$unit.d/memory.conf
  if [ -d /run/systemd/system ]; then
    systemctl daemon-reload
    systemctl enable --quiet pihub
    systemctl restart pihub
  fi
fi

"$prefix/bin/pihub" --version
case ":$PATH:" in *":$bin:"*) call=pihub ;; *) call=$bin/pihub ;; esac
if [ $service = yes ]; then
  echo "installed; see: systemctl status pihub; journalctl -u pihub; $call doctor"
else
  echo "installed; next: $call init && $call serve"
fi
