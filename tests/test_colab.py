"""The widget on the older versions of its dependencies that Google Colab ships."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
COLAB = {
    "ipython": "7.34.0",
    "ipykernel": "6.17.1",
    "ipywidgets": "7.7.1",
    "anywidget": "0.9.21",
    "bqplot": "0.12.47",
    "traitlets": "5.7.1",
}
# These read the messages of a comm, and comms are made in another way there.
OF_THE_NEWER_LINE = [
    "test_every_command_is_answered",
    "test_many_fast_steps_send_few_and_small_messages",
    "test_a_page_that_asks_for_the_state_gets_no_old_one_last",
]

pytestmark = pytest.mark.packaging


def test_the_tests_of_the_widget_pass_with_what_colab_ships(tmp_path: Path) -> None:
    """The versions of Colab are imported, all else comes from this environment, and the widget's tests pass."""
    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env" / ("Scripts" if os.name == "nt" else "bin") / "python"
    [site] = (tmp_path / "env").glob("**/site-packages")
    here = next(path for path in sys.path if path.endswith("site-packages"))
    (site / "here.pth").write_text(f"{here}\n{ROOT}\n")
    versions = [f"{name}=={version}" for name, version in COLAB.items()]
    run(str(python), "-m", "pip", "install", "--quiet", *versions, "six", "setuptools")
    ask = "import importlib.metadata as m, sys; print(*(m.version(name) for name in sys.argv[1:]))"
    assert run(str(python), "-c", ask, *COLAB).split() == list(COLAB.values())
    chosen = " and ".join(f"not {name}" for name in OF_THE_NEWER_LINE)
    arguments = ["-q", "-p", "no:cacheprovider", "-W", "ignore::DeprecationWarning", "-k", chosen]
    assert " passed" in run(str(python), "-m", "pytest", *arguments, "tests/widget")


def run(*command: str) -> str:
    """Run a command in the checkout and return its output."""
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout
