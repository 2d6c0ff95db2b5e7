#!/usr/bin/env bash
# Runs a command and says how long it took: phase.sh NAME COMMAND [ARG…]
set -uo pipefail

name=$1
shift
printf '==> %s\n' "$name" >&2
TIMEFORMAT="<== $name: %1R s, CPU %1U s + %1S s"
time "$@"
