"""Virtual environments with the versions of other hosts, in which the tests start kernels and servers."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from dataclasses import dataclass, field
from pathlib import Path

import lr_widget

PACKAGE_ROOT = Path(lr_widget.__file__).parents[1]
KEPT = Path(sys.prefix, "kernel-environments")  # between runs: they are made anew when their versions change


@dataclass(frozen=True)
class Environment:
    """This environment, or a virtual one that shares all packages with it but some.

    Attributes:
        name: of its Jupyter kernel.
        versions: the version of each package that differs from this environment; none for this environment itself.
        extra: further packages that these need.
    """

    name: str
    versions: dict[str, str] = field(default_factory=dict)
    extra: tuple[str, ...] = ()

    @property
    def prefix(self) -> Path:
        """The folder that it is installed in."""
        if not self.versions:
            return Path(sys.prefix)
        contents = json.dumps([self.versions, self.extra, sys.version])
        return KEPT / f"{self.name}-{hashlib.sha256(contents.encode()).hexdigest()[:12]}"

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.prefix / ("Scripts" if os.name == "nt" else "bin") / Path(sys.executable).name

    @property
    def nbextensions(self) -> Path:
        """The widgets' front ends as AMD modules, a folder for each."""
        return self.prefix / "share" / "jupyter" / "nbextensions"

    def make(self) -> None:
        """Install it, unless that is done, and tell Jupyter of its kernel."""
        done = self.prefix / "made"
        if self.versions and not done.exists():
            for old in KEPT.glob(f"{self.name}-*"):
                shutil.rmtree(old)
            venv.create(self.prefix)
            site = Path(self._ask("import sysconfig; print(sysconfig.get_path('purelib'))"))
            # What is already here counts as installed, so that only the packages that differ are fetched.
            (site / "here.pth").write_text(f"{sysconfig.get_path('purelib')}\n{PACKAGE_ROOT}\n")
            versions = [f"{name}=={version}" for name, version in self.versions.items()]
            run(*self.pip, "install", "--quiet", *versions, *self.extra)
            done.touch()
        specification = {
            "argv": [str(self.python), "-m", "ipykernel_launcher", "-f", "{connection_file}"],
            "display_name": self.name,
            "language": "python",
        }
        folder = KEPT / "jupyter" / "kernels" / self.name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "kernel.json").write_text(json.dumps(specification))

    @property
    def pip(self) -> tuple[str, ...]:
        """The command that installs into it, with the pip of this environment."""
        return (sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(self.python))

    def version(self, name: str) -> str:
        """Return the version of a package that is imported there."""
        return self._ask(f"import importlib.metadata; print(importlib.metadata.version({name!r}))")

    def _ask(self, code: str) -> str:
        return run(str(self.python), "-c", code).strip()


NEWEST = Environment("newest")
COLAB = Environment(
    "colab",
    {
        "ipython": "7.34.0",
        "ipykernel": "6.17.1",
        "ipywidgets": "7.7.1",
        "anywidget": "0.9.21",
        "bqplot": "0.12.47",
        "traitlets": "5.7.1",
    },
    extra=("six", "setuptools"),  # bqplot 0.12 and ipykernel 6.17 import them without declaring it
)
KAGGLE = Environment(
    "kaggle",
    {
        "ipywidgets": "8.1.5",
        "jupyterlab_widgets": "3.0.13",
        "widgetsnbextension": "4.0.13",
        "ipykernel": "6.29.5",
        "anywidget": "0.9.21",
        "bqplot": "0.12.47",
    },
    extra=("six",),
)


def run(*command: str) -> str:
    """Run a command in the checkout and return its output."""
    done = subprocess.run(command, capture_output=True, text=True, cwd=PACKAGE_ROOT, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout
