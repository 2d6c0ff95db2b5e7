#!/usr/bin/env bash
# Runs a command beside a PostgreSQL server of its own: with-postgres.sh COMMAND [ARG…]
#
# The server lives in a temporary directory, listens on loopback at a free port, and ends with the
# command. Its address is given to the command as MAINSTAY_TEST_POSTGRES.
set -euo pipefail

find_bin() {
    local candidate
    for candidate in "$(command -v pg_ctl || true)" /usr/lib/postgresql/*/bin/pg_ctl; do
        [ -x "$candidate" ] && dirname "$(readlink -f "$candidate")" && return
    done
    return 1
}

if ! bin=$(find_bin); then
    echo "with-postgres: no PostgreSQL server found; install the package 'postgresql' (15 or later)" >&2
    exit 1
fi

# The server refuses to run as root.
as_owner=()
dir=$(mktemp -d "${TMPDIR:-/tmp}/mainstay-postgres.XXXXXX")
if [ "$(id -u)" = 0 ]; then
    chown postgres "$dir"
    as_owner=(setpriv --reuid=postgres --regid=postgres --init-groups)
fi

stop() {
    "${as_owner[@]}" "$bin/pg_ctl" -D "$dir/data" -m immediate stop >/dev/null 2>&1 || true
    rm -rf "$dir"
}
trap stop EXIT

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cd "$dir"
"${as_owner[@]}" "$bin/initdb" -D "$dir/data" -U mainstay --auth=trust -E UTF8 --locale=C >"$dir/initdb.log" 2>&1 ||
    { cat "$dir/initdb.log" >&2; exit 1; }
"${as_owner[@]}" "$bin/pg_ctl" -D "$dir/data" -l "$dir/server.log" -w -t 60 \
    -o "-c listen_addresses=127.0.0.1 -p $port -c unix_socket_directories=$dir -c max_connections=200" \
    start >/dev/null || { cat "$dir/server.log" >&2; exit 1; }
cd - >/dev/null

export MAINSTAY_TEST_POSTGRES="postgresql://mainstay@127.0.0.1:$port/postgres"
export MAINSTAY_TEST_POSTGRES_PID
MAINSTAY_TEST_POSTGRES_PID=$(head -n 1 "$dir/data/postmaster.pid")
"$@"
