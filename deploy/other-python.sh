#!/usr/bin/env bash
# Prints another CPython (3.13, else 3.12, 3.14) than the one given, if the machine has one.
set -u
have=$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
for version in 3.13 3.12 3.14; do
  [ "$version" = "$have" ] && continue
  for candidate in "python$version" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$version".*/bin/python; do
    path=$(command -v "$candidate" 2>/dev/null) || continue
    if "$path" -c 'import sys, venv, ensurepip' 2>/dev/null; then
      echo "$path"
      exit 0
    fi
  done
done
exit 1
