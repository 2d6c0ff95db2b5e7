#!/usr/bin/env bash
# Prints the interpreter of a virtual environment with pinned packages: python-env.sh REQUIREMENTS
#
# A file with a line `# whole: …` lists every package; nothing that these ask for is installed besides.
#
# The environment lies outside of the checkout, named by the digest of the requirements and the
# interpreter's version, and is made on the first call only.
set -euo pipefail

requirements=${1:?usage: python-env.sh REQUIREMENTS}
"$(dirname "$0")/need.sh" python-venv

name=$({ python3 --version; cat "$requirements"; } | sha256sum | cut -c1-16)
environment=${MAINSTAY_CACHE:-$HOME/.cache/mainstay}/python/$name
mkdir -p "$(dirname "$environment")"

# Two calls at once: the second waits for the first. The mark tells a finished one from a cut-off one.
exec 9>"$environment.lock"
flock 9
if [ ! -e "$environment/complete" ]; then
    rm -rf "$environment"
    python3 -m venv "$environment" >&2
    whole=()
    if grep -q '^# whole: ' "$requirements"; then whole=(--no-deps); fi
    "$environment/bin/python" -m pip install --quiet --disable-pip-version-check "${whole[@]}" -r "$requirements" >&2
    touch "$environment/complete"
fi
echo "$environment/bin/python"
