#!/bin/sh
# Runs in a system that has only Python: installs the archive and uses it as a stranger does.
set -eu
export PATH=/usr/local/bin:$PATH
cd /tmp
sh /mnt/pihub/install.sh --prefix /tmp/opt
du -sm /tmp/opt | awk '{ print "installed: " $1 " MB"; exit ($1 >= 60) }'
mkdir home && cd home
pihub init
PYTHONPATH=/mnt/sdk exec python3 /mnt/arm/serve_check.py --demo --sdk -- pihub serve
