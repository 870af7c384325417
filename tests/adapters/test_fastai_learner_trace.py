"""The adapter of fastai: learner, callbacks, data and files are after a test as they were before."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from lr_widget import adapters, iter_range_test, probe, range_test
from lr_widget.engine import make_plan
from tests.no_trace.state import Look, values

from .learners import Clamped, Frozen, fai, fit, halves, language, pictures, tabular

# Warnings of fastai, of torch about fastai, and of pandas are theirs; that of our own is none of them.
pytestmark = [
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.filterwarnings("error:the functions and the data of this range test"),
]

SWEEP: dict[str, Any] = {"start_lr": 1e-5, "end_lr": 1.0, "num_steps": 12, "progress": False}


def look_at(learner: fai.Learner) -> Look:
    """Return the look of a learner and its callbacks, which are callable and would be passed over."""
    recorder = getattr(learner, "recorder", None)
    loaders = [vars(loader) for loader in learner.dls.loaders]
    return Look(vars(learner), [vars(callback) for callback in learner.cbs], recorder and vars(recorder), loaders)


class Counting(fai.Callback):
    """A user's callback that takes part in each batch, prints, and keeps lists and a generator of its own."""

    def __init__(self) -> None:
        self.seen: list[int] = []
        self.noise = torch.Generator().manual_seed(5)

    def before_fit(self) -> None:
        """Note the beginning of a fit."""
        self.seen.append(0)

    def before_batch(self) -> None:
        """Add noise to the pictures."""
        self.seen.append(self.train_iter)
        noise = torch.randn(self.xb[0].shape, generator=self.noise)
        self.learn.xb = (self.xb[0] + 0.1 * noise,)


MAKERS: dict[str, Any] = {
    "tabular": tabular,
    "pictures": pictures,
    "callbacks": lambda: pictures(cbs=[fai.MixUp(), fai.GradientClip(), Counting(), fai.ActivationStats()]),
    "groups": lambda: pictures(splitter=halves, lr=slice(1e-3, 1e-2), opt_func=fai.ranger),
    "recurrent": language,
    "frozen": lambda: pictures(cbs=Frozen("before_fit")),
    "clamped": lambda: pictures(cbs=[Clamped(), Frozen("before_epoch")]),
    "channels last": lambda: pictures(cbs=fai.ChannelsLast()),
}


@pytest.mark.parametrize("fitted", [None, "fit", "fit_one_cycle", "freeze"])
@pytest.mark.parametrize("name", MAKERS)
def test_the_learner_is_as_it_was(name: str, fitted: str | None) -> None:
    """Attributes, callbacks, recorder, optimizer and loaders are the same objects with the same values, after two tests."""
    learner = MAKERS[name]()
    if fitted == "freeze":
        learner.freeze_to(len(learner.splitter(learner.model)) - 1) if name == "groups" else learner.create_opt()
    elif fitted is not None:
        fit(learner, how=fitted)
    look = look_at(learner)
    setup = adapters.fastai(learner)
    look.assert_unchanged("by the adapter")
    for _ in range(2):
        range_test(**setup, **SWEEP)
        look.assert_unchanged("by a test")


@pytest.mark.parametrize(
    ("name", "how"),
    [*((name, how) for name in MAKERS for how in ("fit", "fit_one_cycle")), ("groups", "fine_tune")],
)
def test_the_training_goes_on_as_without_a_test(name: str, how: str, capsys: Any) -> None:
    """Losses, rates, weights and the recorder's values are those of a learner that was never tested."""
    expected = MAKERS[name]()
    first, noted = fit(expected), fit(expected, how=how)
    learner = MAKERS[name]()
    range_test(**adapters.fastai(learner), **SWEEP)
    found = [fit(learner)]
    range_test(**adapters.fastai(learner, n_epoch=2), **SWEEP)
    found += [fit(learner, how=how)]
    assert [each.losses for each in found] == [first.losses, noted.losses]
    assert [each.rates for each in found] == [first.rates, noted.rates]
    assert values(learner.model) == values(expected.model)
    assert str(learner.recorder.values) == str(expected.recorder.values)
    assert "loss" not in capsys.readouterr().out


@pytest.mark.parametrize("ending", [KeyboardInterrupt, ValueError("broken"), None])
def test_an_end_in_the_middle_leaves_no_trace(ending: Any) -> None:
    """An interrupt, an exception or a NaN in the fifth step leaves all as it was."""
    learner, steps = pictures(cbs=[Counting(), fai.GradientClip()]), []  # type: Any, list[int]
    inner = learner.loss_func

    class Failing(fai.CrossEntropyLossFlat):
        def __call__(self, *given: Any, **more: Any) -> Any:
            if len(steps) < 4:
                steps.append(1)
                return inner(*given, **more)
            if ending is None:
                return inner(*given, **more) * torch.nan
            raise ending

    learner.loss_func = Failing()
    look, setup = look_at(learner), adapters.fastai(learner)
    if isinstance(ending, ValueError):
        with pytest.raises(ValueError, match="broken"):
            range_test(**setup, **SWEEP)
    else:
        records = range_test(**setup, **SWEEP)
        assert (records.stop_reason, len(records)) == (("interrupted", 4) if ending else ("non_finite", 5))
    look.assert_unchanged()


def test_a_test_within_a_fit_leaves_the_fit_alone() -> None:
    """A callback may run a test in the middle of an epoch."""

    class Within(fai.Callback):
        def after_batch(self) -> None:
            if self.training and self.train_iter == 4:
                setup = adapters.fastai(self.learn, start_lr=1e-5)
                with iter_range_test(**setup) as test:
                    assert len([next(test) for _ in range(7)]) == 7

    expected = fit(pictures())
    noted = fit(pictures(cbs=Within()))
    assert noted.losses == expected.losses


def test_the_length_of_the_data_costs_nothing() -> None:
    """What is kept does not grow with training and validation data."""

    def num_kept(num_rows: int) -> int:
        rows = [(torch.randn(1, 8, 8), torch.tensor(index % 3)) for index in range(num_rows)]
        learner = pictures()
        learner.dls = fai.DataLoaders(fai.DataLoader(rows, bs=16), fai.DataLoader([*rows], bs=16))
        fit(learner)
        snapshot = make_plan(**adapters.fastai(learner)).snapshot()
        return len(snapshot._structure) + len(snapshot._tensors)

    assert num_kept(600) == num_kept(50)


def test_nothing_is_written_or_shown(tmp_path: Any, capsys: Any) -> None:
    """Callbacks that save, log and show hear nothing; the progress bar stays away."""
    learner = pictures(path=tmp_path, cbs=[fai.SaveModelCallback(), fai.CSVLogger(), fai.ShowGraphCallback()])
    range_test(**adapters.fastai(learner), **SWEEP)
    assert [*tmp_path.rglob("*")] == []
    assert capsys.readouterr().out == ""


def test_probes_take_the_same_keywords() -> None:
    """Probes of a learner come to a rate and leave no trace."""
    learner = pictures()
    look = look_at(learner)
    evidence = probe(**adapters.fastai(learner, n_epoch=2), max_steps=60, progress=False)
    assert float(evidence.suggestion) > 0
    look.assert_unchanged()
