#!/usr/bin/env bash
# Resolves pyproject.toml into requirements.lock: one lock for every Python from 3.11 on, with
# hashes and without any address. "fewest" takes one version for all of them where there is one,
# so that types and results do not depend on the Python. Pins stay unless --upgrade is given.
set -euo pipefail
python=${PYTHON:-python3}

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"$python" -m pip install --quiet --disable-pip-version-check --target "$scratch" uv
PYTHONPATH=$scratch "$python" -m uv pip compile --quiet --no-config \
    --universal --python-version 3.11 --fork-strategy fewest --extra dev --generate-hashes --no-header \
    "$@" pyproject.toml --output-file requirements.lock
