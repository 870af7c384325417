"""The tutorials run from top to bottom without a browser and without a network."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest

import lr_widget

from .small_data import write_eurosat, write_mnist, write_resnet18

nbclient = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

FOLDER = Path(__file__).parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
NOWHERE = "http://127.0.0.1:9"  # the discard port: a download fails at once
COLAB = "https://colab.research.google.com/github/lr-widget/lr_widget/blob/main/notebooks"

# Each has the name of its adapter and of its extra.
OF_TRAINERS = {
    "lightning": "module.hparams.lr",
    "transformers": "trainer.args.learning_rate",
    "accelerate": "lr",
    "fastai": "learner.lr",
    "skorch": "net.lr",
}

# The words of the cell that shows that nothing has changed: weights, counters, and what does not exist yet.
UNTOUCHED = {
    "lightning": ["True", "0", "0.001"],
    "transformers": ["True", "0", "None"],
    "accelerate": ["True", "0"],
    "fastai": ["True", "None"],
    "skorch": ["False", "0.01"],
}

Execute = Callable[[str], dict[str, str]]


def text_of(cell: nbformat.NotebookNode) -> str:
    """The printed text of a cell and its value."""
    outputs = cell.get("outputs", [])
    return "".join(out.get("text", "") + out.get("data", {}).get("text/plain", "") for out in outputs)


@pytest.fixture
def execute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Execute:
    """A function that executes a notebook in an empty folder and returns the text of each cell by its id."""
    package = str(Path(lr_widget.__file__).parents[1])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")])))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # on busy cores, threads would only wait for one another
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, NOWHERE)

    def run(name: str) -> dict[str, str]:
        notebook = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
        place = {"metadata": {"path": str(tmp_path)}}
        nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3", resources=place).execute()
        return {cell.id: text_of(cell) for cell in notebook.cells if cell.cell_type == "code"}

    return run


def test_these_are_the_tutorials() -> None:
    """A renamed notebook would lose its test and its badge in the README."""
    assert {path.stem for path in NOTEBOOKS} == {
        "quickstart",
        "mnist",
        "batch_size",
        "fine_tuning",
        "recipes",
        *OF_TRAINERS,
    }


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_notebooks_are_stored_without_outputs(path: Path) -> None:
    """Stored outputs would go stale and name the machine that made them."""
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_notebooks_open_in_colab(path: Path) -> None:
    """The badge leads to this notebook, and the first code cell installs the package only where it is missing."""
    first, *_ = cells = nbformat.read(path, as_version=4).cells
    assert first.source.startswith("# ")
    assert f"({COLAB}/{path.name})" in first.source
    install = next(cell for cell in cells if cell.cell_type == "code")
    needed = re.search(
        r'find_spec\("lr_widget"\) is None:\n    %pip install --quiet "lr_widget\[([\w,]+)\]"', install.source
    )
    assert needed is not None
    assert needed[1] == (f"{path.stem},plot" if path.stem in OF_TRAINERS else "plot")
    assert "".join(cell.source for cell in cells).count("pip install") == 1


@pytest.mark.filterwarnings("ignore")  # of the libraries that start kernels
def test_the_quickstart_runs_from_top_to_bottom(execute: Execute) -> None:
    """It finds a rate, proves that the model is untouched, and trains better with the rate than with others."""
    cells = execute("quickstart")
    assert cells["untouched"] == "True"
    small, found, large = (float(line.split()[2].rstrip("%")) for line in cells["train"].splitlines())
    assert found > small
    assert found > large
    assert "LRFinderWidget(" in cells["widget"]
    assert "ended with the lowest loss" in cells["probe"]
    assert "end_loss" in cells["probe"]
    assert "loss" in cells["script"]


@pytest.mark.filterwarnings("ignore")  # of the libraries that start kernels
def test_mnist_runs_from_top_to_bottom(execute: Execute, tmp_path: Path) -> None:
    """It shows the rates of the luz article and trains better with the copied rate than with ten times more or less."""
    write_mnist(tmp_path / "data")
    cells = execute("mnist")
    rates = re.findall(r"\d\.\d\de-06", cells["test"])
    assert rates == ["1.15e-06", "1.32e-06", "1.51e-06", "1.74e-06", "2.00e-06"]
    at_minimum, tenth = (float(line.split()[-1]) for line in cells["choose"].splitlines()[:2])
    assert tenth == pytest.approx(at_minimum / 10, rel=0.1)  # both are printed in two digits
    assert "LRFinderWidget(" in cells["widget"]
    assert "end_loss" in cells["result"]
    lr = float(cells["copy"])
    assert lr == float(f"{lr:.1e}")
    less, found, more = ([float(word.rstrip("%")) for word in line.split()] for line in cells["train"].splitlines()[1:])
    assert found[0] == lr
    assert found[2] > less[2]
    assert found[2] > more[2]


@pytest.mark.filterwarnings("ignore")  # of the libraries that start kernels
def test_batch_size_runs_from_top_to_bottom(execute: Execute) -> None:
    """It draws three curves, gives a rate for each batch size, and says if they differ."""
    cells = execute("batch_size")
    assert "Figure" in cells["plot"]
    rows = dict(re.findall(r"^(32|128|512) +(\S+)", cells["table"], flags=re.MULTILINE))
    assert [*rows] == ["32", "128", "512"]
    assert all(1e-5 < float(rate) < 1 for rate in rows.values())
    assert cells["answer"].startswith("32 ")


@pytest.mark.filterwarnings("ignore")  # of the libraries that start kernels
def test_fine_tuning_runs_from_top_to_bottom(execute: Execute, tmp_path: Path) -> None:
    """The groups keep their proportion, the test leaves nothing behind, and training leaves frozen layers alone."""
    write_eurosat(tmp_path / "data")
    write_resnet18(tmp_path / "torch")
    cells = execute("fine_tuning")
    assert "LRFinderWidget(" in cells["widget"]
    rates = [[float(word) for word in line.split()[1:3]] for line in cells["result"].splitlines()[1:]]
    assert len(rates) > 2
    assert all(rest == pytest.approx(head / 10, rel=0.01) for head, rest in rates)
    assert cells["untouched"].split() == ["True"] * 3
    head, rest = (float(line.split()[-1]) for line in cells["apply"].splitlines())
    assert rest == pytest.approx(head / 10, rel=0.05)
    accuracies = [int(found) for found in re.findall(r"(\d+)%", cells["train"])]
    assert accuracies[0] < accuracies[-1]
    assert [line.split()[-1] for line in cells["frozen"].splitlines()] == ["True"] * 3


@pytest.mark.filterwarnings("ignore")  # of the libraries that start kernels
@pytest.mark.parametrize(("name", "place"), OF_TRAINERS.items())
def test_the_notebook_of_a_trainer_runs_from_top_to_bottom(execute: Execute, name: str, place: str) -> None:
    """The test leaves nothing behind, the rate is where the trainer takes it from, and trains better than others."""
    pytest.importorskip(name)
    cells = execute(name)
    assert "LRFinderWidget(" in cells["widget"]
    assert cells["result"].rstrip().endswith(".")
    assert cells["untouched"].split() == UNTOUCHED[name]
    applied = re.fullmatch(rf"{re.escape(place)} = (\S+)", cells["apply"].strip().splitlines()[-1])
    assert applied is not None
    rows = re.findall(r"^lr (\S+): (\d+)%", cells["train"], re.MULTILINE)
    (_, less), (rate, found), (_, more) = rows
    assert rate == applied[1]
    assert int(found) > int(less)
    assert int(found) > int(more)


@pytest.mark.filterwarnings("ignore")  # of the libraries that start kernels
def test_the_recipes_run_from_top_to_bottom(execute: Execute) -> None:
    """Each gives its records; those of which a rate can be read give one."""
    cells = execute("recipes")
    for cell, name in (("dicts", "dicts"), ("step", "contrast"), ("lbfgs", "LBFGS"), ("stream", "stream")):
        assert re.match(rf"{name}: \d\S*; \d+ steps, (diverged|completed)\. ", cells[cell])
    assert "critic: diverged at a rate of " in cells["gan"]
    assert "\nonce: no rate; 22 steps, exhausted." in cells["stream"]
    assert re.search(r"^validation loss: .*\d.*\.$", cells["validation"], re.MULTILINE)
    assert [line.partition(":")[0] for line in cells["groups"].splitlines()] == ["body", "head"]
