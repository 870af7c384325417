"""However a test ends, the trainer's training is that of a trainer without one: logs, weights, callbacks, files."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from lr_widget import adapters, iter_range_test, probe, range_test
from tests.adapters import hugging_face as hf

pytestmark = [pytest.mark.filterwarnings(noise) for noise in hf.NOISE]

SWEEP: dict[str, Any] = {"start_lr": 1e-5, "end_lr": 1e-1, "num_steps": 8, "progress": False}


class Fourth(transformers.Trainer):
    """Lets something happen in the fourth computation of a loss."""

    calls = 0
    happens: Callable[[Any], Any] | None = None

    def compute_loss(self, model: Any, *args: Any, **kwargs: Any) -> Any:
        self.calls += 1
        loss = super().compute_loss(model, *args, **kwargs)
        return self.happens(loss) if self.happens is not None and self.calls == 4 else loss


class Diary(transformers.TrainerCallback):
    """Writes down every event."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("on_"):
            self.events.append(name)
        return super().__getattribute__(name)


def trainer_of(folder: Path, **changes: Any) -> tuple[Any, Diary]:
    """Make a trainer that evaluates and saves, and its diary."""
    diary = Diary()
    every: dict[str, Any] = {"eval_strategy": "steps", "eval_steps": 5, "save_strategy": "steps", "save_steps": 5}
    options = {"callbacks": [diary], "eval_dataset": hf.sentences(8)}
    return hf.trainer_of(folder, kind=Fourth, options=options, **every, **changes), diary


def fail(loss: Any) -> Any:
    raise OSError("the disk is gone")


def interrupt(loss: Any) -> Any:
    os.kill(os.getpid(), 2)
    return loss


ENDINGS: dict[str, tuple[Any, str]] = {
    "completed": (None, "completed"),
    "nan": (lambda loss: loss * float("nan"), "non_finite"),
    "interrupt": (interrupt, "interrupted"),
}


def sweep(trainer: Any) -> Any:
    return range_test(**{**adapters.transformers(trainer), **SWEEP})


def close_early(trainer: Any) -> None:
    with iter_range_test(
        **{**adapters.transformers(trainer), **{k: v for k, v in SWEEP.items() if k != "progress"}}
    ) as test:
        next(iter(test))


def same_trainings(folder: Path, ours: tuple[Any, Diary], **train: Any) -> None:
    """Train ours and a twin that has not been tested, and compare all of it."""
    folders = [folder / "ours", folder / "other"]
    other = trainer_of(folders[1])
    for trainer, _ in (ours, other):
        trainer.happens = None
        torch.manual_seed(5)
        trainer.train(**train)
    hf.same_training(ours[0], other[0])
    assert ours[1].events == other[1].events
    assert len({*ours[1].events}) > 5
    files = [sorted(str(path.relative_to(each)) for path in each.rglob("*")) for each in folders]
    assert files[0] == files[1]
    assert "checkpoint-10/trainer_state.json" in files[0]


@pytest.mark.parametrize("name", ENDINGS)
def test_training_goes_on_as_without_a_test(tmp_path: Path, name: str) -> None:
    """A test that completes, meets a NaN or is interrupted."""
    happens, reason = ENDINGS[name]
    trainer, diary = trainer_of(tmp_path / "ours")
    trainer.happens = happens
    before, events = hf.parts_of(trainer, tmp_path / "ours"), [*diary.events]
    assert sweep(trainer).stop_reason == reason
    assert hf.parts_of(trainer, tmp_path / "ours") == before
    assert diary.events == events
    same_trainings(tmp_path, (trainer, diary))


@pytest.mark.parametrize("ending", ["error", "closed"])
def test_a_test_without_records_leaves_no_trace_either(tmp_path: Path, ending: str) -> None:
    """An error of the user's passes unchanged, and a test that is left early ends at once."""
    trainer, diary = trainer_of(tmp_path / "ours")
    trainer.happens = fail
    before = hf.parts_of(trainer, tmp_path / "ours")
    if ending == "error":
        with pytest.raises(OSError, match="the disk is gone"):
            sweep(trainer)
    else:
        close_early(trainer)
    assert trainer.calls == 0
    assert hf.parts_of(trainer, tmp_path / "ours") == before
    same_trainings(tmp_path, (trainer, diary))


def test_probes_leave_no_trace(tmp_path: Path) -> None:
    """Short trainings around a rate, on batches of the trainer's own."""
    trainer, diary = trainer_of(tmp_path / "ours")
    before = hf.parts_of(trainer, tmp_path / "ours")
    options: dict[str, Any] = {"max_steps": 100, "probe_steps": 8, "num_steps": 20, "progress": False}
    evidence = probe(**{**adapters.transformers(trainer), **options})
    assert len(evidence.runs) > 2
    assert hf.parts_of(trainer, tmp_path / "ours") == before
    same_trainings(tmp_path, (trainer, diary))


def test_training_is_resumed_from_a_checkpoint_after_a_test(tmp_path: Path) -> None:
    """A new trainer that is tested resumes as one that is not."""
    for name in ("ours", "other"):
        first, _ = trainer_of(tmp_path / name)
        first.train()
    ours = trainer_of(tmp_path / "ours")
    sweep(ours[0])
    checkpoint = str(tmp_path / "ours" / "checkpoint-5")
    same_trainings(tmp_path, ours, resume_from_checkpoint=checkpoint)


def test_a_trainer_that_has_trained_is_tested_from_there(tmp_path: Path) -> None:
    """The test starts from the trained weights, with the optimizer's state, and the next training is a twin's."""
    ours, other = (hf.trainer_of(tmp_path, bf16=True) for _ in range(2))
    untrained = sweep(ours).loss[0]
    for trainer in (ours, other):
        torch.manual_seed(5)
        trainer.train()
    before = hf.parts_of(ours, tmp_path)
    state = torch.get_rng_state()
    records = sweep(ours)
    assert records.loss[0] != untrained
    assert records.loss.tolist() == sweep(ours).loss.tolist()
    assert hf.parts_of(ours, tmp_path) == before
    for trainer in (ours, other):
        torch.set_rng_state(state)
        trainer.train()
    hf.same_training(ours, other)
