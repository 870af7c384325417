"""The widget on the older versions of its dependencies that Google Colab ships."""

from __future__ import annotations

import json

import pytest

from .browser.environments import COLAB, PACKAGE_ROOT, run

# These read the messages of a comm, and comms are made in another way there.
OF_THE_NEWER_LINE = [
    "test_every_command_is_answered",
    "test_many_fast_steps_send_few_and_small_messages",
    "test_a_page_that_asks_for_the_state_gets_no_old_one_last",
]

pytestmark = pytest.mark.packaging


@pytest.fixture(scope="module", autouse=True)
def _colab() -> None:
    COLAB.make()


def would_install(*requirements: str) -> set[str]:
    """Ask pip for the packages that it would install in Colab, replaced ones included."""
    report = json.loads(run(*COLAB.pip, "install", "--quiet", "--dry-run", "--report", "-", *requirements))
    return {each["metadata"]["name"].replace("_", "-") for each in report["install"]}


def test_the_tests_of_the_widget_pass_with_what_colab_ships() -> None:
    """The versions of Colab are imported, all else comes from this environment, and the widget's tests pass."""
    assert {name: COLAB.version(name) for name in COLAB.versions} == COLAB.versions
    chosen = " and ".join(f"not {name}" for name in OF_THE_NEWER_LINE)
    arguments = ["-q", "-p", "no:cacheprovider", "-W", "ignore::DeprecationWarning", "-k", chosen]
    assert " passed" in run(str(COLAB.python), "-m", "pytest", *arguments, "tests/widget")


def test_installing_the_package_replaces_nothing_that_colab_ships() -> None:
    """By pip's own report the package comes alone; a requirement that Colab does not meet would be in the report."""
    assert would_install(str(PACKAGE_ROOT)) == {"lr-widget"}
    assert "ipywidgets" in would_install("ipywidgets>=8")
