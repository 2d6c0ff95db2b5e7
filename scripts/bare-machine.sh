#!/usr/bin/env bash
# Does what a new user does, on a machine on which nothing was prepared: a Debian of its own with git, make, a C
# compiler, Python and the Rust of this machine, and in it a fresh clone of what is committed here, `make demo` and
# `make test`, or the COMMANDs named, with their times.
#
# usage: scripts/bare-machine.sh DIR [COMMAND]...   (root; about 10 GB at DIR, which must not exist; half an hour)
#
# DIR is left for a look, and can be removed: what is mounted for the run goes with it.
set -euo pipefail
cd "$(dirname "$0")/.."

[ $# -ge 1 ] && [ ! -e "$1" ] || { sed -n '2,8s/^# \{0,1\}//p' "$0" >&2; exit 2; }
[ "$(id -u)" = 0 ] || { echo "bare-machine: this needs root" >&2; exit 2; }
scripts/need.sh debootstrap

mkdir -p "$1"
root=$(cd "$1" && pwd)
shift
[ $# -gt 0 ] || set -- "make demo" "make test"
suite=$(. /etc/os-release && [ "$ID" = debian ] && echo "$VERSION_CODENAME" || echo stable)
debootstrap --variant=minbase --include=ca-certificates,git,make,gcc,libc6-dev,python3 "$suite" "$root" >"$root.log" ||
    { echo "bare-machine: debootstrap failed; see $root.log" >&2; exit 1; }
mkdir -p "$root/opt/rust"
cp -a "$(rustc --print sysroot)/." "$root/opt/rust"
# How this machine reaches its packages.
for kept in /etc/resolv.conf /etc/pip.conf /etc/ssl/certs/ca-certificates.crt; do
    if [ -e "$kept" ]; then cp "$kept" "$root$kept"; fi
done
git clone --quiet --no-hardlinks . "$root/root/mainstay"

cat >"$root/root/try.sh" <<'TRY'
cd /root/mainstay
for command in "$@"; do
    begun=$SECONDS log=/root/$(basename "$command" | tr ' ' -).log
    bash -c "$command" >"$log" 2>&1 && how=passed || how=failed
    echo "$command: $how after $((SECONDS - begun)) s"
    [ $how = passed ] || { tail -n 30 "$log"; exit 1; }
done
TRY
# In namespaces of its own: its mounts and whatever it started end with it.
unshare --mount --pid --fork --kill-child --propagation private bash -euc '
    root=$1
    shift
    mkdir -p "$root/dev/pts" "$root/dev/shm"
    for mounted in /dev /dev/pts /dev/shm /sys; do mount --bind "$mounted" "$root$mounted"; done
    mount -t proc proc "$root/proc"
    exec chroot "$root" env -i HOME=/root LANG=C.UTF-8 TERM=dumb \
        PATH=/opt/rust/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin bash /root/try.sh "$@"
' bare-machine "$root" "$@"
