"""On an accelerator: no trace there either, late reading of losses that does not change the records, copies on the CPU.

The tests marked gpu need a CUDA device. Late reading is also tested without one: with device="meta" the engine reads as
on an accelerator, and the training step takes its data from elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from lr_widget import iter_range_test, range_test
from lr_widget.engine import sweep

from .no_trace.state import Look, values

mse = nn.functional.mse_loss
SWEEP: dict[str, Any] = {"start_lr": 1e-4, "end_lr": 1e-1, "num_steps": 12, "diverge_factor": None}


def on_cuda(test: Any) -> Any:
    """Mark a test as one that needs a CUDA device."""
    return pytest.mark.gpu(pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")(test))


def net(device: str = "cpu", width: int = 8) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(3, width), nn.BatchNorm1d(width), nn.Dropout(0.5), nn.Tanh(), nn.Linear(width, 1)
    ).to(device)


def loader() -> DataLoader[Any]:
    made = torch.Generator().manual_seed(1)
    data = TensorDataset(torch.randn(40, 3, generator=made), torch.randn(40, 1, generator=made))
    return DataLoader(data, batch_size=8, shuffle=True)


# --- losses that are read late ---------------------------------------------------------------------------------------


def read_late(loss_at: Callable[[int, torch.Tensor], torch.Tensor] = lambda step, loss: loss, **options: Any) -> Any:
    """Return the steps of a test that reads as on an accelerator; `loss_at(step, loss)` may change a loss or raise."""
    torch.manual_seed(0)
    model, calls = nn.Linear(3, 1), count(1)
    data = torch.randn(12, 8, 3)

    def train_step(model: Any, batch: Any) -> torch.Tensor:
        step = next(calls)
        return loss_at(step, model(data[(step - 1) % 12]).pow(2).mean())

    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    options = {"device": "meta", **SWEEP, **options}
    return iter_range_test(model, optimizer, None, [torch.zeros(1)], train_step=train_step, **options)


def drained(steps: Any) -> tuple[list[Any], str]:
    """Return all records and the stop reason."""
    records = []
    while True:
        try:
            records.append(next(steps))
        except StopIteration as end:
            return records, end.value


@pytest.mark.parametrize("lag", [0, 1, 4, 11, 12, 50])
def test_the_records_do_not_depend_on_how_late_losses_are_read(lag: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """However late losses are read, every record is there, in order, the same as when read at once."""
    at_once = drained(read_late(device="cpu"))
    monkeypatch.setattr(sweep, "READ_LAG_STEPS", lag)
    assert drained(read_late()) == at_once
    assert [record.step for record in at_once[0]] == list(range(1, 13))


def nan_in_step_5(step: int, loss: torch.Tensor) -> torch.Tensor:
    return loss * float("nan") if step == 5 else loss


def exploding_from_step_9(step: int, loss: torch.Tensor) -> torch.Tensor:
    return loss * 10.0 ** (3 * max(0, step - 8))  # above all before it in the steps 9, 10 and 11


@pytest.mark.parametrize("lag", [0, 1, 4, 50])
@pytest.mark.parametrize(
    ("loss_at", "options", "steps", "reason"),
    [
        (nan_in_step_5, {}, 5, "non_finite"),
        (exploding_from_step_9, {"diverge_factor": 4.0}, 11, "diverged"),
        (lambda step, loss: loss, {"stop": lambda record: record.step == 3}, 3, "stopped"),
    ],
)
def test_a_reason_to_stop_counts_at_its_step_however_late_it_is_read(
    loss_at: Any, options: dict[str, Any], steps: int, reason: str, lag: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Steps taken after it are not on record, and the reason is the same as when read at once."""
    monkeypatch.setattr(sweep, "READ_LAG_STEPS", lag)
    records, found = drained(read_late(loss_at, **options))
    at_once, _ = drained(read_late(loss_at, device="cpu", **options))
    assert (len(records), found) == (steps, reason)
    assert repr(records) == repr(at_once)


@pytest.mark.parametrize("lag", [0, 4, 50])
def test_an_exception_comes_after_the_records_of_the_steps_before_it(lag: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's error in step 6 is raised when the five steps before it are on record."""
    monkeypatch.setattr(sweep, "READ_LAG_STEPS", lag)

    def fail_in_step_6(step: int, loss: torch.Tensor) -> torch.Tensor:
        if step == 6:
            raise ZeroDivisionError("in step 6")
        return loss

    steps, records = read_late(fail_in_step_6), []
    with pytest.raises(ZeroDivisionError, match="in step 6") as caught:
        records.extend(steps)
    assert caught.value.__notes__ == ["while lr_widget was in step 6 of 12, at learning rate 3.2e-3"]  # type: ignore[attr-defined]
    assert [record.step for record in records] == [1, 2, 3, 4, 5]


def test_a_nan_before_an_exception_ends_the_test_without_it() -> None:
    """A NaN in step 5 ends the test as "non_finite", though a late reader also meets an error in step 6."""

    def fail_after_nan(step: int, loss: torch.Tensor) -> torch.Tensor:
        if step == 6:
            raise ZeroDivisionError("because of the NaN")
        return nan_in_step_5(step, loss)

    records, reason = drained(read_late(fail_after_nan))
    assert (len(records), reason) == (5, "non_finite")


def test_data_that_ends_is_exhausted_with_all_its_records() -> None:
    """Seven batches of a stream make seven records, though the last ones are read after its end."""
    model = nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    stream = iter([torch.zeros(1)] * 7)
    steps = iter_range_test(
        model,
        optimizer,
        None,
        stream,
        train_step=lambda model, batch: model(torch.ones(3)).sum(),
        device="meta",
        **SWEEP,
    )
    records, reason = drained(steps)
    assert ([record.step for record in records], reason) == ([1, 2, 3, 4, 5, 6, 7], "exhausted")


# --- on a CUDA device ------------------------------------------------------------------------------------------------


@on_cuda
@pytest.mark.parametrize("end", ["completed", "closed", "exception"])
@pytest.mark.parametrize("make_optimizer", [torch.optim.SGD, torch.optim.AdamW])
def test_there_is_no_trace_on_the_device(end: str, make_optimizer: Any) -> None:
    """Weights, statistics, optimizer state and the random state of the device are bit for bit as before."""
    model = net("cuda")
    optimizer = make_optimizer(model.parameters(), lr=1e-3)
    batch = next(iter(loader()))
    mse(model(batch[0].cuda()), batch[1].cuda()).backward()
    optimizer.step()
    before, calls = Look(model, optimizer), count(1)

    def loss_fn(output: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        if end == "exception" and next(calls) == 7:
            raise ZeroDivisionError("in step 7")
        return mse(output, targets) + 0 * torch.rand((), device="cuda")

    steps = iter_range_test(model, optimizer, loss_fn, loader(), val_data=loader(), val_every=3, **SWEEP)
    if end == "completed":
        assert len(list(steps)) == 12
    elif end == "closed":
        next(steps)
        steps.close()
    else:
        with pytest.raises(ZeroDivisionError, match="in step 7"):
            list(steps)
    before.assert_unchanged(f"on the device after {end}")
    assert "cuda rng" in before.facts


@on_cuda
def test_training_on_the_device_goes_on_as_its_twin() -> None:
    """Ten steps after a test give the losses of ten steps without it."""

    def losses(is_tested: bool) -> list[float]:
        model = net("cuda")
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
        if is_tested:
            range_test(model, optimizer, mse, loader(), progress=False, **SWEEP)
        found = []
        for _ in range(2):
            for inputs, targets in loader():
                optimizer.zero_grad()
                loss = mse(model(inputs.cuda()), targets.cuda())
                loss.backward()
                optimizer.step()
                found.append(loss.item())
        return found

    assert losses(is_tested=True) == losses(is_tested=False)


@on_cuda
def test_losses_of_the_device_do_not_depend_on_when_they_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a lag of 0, 1, 4 and more steps than there are, the same losses are on record, those of a bare loop."""
    found = []
    for lag in (0, 1, 4, 50):
        monkeypatch.setattr(sweep, "READ_LAG_STEPS", lag)
        model = net("cuda")
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        found.append(range_test(model, optimizer, mse, loader(), progress=False, **SWEEP).loss.tolist())
    model, expected, batches = net("cuda"), [], []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    while len(batches) < 12:
        batches.extend(loader())
    for step, (inputs, targets) in enumerate(batches[:12], 1):
        optimizer.param_groups[0]["lr"] = 1e-4 * 1000 ** (step / 12)
        optimizer.zero_grad()
        loss = mse(model(inputs.cuda()), targets.cuda())
        loss.backward()
        optimizer.step()
        expected.append(loss.item())
    assert found[0] == found[1] == found[2] == found[3] == pytest.approx(expected, rel=1e-4)


@on_cuda
def test_half_precision_with_a_scaler_skips_marks_and_leaves_no_trace() -> None:
    """A scale of 2 ** 40 overflows fp16 for twenty steps and more; they are skipped until it is small enough."""
    model = net("cuda")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cuda", init_scale=2.0**40)
    dtypes = []
    model[0].register_forward_hook(lambda module, args, output: dtypes.append(output.dtype))
    before = Look(model, optimizer)
    records = range_test(
        model,
        optimizer,
        lambda output, targets: mse(output.float(), targets),
        loader(),
        autocast=torch.float16,
        grad_scaler=scaler,
        max_grad_norm=1.0,
        progress=False,
        **(SWEEP | {"num_steps": 40}),
    )
    assert set(dtypes) == {torch.float16}
    assert records.skipped is not None
    skipped = records.skipped.tolist()
    assert skipped[:20] == [True] * 20
    assert not all(skipped)
    assert (records.stop_reason, len(records)) == ("completed", 40)
    assert scaler.state_dict()["scale"] == 2.0**40
    before.assert_unchanged("after fp16 with a scaler")


@on_cuda
@pytest.mark.parametrize("snapshot_device", [None, "cpu"])
def test_the_snapshot_takes_room_on_the_device_only_if_it_is_kept_there(snapshot_device: str | None) -> None:
    """With "cpu" the device does not hold the weights twice, and without it does; both put everything back."""
    model = nn.Linear(2048, 1024, bias=False).cuda()  # 8 MiB
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model(torch.ones(4, 2048, device="cuda")).pow(2).mean().backward()  # makes the workspaces of the library
    optimizer.zero_grad()
    before, held = values(model), torch.cuda.memory_allocated()
    steps = iter_range_test(
        model,
        optimizer,
        None,
        [torch.ones(4, 2048)],
        train_step=lambda model, batch: model(batch).pow(2).mean(),
        snapshot_device=snapshot_device,
        **SWEEP,
    )
    next(steps)
    more_mib = (torch.cuda.memory_allocated() - held) / 2**20
    steps.close()
    assert values(model) == before
    # 8 MiB for the gradient, and 8 more for a copy on the device
    assert (7 < more_mib < 11) if snapshot_device == "cpu" else (15 < more_mib < 19)


@on_cuda
def test_batches_are_moved_to_the_models_device() -> None:
    """Tensors from a loader on the CPU arrive where the model is."""
    model, seen = net("cuda"), set()

    def train_step(model: Any, batch: Any) -> torch.Tensor:
        seen.update(tensor.device.type for tensor in batch)
        return mse(model(batch[0]), batch[1])

    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    range_test(model, optimizer, None, loader(), train_step=train_step, progress=False, **SWEEP)
    assert seen == {"cuda"}
