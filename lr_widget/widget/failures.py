"""Errors and other text from outside, made safe to show: `outside_text` is the one door for all that is not ours."""

from __future__ import annotations

import builtins
import traceback
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypedDict

from ..checks import legible, text_of, type_name
from ..schedule import rate_text

if TYPE_CHECKING:
    from ..results import StepRecord

UNTOUCHED = "Model and optimizer are as before."

_MAX_TITLE, _MAX_TITLE_LINES = 500, 8
_MAX_NOTE, _MAX_NOTES = 300, 5
_MAX_TRACEBACK = 20_000
_GROUP: Any = getattr(builtins, "BaseExceptionGroup", ())  # from Python 3.11 on
_MAX_RELATED = 200  # causes, contexts and members of groups: Python would prepare each, and show few of them


class Failure(TypedDict):
    """An exception of the user's code, as the widget shows it."""

    title: str
    where: str
    hint: str
    traceback: str


def failure(error: BaseException, last: StepRecord | None) -> Failure:
    """Describe an error of the user's code: its message, its step, the remedy and the traceback. It never raises."""
    name, text = type_name(error) or "Exception", outside_text(error, _MAX_TITLE)
    after = (
        f"It came right after step {last.step} (rate {rate_text(last.lr)})." if last else "It came in the first step."
    )
    return {
        "title": _few_lines(f"{name}: {text}" if text else name),
        "where": " ".join(map(sentence, _notes(error))) or after,
        "hint": _hint(name),
        "traceback": outside_text(_traceback(error), _MAX_TRACEBACK),
    }


def outside_text(value: object, limit: int) -> str:
    r"""Return the text of anything as at most `limit` characters that can be encoded and shown. It never raises.

    Of a longer text, the middle is left out.

    Args:
        value: a text, or anything that `str` takes.
        limit: positive.

    >>> outside_text(ValueError("no such \udc80 file"), 100)
    'no such � file'
    >>> outside_text("0123456789" * 10, 80)
    '01234567890123456789012345 … (100 characters in all) … 5678901234567890123456789'
    """
    text = text_of(value)
    if len(text) > limit:
        mark = f" … ({len(text):,} characters in all) … "
        if len(mark) > limit // 2:
            mark = "…"
        tail = (limit - len(mark)) // 2
        text = text[: limit - len(mark) - tail] + mark + text[len(text) - tail :]
    return legible(text)


def sentence(text: str) -> str:
    """Turn a message into a sentence: a capital first, except for a Python name, and a full stop last."""
    first = text.split(" ", 1)[0]
    start = text[:1] if "_" in first else text[:1].upper()
    return start + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


def let_go(error: BaseException) -> None:
    """Let the frames of an error that was told go, with all that they hold: tensors of a step, batches."""
    for one in _related(error):
        traceback.clear_frames(one.__traceback__)


def _few_lines(text: str) -> str:
    lines = text.split("\n")
    if len(lines) <= _MAX_TITLE_LINES:
        return text
    left_out = f"… ({len(lines):,} lines in all) …"
    return "\n".join([*lines[: _MAX_TITLE_LINES - 3], left_out, *lines[-2:]])


def _notes(error: BaseException) -> list[str]:
    """Return the notes of an exception, the last of many: the step of the test is among these."""
    try:
        notes = list(error.__notes__)[-_MAX_NOTES:]  # type: ignore[attr-defined]
    except BaseException:  # noqa: BLE001  # there are none, or they are no list: any object can stand there
        return []
    return [outside_text(note, _MAX_NOTE) for note in notes]


def _hint(name: str) -> str:
    if name == "RestoreError":
        return "Make the model and the optimizer anew before you go on."
    if name == "OutOfMemoryError":
        return f"{UNTOUCHED} Use a smaller batch, or snapshot_device='cpu', and run again."
    return f"{UNTOUCHED} Correct the code, then run its cell and the widget's cell again."


def _traceback(error: BaseException) -> str:
    """Write the traceback as Python does, as far as code of the user's that is called by it does not raise."""
    text = ""
    with suppress(BaseException):
        text = "".join(["Traceback (most recent call last):\n", *traceback.format_tb(error.__traceback__)])
    text += f"{type_name(error)}: {text_of(error)}\n"
    with suppress(BaseException):
        if len(_related(error)) <= _MAX_RELATED:
            text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    return text


def _related(error: BaseException) -> list[BaseException]:
    """Return the error with its causes, contexts and members, not many more than are written out."""
    found, waiting = {id(error): error}, [error]
    while waiting and len(found) <= _MAX_RELATED:
        one = waiting.pop()
        members = one.exceptions[: _MAX_RELATED + 1] if isinstance(one, _GROUP) else ()
        for other in (one.__cause__, one.__context__, *members):
            if other is not None and id(other) not in found:
                found[id(other)] = other
                waiting.append(other)
    return [*found.values()]
