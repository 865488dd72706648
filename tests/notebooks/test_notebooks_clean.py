"""Notebooks tell a story: short, without code of their own, committed without outputs."""

from __future__ import annotations

import ast
from pathlib import Path

import nbformat
import pytest
from IPython.core.inputtransformer2 import TransformerManager

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(
    path for path in FOLDER.rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts
)
each_notebook = pytest.mark.parametrize(
    "path", NOTEBOOKS, ids=[path.relative_to(FOLDER).as_posix() for path in NOTEBOOKS]
)


def code_cells(path: Path) -> list[nbformat.NotebookNode]:
    notebook = nbformat.read(path, as_version=4)
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


@each_notebook
def test_a_notebook_has_no_outputs(path: Path):
    dirty = [
        number
        for number, cell in enumerate(code_cells(path), 1)
        if cell.outputs or cell.execution_count is not None
    ]
    remedy = f".venv/bin/jupyter-nbconvert --clear-output --inplace notebooks/{path.name}"
    assert not dirty, f"code cells {dirty} have outputs; clear them with: {remedy}"
    assert "widgets" not in nbformat.read(path, as_version=4).metadata


@each_notebook
def test_a_notebook_has_under_25_code_cells(path: Path):
    assert len(code_cells(path)) < 25


@each_notebook
def test_a_notebook_defines_no_functions(path: Path):
    definitions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
    for cell in code_cells(path):
        tree = ast.parse(TransformerManager().transform_cell(cell.source))
        found = [node for node in ast.walk(tree) if isinstance(node, definitions)]
        assert not found, f"line {found[0].lineno} of: {cell.source}"


def test_every_notebook_leads_to_the_next_and_back():
    for at, path in enumerate(NOTEBOOKS):
        last = nbformat.read(path, as_version=4).cells[-1].source
        if at + 1 < len(NOTEBOOKS):
            assert "Next: [" in last
            assert f"]({NOTEBOOKS[at + 1].name})" in last
        if at:
            assert "Back: [" in last
            assert f"]({NOTEBOOKS[at - 1].name})" in last
