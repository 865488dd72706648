"""Every notebook runs from top to bottom, on its own data and on a reader's."""

from __future__ import annotations

import shutil
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
#: Those that read a cluster, which readers may replace by their own.
ON_A_CLUSTER = [path for path in NOTEBOOKS if "clusters/openb" in path.read_text()]
each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.name for path in NOTEBOOKS])

pytestmark = [pytest.mark.notebook, pytest.mark.slow]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where notebooks find the data, and what they write is thrown away."""
    (tmp_path / "data").symlink_to(ROOT / "data", target_is_directory=True)
    for path in NOTEBOOKS:
        (tmp_path / "notebooks").mkdir(exist_ok=True)
        shutil.copy(path, tmp_path / "notebooks")
    return tmp_path / "notebooks"


def run(notebook: nbformat.NotebookNode, folder: Path) -> nbformat.NotebookNode:
    resources = {"metadata": {"path": str(folder)}}
    client = NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources=resources, store_widget_state=False
    )
    return client.execute()


def complaints(notebook: nbformat.NotebookNode) -> list[str]:
    """What cells wrote to stderr."""
    outputs = [out for cell in notebook.cells for out in cell.get("outputs", ())]
    return [out.text for out in outputs if out.output_type == "stream" and out.name == "stderr"]


@each_notebook
def test_a_notebook_runs_from_top_to_bottom(path: Path, folder: Path):
    done = run(nbformat.read(path, as_version=4), folder)
    assert not complaints(done)
    outputs = [out for cell in done.cells for out in cell.get("outputs", ())]
    assert any("application/vnd.plotly.v1+json" in out.get("data", {}) for out in outputs)
    takeaways = [cell for cell in done.cells if cell.id.endswith("-takeaways")]
    (text,) = [out.data["text/markdown"] for cell in takeaways for out in cell.outputs]
    assert text.count("\n- ") == 2, "a takeaway has three bullets"


@pytest.mark.parametrize("path", ON_A_CLUSTER, ids=[path.name for path in ON_A_CLUSTER])
def test_a_notebook_runs_on_another_cluster(path: Path, folder: Path):
    """As "Bring your own" says: one line to change."""
    notebook = nbformat.read(path, as_version=4)
    changed = 0
    for cell in notebook.cells:
        if cell.cell_type == "code" and "clusters/openb" in cell.source:
            cell.source = cell.source.replace("clusters/openb", "clusters/sample")
            changed += 1
    assert changed == 1
    assert not complaints(run(notebook, folder))
