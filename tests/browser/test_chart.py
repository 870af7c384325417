"""The chart under mouse and keys in a real JupyterLab: reading, zooming, picking, its axes and what is said beside it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

import pytest

from .lab import Notebook
from .test_jupyterlab import SETUP, show

pytestmark = pytest.mark.browser

Open = Callable[..., Notebook]

FAST = SETUP.replace("= 0.3, None", "= 0.001, None")
VALIDATED = FAST.replace("start_lr=1e-6,", "start_lr=1e-6, val_data=(inputs[:64], targets[:64]),")

TICKS = """side => [...document.querySelectorAll('.lrw .bqplot .axis')]
    .filter(axis => (axis.getAttribute('text-anchor') === 'middle') === (side === 'x') && axis.checkVisibility())
    .flatMap(axis => [...axis.querySelectorAll('.tick text')].map(text => text.textContent))"""


def axis(notebook: Notebook, of: str) -> tuple[float, float]:
    """The bounds of an axis, as Python has them."""
    place = 0 if of == "x" else 1
    low, high = (notebook.ask(f"widget.figure.axes[{place}].scale.{end}") for end in ("min", "max"))
    return float(low), float(high)


def readout(notebook: Notebook) -> dict[str, str]:
    """The lines of the box beside the crosshair."""
    cells = notebook.widget.locator(".lrw-readout span").all_inner_texts()
    return dict(zip(cells[::2], cells[1::2], strict=True))


def spoken(notebook: Notebook) -> dict[str, str]:
    """The words of the crosshair for a screen reader."""
    words = str(notebook.plot.get_attribute("aria-valuetext")).split(", ")
    return dict(part.split(" ", 1) for part in words)


def assert_read(notebook: Notebook, step: int, reading: dict[str, str]) -> None:
    """Compare a reading with the records."""
    assert reading["rate"] == notebook.ask(f"rate_text(widget.records.lr[{step - 1}])")
    for name, values in (("loss", "loss"), ("smoothed", "smoothed_loss(widget.smoothing)")):
        expected = float(notebook.ask(f"widget.records.{values}[{step - 1}]"))
        assert float(reading[name]) == pytest.approx(expected, rel=2e-3)


def test_the_crosshair_reads_points_by_mouse_and_by_keys_and_enter_picks(open_notebook: Open) -> None:
    """Step, rate, raw and smoothed loss are those of the records; nothing goes to the kernel before Enter."""
    notebook = show(open_notebook, setup=FAST)
    notebook.run()
    readout_box = notebook.widget.locator(".lrw-readout")
    assert readout_box.is_hidden()
    steps = []
    for across in (0.05, 0.5, 0.95):
        notebook.move_to(across, 0.5)
        readout_box.wait_for()
        notebook.page.wait_for_timeout(100)  # it is drawn in the next frame
        reading = readout(notebook)
        steps.append(int(reading["step"].partition(" of ")[0]))
        assert_read(notebook, steps[-1], reading)
        box, chart = readout_box.bounding_box(), notebook.plot.bounding_box()
        assert box is not None
        assert chart is not None
        assert chart["x"] <= box["x"] <= chart["x"] + chart["width"] - box["width"]
    low, high = axis(notebook, "x")
    assert steps[1] == pytest.approx(100 * math.log((low * (high / low) ** 0.5) / 1e-6) / math.log(10 / 1e-6), abs=2)
    assert steps == sorted(steps)
    notebook.page.mouse.move(5, 5)
    readout_box.wait_for(state="hidden")

    notebook.plot.focus()
    for key, step in (
        ("Home", 1),
        ("ArrowRight", 2),
        ("ArrowRight", 3),
        ("ArrowLeft", 2),
        ("PageDown", 1),
        ("PageUp", 11),
    ):
        notebook.plot.press(key)
        notebook.wait_for(
            "step => document.querySelector('.lrw-plot').getAttribute('aria-valuetext').startsWith(`step ${step},`)",
            step,
        )
        assert_read(notebook, step, spoken(notebook))
    assert notebook.ask("widget.answer['is_picked']") == "False"
    notebook.plot.press("Enter")
    picked = notebook.ask("rate_text(widget.records.lr[10])")
    notebook.wait_for("rate => document.querySelector('.lrw [data-ref=pick]').value === rate", picked)
    assert notebook.ask("rate_text(widget.selected_lr)") == picked
    notebook.plot.press("Escape")
    readout_box.wait_for(state="hidden")


def test_a_drag_zooms_a_double_click_resets_and_only_a_click_picks(open_notebook: Open) -> None:
    """The axes go to the rectangle and back; the pick is the rate under the click, zoomed or not."""
    notebook = show(open_notebook, setup=FAST)
    notebook.run()
    x, y = axis(notebook, "x"), axis(notebook, "y")
    pick = "document.querySelector('.lrw [data-ref=pick]').value"

    notebook.drag((0.5, 0.25), (0.75, 0.75))
    notebook.ref("resetZoom").wait_for()
    assert axis(notebook, "x") == pytest.approx([x[0] * (x[1] / x[0]) ** share for share in (0.5, 0.75)], rel=0.02)
    assert axis(notebook, "y") == pytest.approx([y[0] + (y[1] - y[0]) * share for share in (0.25, 0.75)], rel=0.02)
    assert len(notebook.frame.evaluate(TICKS, "x")) >= 3
    assert notebook.frame.evaluate(f"() => {pick}") == ""
    middle = math.sqrt(math.prod(axis(notebook, "x")))
    notebook.page.mouse.click(*notebook.at(0.5, 0.5))
    notebook.wait_for(f"() => {pick} !== ''")
    assert float(notebook.ask("widget.selected_lr")) == pytest.approx(middle, rel=0.06)  # in two digits

    notebook.ref("clear").click()
    notebook.wait_for(f"() => {pick} === ''")
    notebook.page.mouse.dblclick(*notebook.at(0.4, 0.5))
    notebook.ref("resetZoom").wait_for(state="hidden")
    assert axis(notebook, "x") == x
    assert axis(notebook, "y") == y
    notebook.page.wait_for_timeout(500)
    assert notebook.ask("widget.answer['is_picked']") == "False"
    notebook.page.mouse.click(*notebook.at(0.25, 0.9))
    notebook.wait_for(f"() => {pick} !== ''")
    assert float(notebook.ask("widget.selected_lr")) == pytest.approx(x[0] * (x[1] / x[0]) ** 0.25, rel=0.06)

    notebook.drag((0.2, 0.5), (0.6, 0.5))  # a flat one takes all losses
    notebook.ref("resetZoom").click()
    notebook.ref("resetZoom").wait_for(state="hidden")
    notebook.move_to(0.3, 0.3)
    notebook.page.mouse.down()
    notebook.move_to(0.6, 0.6)
    notebook.page.keyboard.press("Escape")
    notebook.page.mouse.up()
    notebook.page.wait_for_timeout(500)
    assert axis(notebook, "x") == x
    notebook.drag((0.5, 0.2), (0.7, 0.8))
    notebook.ref("resetZoom").wait_for()
    notebook.run()  # a new curve is shown whole
    notebook.ref("resetZoom").wait_for(state="hidden")
    assert axis(notebook, "x") == x


def test_the_loss_axis_takes_limits_and_a_logarithmic_scale(open_notebook: Open) -> None:
    """Typed limits hold over new runs and may be taken back; limits that make no sense are refused in words."""
    notebook = show(open_notebook, setup=FAST)
    notebook.run()
    automatic = axis(notebook, "y")
    notebook.enter("loss_max", "5")
    notebook.wait_for("() => document.querySelector('.lrw [data-ref=loss_max]').dataset.shown === '5'")
    assert axis(notebook, "y")[1] == 5
    notebook.enter("loss_min", "0.1")
    notebook.wait_for("() => document.querySelector('.lrw [data-ref=loss_min]').dataset.shown === '0.1'")
    assert axis(notebook, "y") == (0.1, 5)
    notebook.ref("loss_scale").select_option("log")
    notebook.wait_for("() => document.querySelector('.lrw [data-ref=loss_scale]').value === 'log'")
    notebook.wait_for(
        f"() => {{ const ticks = ({TICKS})('y'); return ticks.includes('0.1') && ticks.includes('1') && !ticks.includes('0'); }}"
    )
    assert notebook.ask("type(widget.figure.axes[1].scale).__name__") == "LogScale"
    notebook.run()
    assert axis(notebook, "y") == (0.1, 5)
    notebook.enter("loss_min", "7")
    notebook.wait_for_note('"from" must be below "to", got 7 and 5')
    assert notebook.ref("loss_min").get_attribute("aria-invalid") == "true"
    assert notebook.ask("widget.loss_min") == "0.1"
    notebook.enter("loss_min", "")
    notebook.enter("loss_max", "")
    notebook.ref("loss_scale").select_option("linear")
    notebook.wait_for("() => document.querySelector('.lrw [data-ref=loss_scale]').value === 'linear'")
    notebook.ask("time.sleep(0.5)")
    assert axis(notebook, "y") == pytest.approx(automatic, rel=0.2)  # of another curve by now
    assert notebook.ask("fingerprint() == before") == "True"


def test_the_legend_says_all_that_is_on_the_chart_and_the_unstable_part_is_named(open_notebook: Open) -> None:
    """Nothing before a run; then raw, smoothed and range; the region is shaded, with its name, where the loss exploded."""
    notebook = show(
        open_notebook,
        setup=FAST.replace(
            "(outputs, targets)\n\ndef finger", "(outputs, targets) * (1 + outputs.abs().mean())\n\ndef finger"
        ),
    )
    legend = notebook.widget.locator(".lrw-legend li")
    assert legend.count() == 0
    notebook.enter("end_lr", "1000")
    notebook.run()
    assert notebook.ask("widget.records.stop_reason") == "diverged"
    kinds = legend.evaluate_all("entries => entries.map(entry => entry.dataset.kind)")
    assert kinds[:2] == ["raw", "smoothed"]
    assert {"range", "unstable"} <= set(kinds)
    notebook.widget.locator("text.label", has_text=re.compile("unstable")).wait_for()
    text = notebook.widget.locator(".lrw-unseen").first.inner_text()
    assert notebook.ref("suggested").inner_text() in text
    described = notebook.plot.get_attribute("aria-describedby")
    assert notebook.frame.locator(f"[id='{described}']").inner_text() == text

    notebook.enter("repeats", "3")
    notebook.enter("end_lr", "10")
    notebook.run()
    legend.and_(notebook.frame.locator("[data-kind=band]")).wait_for()
    notebook.enter("max_probe_steps", "80")
    notebook.ref("probe").click()
    notebook.wait_for_note("Probed: ")
    legend.and_(notebook.frame.locator("[data-kind^=probe]")).first.wait_for()
    notebook.wait_for("() => document.querySelectorAll('.lrw .bqplot path.dot').length > 0")


def test_the_validation_loss_is_drawn_and_the_suggestion_may_read_it(open_notebook: Open) -> None:
    """Where there is one; the choice is not there otherwise."""
    notebook = show(open_notebook, setup=VALIDATED)
    notebook.run()
    notebook.widget.locator(".lrw-legend li[data-kind=validation]").wait_for()
    reason = notebook.ref("reason").inner_text()
    assert reason == notebook.ask("widget.records.suggest().reason")
    notebook.ref("suggest_from").select_option("val_loss")
    expected = notebook.ask("widget.records.suggest(of='val_loss').reason")
    assert expected != reason
    notebook.ref("reason").filter(has_text=expected).wait_for()
    assert notebook.ask("widget.suggestion.reason") == expected
    notebook.move_to(0.5, 0.5)
    notebook.widget.locator(".lrw-readout span", has_text="validation").wait_for()


def test_without_validation_data_there_is_no_choice_of_losses(open_notebook: Open) -> None:
    """The select is out of sight before and after a run."""
    notebook = show(open_notebook, setup=FAST)
    assert notebook.ref("suggest_from").is_hidden()
    notebook.run()
    assert notebook.ref("suggest_from").is_hidden()
    assert notebook.widget.locator(".lrw-legend li[data-kind=validation]").count() == 0
