"""Every cell of the README's table of finders, measured anew."""

from __future__ import annotations

import gc
import math
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from lr_widget import adapters, range_test

from ..readme import section
from .finders import FINDERS, NUM_STEPS, Find, Found, Training, fastai_learner

Fact = Callable[[Find, Path], bool]

# The finders' own warnings, of which they have many.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    """Let fastai's folder of an interrupted test go here, and undo Lightning's deafness to every Ctrl-C after one."""
    heard = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, heard)
    gc.collect()


def as_told(training: Training) -> list[bool]:
    return [module.training for module in training.model.modules()]


def found_by(find: Find, training: Training) -> Found | None:
    """Return the outcome, or None where the finder ends in an exception or an exit."""
    try:
        return find(training)
    except (Exception, KeyboardInterrupt, SystemExit):  # noqa: BLE001  # whatever the finder makes of the errors here
        return None


def is_back(find: Find, training: Training) -> bool:
    before = training.state()
    found_by(find, training)
    return all(torch.equal(old, new) for old, new in zip(before, training.state(), strict=True))


def raising(error: BaseException) -> Callable[[torch.Tensor, int], torch.Tensor]:
    """Raise an error in the middle of the test."""

    def change(loss: torch.Tensor, step: int) -> torch.Tensor:
        if step == NUM_STEPS // 2:
            raise error
        return loss

    return change


def after_ctrl_c(find: Find, folder: Path) -> bool:
    training = Training(folder, change=raising(KeyboardInterrupt()))
    before = training.state()
    found = found_by(find, training)
    is_same = all(torch.equal(old, new) for old, new in zip(before, training.state(), strict=True))
    return is_same and found is not None and len(found.losses) == NUM_STEPS // 2


def training_afterwards(find: Find, folder: Path) -> bool:
    tested = Training(folder)
    find(tested)
    losses = tested.goes_on()
    return losses == Training(folder).goes_on()


def frozen_batch_norm(find: Find, folder: Path) -> bool:
    training, modes = Training(folder), []
    training.model[1].eval()
    before = as_told(training)
    hook = training.model[1].register_forward_pre_hook(lambda module, _: modes.append(module.training))
    find(training)
    hook.remove()
    return bool(modes) and not any(modes) and as_told(training) == before


def nan_ends_it(find: Find, folder: Path) -> bool:
    training = Training(folder, change=lambda loss, step: loss * math.nan if step >= 10 else loss)
    found_by(find, training)
    return len(training.raw) < NUM_STEPS


def negative_losses(find: Find, folder: Path) -> bool:
    plain, lower = Training(folder), Training(folder, change=lambda loss, step: loss - 100)
    found_by(find, lower)
    find(plain)
    return abs(len(plain.raw) - len(lower.raw)) < 5


def raw_losses(find: Find, folder: Path) -> bool:
    training = Training(folder)
    found = find(training)
    return [*found.losses] == pytest.approx(training.raw[: len(found.losses)], rel=1e-6)


def noise_has_no_rate(find: Find, folder: Path) -> bool:
    noise = torch.Generator().manual_seed(1)

    def loss(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return (outputs * 0).sum() + 1 + 0.1 * torch.randn((), generator=noise)

    return find(Training(folder, loss=loss)).suggest() is None


def uses_disk(find: Find, folder: Path) -> bool:
    files: list[Path] = []

    def change(loss: torch.Tensor, step: int) -> torch.Tensor:
        files.extend(folder.rglob("*.*"))
        return loss

    find(Training(folder, change=change))
    return bool(files)


def callbacks_take_part(find: Find, folder: Path) -> bool:
    training = Training(folder)
    if find is FINDERS["lr_widget"]:
        range_test(**adapters.fastai(fastai_learner(training), num_steps=NUM_STEPS, progress=False))
    else:
        find(training)
    return bool(training.heard)


# The rows of the README's table.
FACTS: dict[str, Fact] = {
    "weights and optimizer are back after the test": lambda find, folder: is_back(find, Training(folder)),
    "… and after an exception in your code": lambda find, folder: is_back(
        find, Training(folder, change=raising(ValueError("in the middle")))
    ),
    "… and after Ctrl-C, with the curve so far": after_ctrl_c,
    "training afterwards is bit for bit that without the test": training_afterwards,
    "frozen batch norm stays frozen": frozen_batch_norm,
    "a NaN ends the test": nan_ends_it,
    "negative losses are no explosion": negative_losses,
    "the losses on record are the raw ones": raw_losses,
    "a curve of noise alone gets no rate": noise_has_no_rate,
    "the state can wait on disk instead of in memory": uses_disk,
    "callbacks of your trainer run in the test": callbacks_take_part,
}


def table() -> tuple[list[str], dict[str, list[str]]]:
    """Return the columns and the rows of the README's table."""
    lines = re.findall(r"^\| (.*) \|$|^\| \| (.*) \|$", section("Beside the other finders").text, re.MULTILINE)
    header, *rows = [(first or second).split(" | ") for first, second in lines]
    return header[-len(FINDERS) :], {row[0]: row[1:] for row in rows}


def test_the_table_has_every_fact_of_every_finder() -> None:
    """No row or column is there that is not measured, and each cell says yes or no."""
    columns, rows = table()
    assert [each.strip("| ") for each in columns] == [*FINDERS]
    assert [*rows] == [*FACTS]
    assert {cell for row in rows.values() for cell in row} == {"yes", "no"}


@pytest.mark.parametrize("name", FINDERS)
def test_the_table_says_what_is_measured(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each cell of a finder's column."""
    find = FINDERS[name]
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.chdir(tmp_path)
    measured = {}
    for number, (fact, is_true) in enumerate(FACTS.items()):
        folder = tmp_path / str(number)
        folder.mkdir()
        measured[fact] = "yes" if is_true(find, folder) else "no"
    column = [*FINDERS].index(name)
    assert measured == {fact: cells[column] for fact, cells in table()[1].items()}
