#!/bin/sh
# Make .venv: the package (editable) and its tools, at the versions in constraints.txt.
#
# Works on a machine with nothing but Python: uv goes into .tools/, installed by whichever
# Python here has pip; the environment is made from a Python >= 3.12 that is already on the
# machine. Only packages are downloaded. An environment that is there is brought up to date.
set -eu
cd "$(dirname "$0")/.."
home=${HOME:-/nonexistent}

say() { printf '%s\n' "$*" >&2; }

# Every Python of the machine, likely ones first. Version managers keep theirs off PATH, and
# their stand-ins on PATH may answer "command not found": hence the folders, and a trial run.
pythons() {
    for name in python3.13 python3.12 python3.14 python3 python; do
        command -v "$name" 2>/dev/null || true
        for folder in /usr/bin /usr/local/bin /opt/homebrew/bin \
            "${PYENV_ROOT:-$home/.pyenv}"/versions/*/bin "$home"/.local/bin \
            "$home"/.local/share/uv/python/*/bin; do
            if [ -x "$folder/$name" ]; then echo "$folder/$name"; fi
        done
    done
}

new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 12))' >/dev/null 2>&1
}

find_python() {
    pythons | while IFS= read -r python; do
        if new_enough "$python"; then
            # The interpreter itself, not a stand-in that depends on the current folder.
            "$python" -c 'import sys; print(sys.executable)'
            break
        fi
    done
}

# uv by whichever Python has pip; pip is often split off (Debian) or of another version.
get_uv() {
    if [ -x .tools/bin/uv ]; then return; fi
    say "Installing uv into .tools/"
    pythons | while IFS= read -r python; do
        if "$python" -m pip install --quiet --disable-pip-version-check --target .tools \
            --upgrade 'uv>=0.8' >/dev/null 2>&1 && [ -x .tools/bin/uv ]; then break; fi
        rm -rf .tools
        if "$python" -m venv .tools >/dev/null 2>&1 &&
            .tools/bin/python -m pip install --quiet --disable-pip-version-check 'uv>=0.8' \
                >/dev/null 2>&1; then break; fi
        rm -rf .tools
    done
    if [ -x .tools/bin/uv ]; then return; fi
    if found=$(command -v uv 2>/dev/null); then
        mkdir -p .tools/bin
        ln -s "$found" .tools/bin/uv
        return
    fi
    say "error: no Python on this machine could install uv."
    say "  Install pip (Debian: apt install python3-pip), or uv itself, and run make again."
    say "  If pip is there, look at: python3 -m pip install --target /tmp/uv-test uv"
    exit 1
}

python=$(find_python)
if [ -z "$python" ]; then
    say "error: odforecast needs Python 3.12 or later, and none was found on this machine."
    say "  Looked on PATH, in /usr/bin, /usr/local/bin and in the folders of pyenv and uv."
    say "  Install one (Debian 13, Ubuntu 24.04: apt install python3), or put it on PATH."
    exit 1
fi
get_uv
if ! { [ -x .venv/bin/python ] && new_enough .venv/bin/python; }; then
    say "Making .venv with $("$python" --version)"
    .tools/bin/uv venv --quiet --clear --no-python-downloads --python "$python" .venv
fi
say "Installing odforecast and its tools into .venv (a minute or two the first time)"
.tools/bin/uv pip install --quiet --compile-bytecode --no-python-downloads \
    --python .venv/bin/python -c constraints.txt -e '.[dev]'
