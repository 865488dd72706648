#!/usr/bin/env bash
# Writes the scenario's JSON schema to docs/schema/ and runs every notebook into build/notebooks/.
set -euo pipefail
bin=.venv/bin

mkdir -p docs/schema build/notebooks
"$bin/python" - docs/schema/scenario.schema.json <<'PY'
import json
import pathlib
import sys

from capsim.scenario import json_schema

text = json.dumps(json_schema(), indent=2, ensure_ascii=False, sort_keys=True)
pathlib.Path(sys.argv[1]).write_text(text + "\n", encoding="utf-8")
PY
echo "docs/schema/scenario.schema.json"

# Figures carry their own copy of plotly, so that the pages also work without a network. Panels
# need a running kernel and show as text.
export PLOTLY_RENDERER=notebook
shopt -s nullglob
for notebook in notebooks/*.ipynb; do
    "$bin/jupyter-nbconvert" --log-level WARN --execute --to html \
        --ExecutePreprocessor.store_widget_state=False --output-dir build/notebooks "$notebook"
    echo "build/notebooks/$(basename "${notebook%.ipynb}").html"
done
