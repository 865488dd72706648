"""Every notebook runs from top to bottom, as it is, without a person."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.mark.notebook
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_notebook_runs_from_top_to_bottom(path: Path, tmp_path: Path) -> None:
    """In a folder that looks like the checkout, so that what it saves is thrown away."""
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "data").symlink_to(ROOT / "data", target_is_directory=True)
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=600,
        store_widget_state=False,
        resources={"metadata": {"path": str(tmp_path / "notebooks")}},
    )
    client.execute()
    said = [out for cell in notebook.cells for out in cell.get("outputs", [])]
    assert not [out for out in said if out.get("name") == "stderr"]
    assert any("application/vnd.plotly.v1+json" in out.get("data", {}) for out in said)
