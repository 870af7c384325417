"""A script never pays for the notebook: neither importing nor running the engine loads a widget package."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("ipywidgets", "anywidget", "bqplot", "matplotlib", "IPython")

RANGE_TEST = """
import torch, lr_widget
model = torch.nn.Linear(2, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
data = [(torch.ones(4, 2), torch.ones(4, 1))]
records = lr_widget.range_test(model, optimizer, torch.nn.functional.mse_loss, data)
records.suggest(), records.to_pandas()
"""


def loaded_by(script: str) -> set[str]:
    """The heavy packages that are loaded after the script has run in a process of its own."""
    report = f"{script}\nimport sys\nprint('LOADED', *[name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", report], capture_output=True, text=True, check=True)
    return set(done.stdout.rpartition("LOADED")[2].split())


@pytest.mark.parametrize("script", ["import lr_widget", RANGE_TEST])
def test_the_engine_loads_no_widget_package(script: str) -> None:
    """Neither the import nor a whole range test with its suggestion and its table."""
    assert loaded_by(script) == set()


def test_this_check_can_fail() -> None:
    """The widget loads all of its packages on first use, and the check sees them."""
    assert loaded_by("import lr_widget\nlr_widget.LRFinderWidget") >= {"ipywidgets", "anywidget", "bqplot"}


def test_every_public_name_is_there() -> None:
    """The lazy one, too; dir() lists all of them, and any other name is an AttributeError."""
    import lr_widget

    assert [name for name in lr_widget.__all__ if not hasattr(lr_widget, name)] == []
    assert set(lr_widget.__all__) <= set(dir(lr_widget))
    with pytest.raises(AttributeError, match="module 'lr_widget' has no attribute 'LRFinder'"):
        _ = lr_widget.LRFinder
