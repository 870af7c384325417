"""The data that `fit` takes: one loader, several, streams, and what a dataset becomes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from lightning.pytorch.utilities import CombinedLoader
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from lr_widget import adapters, range_test
from lr_widget.adapters.lightning_module.data import Counted, Together, batches_of

from ..lit import TEST, L, assert_no_trace, curve, loader, loss_of, regression, seeded, trainer

# Lightning's own: few workers, short epochs, no validation loader, deprecations.
pytestmark = pytest.mark.filterwarnings("ignore")


def _of_two(self: Any, batch: Any, batch_idx: int) -> Any:
    first, second = batch.values() if isinstance(batch, dict) else batch
    loss = loss_of(self, first) + loss_of(self, second)
    self.log("train_loss", loss)
    return loss


SEVERAL: dict[str, Any] = {
    "dict": lambda: {"a": loader(), "b": loader(30)},
    "list": lambda: [loader(), loader(30)],
    "combined": lambda: CombinedLoader({"a": loader(), "b": loader(30)}, mode="min_size"),
}


@pytest.mark.parametrize("form", SEVERAL)
def test_several_loaders_are_joined_as_fit_joins_them(form: str, tmp_path: Any) -> None:
    """Each batch is a collection of one of each; the longest or the shortest says how many."""
    module_class = regression(training_step=_of_two)
    _, setup, after = assert_no_trace(module_class, SEVERAL[form], folder=tmp_path)
    assert setup["train_steps"] == after.global_step == (10 if form == "combined" else 20)


def test_the_batches_of_several_loaders_start_over() -> None:
    """A test is longer than a pass; the shorter loader is repeated."""
    data = Together(CombinedLoader([loader(12, shuffle=False), loader(6, shuffle=False)], "max_size_cycle"))
    assert len(data) == 2
    batches = [batch for _ in range(2) for batch in data]
    assert [len(batch) for batch in batches] == [2] * 4
    assert torch.equal(batches[0][1][0], batches[3][1][0])


class Stream(IterableDataset[Any]):
    """Samples without a length, each taken once in a pass."""

    def __init__(self) -> None:
        self.taken = 0

    def __iter__(self) -> Iterator[Any]:
        for x in torch.randn(60, 4, generator=torch.Generator().manual_seed(0)):
            self.taken += 1
            yield x, x.sum(0, keepdim=True)


def test_a_stream_gives_no_length_and_nothing_of_it_is_taken_beforehand() -> None:
    """With `max_steps` there is one."""
    stream = Stream()
    setup = adapters.lightning(regression()(), DataLoader(stream, batch_size=6), trainer())
    assert stream.taken == 0
    assert setup["train_steps"] is None
    assert len(range_test(**setup, **TEST)) == 12
    limited = adapters.lightning(regression()(), DataLoader(stream, batch_size=6), trainer(max_steps=5))
    assert limited["train_steps"] == 5


def test_the_generator_of_a_loader_is_not_touched() -> None:
    """The length of the training is worked out without a pass over the data."""
    generator = torch.Generator().manual_seed(4)
    before = generator.get_state()

    def configure_optimizers(self: Any) -> Any:
        assert self.trainer.estimated_stepping_batches == 20
        return torch.optim.SGD(self.parameters(), lr=0.1)

    module = regression(configure_optimizers=configure_optimizers)()
    setup = adapters.lightning(module, loader(generator=generator), trainer())
    assert torch.equal(generator.get_state(), before)
    range_test(**setup, **TEST)
    assert torch.equal(generator.get_state(), before)


def test_a_dataset_and_tensors_are_taken_as_range_test_takes_them() -> None:
    """With the options for their loader; the length is counted in its batches."""
    data = loader().dataset
    module = seeded(regression())
    setup = adapters.lightning(module, data, trainer(), dataloader_options={"batch_size": 6, "shuffle": True})
    assert setup["train_steps"] == 20
    assert (range_test(**setup, **TEST, seed=1).loss == curve(module)).all()
    assert adapters.lightning(module, data.tensors, trainer())["train_steps"] == 4  # of 32 samples
    batches = list(loader())
    assert adapters.lightning(module, batches, trainer())["train_steps"] == 20


def test_worker_processes_of_several_loaders_end_with_the_test() -> None:
    """Those of one loader do so by themselves."""
    data = {"a": loader(num_workers=1), "b": loader(30, num_workers=1)}
    module = regression(training_step=_of_two)()
    records = range_test(**adapters.lightning(module, data), num_steps=3, progress=False)
    assert len(records) == 3
    import multiprocessing

    assert multiprocessing.active_children() == []


def test_a_stand_in_has_the_attributes_of_its_loader() -> None:
    """For a module that asks for the size of the dataset."""
    stand_in = Counted(loader(30))
    assert (len(stand_in), stand_in.batch_size, len(stand_in.dataset)) == (5, 6, 30)
    assert list(stand_in) == []
    with pytest.raises(AttributeError, match="nothing"):
        stand_in.nothing  # noqa: B018  # the look-up is the test
    assert isinstance(batches_of(L, TensorDataset(torch.ones(3, 1)), None), DataLoader)
