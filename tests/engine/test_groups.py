"""One param group alone: the swept rate is its own, the others train at theirs; "each" does so for all, one by one."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from lr_widget import LRRecords, iter_range_test, range_test
from lr_widget.engine.keywords import DEFAULTS, refuse_unknown
from lr_widget.engine.plan import make_plan

from ..no_trace.state import Look
from ..training.helpers import batches, mse, net, one_weight, sgd, spy_on

SWEEP: dict[str, Any] = {"start_lr": 1e-4, "end_lr": 1e-1, "num_steps": 6, "diverge_factor": None, "progress": False}


def two_layers() -> tuple[nn.Sequential, torch.optim.Optimizer]:
    model = net()
    groups = [{"params": model[0].parameters(), "lr": 0.02}, {"params": model[2].parameters(), "lr": 0.3}]
    return model, torch.optim.SGD(groups, momentum=0.9)


# --- who gets the rate -----------------------------------------------------------------------------------------------


def test_each_group_has_its_sweep_while_the_others_keep_their_rates() -> None:
    """Over two optimizers, the rates on record are those seen inside their steps, and all is as before afterwards."""
    first, second = net(), net()
    layers = [{"params": first[0].parameters(), "lr": 0.02}, {"params": first[2].parameters(), "lr": 0.3}]
    optimizers = [torch.optim.SGD(layers), torch.optim.Adam(second.parameters(), lr=torch.tensor(0.5))]
    applied = spy_on(*optimizers)
    before = Look(first, second, *optimizers)
    each = range_test(
        [first, second],
        optimizers,
        None,
        batches(),
        train_step=lambda models, batch: mse(models[0](batch[0]) + models[1](batch[0]), batch[1]),
        groups="each",
        **SWEEP,
    )
    before.assert_unchanged("after a sweep of each group")
    assert [records.group for records in each] == [0, 1, 2]
    assert np.concatenate([records.group_lrs for records in each]).tolist() == applied
    rates = [1e-4 * 10 ** (k / 2) for k in range(1, 7)]
    for index, records in enumerate(each):
        assert records.lr == pytest.approx(rates, rel=1e-6)
        assert (records.lr == records.group_lrs[:, index]).all()
        held = np.delete(records.group_lrs, index, axis=1)
        assert (held == np.delete([0.02, 0.3, 0.5], index)).all()


def test_rates_that_the_training_step_sets_do_not_count() -> None:
    """Before each update all rates are written again, those that are held like the one that is swept."""
    model, optimizer = two_layers()
    applied = spy_on(optimizer)

    def train_step(model: Any, batch: Any) -> torch.Tensor:
        for group in optimizer.param_groups:
            group["lr"] *= 0.5
        return mse(model(batch[0]), batch[1])

    records = range_test(model, optimizer, None, batches(), train_step=train_step, groups=1, **SWEEP)
    assert applied == records.group_lrs.tolist()
    assert [rates[0] for rates in applied] == [0.02] * 6


def test_each_gives_the_records_of_one_test_a_group() -> None:
    """Without a seed, with a shuffling loader: every sweep starts from the same state, as if it were the only one."""
    model, optimizer = two_layers()
    data = torch.utils.data.DataLoader([(x[0], y[0]) for x, y in batches(24)], batch_size=4, shuffle=True)
    each = range_test(model, optimizer, mse, data, groups="each", **SWEEP)
    for index, records in enumerate(each):
        alone = range_test(model, optimizer, mse, data, groups=index, **SWEEP)
        assert (records.loss == alone.loss).all()
        keywords = {name: value for name, value in SWEEP.items() if name != "progress"}
        with iter_range_test(model, optimizer, mse, data, groups=index, **keywords) as steps:
            assert [(step.lr, step.loss) for step in steps] == list(zip(alone.lr, alone.loss))
    assert each[0].loss[0] == each[1].loss[0]
    assert (each[0].loss[1:] != each[1].loss[1:]).all()


def test_repeats_are_of_each_group() -> None:
    """The first sweeps of all groups see the same batches, and so do the second ones."""
    model, optimizer = two_layers()
    data = torch.utils.data.DataLoader([(x[0], y[0]) for x, y in batches(24)], batch_size=4, shuffle=True)
    each = range_test(model, optimizer, mse, data, groups="each", repeats=2, seed=3, **SWEEP)
    firsts = [[sweep.loss[0] for sweep in records.repeats] for records in each]
    assert firsts[0] == firsts[1]
    assert firsts[0][0] != firsts[0][1]
    assert [[sweep.group for sweep in records.repeats] for records in each] == [[0, 0], [1, 1]]


def test_a_single_group_gives_a_tuple_of_one() -> None:
    """Its sweep is that of all groups together, on record as that of group 0."""
    model = one_weight()
    optimizer = sgd(model)
    data = [(torch.ones(4, 1), torch.zeros(4, 1))]
    (alone,) = range_test(model, optimizer, mse, iter(data * 6), groups="each", **SWEEP)
    together = range_test(model, optimizer, mse, data, **SWEEP)
    assert (alone.loss == together.loss).all()
    assert (alone.group, together.group) == (0, None)


def test_a_held_group_at_a_rate_of_0_stays_where_it_is() -> None:
    """The first one too, which sweeping all groups together would refuse; the swept one moves."""
    model, optimizer = two_layers()
    optimizer.param_groups[0]["lr"] = 0.0
    frozen, moved = [], []
    for _ in iter_range_test(model, optimizer, mse, batches(), groups=1, num_steps=3):
        frozen.append(model[0].weight.detach().clone())
        moved.append(model[2].weight.detach().clone())
    assert all((weight == frozen[0]).all() for weight in frozen)
    assert not (moved[0] == moved[1]).any()


def test_found_rates_are_held_for_the_groups_that_come_later() -> None:
    """A plan of each group can hold what others were found to need, as probes one after another do."""
    model, optimizer = two_layers()
    first, second = make_plan(model, optimizer, mse, batches(), groups=0).of_each_group()
    assert first.set_rate(0.7) == (0.7, 0.3)
    assert second.holding({0: 0.7}).set_rate(0.9) == (0.7, 0.9)


# --- the records -----------------------------------------------------------------------------------------------------


def test_the_group_is_in_the_repr_and_in_the_file(tmp_path: Path) -> None:
    """So that records of several groups can be told apart later; those of all groups say nothing."""
    model, optimizer = two_layers()
    records = range_test(model, optimizer, mse, batches(), groups=1, **SWEEP)
    assert repr(records).startswith("<LRRecords: param group 1, 6 of 6 steps, lr 3.2e-4 … 0.1, ")
    records.save(tmp_path / "head.json")
    loaded = LRRecords.load(tmp_path / "head.json")
    assert (loaded.group, repr(loaded)) == (1, repr(records))
    assert "group" not in repr(range_test(model, optimizer, mse, batches(), **SWEEP))


def interrupted_at(number: int) -> Callable[..., torch.Tensor]:
    """A loss that is Ctrl-C when it is asked for the `number`-th time."""
    calls: Iterator[int] = iter(range(1, number + 1))

    def loss_fn(output: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        if next(calls) == number:
            raise KeyboardInterrupt
        return mse(output, targets)

    return loss_fn


def test_ctrl_c_keeps_the_groups_that_have_begun() -> None:
    """In the third step of the second of three groups: one is complete, one is interrupted, one is left out."""
    model = net()
    groups = [{"params": [weight], "lr": 0.1} for weight in [*model.parameters()][:3]]
    optimizer = torch.optim.SGD(groups)
    each = range_test(model, optimizer, interrupted_at(9), batches(), groups="each", **SWEEP)
    assert [(records.group, len(records), records.stop_reason) for records in each] == [
        (0, 6, "completed"),
        (1, 2, "interrupted"),
    ]
    with pytest.raises(KeyboardInterrupt, match=r"^$"):
        range_test(model, optimizer, interrupted_at(1), batches(), groups="each", **SWEEP)
    assert (
        len(range_test(model, optimizer, interrupted_at(SWEEP["num_steps"] + 1), batches(), groups="each", **SWEEP))
        == 1
    )


def test_an_error_names_the_group_whose_rate_it_came_at() -> None:
    """In the second group's sweep, with its step and rate."""
    model, optimizer = two_layers()
    calls = iter([None] * 8)

    def loss_fn(output: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        if next(calls, "end") == "end":
            raise ZeroDivisionError("of the user")
        return mse(output, targets)

    with pytest.raises(ZeroDivisionError, match="of the user") as caught:
        range_test(model, optimizer, loss_fn, batches(), groups="each", **SWEEP)
    assert caught.value.__notes__ == ["while lr_widget was in step 3 of 6, at learning rate 3.2e-3 of param group 1"]


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"groups": "all"},
            r'^groups must be "together", "each" or the index of one of the 2 param groups, .* got \'all\'',
        ),
        ({"groups": 2}, r"^groups must be .* of the 2 param groups, counted from 0, got 2$"),
        ({"groups": "each", "group_lrs": "equal"}, r"^group_lrs must be left out .* not swept together, got 'equal'; "),
        ({"groups": 1, "group_lrs": "equal"}, r"^group_lrs must be left out .* not swept together, got 'equal'; "),
    ],
)
def test_wrong_groups_are_refused_before_the_first_step(options: dict[str, Any], message: str) -> None:
    """With the rule, the value and the remedy."""
    model, optimizer = two_layers()
    applied = spy_on(optimizer)
    with pytest.raises(ValueError, match=message):
        range_test(model, optimizer, mse, batches(), **options, **SWEEP)
    assert applied == []


def test_data_that_cannot_start_over_serve_one_group_only() -> None:
    """Each sweep needs them from the start."""
    model, optimizer = two_layers()
    with pytest.raises(
        TypeError, match=r"^train_data is a one-shot .*, but the test of each param group starts over; "
    ):
        range_test(model, optimizer, mse, iter(batches()), groups="each", **SWEEP)
    assert len(range_test(model, optimizer, mse, iter(batches()), groups=1, **SWEEP)) == 6


def test_a_test_step_by_step_is_of_one_group() -> None:
    """A generator is one sweep: "each" is refused, with both ways to go on."""
    model, optimizer = two_layers()
    with pytest.raises(
        ValueError, match=r"where there is one sweep, got 'each'; give one index after another, or call"
    ):
        iter_range_test(model, optimizer, mse, batches(), groups="each")


def test_who_sweeps_all_groups_together_names_the_function_that_does_not() -> None:
    """The widget has no keyword `groups`."""
    message = r"'groups'; range_test\(…, groups=…\) sweeps the param groups one by one$"
    with pytest.raises(TypeError, match=message):
        refuse_unknown("LRFinderWidget", ["groups"], DEFAULTS)


# --- what it is for --------------------------------------------------------------------------------------------------


def test_a_hundred_times_the_curvature_is_a_hundredth_of_the_rate() -> None:
    """By hand: each step multiplies a weight of curvature c by 1 - lr·c, so 100 c at lr/100 is the same curve.

    The loss ½(100 a² + b²) starts with a = 1/8 and b = 5/4, of which each half is 25/32, and the held weight stays.
    """
    model = nn.ParameterDict(
        {"a": nn.Parameter(torch.tensor(0.125).double()), "b": nn.Parameter(torch.tensor(1.25).double())}
    )
    optimizer = torch.optim.SGD([{"params": [model["a"]], "lr": 0.0}, {"params": [model["b"]], "lr": 0.0}], lr=0.1)

    def test(group: int, unit: float) -> LRRecords:
        return range_test(
            model,
            optimizer,
            None,
            [0],
            train_step=lambda model, batch: (100 * model["a"] ** 2 + model["b"] ** 2) / 2,
            groups=group,
            start_lr=1e-4 * unit,
            end_lr=1e3 * unit,
            progress=False,
        )

    steep, flat = test(0, 0.01), test(1, 1.0)
    assert steep.stop_reason == flat.stop_reason == "diverged"
    assert flat.lr == pytest.approx(100 * steep.lr, rel=1e-12)
    factors = np.cumprod([1.0, *(1 - flat.lr[:-1])])
    assert flat.loss == pytest.approx(25 / 32 + 25 / 32 * factors**2, rel=1e-9)
    assert steep.loss == pytest.approx(flat.loss, rel=1e-9)
    assert flat.suggest().lr == pytest.approx(100 * steep.suggest().lr, rel=1e-6)
    assert 0.1 < flat.suggest().lr < 2  # 1 is the best rate, and beyond 2 it diverges


class FineTuning:
    """A body trained on the digits 0 to 4, and a new head for 5 to 9, in an optimizer of two groups.

    Args:
        make: the optimizer of two groups.
        lrs: the user's rates for body and head.
        scale: the features' size, as the head sees them.
    """

    def __init__(self, make: Callable[..., torch.optim.Optimizer], lrs: tuple[float, float], scale: float) -> None:
        digits = load_digits()
        inputs = torch.tensor(digits.images, dtype=torch.float32).flatten(1) / 8 - 1
        labels = torch.tensor(digits.target)
        self.make, self.lrs, self.scale = make, lrs, scale
        self.old, self.new = ((inputs[part], labels[part] % 5) for part in (labels < 5, labels >= 5))
        torch.manual_seed(0)
        self.body = nn.Sequential(
            nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU()
        )
        whole = nn.Sequential(self.body, nn.Linear(64, 5))
        self.train(whole, torch.optim.Adam(whole.parameters(), lr=1e-3), self.batches(self.old, 200))

    def batches(self, digits: tuple[torch.Tensor, torch.Tensor], number: int) -> list[Any]:
        random = torch.Generator().manual_seed(1)
        picks = [torch.randint(len(digits[1]), (32,), generator=random) for _ in range(number)]
        return [(digits[0][pick], digits[1][pick]) for pick in picks]

    def train(self, model: nn.Module, optimizer: torch.optim.Optimizer, data: list[Any]) -> None:
        for inputs, labels in data:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(inputs), labels).backward()
            optimizer.step()

    def begun(self, *lrs: float) -> tuple[nn.Module, torch.optim.Optimizer]:
        """The body before the fine-tuning, and a new head, at these rates."""
        torch.manual_seed(2)
        body, head, scale = copy.deepcopy(self.body), nn.Linear(64, 5), self.scale
        body.register_forward_hook(lambda module, inputs, features: scale * features)
        groups = [{"params": part.parameters(), "lr": lr} for part, lr in zip((body, head), lrs)]
        return nn.Sequential(body, head), self.make(groups)

    def end(self, *lrs: float) -> float:
        """The loss on all new digits after a hundred steps at these rates."""
        model, optimizer = self.begun(*lrs)
        self.train(model, optimizer, self.batches(self.new, 100))
        with torch.no_grad():
            return nn.functional.cross_entropy(model(self.new[0]), self.new[1]).item()

    def suggested(self, **options: Any) -> Any:
        """The records of a range test at the user's rates."""
        given = (*self.begun(*self.lrs), nn.functional.cross_entropy, self.batches(self.new, 100))
        return range_test(*given, progress=False, **options)


def test_a_new_head_gets_a_rate_far_above_the_bodys() -> None:
    """Each group's rate is nearly as good for it as the best of all decades; the body's is too low for the head.

    The head's rate for both is too high. The head sees features so small that it has to grow: its best rate is a hundred times the body's.
    """
    tuning = FineTuning(torch.optim.Adam, (1e-4, 1e-2), scale=0.01)
    body, head = (records.suggest().lr for records in tuning.suggested(groups="each"))
    assert head > 10 * body
    decades = [1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0]
    best_body = min(tuning.end(lr, 1e-2) for lr in decades)
    best_head = min(tuning.end(1e-4, lr) for lr in decades)
    assert tuning.end(body, 1e-2) < best_body + 0.1
    assert tuning.end(1e-4, head) < best_head + 0.1
    assert tuning.end(1e-4, body) > best_head + 0.3
    assert tuning.end(head, head) > 2 * tuning.end(body, head)


def test_each_groups_rate_mends_proportions_that_are_wrong() -> None:
    """Where the body needs more than a hundredth of the head's rate, sweeping both in proportion finds nothing."""
    tuning = FineTuning(torch.optim.SGD, (1e-4, 1e-2), scale=1.0)
    together = tuning.suggested().suggest().lr or 1e-4
    each = [records.suggest().lr for records in tuning.suggested(groups="each")]
    assert tuning.end(*each) < tuning.end(together, 100 * together) / 2
