"""The training that the rate is for, typed and chosen in a real JupyterLab, and the plan of the probes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from .lab import Notebook
from .test_jupyterlab import set_pace, show

pytestmark = pytest.mark.browser

Open = Callable[..., Notebook]

# The shaded range of the suggestion, from the left end of the axis and in pixels.
MARKED_RANGE = """() => {
    const left = document.querySelector('.lrw .bqplot .axis .domain').getBoundingClientRect().left;
    const height = document.querySelector('.lrw .bqplot .plotarea_background').getBoundingClientRect().height;
    const areas = [...document.querySelectorAll('.lrw .bqplot path.area[style*="208, 106, 8"]')]
        .map(area => area.getBoundingClientRect());
    const range = areas.find(area => area.width > 0 && Math.abs(area.height - height) < 4);
    return range === undefined ? null : [range.left - left, range.right - left];
}"""


def run_to_the_end(notebook: Notebook) -> None:
    """Run a fast test."""
    set_pace(notebook, 0.004)
    notebook.ref("start").click()
    notebook.wait_for_note("Model and optimizer are as before.")


def enter(notebook: Notebook, name: str, text: str) -> None:
    """Type a text into a field and press Enter."""
    notebook.ref(name).fill(text)
    notebook.ref(name).press("Enter")


def wait_for_reason(notebook: Notebook, words: str) -> None:
    """Wait until the reason of the suggestion has these words, and is the one in Python."""
    notebook.ref("reason").filter(has_text=words).wait_for()
    assert notebook.ref("reason").inner_text() == notebook.ask("widget.suggestion.reason")


def test_steps_and_schedule_move_the_suggestion_and_its_range(open_notebook: Open) -> None:
    """Typed as a person types them, without another run; an empty field takes the length back."""
    notebook = show(open_notebook)
    assert notebook.ref("train_steps").input_value() == ""
    run_to_the_end(notebook)
    first, range_before = notebook.ref("suggested").inner_text(), notebook.frame.evaluate(MARKED_RANGE)
    calls = notebook.ask("calls")

    enter(notebook, "train_steps", "5e3")
    wait_for_reason(notebook, "for a training of 5,000 steps at a constant rate")
    assert notebook.ref("train_steps").input_value() == "5,000"
    lowered = notebook.ref("suggested").inner_text()
    assert float(lowered) < float(first)
    assert lowered == notebook.ask("rate_text(widget.suggestion.lr)")
    notebook.widget.locator("text.label", has_text=f"suggested {lowered}").wait_for()
    notebook.wait_for(f"left => ({MARKED_RANGE})()[0] < left - 3", range_before[0])

    notebook.ref("train_schedule").select_option(label="with a cosine schedule")
    wait_for_reason(notebook, "for a training of 5,000 steps with a cosine schedule")
    assert float(notebook.ref("suggested").inner_text()) > float(lowered)
    notebook.ref("train_schedule").press("ArrowUp")  # to "in one cycle", by the keyboard
    wait_for_reason(notebook, "for a training of 5,000 steps in one cycle")
    assert notebook.ask("widget.train_schedule") == "one_cycle"

    enter(notebook, "train_steps", "0")
    notebook.wait_for_note('"your training" must be at least 1, got 0; 1000 is usual. It stays 5,000.')
    notebook.wait_for("() => document.querySelector('.lrw [data-ref=train_steps]').value === '5,000'")
    notebook.ref("train_schedule").select_option("constant")
    enter(notebook, "train_steps", "")
    notebook.wait_for("() => document.querySelector('.lrw [data-ref=train_steps]').dataset.shown === ''")
    notebook.ref("suggested").filter(has_text=first).wait_for()
    assert notebook.ask("widget.train_steps") == "None"
    assert notebook.frame.evaluate(MARKED_RANGE) == pytest.approx(range_before, abs=1)
    assert notebook.ask("calls") == calls
    assert notebook.ask("fingerprint() == before") == "True"


def test_a_training_too_long_for_the_test_leaves_the_probes(open_notebook: Open) -> None:
    """The reason stands in place of the rate, nothing is marked, and Probe, whose plan is beside it, can be pressed."""
    notebook = show(open_notebook)
    assert "Up to 300 steps" in notebook.ref("plan").inner_text()
    assert notebook.ref("probe").is_disabled()
    run_to_the_end(notebook)
    enter(notebook, "train_steps", "1,000,000,000")
    wait_for_reason(notebook, "not known from a test this short")
    assert notebook.ref("suggested").is_hidden()
    notebook.wait_for(f"() => ({MARKED_RANGE})() === null")
    assert notebook.widget.locator("text.label", has_text="suggested").count() == 0
    assert notebook.ref("copy").is_disabled()

    enter(notebook, "max_probe_steps", "80")
    notebook.ref("plan").filter(has_text="Up to 80 steps").wait_for()
    assert "trainings of 20 steps at a constant rate" in notebook.ref("plan").inner_text()
    set_pace(notebook, 0.1)
    notebook.ref("probe").click()
    notebook.ref("reason").filter(has_text="Each dot is one training from the same state, now of 20 steps").wait_for()
    notebook.ref("stop").click()
    notebook.wait_for_note("Model and optimizer are as before.")
    assert notebook.ask("fingerprint() == before") == "True"
