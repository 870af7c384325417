"""The wheel of a clean clone carries the front end and shows the widget in an environment of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import venv
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

import lr_widget

ROOT = Path(__file__).parent.parent
FRONT_END = {"lr_widget/widget/static/widget.js", "lr_widget/widget/static/widget.css"}

SHOW_THE_WIDGET = """
import lr_widget, pathlib, torch
assert pathlib.Path(lr_widget.__file__).is_relative_to({target!r}), lr_widget.__file__
model = torch.nn.Linear(2, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
data = [(torch.ones(4, 2), torch.ones(4, 1))]
widget = lr_widget.LRFinderWidget(model, optimizer, torch.nn.functional.mse_loss, data)
bundle = widget._repr_mimebundle_()
bundle = bundle[0] if isinstance(bundle, tuple) else bundle
assert bundle["application/vnd.jupyter.widget-view+json"]["model_id"] == widget.model_id
assert "render" in widget._esm and len(widget._css) > 100
"""

pytestmark = pytest.mark.packaging


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clone the last commit: nothing that git ignores is in it."""
    target = tmp_path_factory.mktemp("clone") / "lr_widget"
    run("git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(target))
    return target


@pytest.fixture(scope="module")
def dist(clone: Path) -> Path:
    """Return the folder with the wheel that is built in the clone."""
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(clone / "dist"), str(clone))
    return clone / "dist"


def run(*command: str, cwd: Path | None = None, **environment: str) -> str:
    """Run a command and return its output."""
    env = {**os.environ, **environment}
    done = subprocess.run(command, capture_output=True, text=True, env=env, cwd=cwd, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_wheel_carries_the_front_end_and_the_types(dist: Path) -> None:
    """The built bundle and `py.typed` are in it, tests, front-end sources and notebooks are not."""
    [wheel] = dist.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert names >= FRONT_END | {"lr_widget/py.typed"}
    assert not [name for name in names if name.startswith(("tests/", "js/", "notebooks/"))]


def test_the_wheel_says_what_the_source_says(dist: Path) -> None:
    """Its version is the one of the package, its page is the README, and each extra is one."""
    [wheel] = dist.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        [name] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        told = Parser().parsestr(archive.read(name).decode())
    assert told["Version"] == lr_widget.__version__
    assert told.get_payload().startswith("# lr_widget\n")  # type: ignore[union-attr]  # a plain text has one payload
    extras = {"accelerate", "examples", "fastai", "lightning", "plot", "skorch", "transformers"}
    assert {*told.get_all("Provides-Extra", [])} == extras


def test_the_version_and_the_licence_have_one_place_each() -> None:
    """`CITATION.cff` names the project and its authors, and no version that could go stale."""
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    fields = dict(re.findall(r"^([\w-]+): ?(.*)$", citation, re.MULTILINE))
    assert {"cff-version": "1.2.0", "title": "lr_widget", "license": "MIT"}.items() <= fields.items()
    assert {"message", "authors"} <= {*fields}
    assert not {"version", "date-released", "doi"} & {*fields}
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert 'dynamic = ["version"]' in project
    assert "\nversion" not in project
    assert f'description = "{fields["abstract"]}"' in project


def test_the_wheel_shows_the_widget_in_an_environment_of_its_own(dist: Path, tmp_path: Path) -> None:
    """The package comes only from the wheel; its dependencies come from this environment through a search path."""
    venv.create(tmp_path / "env", with_pip=False)
    bin_dir = tmp_path / "env" / ("Scripts" if os.name == "nt" else "bin")
    [site] = (tmp_path / "env").glob("**/site-packages")
    [wheel] = dist.glob("*.whl")
    run(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(site), str(wheel))
    dependencies = next(path for path in sys.path if path.endswith("site-packages"))
    script = SHOW_THE_WIDGET.format(target=str(site))
    python_path = os.pathsep.join([str(site), dependencies])
    run(str(bin_dir / "python"), "-W", "ignore", "-c", script, cwd=tmp_path, PYTHONPATH=python_path)


def test_an_unpacked_sdist_builds_without_node(clone: Path, tmp_path: Path) -> None:
    """The sdist has the built bundle in it, and a wheel made from it has it, too."""
    run(sys.executable, "-m", "pip", "install", "--quiet", "--target", str(tmp_path / "build"), "hatchling>=1.26")
    build_env = {"PYTHONPATH": str(tmp_path / "build")}
    build = [sys.executable, "-m", "hatchling", "build", "--directory", str(tmp_path / "dist"), "--target"]
    run(*build, "sdist", cwd=clone, **build_env)
    [sdist] = (tmp_path / "dist").glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    [unpacked] = [path for path in tmp_path.glob("lr_widget-*") if path.is_dir()]
    assert not (unpacked / "js" / "node_modules").exists()
    for name in ("README.md", "CHANGELOG.md", "CITATION.cff", "LICENSE", "tests/test_readme.py"):
        assert (unpacked / name).exists(), name
    run(*build, "wheel", cwd=unpacked, **build_env, PATH="")
    [wheel] = (tmp_path / "dist").glob("*.whl")
    assert set(zipfile.ZipFile(wheel).namelist()) >= FRONT_END


def test_a_checkout_without_node_says_what_is_missing(clone: Path, tmp_path: Path) -> None:
    """A build from source without npm fails with a sentence that names Node.js and the remedy."""
    run(sys.executable, "-m", "pip", "install", "--quiet", "--target", str(tmp_path / "build"), "hatchling>=1.26")
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel"],
        cwd=clone,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "build"), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "front end is built with Node.js, and no npm was found on PATH; install Node.js 20" in done.stderr
