#!/bin/sh
# Runs in a system that has only Python: installs the archive and uses it as a stranger does.
set -eu
export PATH=/usr/local/bin:$PATH
cd /tmp
sh /mnt/pihub/install.sh --prefix /tmp/opt
du -sm /tmp/opt | awk '{ print "installed: " $1 " MB"; exit ($1 >= 60) }'
mkdir home && cd home
pihub init
PYTHONPATH=/mnt/sdk python3 /mnt/arm/serve_check.py --demo --sdk -- pihub serve

# as a service: what is the owner's stays after the removal, the program and its unit go
sh /mnt/pihub/install.sh --service --prefix /tmp/opt
test -e /etc/systemd/system/pihub.service.d/memory.conf
grep -q "^ExecStart=/tmp/opt/bin/pihub " /etc/systemd/system/pihub.service
sh /mnt/pihub/install.sh --uninstall --prefix /tmp/opt
for gone in /tmp/opt /usr/local/bin/pihub /etc/systemd/system/pihub.service; do
  [ ! -e $gone ] || { echo "still there: $gone"; exit 1; }
done
test -e /etc/pihub/pihub.toml && test -d /var/lib/pihub
! sh /mnt/pihub/install.sh --uninstall --prefix /tmp/opt || exit 1
echo "removed; settings and data are there"
