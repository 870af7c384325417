"""The tutorials run from top to bottom without a browser."""

from __future__ import annotations

import os
from pathlib import Path

import nbformat
import pytest

import lr_widget

nbclient = pytest.importorskip("nbclient")
pytest.importorskip("sklearn")
pytest.importorskip("ipykernel")

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


def text_of(cell: nbformat.NotebookNode) -> str:
    """The printed text of a cell and its value."""
    outputs = cell.get("outputs", [])
    return "".join(out.get("text", "") + out.get("data", {}).get("text/plain", "") for out in outputs)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_notebooks_are_stored_without_outputs(path: Path) -> None:
    """Stored outputs would go stale and name the machine that made them."""
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)


@pytest.mark.filterwarnings("ignore")  # of the libraries that start kernels
def test_the_quickstart_runs_from_top_to_bottom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It finds a rate, proves that the model is untouched, and trains better with the rate than with others."""
    package = str(Path(lr_widget.__file__).parents[1])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")])))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    notebook = nbformat.read(Path(__file__).parents[1] / "notebooks" / "quickstart.ipynb", as_version=4)
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    cells = {cell.id: text_of(cell) for cell in notebook.cells if cell.cell_type == "code"}
    assert cells["untouched"] == "True"
    small, found, large = (float(line.split()[2].rstrip("%")) for line in cells["train"].splitlines())
    assert found > small
    assert found > large
    assert "LRFinderWidget(" in cells["widget"]
    assert "ended with the lowest loss" in cells["probe"]
    assert "end_loss" in cells["probe"]
    assert "loss" in cells["script"]
