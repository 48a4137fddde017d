#!/bin/sh
# Writes a systemd drop-in for this machine's memory to stdout.
# LimitDATA bounds each process (works without cgroups, which stock Raspberry Pi OS keeps
# off for memory); MemoryMax bounds all of them where the memory cgroup is on.
set -eu
total=$(awk '/^MemTotal:/ {print int($2 / 1024)}' /proc/meminfo)
data=$((total / 4))
[ $data -ge 192 ] || data=192
[ $data -le 1024 ] || data=1024
all=$((total / 2))
[ $all -ge 384 ] || all=384
[ $all -le 2048 ] || all=2048
printf '# made for %s MB of memory; edit freely, it is not overwritten\n' "$total"
printf '[Service]\nLimitDATA=%sM\nMemoryHigh=%sM\nMemoryMax=%sM\n' "$data" $((all * 9 / 10)) "$all"
