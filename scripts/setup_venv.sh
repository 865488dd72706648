#!/usr/bin/env bash
# Builds .venv from requirements.lock and installs capsim into it, editable.
#
# Needs only python3 and pip. Debian ships python3 without ensurepip (package python3-venv) and
# marks it externally managed, so the environment is created without pip and filled by the
# system's pip from outside.
#
# usage: setup_venv.sh STAMP   (STAMP names Python and checkout; see the Makefile)
set -euo pipefail
stamp=$1
python=${PYTHON:-python3}

# Inside an activated .venv, python3 is that .venv's own and has no pip: go back to its base.
python=$("$python" -c 'import sys; print(getattr(sys, "_base_executable", sys.executable))')
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "capsim needs Python 3.11 or later; $python is $("$python" -V 2>&1). Choose one with: make PYTHON=python3.12" >&2
    exit 1
}
"$python" -m pip --version >/dev/null 2>&1 || {
    echo "$python has no pip. Install it (Debian: apt-get install python3-pip) and run make again." >&2
    exit 1
}

# No stamp: first run, another Python, a moved checkout or an interrupted start. Begin afresh.
if [ ! -e "$stamp" ]; then
    echo "Creating .venv with $("$python" -V) ..."
    "$python" -m venv --clear --without-pip .venv
fi
into_venv() { "$python" -m pip --python .venv/bin/python install --quiet --disable-pip-version-check "$@"; }
echo "Installing the locked packages into .venv (a minute or two the first time) ..."
into_venv --only-binary :all: --require-hashes -r requirements.lock
# The build backend came with the lock: nothing is fetched here. The trailing ./ matters, since a
# bare name would be looked up in the package registry.
into_venv --no-deps --no-build-isolation --editable ./
touch "$stamp"
