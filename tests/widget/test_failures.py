"""Errors and other text from outside can be encoded, are bounded and do no harm, whatever an exception does."""

from __future__ import annotations

import gc
import sys
import types
import weakref
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lr_widget.results import StepRecord
from lr_widget.widget.failures import failure, let_go, outside_text, sentence

STEP = StepRecord(step=62, lr=7.4e-3, loss=1.83, group_lrs=(7.4e-3,))


class Hostile(Exception):
    """An exception whose every text raises."""

    def __str__(self) -> str:
        raise ValueError("no text")

    __repr__ = __str__

    @property
    def __notes__(self) -> Any:
        raise SystemExit


class Untextual(Exception):
    """An exception whose text is none."""

    def __str__(self) -> Any:
        return 3  # noqa: PLE0307  # that it is wrong is the point


class Leaving(Exception):
    """An exception whose text ends the program."""

    def __str__(self) -> str:
        raise SystemExit


class Sly(str):
    """A text that answers wrongly, or raises, when it is looked at."""

    def __len__(self) -> int:
        return 0

    def __getitem__(self, place: Any) -> str:
        raise ZeroDivisionError

    def __str__(self) -> str:
        return self

    __add__ = __getitem__


def raised(error: BaseException) -> BaseException:
    """Return the exception with a traceback."""
    try:
        raise error
    except BaseException as caught:  # noqa: BLE001  # of any kind
        return caught


def assert_is_safe(text: str, limit: int) -> None:
    """A text that every page and file can take."""
    assert type(text) is str
    assert len(text) <= limit
    text.encode()
    assert not [c for c in text if (c < " " and c not in "\n\t") or c in "\x7f\x85\u202e\u2066\u200f"]


def test_a_failure_names_the_step_even_without_a_note() -> None:
    """The title is what Python prints last, and the traceback is the whole one."""
    shown = failure(ValueError("no"), STEP)
    assert shown["title"] == "ValueError: no"
    assert shown["where"] == "It came right after step 62 (rate 7.4e-3)."
    assert shown["traceback"] == "ValueError: no\n"
    assert failure(ValueError(), None) | {"hint": ""} == {
        "title": "ValueError",
        "where": "It came in the first step.",
        "hint": "",
        "traceback": "ValueError\n",
    }


def test_notes_say_where_it_was() -> None:
    """Each note is a sentence; of very many, the last ones stay, where the engine has put the step."""
    error = ValueError("no")
    error.__notes__ = [*map(str, range(1000)), "while in step 3"]  # type: ignore[attr-defined]
    assert failure(error, STEP)["where"] == "996. 997. 998. 999. While in step 3."


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("RestoreError", "Make the model and the optimizer anew before you go on."),
        ("OutOfMemoryError", "Use a smaller batch, or snapshot_device='cpu', and run again."),
        ("ValueError", "Correct the code, then run its cell and the widget's cell again."),
    ],
)
def test_the_hint_is_the_remedy_for_the_error(name: str, remedy: str) -> None:
    """Only where something could not be put back, it does not say that all is as before."""
    hint = failure(type(name, (Exception,), {})("no"), None)["hint"]
    assert hint.endswith(remedy)
    assert ("as before" in hint) is (name != "RestoreError")


@pytest.mark.parametrize(
    ("error", "title"),
    [
        (Hostile(), "Hostile: a Hostile that cannot be written as text"),
        (Untextual(), "Untextual: a Untextual that cannot be written as text"),
        (Leaving(), "Leaving: a Leaving that cannot be written as text"),
        (OSError(Sly("gone")), "OSError: gone"),
        (OSError("no file \udc80\x00\x1b[31mred\x1b[0m \u202etxt"), "OSError: no file \ufffd\ufffdred \ufffdtxt"),
        (type("", (Exception,), {})(), "Exception"),
        (type("Long" * 10**5, (Exception,), {})("no"), "Long" * 15 + ": no"),
        (type("Odd\x9b", (Exception,), {})("no"), "Odd\ufffd: no"),
    ],
)
def test_no_exception_keeps_its_failure_from_being_shown(error: BaseException, title: str) -> None:
    """Texts that raise or that cannot be encoded, and names as long as books."""
    shown = failure(raised(error), STEP)
    assert shown["title"] == title
    assert "in raised" in shown["traceback"]
    for text in shown.values():
        assert_is_safe(str(text), 20_000)


@pytest.mark.parametrize("notes", [5, None, "text", [Leaving(), b"\x80", None, "x" * 10**6], {"a": 1}], ids=type)
def test_notes_of_any_kind_do_no_harm(notes: Any) -> None:
    """Anybody can assign to `__notes__`."""
    error = ValueError("no")
    error.__notes__ = notes  # type: ignore[attr-defined]
    shown = failure(raised(error), STEP)
    assert_is_safe(shown["where"], 1600)
    assert "in raised" in shown["traceback"]


def test_a_text_of_a_megabyte_is_cut_in_its_middle() -> None:
    """Beginning and end stay, and it says how long it was."""
    shown = failure(raised(ValueError("first " + "x" * 10**6 + " last")), STEP)
    assert_is_safe(shown["title"], 520)
    assert shown["title"].startswith("ValueError: first xxx")
    assert shown["title"].endswith("xxx last")
    assert "… (1,000,011 characters in all) …" in shown["title"]
    assert_is_safe(shown["traceback"], 20_000)
    assert shown["traceback"].startswith("Traceback (most recent call last):")
    assert shown["traceback"].endswith("xxx last\n")


def test_a_title_has_eight_lines_at_most() -> None:
    """As for a state dict with a hundred missing keys, the first lines and the last ones stay."""
    title = failure(ValueError("\n".join(map(str, range(100)))), None)["title"]
    assert title.split("\n") == ["ValueError: 0", "1", "2", "3", "4", "… (100 lines in all) …", "98", "99"]
    assert failure(ValueError("1\n2\n3\n4\n5\n6\n7\n8"), None)["title"].count("\n") == 7


def test_causes_are_told_and_too_many_are_not() -> None:
    """Python writes out each of them; 100,000 would keep the kernel busy for minutes."""
    error: BaseException = ValueError("first")
    for number in range(3):
        error = raised_from(ValueError(number), error)
    assert failure(error, None)["traceback"].count("direct cause") == 3
    for number in range(100_000):
        error = raised_from(ValueError(number), error)
    shown = failure(raised(error), None)["traceback"]
    assert "direct cause" not in shown
    assert shown.startswith("Traceback (most recent call last):")
    assert shown.endswith("ValueError: 99999\n")


def test_the_frames_of_an_error_that_was_told_hold_nothing() -> None:
    """Nor those of its causes: a tensor of the step would stay on the GPU. The traceback itself can still be read."""
    made: list[weakref.ref[torch.Tensor]] = []

    def step() -> None:
        batch = torch.zeros(3)
        made.append(weakref.ref(batch))
        if len(made) < 2:
            step()
        raise ValueError("no")

    def fail() -> None:
        try:
            step()
        except ValueError as error:
            outputs = torch.zeros(3)
            made.append(weakref.ref(outputs))
            raise KeyError("no such name") from error

    with pytest.raises(KeyError, match="no such name") as caught:
        fail()
    assert [ref() is None for ref in made] == [False, False, False]
    let_go(caught.value)
    gc.collect()
    assert [ref() is None for ref in made] == [True, True, True]
    shown = failure(caught.value, None)["traceback"]
    assert "in step" in shown
    assert "in fail" in shown


def raised_from(error: BaseException, cause: BaseException) -> BaseException:
    error.__cause__ = cause
    return error


def test_a_circle_of_causes_has_an_end() -> None:
    """Python knows such circles, too."""
    one, other = ValueError("one"), ValueError("other")
    one.__cause__, other.__cause__ = other, one
    assert failure(one, None)["traceback"].endswith("ValueError: one\n")


@pytest.mark.skipif(sys.version_info < (3, 11), reason="exception groups came with Python 3.11")
def test_a_group_of_very_many_is_told_without_its_members() -> None:
    """A group of three is told with them."""
    group = __builtins__["ExceptionGroup"] if isinstance(__builtins__, dict) else __builtins__.ExceptionGroup
    few = failure(raised(group("few", [ValueError(n) for n in range(3)])), None)["traceback"]
    assert "ValueError: 2" in few
    many = failure(raised(group("many", [ValueError(n) for n in range(100_000)])), None)["traceback"]
    assert "ValueError" not in many
    assert many.endswith("ExceptionGroup: many (100000 sub-exceptions)\n")
    nested = group("many", [group("in it", [Hostile() for _ in range(100)]) for _ in range(100)])
    assert_is_safe(failure(raised(nested), None)["traceback"], 20_000)


def test_an_endless_recursion_is_told() -> None:
    """Its traceback has a thousand frames."""

    def recur() -> None:
        recur()

    with pytest.raises(RecursionError, match="maximum recursion depth") as caught:
        recur()
    shown = failure(caught.value, STEP)
    assert shown["title"].startswith("RecursionError: maximum recursion depth exceeded")
    assert "in recur" in shown["traceback"]


def test_a_source_that_cannot_be_read_leaves_the_message() -> None:
    """The loader of a module, which a traceback asks for its lines, is anybody's code."""

    class Loader:
        def get_source(self, name: str) -> str:
            raise SystemExit

    module = types.ModuleType("made_up")
    module.__loader__ = Loader()  # type: ignore[assignment]
    exec(compile("def f():\n    raise ValueError('no')", "made_up.py", "exec"), module.__dict__)
    with pytest.raises(ValueError, match="no") as caught:
        module.f()
    assert failure(caught.value, STEP)["traceback"] == "ValueError: no\n"


@given(st.one_of(st.text(), st.text(st.characters(categories=["Cs", "Cc", "Cf", "Co", "Cn"]))), st.integers(1, 100))
def test_every_text_becomes_safe_and_stays_within_its_limit(text: str, limit: int) -> None:
    """Also one of nothing but halves of surrogate pairs, controls, and characters that there are none of."""
    assert_is_safe(outside_text(text, limit), limit)


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"], exclude_characters="\ufffd"), max_size=50))
def test_an_ordinary_text_stays_as_it_is(text: str) -> None:
    """Accents, emoji and every writing."""
    assert outside_text(text, 50) == text


@pytest.mark.parametrize("value", [None, 3, b"\x80", [1], 10**5000, Sly("x"), object(), type], ids=type)
def test_anything_has_a_text(value: Any) -> None:
    """An integer of 5,000 digits has none for Python."""
    assert_is_safe(outside_text(value, 60), 60)
    assert outside_text(value, 60)


def test_a_message_becomes_a_sentence() -> None:
    """A Python name keeps its small letter."""
    said = [sentence(text) for text in ("num_steps must be 2", "no rate", "no!", "")]
    assert said == ["num_steps must be 2.", "No rate.", "No!", "."]
