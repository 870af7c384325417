"""A Hugging Face trainer in several processes: each has its share of the data, all have one curve, none a trace."""

from __future__ import annotations

import gc
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch
from warnings import catch_warnings, simplefilter

import pytest
import torch
from torch.nn.parallel import DistributedDataParallel

from .team import Team
from .trained import outcome

_OTHER, _ENDED = "rank 1 failed: RuntimeError", "the range test has ended on every rank"


@contextmanager
def _as_torchrun(rank: int, size: int) -> Iterator[None]:
    """Let trainers find their place among the processes, and leave no trace of that in this one."""
    from accelerate.state import AcceleratorState

    of_rank = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": size, "LOCAL_WORLD_SIZE": size}
    names = {name: str(value) for name, value in of_rank.items()}  # the address is not used: there is a group already
    with patch.dict(os.environ, {**names, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0"}), catch_warnings():
        simplefilter("ignore")  # of the frameworks themselves
        yield
    AcceleratorState._reset_state(reset_partial_state=True)


def _trainer(folder: Path, **given: Any) -> Any:
    from tests.adapters.hugging_face import trainer_of

    return trainer_of(folder, **{"ddp_backend": "gloo", "max_steps": 8, **given})


def _sweep(trainer: Any, **changes: Any) -> Any:
    from lr_widget import adapters, range_test

    bounds = {"start_lr": 1e-5, "end_lr": 1e-1, "num_steps": 8, "diverge_factor": None, "progress": False}
    return range_test(**{**adapters.transformers(trainer), **bounds, **changes})


def _with_unused_weights() -> Any:
    """A model of which a wrapper would wait for gradients that never come, unless the trainer's options are heard."""
    from tests.adapters.hugging_face import bert

    model = bert()
    model.unused = torch.nn.Linear(2, 2)
    return model


def curves(rank: int, size: int) -> Any:
    """Sweep and train at the same rates."""
    from tests.adapters.hugging_face import gpt2, losses_of_train, sentences, texts

    cases: dict[str, Any] = {
        "bert": {},
        "accumulated": {"data": sentences(32), "gradient_accumulation_steps": 2},
        "with unused weights": {"make": _with_unused_weights},
        "counted": {"make": gpt2, "data": texts(32), "gradient_accumulation_steps": 2},
    }
    found = {}
    with _as_torchrun(rank, size), tempfile.TemporaryDirectory() as folder:
        for name, case in cases.items():
            make, *_ = case.pop("make", None), None

            def trainer(make: Any = make, case: Any = case) -> Any:
                return _trainer(Path(folder), model=make() if make else None, **case)

            records = _sweep(trainer())
            found[name] = (records.loss.tolist(), losses_of_train(trainer(), records.lr.tolist()))
    return found


def test_all_ranks_have_the_curve_of_the_trainers_own_train(pair: Team) -> None:
    """Two processes, each with half of the data, in a range test and in `train()` at the same rates."""
    first, second = pair.run(curves, patience=120)
    assert [*first] == ["bert", "accumulated", "with unused weights", "counted"]
    for name, (swept, trained) in first.items():
        assert swept == pytest.approx(trained, rel=1e-5), name
        assert swept == second[name][0], name


def endings(rank: int, size: int) -> Any:
    """End a sweep in many ways, and train after each of them as a trainer without a test does."""
    from transformers import Trainer

    from tests.adapters.hugging_face import parts_of, same_training

    class Ending(Trainer):
        """Does something within the fourth step, if the ending says so."""

        ending, calls = "completed", 0

        def compute_loss(self, *args: Any, **kwargs: Any) -> Any:
            loss = super().compute_loss(*args, **kwargs)
            Ending.calls += 1
            if Ending.calls == 4 and Ending.ending == "error on one rank" and rank == 1:
                raise RuntimeError("of the second rank")
            if Ending.calls == 4 and Ending.ending == "interrupt" and rank == 0:
                os.kill(os.getpid(), 2)
            return loss * float("nan") if Ending.calls == 4 and Ending.ending == "nan" else loss

    found = {}
    with _as_torchrun(rank, size), tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for ending in ("completed", "nan", "error on one rank", "interrupt"):
            ours, other = (_trainer(folder, kind=Ending) for _ in range(2))
            torch.manual_seed(0)
            before = parts_of(ours, folder)
            Ending.ending, Ending.calls = ending, 0
            found[ending] = outcome(lambda ours=ours: _sweep(ours))[0::2]
            Ending.ending = "completed"
            wrappers = [each for each in gc.get_objects() if type(each) is DistributedDataParallel]
            assert not wrappers, ending
            assert parts_of(ours, folder) == before, ending
            ours.train()
            torch.manual_seed(0)
            other.train()
            same_training(ours, other)
            del ours, other
            gc.collect()
    return found


def test_no_ending_leaves_a_trace_on_any_rank(pair: Team) -> None:
    """Completed, NaN, an error on one rank and an interrupt: all parts are as before, and training is a twin's."""
    first, second = pair.run(endings, patience=120)
    assert first["completed"] == second["completed"] == ("records", "completed")
    assert first["nan"] == second["nan"] == ("records", "non_finite")
    assert first["interrupt"] == second["interrupt"] == ("records", "interrupted")
    assert first["error on one rank"] == ("raised", f"{_OTHER}: of the second rank; {_ENDED}")
    assert second["error on one rank"] == ("raised", "of the second rank")


def trained_before(rank: int, size: int) -> Any:
    """Sweep after `train()`, when the model is wrapped already."""
    from tests.adapters.hugging_face import parts_of

    with _as_torchrun(rank, size), tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        trainer = _trainer(folder)
        trainer.train()
        before = parts_of(trainer, folder)
        losses = _sweep(trainer).loss.tolist()
        assert parts_of(trainer, folder) == before
        return losses, _sweep(trainer).loss.tolist()


def test_a_trainer_that_has_trained_is_swept_from_there(pair: Team) -> None:
    """The wrapper of its training serves, and comes out as it was."""
    first, second = pair.run(trained_before)
    assert first == second
    assert first[0] == first[1]


def broken_data(rank: int, size: int) -> Any:
    """Sweep where one rank cannot read its third step, of a trainer whose ranks add up their counts of labels."""
    from tests.adapters.hugging_face import Rows, gpt2, texts

    class Broken(Rows):
        def __getitem__(self, index: int) -> dict[str, Any]:
            if rank == 1 and index >= 16:
                raise RuntimeError("no such row")
            return super().__getitem__(index)

    with _as_torchrun(rank, size), tempfile.TemporaryDirectory() as name:
        data = Broken(texts(32).rows)
        given: Any = {"train_sampling_strategy": "sequential", "per_device_train_batch_size": 2}
        trainer = _trainer(Path(name), model=gpt2(), data=data, gradient_accumulation_steps=2, **given)
        return outcome(lambda: _sweep(trainer))[:3]


def test_a_rank_without_its_batch_ends_the_test_on_all(pair: Team) -> None:
    """Counts of labels are exchanged in the step and not while batches are drawn, where another rank would wait."""
    first, second = pair.run(broken_data, patience=60)
    assert first == ("raised", "RuntimeError", f"{_OTHER}: no such row; {_ENDED}")
    assert second == ("raised", "RuntimeError", "no such row")
