"""The adapter of accelerate: the curve of the plain engine, and a loop that goes on as without a test."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from lr_widget import adapters, iter_range_test, probe, range_test
from tests.no_trace.state import Look, values

from .accelerated_loop import Loop, loss_fn, new_accelerator, parts, prepared, train

SWEEP: dict[str, Any] = {"start_lr": 1e-5, "end_lr": 1.0, "num_steps": 12, "progress": False}


def plain_curve(**keywords: Any) -> list[float]:
    """Return the losses of the plain engine on the same model and batches."""
    model, optimizer, loader = parts()
    return list(range_test(model, optimizer, loss_fn, loader, **{**SWEEP, **keywords}).loss)


def curve(loop: Loop, **keywords: Any) -> list[float]:
    """Return the losses of a test on a loop."""
    return list(range_test(**{**adapters.accelerate(*loop.given), **SWEEP, **keywords}).loss)


def unprepared_loop(**settings: Any) -> Loop:
    """Return the parts of a loop as `prepare` takes them."""
    return Loop(new_accelerator(**settings), *parts())


# --- the curve -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("accumulation", [1, 3])
@pytest.mark.parametrize("make", [prepared, unprepared_loop])
def test_the_curve_is_that_of_the_plain_engine(make: Any, accumulation: int) -> None:
    """Before and after `prepare`, with and without accumulation, the losses are those without accelerate."""
    expected = plain_curve(accumulation_steps=accumulation)
    assert curve(make(gradient_accumulation_steps=accumulation)) == expected


@pytest.mark.parametrize("make", [prepared, unprepared_loop])
def test_mixed_precision_is_that_of_the_accelerator(make: Any) -> None:
    """With bf16, the losses are those under autocast, and not those of full precision."""
    found = curve(make(mixed_precision="bf16"))
    assert found == pytest.approx(plain_curve(autocast=torch.bfloat16), rel=1e-6)
    assert found != plain_curve()


@pytest.mark.parametrize("own_step", [False, True])
def test_in_mixed_precision_the_loss_is_computed_in_single(own_step: bool) -> None:
    """Before `prepare` as after it: a loss with a product of matrices shows the difference, and no trace is left."""

    def product(output: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return ((output @ output.T - targets) ** 2).mean()

    curves = []
    for make in (prepared, unprepared_loop):
        accelerator, model, optimizer, loader, _ = make(mixed_precision="bf16")
        step = {"train_step": lambda model, batch: product(model(batch[0]), batch[1])} if own_step else {}
        loss = None if own_step else product
        look = Look(model, optimizer)
        setup = adapters.accelerate(accelerator, model, optimizer, loss, loader, **step)
        curves.append(list(range_test(**setup, **SWEEP).loss))
        look.assert_unchanged()
        assert list(range_test(**setup, **SWEEP).loss) == curves[-1]
    assert curves[0] == curves[1]


def test_an_accumulating_accelerator_makes_an_update_a_step() -> None:
    """With an accumulation over 2 batches, 12 steps draw 24 batches, and the last ones end the second pass."""
    loop = prepared(gradient_accumulation_steps=2)
    drawn: list[int] = []

    def counted(output: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        drawn.append(len(targets))
        return loss_fn(output, targets)

    setup = adapters.accelerate(loop.accelerator, loop.model, loop.optimizer, counted, loop.loader)
    range_test(**setup, **SWEEP)
    assert drawn == [8, 8, 8, 8, 8, 8, 4] * 3 + [8] * 3


def test_the_users_keywords_win() -> None:
    """Accumulation as a keyword counts, and not that of the accelerator."""
    loop = prepared(gradient_accumulation_steps=3)
    setup = adapters.accelerate(*loop.given, accumulation_steps=1, **SWEEP)
    assert list(range_test(**setup).loss) == plain_curve()


def test_a_model_with_a_loss_of_its_own_needs_no_loss_fn() -> None:
    """Batches that are mappings go to the model, whose `.loss` counts."""

    class Own(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(6, 3)

        def forward(self, inputs: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
            return {"loss": loss_fn(self.layer(inputs), labels)}

    model = Own()
    rows = [{"inputs": torch.randn(6), "labels": index % 3} for index in range(32)]
    loader: Any = torch.utils.data.DataLoader(rows, batch_size=8)  # type: ignore[arg-type]  # a list is a dataset
    accelerator = new_accelerator()
    loop = accelerator.prepare(model, torch.optim.SGD(model.parameters(), lr=0.1), loader)
    records = range_test(**adapters.accelerate(accelerator, loop[0], loop[1], None, loop[2]), **SWEEP)
    assert records.stop_reason == "completed"
    assert records.loss[-1] < records.loss[0]


def test_a_compiled_model_is_prepared() -> None:
    """A model that `prepare` has compiled is known as prepared, and gives the same losses."""
    loop = prepared(dynamo_backend="eager")
    assert type(loop.model).__name__ == "OptimizedModule"
    look = Look(loop.model, loop.optimizer)
    assert curve(loop) == pytest.approx(plain_curve(), rel=1e-5)
    look.assert_unchanged()


def test_several_models_and_optimizers_are_lists() -> None:
    """A generator and a critic, each with its prepared optimizer, are trained by one train_step."""
    torch.manual_seed(0)
    pair = [torch.nn.Linear(4, 4), torch.nn.Linear(4, 1)]
    accelerator = new_accelerator()
    models = [accelerator.prepare(model) for model in pair]
    optimizers = [accelerator.prepare(torch.optim.SGD(model.parameters(), lr=0.1)) for model in models]
    loader = accelerator.prepare(torch.utils.data.DataLoader(torch.randn(32, 4), batch_size=8))

    def losses(models: Any, noise: torch.Tensor) -> list[torch.Tensor]:
        generator, critic = models
        return [-critic(generator(noise)).mean(), (critic(generator(noise).detach()) ** 2).mean()]

    setup = adapters.accelerate(accelerator, models, optimizers, None, loader, train_step=losses)
    look = Look(accelerator, models, optimizers)
    records = range_test(**setup, **SWEEP)
    look.assert_unchanged()
    assert records.group_lrs.shape == (12, 2)
    assert setup.apply(0.5) == ["optimizer"]
    assert [optimizer.param_groups[0]["lr"] for optimizer in optimizers] == [0.5, 0.5]


# --- no trace ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("accumulation", [1, 3])
@pytest.mark.parametrize("num_before", [0, 4])
def test_the_loop_goes_on_as_without_a_test(accumulation: int, num_before: int) -> None:
    """After two tests, within an epoch, too, the loop gives the losses and weights of one without them."""
    expected = prepared(scheduled=True, gradient_accumulation_steps=accumulation)
    losses = train(expected, num_before) + train(expected)
    loop = prepared(scheduled=True, gradient_accumulation_steps=accumulation)
    before = train(loop, num_before)
    look = Look(*loop)
    setup = adapters.accelerate(*loop.given)
    look.assert_unchanged("by the adapter")
    for _ in range(2):
        range_test(**setup, **SWEEP)
        look.assert_unchanged("by a test")
    assert before + train(loop) == losses
    assert values(loop.model) == values(expected.model)


@pytest.mark.parametrize("ending", [KeyboardInterrupt, ValueError("broken"), None])
def test_an_end_within_an_epoch_leaves_no_trace(ending: Any) -> None:
    """An interrupt, an exception or a NaN in the fifth step, within an accumulation, leaves all as it was."""
    loop, count = prepared(gradient_accumulation_steps=2), iter(range(100))

    def failing(output: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        if next(count) < 9:  # the batches of four steps and a half
            return loss_fn(output, targets)
        if ending is None:
            return loss_fn(output, targets) * torch.nan
        raise ending

    setup = adapters.accelerate(loop.accelerator, loop.model, loop.optimizer, failing, loop.loader)
    look = Look(loop.accelerator, loop.model, loop.optimizer)
    if isinstance(ending, ValueError):
        with pytest.raises(ValueError, match="broken"):
            range_test(**setup, **SWEEP)
    else:
        records = range_test(**setup, **SWEEP)
        assert (records.stop_reason, len(records)) == (("interrupted", 4) if ending else ("non_finite", 5))
    look.assert_unchanged()


def test_a_test_within_the_users_epoch_leaves_the_epoch_alone() -> None:
    """The batches that follow in a running epoch are those that would have come, and its end is still known."""
    loop, other = prepared(), prepared()
    expected = [targets.tolist() for _, targets in other.loader]
    loop = prepared()
    found, ends = [], []
    for index, (_, targets) in enumerate(loop.loader):
        found.append(targets.tolist())
        if index == 2:  # in the middle
            with iter_range_test(**adapters.accelerate(*loop.given), **_of_a_sweep()) as test:
                for _ in range(9):
                    next(test)
        ends.append(loop.accelerator.gradient_state.end_of_dataloader)
    assert found == expected
    assert ends == [False] * 6 + [True]


def _of_a_sweep() -> dict[str, Any]:
    return {name: value for name, value in SWEEP.items() if name != "progress"}


def test_trackers_and_checkpoints_know_nothing_of_the_test(tmp_path: Any) -> None:
    """Nothing is logged or written, the objects that a checkpoint has are the same, and it loads as before."""
    loop = prepared(project_dir=tmp_path)
    logged: list[Any] = []
    loop.accelerator.trackers = [type("Tracker", (), {"log": lambda self, *given, **more: logged.append(given)})()]
    loop.accelerator.register_for_checkpointing(torch.nn.Linear(1, 1))
    registered = [*loop.accelerator._custom_objects], [*loop.accelerator._models], [*loop.accelerator._dataloaders]
    train(loop, 3)
    loop.accelerator.save_state(str(tmp_path / "state"))
    files = sorted(tmp_path.rglob("*"))
    curve(loop)
    assert (logged, sorted(tmp_path.rglob("*"))) == ([], files)
    accelerator = loop.accelerator
    assert registered == ([*accelerator._custom_objects], [*accelerator._models], [*accelerator._dataloaders])
    weights = values(loop.model)
    train(loop, 3)
    accelerator.load_state(str(tmp_path / "state"))
    assert values(loop.model) == weights


def test_probes_take_the_same_keywords() -> None:
    """Probes of a prepared loop come to a rate and leave no trace."""
    loop = prepared(gradient_accumulation_steps=2)
    look = Look(*loop)
    evidence = probe(**adapters.accelerate(*loop.given), max_steps=60, progress=False)
    assert float(evidence.suggestion) > 0
    look.assert_unchanged()
