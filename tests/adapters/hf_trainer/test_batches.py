"""Windows of batches."""

from __future__ import annotations

import multiprocessing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from torch.utils.data import DataLoader

from lr_widget import adapters, range_test
from lr_widget.adapters.hf_trainer.batches import Window, WindowedBatches, in_evaluation
from tests.adapters import hugging_face as hf

pytestmark = [pytest.mark.filterwarnings(noise) for noise in hf.NOISE]


def test_windows_have_all_batches_of_a_step_and_leave_a_rest_out() -> None:
    """Seven batches in windows of three are six, at every pass."""
    batches = WindowedBatches("abcdefg", 3)
    for _ in range(2):
        pairs = [*batches]
        assert [batch for batch, _ in pairs] == [*"abcdef"]
        windows = [window for _, window in pairs]
        assert windows[0] is windows[1] is windows[2]
        assert windows[2] is not windows[3]
        assert windows[3] is windows[5]


def test_items_are_counted_once_in_a_window() -> None:
    """By the trainer, of all batches together, when a step asks first."""
    calls: list[Any] = []

    def get_batch_samples(batches: Any, count: int, device: str) -> Any:
        calls.append(([*batches], count, device))
        return calls[-1][0], 42

    trainer: Any = SimpleNamespace(get_batch_samples=get_batch_samples, args=SimpleNamespace(device="cpu"))
    window = Window(["a", "b"])
    assert calls == []
    assert (window.num_items(trainer), window.num_items(trainer)) == (42, 42)
    assert calls == [(["a", "b"], 2, "cpu")]


def test_trainers_of_before_there_were_devices_count_too() -> None:
    """Their method takes no device; one that does not count says None, and is asked once."""
    calls: list[int] = []

    def get_batch_samples(batches: Any, count: int) -> Any:
        calls.append(count)
        return [*batches], None

    trainer: Any = SimpleNamespace(get_batch_samples=get_batch_samples)
    window = Window(["a"])
    assert window.num_items(trainer) is window.num_items(trainer) is None
    assert calls == [1]


class Loader(list[Any]):
    """Three batches, as accelerate's loaders have them in one of two processes."""

    total_batch_size = 4
    dataset = range(9)


@pytest.mark.parametrize(("rank", "expected"), [(0, [4 / 3, 4 / 3, 2 / 3]), (1, [4 / 3, 4 / 3, 0])])
def test_weights_of_validation_are_as_evaluate_counts_the_samples(rank: int, expected: list[float]) -> None:
    """Of nine samples in rounds of two by two, the last is the first process's; the other one repeats a sample."""
    batches = in_evaluation(Loader("abc"), 2, rank, 2)
    for _ in range(2):
        pairs = [*batches]
        assert [batch for batch, _ in pairs] == [*"abc"]
        assert [weight for _, weight in pairs] == pytest.approx(expected)


def test_batches_that_evaluate_cannot_count_have_no_weights() -> None:
    """Those of a loader that the accelerator does not know, and of a stream."""
    foreign, stream = ["a"], Loader("abc")
    stream.dataset = iter("abc")  # type: ignore[assignment]  # has no length
    assert in_evaluation(foreign, 2, 0, 1) is foreign
    assert in_evaluation(stream, 2, 0, 2) is stream


class Broken(hf.transformers.Trainer):
    """Fails in its third step."""

    count = 0

    def compute_loss(self, *args: Any, **kwargs: Any) -> Any:
        self.count += 1
        if self.count == 3:
            raise OSError("the disk is gone")
        return super().compute_loss(*args, **kwargs)


class BrokenAndUnprepared(Broken):
    """Has a loader of its own that no accelerator knows."""

    def get_train_dataloader(self) -> Any:
        return DataLoader(self.train_dataset, batch_size=4, num_workers=1)


@pytest.mark.parametrize(("kind", "persists"), [(Broken, False), (Broken, True), (BrokenAndUnprepared, False)])
def test_workers_are_gone_after_an_error_that_is_held(tmp_path: Path, kind: Any, persists: bool) -> None:
    """The loader's processes end with the test, even while a traceback holds on to it."""
    given: Any = {"dataloader_num_workers": 1, "dataloader_persistent_workers": persists}
    setup = adapters.transformers(hf.trainer_of(tmp_path, kind=kind, **given))
    with pytest.raises(OSError, match="the disk is gone") as held:
        range_test(**setup, num_steps=5, progress=False)
    assert multiprocessing.active_children() == []
    assert held.value.__traceback__ is not None
