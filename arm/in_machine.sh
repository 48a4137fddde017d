#!/bin/sh
# In a booted system with systemd: the package as a service, over crashes, hangs, an upgrade
# and a restart of the machine. in_machine.sh (its files lie beside it, its stage in ./stage)
set -eu
cd "$(dirname "$0")"
die() {
  echo "machine: $1" >&2
  systemctl status pihub --no-pager -l >&2 || true
  journalctl -u pihub --no-pager -n 40 >&2 || true
  exit 1
}
# wait_for SECONDS WORDS...: until the command succeeds
wait_for() {
  left=$1
  shift
  until "$@" >/dev/null 2>&1; do
    left=$((left - 1))
    [ "$left" -gt 0 ] || die "waited in vain for: $*"
    sleep 1
  done
}
lives() { python3 -c 'import urllib.request as u; u.urlopen("http://127.0.0.1:8080/healthz", timeout=5)'; }
property() { systemctl show pihub -p "$1" --value; }
restarted() { [ "$(property NRestarts)" -gt "$1" ] && lives; }
asked() { python3 serve_check.py --at http://127.0.0.1:8080 --known key || die "answers are wrong"; }

echo "machine: stage $(cat stage), kernel $(uname -r), pages of $(getconf PAGESIZE), $(nproc) cores"
case $(cat stage) in
  1)
    dpkg -i pihub.deb >said 2>&1 || { cat said >&2; die "the package does not install"; }
    wait_for 300 lives
    [ "$(property ActiveState)" = active ] || die "not active"
    journalctl -u pihub --no-pager -o cat | grep -oE '\bph_[A-Za-z0-9_-]{20,}' | head -1 >key
    [ -s key ] || die "no key in the journal"
    asked
    echo "machine: MemoryMax $(property MemoryMax), LimitDATA $(property LimitDATA)," \
      "now $(property MemoryCurrent), watchdog $(property WatchdogUSec)"
    [ "$(property MemoryMax)" != infinity ] || die "no limit of memory"
    systemd-analyze security pihub --no-pager | tail -1

    at=$(property NRestarts)
    kill -9 "$(property MainPID)"
    wait_for 300 restarted "$at"
    asked
    echo "machine: answers again after kill -9"

    at=$(property NRestarts)
    kill -STOP "$(property MainPID)"
    wait_for 400 restarted "$at"
    asked
    echo "machine: answers again after a hang that the watchdog saw"

    systemctl reload pihub || die "no reload"
    wait_for 60 lives
    asked
    dpkg -i newer.deb >said 2>&1 || { cat said >&2; die "the upgrade does not install"; }
    wait_for 300 lives
    asked
    echo "machine: answers after reload and upgrade to $(dpkg-query -W -f '${Version}' pihub)"
    echo 2 >stage
    ;;
  2)
    wait_for 300 lives
    asked
    echo "machine: answers by itself after the machine's start"
    ! journalctl -b -u pihub --no-pager -o cat | grep -E ' (ERROR|CRITICAL) |Traceback' ||
      die "errors in the journal of this start"
    dpkg -P pihub >said 2>&1 || { cat said >&2; die "the package does not go"; }
    [ ! -e /var/lib/pihub ] && [ ! -e /etc/pihub ] || die "something stayed"
    ! systemctl is-active --quiet pihub || die "still running"
    echo "machine: purged"
    echo 3 >stage
    ;;
esac
echo "machine: stage passed"
