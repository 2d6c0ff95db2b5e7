#!/usr/bin/env bash
# Sees to it that tools are there: need.sh TOOL…, of postgresql, python-venv, chromium, curl,
# strace, debootstrap, cargo-deny.
#
# A tool that is missing is installed by apt-get where that can work (root on Debian or a relative of
# it), cargo-deny into the cache; otherwise this says what to install and fails.
set -euo pipefail

cache=${MAINSTAY_CACHE:-$HOME/.cache/mainstay}

# The version that `deny.toml` was written for.
deny_version=0.19.9

has_postgresql() {
    local candidate major
    for candidate in "$(command -v pg_ctl || true)" /usr/lib/postgresql/*/bin/pg_ctl; do
        [ -x "$candidate" ] || continue
        major=$("$candidate" --version | grep -oE '[0-9]+' | head -n 1)
        [ "$major" -ge 15 ] && return
    done
    return 1
}

has_python_venv() {
    # The first two are there without the Debian package, but do not work.
    python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' 2>/dev/null
}

has_chromium() {
    command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null
}

has_curl() {
    # The first one with `--json`, which the pages of docs/ use.
    [ "$(printf '7.82.0\n%s\n' "$(curl --version 2>/dev/null | awk 'NR == 1 { print $2 }')" | sort -V | head -n 1)" = 7.82.0 ]
}

has_strace() {
    command -v strace >/dev/null
}

has_debootstrap() {
    command -v debootstrap >/dev/null
}

has_cargo_deny() {
    [ "$("$cache/tools/bin/cargo-deny" --version 2>/dev/null)" = "cargo-deny $deny_version" ]
}

# apt PACKAGE…: installs Debian packages, or fails without a word.
apt() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
    echo "need: installing $*" >&2
    export DEBIAN_FRONTEND=noninteractive
    apt-get install -y -q --no-install-recommends "$@" >&2 ||
        { apt-get update -q >&2 && apt-get install -y -q --no-install-recommends "$@" >&2; }
}

# see_to CHECK INSTALL-COMMAND… : the check, else the command and the check again.
see_to() {
    local check=$1
    shift
    "$check" || { "$@" && "$check"; }
}

missing() {
    echo "need: $1 is missing: $2" >&2
    exit 1
}

for tool in "$@"; do
    case $tool in
        postgresql)
            see_to has_postgresql apt postgresql ||
                missing "a PostgreSQL server" "install version 15 or later (Debian: apt-get install postgresql)"
            ;;
        python-venv)
            see_to has_python_venv apt python3 python3-venv ||
                missing "Python with venv" "install Python 3.10 or later (Debian: apt-get install python3-venv)"
            ;;
        chromium)
            see_to has_chromium apt chromium || missing "Chromium" "install it (Debian: apt-get install chromium)"
            ;;
        curl)
            see_to has_curl apt curl || missing "curl" "install version 7.82 or later (Debian: apt-get install curl)"
            ;;
        strace)
            see_to has_strace apt strace || missing "strace" "install it (Debian: apt-get install strace)"
            ;;
        debootstrap)
            see_to has_debootstrap apt debootstrap ||
                missing "debootstrap" "install it (Debian: apt-get install debootstrap)"
            ;;
        cargo-deny)
            see_to has_cargo_deny cargo install --locked --quiet --root "$cache/tools" \
                --target-dir "$cache/tools/build" "cargo-deny@$deny_version" ||
                missing "cargo-deny" "cargo install --locked cargo-deny@$deny_version --root $cache/tools"
            rm -rf "$cache/tools/build"
            ;;
        *)
            echo "need: there is no tool '$tool'; see the top of $0" >&2
            exit 2
            ;;
    esac
done
