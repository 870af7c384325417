"""The answer and the ways on from it in a real JupyterLab: advice, questions, endings, focus, code."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from .lab import Notebook
from .test_jupyterlab import SETUP, STEP_SHOWN, set_pace, show

pytestmark = pytest.mark.browser

Open = Callable[..., Notebook]

FAST = SETUP.replace("= 0.3, None", "= 0.001, None")


def kind(notebook: Notebook) -> str | None:
    """The kind of the sentence in the status line, which gives its colour."""
    return notebook.ref("note").get_attribute("data-kind")


def test_advice_is_a_button_that_runs_again_with_what_it_says(open_notebook: Open) -> None:
    """A test that ended too early gives no rate, in amber; its button moves the end and runs, and a rate comes."""
    notebook = show(open_notebook, setup=FAST)
    notebook.enter("end_lr", "1e-5")
    notebook.ref("start").click()
    advice = notebook.ref("advice").locator("button")
    advice.first.wait_for()
    assert notebook.ref("suggested").is_hidden()
    assert notebook.ref("answer").get_attribute("data-kind") == "missing"
    assert kind(notebook) == "warning"
    label = advice.filter(has_text="Extend").first.inner_text()
    end = label.split()[3]  # "Extend end to 0.001 and run"
    runs = int(notebook.ask("len(widget.history)"))
    advice.filter(has_text="Extend").first.click()
    notebook.wait_for("end => document.querySelector('.lrw [data-ref=end_lr]').value === end", end)
    assert notebook.ask("rate_text(widget.end_lr)") == end
    for _ in range(4):
        assert notebook.ask("widget.wait(60)") == "True"
        runs += 1
        assert notebook.ask("len(widget.history)") == str(runs)
        if notebook.ask("widget.suggestion.lr is None") == "False":
            break
        advice.filter(has_text="Extend").first.click()
        notebook.wait_for("() => document.querySelector('.lrw [data-ref=progressText]').textContent.includes('left')")
    notebook.ref("suggested").wait_for()
    assert kind(notebook) == "good"
    assert advice.filter(has_text="Extend").count() == 0
    assert notebook.ask("fingerprint() == before") == "True"


def test_a_number_of_the_users_own_is_asked_about_before_it_is_overwritten(open_notebook: Open) -> None:
    """The focus goes to the question; keeping it changes nothing, Escape neither; a yes overwrites it."""
    notebook = show(open_notebook, setup=FAST + "\nepochs = 10")
    notebook.run()
    notebook.enter("variable", "epochs")
    notebook.wait_for("() => document.querySelector('.lrw [data-ref=variable]').dataset.shown === 'epochs'")
    for answer in ("no", "Escape", "yes"):
        notebook.ref("copy").focus()
        notebook.page.keyboard.press("Enter")
        notebook.ref("question").wait_for()
        assert "epochs is 10" in notebook.ref("questionText").inner_text()
        notebook.wait_for("() => document.querySelector('.lrw [data-ref=question]').contains(document.activeElement)")
        assert notebook.ask("epochs") == "10"
        if answer == "Escape":
            notebook.page.keyboard.press("Escape")
        else:
            notebook.ref(answer).click()
        notebook.ref("question").wait_for(state="hidden")
        notebook.wait_for("() => document.activeElement === document.querySelector('.lrw [data-ref=copy]')")
        if answer != "yes":
            assert notebook.ask("epochs") == "10"
    notebook.wait_for_note("The notebook's variable epochs is now")
    assert notebook.ask("epochs") == notebook.ask("float(rate_text(widget.suggestion.lr))")
    notebook.ref("copy").click()  # written by the widget by now, so that it asks no more
    notebook.wait_for_note("The notebook's variable epochs is now")
    assert notebook.ref("question").is_hidden()


def test_endings_have_their_colours(open_notebook: Open) -> None:
    """Green for an answer, amber for an end without one, red for an error, which is an alert."""
    notebook = show(
        open_notebook, setup=FAST.replace("return nn.functional", "return factor * nn.functional") + "\nfactor = 1"
    )
    notebook.run()
    assert kind(notebook) == "good"
    assert notebook.ref("answer").get_attribute("data-kind") == "found"
    notebook.ask("globals().update(factor=float('nan'))")
    notebook.ref("start").click()
    notebook.widget.locator('[data-ref="note"][data-kind="warning"]').wait_for()
    assert notebook.ref("answer").get_attribute("data-kind") == "missing"
    assert notebook.ask("widget.records.stop_reason") == "non_finite"
    notebook.ask("globals().update(factor=1, failing_step=calls + 5)")
    notebook.ref("start").click()
    notebook.widget.locator('[data-ref="note"][data-kind="error"]').wait_for()
    assert notebook.widget.locator("[role=alert]").is_visible()
    notebook.ask("globals().update(failing_step=calls + 5)")
    notebook.ask(
        "loss_fn.__globals__.update(RuntimeError=type('RuntimeError', (Exception,), {'__str__': lambda self: 1 / 0}))"
    )
    notebook.ref("start").click()
    notebook.ref("failureTitle").filter(has_text="RuntimeError").wait_for()
    assert notebook.ask("(widget.wait(60), widget.status)") == "(True, 'failed')"
    notebook.ask("globals().update(failing_step=calls + 5)")
    notebook.ask("loss_fn.__globals__.update(RuntimeError=lambda text: ValueError('a lone \\ud800 surrogate'))")
    notebook.ref("start").click()
    notebook.ref("failureTitle").filter(has_text="surrogate").wait_for()
    notebook.run()


def test_the_focus_stays_when_run_is_pressed_by_keyboard(open_notebook: Open) -> None:
    """Through the run and after it; a second Enter on the resting button starts nothing and stops nothing."""
    notebook = show(open_notebook)
    notebook.ref("start").focus()
    notebook.page.keyboard.press("Enter")
    notebook.wait_for(STEP_SHOWN, 3)
    inside = "() => document.querySelector('.lrw').contains(document.activeElement)"
    assert notebook.page.evaluate(inside)
    focused = notebook.page.evaluate("() => document.activeElement.dataset.ref")
    if focused == "start":
        notebook.page.keyboard.press("Enter")
        notebook.wait_for(STEP_SHOWN, 6)
    assert notebook.ask("widget.status") == "running"
    set_pace(notebook, 0.001)
    notebook.wait_for_note("Model and optimizer are as before.")
    assert notebook.page.evaluate(inside)
    assert notebook.ask("len(widget.history)") == "1"


def test_a_wrong_field_is_marked_until_it_is_right(open_notebook: Open) -> None:
    """With the reason as its description, which goes with the next right value."""
    notebook = show(open_notebook, setup=FAST)
    field = notebook.ref("num_steps")
    notebook.enter("num_steps", "1.5")
    notebook.widget.locator('[data-ref="num_steps"][aria-invalid="true"]').wait_for()
    described = field.get_attribute("aria-describedby")
    assert '"steps" must be a whole number' in notebook.page.locator(f"[id='{described}']").inner_text()
    notebook.enter("num_steps", "50")
    notebook.wait_for("() => document.querySelector('.lrw [data-ref=num_steps]').ariaInvalid !== 'true'")
    assert "must be" not in notebook.ref("note").inner_text()
    notebook.enter("num_steps", "9" * 400)
    notebook.widget.locator('[data-ref="num_steps"][aria-invalid="true"]').wait_for()
    notebook.enter("num_steps", "1000000")
    notebook.wait_for("() => document.querySelector('.lrw [data-ref=num_steps]').value === '1,000,000'")
    assert field.evaluate("field => field.scrollWidth <= field.clientWidth + 1")
    name = "learning_rate_of_the_encoder"
    notebook.enter("variable", name)
    notebook.wait_for("name => document.querySelector('.lrw [data-ref=variable]').dataset.shown === name", name)
    assert notebook.ref("variable").evaluate("field => field.scrollWidth <= field.clientWidth + 1")


def test_copied_code_runs_and_gives_the_rate(open_notebook: Open) -> None:
    """As it comes from the clipboard, in a cell of the same notebook."""
    notebook = show(open_notebook, setup=FAST, permissions=["clipboard-read", "clipboard-write"])
    notebook.run()
    notebook.ref("code").click()
    notebook.wait_for_note("The code is in the clipboard")
    code = notebook.page.evaluate("() => navigator.clipboard.readText()")
    assert code == notebook.ask("widget.answer['code']").replace("\\n", "\n")
    assert notebook.ref("suggested").inner_text() in code
    assert notebook.ask(f"exec({code!r}, globals())") == "None"
    assert notebook.ask("lr") == notebook.ask("float(rate_text(widget.suggestion.lr))")


def test_a_kernel_that_died_leaves_buttons_at_rest_and_a_page_without_errors(open_notebook: Open) -> None:
    """Whatever is clicked then."""
    notebook = show(open_notebook)
    errors: list[str] = []
    notebook.page.on("pageerror", lambda error: errors.append(str(error)))
    notebook.ref("start").click()
    notebook.wait_for(STEP_SHOWN, 12)
    notebook.kill_kernel()
    for name in ("start", "stop", "pause", "probe", "copy", "apply"):
        assert notebook.ref(name).is_disabled(), name
    for part in notebook.widget.locator("button, input, select, summary").all():
        if part.is_visible():
            part.dispatch_event("click")
            part.dispatch_event("change")
    notebook.page.mouse.click(*notebook.at(0.5, 0.5))
    notebook.drag((0.2, 0.2), (0.8, 0.8))
    notebook.page.mouse.dblclick(*notebook.at(0.5, 0.5))
    notebook.plot.press("ArrowRight")
    notebook.plot.press("Enter")
    notebook.page.wait_for_timeout(500)
    assert notebook.curve_points() > 10
    assert not errors
