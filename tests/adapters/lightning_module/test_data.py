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

from ..lit import (
    TEST,
    L,
    assert_no_trace,
    curve,
    loader,
    loss_of,
    losses_of_fit,
    records_of_test,
    regression,
    seeded,
    steady,
    trainer,
)

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


@pytest.mark.parametrize("limit", [2, 0.25])
def test_a_pass_ends_where_that_of_fit_does(limit: float, tmp_path: Any) -> None:
    """With fewer batches than there are, the next pass begins."""
    records = records_of_test(seeded(steady()), limit_train_batches=limit)
    losses = losses_of_fit(seeded(steady()), records.lr, limit_train_batches=limit)
    assert records.loss == pytest.approx(losses, rel=1e-5)
    _, setup, _ = assert_no_trace(regression(), folder=tmp_path, limit_train_batches=limit)
    assert (len(setup["train_data"]), setup["train_data"].batch_size) == (2, 6)


@pytest.mark.parametrize("settings", [{}, {"limit_train_batches": 10}, {"fast_dev_run": True}])
def test_data_that_fit_takes_whole_are_the_users_own(settings: dict[str, Any]) -> None:
    """Or would but for a trial of one batch."""
    data = loader()
    assert adapters.lightning(regression()(), data, trainer(**settings))["train_data"] is data


@pytest.mark.parametrize("form", ["list", "combined", "dict"])
def test_several_loaders_end_together(form: str, tmp_path: Any) -> None:
    """After the batches that `fit` takes of them."""
    module_class = regression(training_step=_of_two)
    _, setup, after = assert_no_trace(module_class, SEVERAL[form], folder=tmp_path, limit_train_batches=3)
    assert (len(setup["train_data"]), setup["train_steps"], after.global_step) == (3, 6, 6)
    assert len(list(setup["train_data"])) == 3


def test_a_stream_ends_early() -> None:
    """Only the batches of a pass are taken of it."""
    stream = Stream()
    setup = adapters.lightning(regression()(), DataLoader(stream, batch_size=6), trainer(limit_train_batches=4))
    assert setup["train_steps"] == 8
    range_test(**setup, num_steps=4, progress=False)
    assert stream.taken == 0  # put back
    assert len(list(setup["train_data"])) == 4


@pytest.mark.parametrize("is_persistent", [False, True])
def test_worker_processes_end_with_a_test_of_a_part(is_persistent: bool) -> None:
    """Also with an exception in the middle of a pass, whose traceback is held; the user's own go on."""
    import multiprocessing

    def training_step(self: Any, batch: Any, batch_idx: int) -> Any:
        if batch_idx == 4:
            raise ValueError("mine")
        return loss_of(self, batch)

    data = loader(num_workers=1, persistent_workers=is_persistent)
    own = iter(data)
    before = multiprocessing.active_children()
    setup = adapters.lightning(regression(training_step=training_step)(), data, trainer(limit_train_batches=3))
    with pytest.raises(ValueError, match="mine") as held:
        range_test(**setup, **TEST)
    assert held.value.__traceback__ is not None
    assert multiprocessing.active_children() == before
    assert len(list(own)) == 10


def test_a_part_of_a_dataset_is_that_of_its_loader() -> None:
    """Options for this loader are refused, as it is made already."""
    data, train = loader().dataset, trainer(limit_train_batches=1)
    assert len(adapters.lightning(regression()(), data, train)["train_data"]) == 1
    with pytest.raises(
        ValueError, match=r"limit_train_batches=1 needs .* without dataloader_options, got Tens.*; give a"
    ):
        adapters.lightning(regression()(), data, train, dataloader_options={"batch_size": 6})
