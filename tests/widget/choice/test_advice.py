"""The ways on from a test without a rate: each helps, none leads where nobody can go."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from lr_widget import Evidence, LRRecords, ProbeRun, Suggestion, range_test
from lr_widget.horizon import Horizon
from lr_widget.widget.choice import Advice, Selection, advice


@dataclass
class Settings:
    """The settings of the next run: those of a new widget, if not said otherwise."""

    start_lr: float = 1e-7
    end_lr: float = 10.0
    num_steps: int = 100
    repeats: int = 1
    max_probe_steps: int = 1200
    suggest_from: str = "loss"
    horizon: Horizon = field(default_factory=Horizon)


def sweep(losses: Any, reason: str = "completed", **asked: Any) -> LRRecords:
    """Records of a sweep, by default from 1e-7 to 10, with these losses."""
    losses = np.asarray(losses, dtype=float)
    start, end, num_steps = asked.get("start_lr", 1e-7), asked.get("end_lr", 10.0), asked.get("num_steps", 100)
    share = np.arange(1, len(losses) + 1) / num_steps
    is_linear = asked.get("schedule") == "linear"
    rates = start + (end - start) * share if is_linear else start * (end / start) ** share
    return LRRecords(rates, losses, reason, **{"start_lr": start, "end_lr": end, "num_steps": num_steps, **asked})


def ways(
    records: LRRecords, settings: Settings | None = None, rule: str = "auto", *, can_probe: bool = False
) -> list[Advice]:
    """The advice for what a rule reads off records, with the settings that they were made with."""
    if settings is None:
        asked = {name: getattr(records, name) for name in ("start_lr", "end_lr", "num_steps")}
        settings = Settings(**asked, repeats=max(len(records.repeats), 1))
    selection = Selection(horizon=settings.horizon, suggest_from=settings.suggest_from, rule=rule)
    selection.take_records(records)
    return advice(selection.to_improve, records, settings, can_probe=can_probe)


def labels(*given: Any, **keywords: Any) -> list[str]:
    """The labels of the advice."""
    return [way.label for way in ways(*given, **keywords)]


FALLING = np.linspace(5, 1, 100)
RISING = np.concatenate([[1.0, 1.0], np.linspace(1.1, 5, 98)])
NOISE = np.random.default_rng(1).normal(size=100)
CLEAR = [2 - 1 / (1 + (1e-2 / lr) ** 2) + (lr / 0.3) ** 4 for lr in 1e-7 * 1e8 ** (np.arange(1, 101) / 100)]


def test_a_clear_answer_needs_no_advice() -> None:
    """Nor does a test that has not been."""
    assert ways(sweep(CLEAR), can_probe=True) == []
    assert advice(None, None, Settings(), can_probe=True) == []


@pytest.mark.parametrize(
    ("end_lr", "label", "value"),
    [
        (10.0, "Extend end to 1000 and run", 1000.0),
        (1e-4, "Extend end to 10 and run", 10.0),
        (0.5, "Extend end to 100 and run", 100.0),
        (3e3, "Extend end to 1e6 and run", 1e6),
    ],
)
def test_a_loss_that_falls_to_the_very_end_asks_for_a_higher_end(end_lr: float, label: str, value: float) -> None:
    """A power of ten two decades up, but no less than the end of a new widget."""
    assert ways(sweep(FALLING, end_lr=end_lr)) == [Advice(label, {"end_lr": value}, "start")]


def test_no_end_lies_beyond_a_million() -> None:
    """Such rates teach nothing."""
    assert ways(sweep(FALLING, end_lr=2e4)) == []


@pytest.mark.parametrize(
    ("start_lr", "label", "value"),
    [
        (1e-7, "Extend start to 1e-9 and run", 1e-9),
        (0.02, "Extend start to 1e-7 and run", 1e-7),
        (3e-6, "Extend start to 1e-8 and run", 1e-8),
    ],
)
def test_a_loss_that_rises_from_the_first_rates_on_asks_for_a_lower_start(
    start_lr: float, label: str, value: float
) -> None:
    """A power of ten two decades down, but no more than the start of a new widget."""
    assert ways(sweep(RISING, start_lr=start_lr)) == [Advice(label, {"start_lr": value}, "start")]
    assert labels(sweep(RISING, start_lr=start_lr), rule="minimum/10") == [label]


def test_no_start_lies_where_rates_do_nothing() -> None:
    """A loss that rises there rises for another reason."""
    assert ways(sweep(RISING, start_lr=9e-11)) == []
    assert labels(sweep(RISING, start_lr=1e-10)) == ["Extend start to 1e-12 and run"]


def test_a_linear_sweep_is_moved_by_its_end() -> None:
    """Its first rate is its end by the number of steps, whatever its start is."""
    assert ways(sweep(RISING, schedule="linear")) == [Advice("Lower end to 1 and run", {"end_lr": 1.0}, "start")]
    assert labels(sweep(FALLING, schedule="linear", end_lr=0.01)) == ["Extend end to 0.1 and run"]
    exploded = sweep([1.0, 5e3, 1e9, 1e20], "diverged", schedule="linear")
    assert labels(exploded) == ["Lower end to 1 and run"]
    noise = labels(sweep(NOISE, schedule="linear", end_lr=1.0))
    assert noise == ["Use 300 steps and run", "Use 3 repeats and run", "Extend end to 10 and run"]


def test_noise_asks_for_more_steps_then_for_repeats_then_for_a_higher_end() -> None:
    """Where the end is lower than that of a new widget, that is the first suspect."""
    more = ["Use 300 steps and run", "Use 3 repeats and run"]
    assert labels(sweep(NOISE)) == [*more, "Extend end to 1000 and run"]
    assert labels(sweep(NOISE, end_lr=1e-3)) == ["Extend end to 10 and run", *more]
    assert ways(sweep(NOISE))[:2] == [Advice(more[0], {"num_steps": 300}), Advice(more[1], {"repeats": 3})]


def test_a_sweep_that_exploded_has_no_use_for_a_higher_end() -> None:
    """It did not get to the end that it has."""
    assert labels(sweep(NOISE[:80], "diverged")) == ["Use 300 steps and run", "Use 3 repeats and run"]


def test_three_repeats_are_not_advised_after_three() -> None:
    """The noise was more than they could take out."""
    repeated = LRRecords.from_repeats([sweep(np.random.default_rng(seed).normal(size=100)) for seed in range(3)])
    assert "Use 3 repeats and run" not in labels(repeated)
    assert labels(repeated)[0] == "Use 300 steps and run"
    assert "Use 3 repeats and run" not in labels(repeated, Settings(repeats=1))


@pytest.mark.parametrize(("num_steps", "more"), [(3, "100"), (9, "100"), (40, "120"), (1000, "3,000")])
def test_a_test_of_too_few_steps_asks_for_three_times_as_many_but_for_a_hundred_at_least(
    num_steps: int, more: str
) -> None:
    """Of few points and of noise alike."""
    noise = np.random.default_rng(1).normal(size=num_steps)
    assert ways(sweep(noise, num_steps=num_steps))[0] == Advice(
        f"Use {more} steps and run", {"num_steps": int(more.replace(",", ""))}, "start"
    )


@pytest.mark.parametrize("reason", ["diverged", "non_finite"])
def test_an_explosion_within_the_first_steps_asks_for_a_lower_start(reason: str) -> None:
    """More steps from the same start would explode as well; after two decades, the steps were too far apart."""
    losses = [1.0, 1.2, 50.0, 1e9 if reason == "diverged" else np.nan]
    assert labels(sweep(losses, reason, start_lr=1.0)) == ["Extend start to 1e-7 and run"]
    assert labels(sweep(losses, reason, num_steps=8)) == ["Use 100 steps and run"]


def test_a_first_loss_that_is_not_finite_is_no_matter_of_settings() -> None:
    """It is the model's before any update, at whatever rate."""
    assert ways(sweep([np.nan], "non_finite"), can_probe=True) == []


@pytest.mark.parametrize("reason", ["stopped", "interrupted"])
def test_a_test_that_somebody_stopped_is_run_to_its_end(reason: str) -> None:
    """As it was set; also where its curve gives a rate that a higher end would make surer."""
    whole = [Advice("Run again to the end", {}, "start")]
    assert ways(sweep(CLEAR[:4], reason)) == whole
    assert ways(sweep(FALLING[:60], reason)) == whole
    flat_end = sweep([*np.ones(25) * 5, *np.linspace(5, 1, 20), *np.ones(30)] + 0.01 * NOISE[:75], reason)
    assert flat_end.suggest().lr is not None
    assert ways(flat_end) == whole
    early = sweep([*np.linspace(5, 1, 40), *np.ones(50)] + 0.01 * NOISE[:90], reason)
    assert early.suggest().lr is not None
    assert labels(early) == ["Extend start to 1e-9 and run"]  # the end would not tell where the fall begins


def test_data_that_has_ended_cannot_be_run_again() -> None:
    """There is none left."""
    assert ways(sweep(CLEAR[:4], "exhausted")) == []


def test_a_loss_that_is_the_same_everywhere_asks_for_a_higher_end_only_where_it_is_low() -> None:
    """A rate of 10 changes a loss, if the optimizer trains this model at all."""
    assert labels(sweep(np.ones(100), end_lr=1e-5)) == ["Extend end to 10 and run"]
    assert ways(sweep(np.ones(100))) == []


def test_a_doubtful_rate_comes_with_advice_as_well() -> None:
    """As its reason says: a higher end, a lower start, or more steps."""
    shallow = [*np.ones(50) * 5, *np.linspace(5, 1, 20), *np.ones(30)]
    records = sweep(shallow + 0.01 * NOISE)
    assert records.suggest().lr is not None
    assert labels(records, can_probe=True) == ["Extend end to 1000 and run"]
    early = sweep([*np.linspace(5, 1, 40), *np.ones(50), *np.linspace(2, 50, 10)] + 0.01 * NOISE)
    assert early.suggest().lr is not None
    assert labels(early, can_probe=True) == ["Extend start to 1e-9 and run"]


def test_advice_that_the_settings_follow_already_is_left_out() -> None:
    """The way on is then to press Run."""
    assert ways(sweep(FALLING), Settings(end_lr=1000.0)) == []
    assert ways(sweep(RISING), Settings(start_lr=1e-9)) == []
    assert labels(sweep(NOISE), Settings(num_steps=300, repeats=3)) == ["Extend end to 1000 and run"]


def test_a_lower_end_stays_above_the_start() -> None:
    """And below the end that is set."""
    narrow = sweep(RISING, schedule="linear", start_lr=0.2, end_lr=1.0)
    assert ways(narrow) == []
    assert labels(narrow, Settings(start_lr=0.01, end_lr=1.0)) == ["Lower end to 0.1 and run"]
    assert ways(narrow, Settings(start_lr=0.01, end_lr=0.1)) == []


def test_a_training_too_long_for_the_test_asks_for_a_longer_test_or_for_probes_that_suffice() -> None:
    """316 times the length is the most; probes of at most 1,200 steps are of 300 steps at most."""
    long, longer = Settings(horizon=Horizon(1_000_000)), Settings(horizon=Horizon(90_000))
    assert ways(sweep(CLEAR), long, can_probe=True) == [Advice("Use 3,165 steps and run", {"num_steps": 3165})]
    assert labels(sweep(CLEAR), longer, can_probe=True) == ["Use 285 steps and run", "Probe instead"]
    assert sweep(CLEAR).suggest(train_steps=90_000).lr is None
    assert sweep(CLEAR, num_steps=285).suggest(train_steps=90_000).lr is not None
    assert ways(sweep(CLEAR), Settings(horizon=Horizon(10**9)), can_probe=True) == []
    within_a_decade = sweep(CLEAR[:95], "diverged", start_lr=1.0)
    assert within_a_decade.suggest().lr is not None
    assert labels(within_a_decade, long) == ["Use 3,165 steps and run"]


def test_probes_are_advised_only_where_there_is_a_rate_to_start_from() -> None:
    """And only in place of a rate."""
    assert labels(sweep(FALLING), can_probe=True)[-1] == "Probe instead"
    assert ways(sweep(FALLING), can_probe=True)[-1] == Advice("Probe instead", {}, "probe")
    assert "Probe instead" not in labels(sweep(FALLING))


def test_a_rule_of_others_without_an_answer_gets_the_advice_for_auto() -> None:
    """It says nothing of its own, and where auto has a rate, another rule is the way on."""
    assert sweep(NOISE[:4], num_steps=4).suggest("valley").lr is None
    assert labels(sweep(NOISE[:4], num_steps=4), rule="valley") == ["Use 100 steps and run"]
    ignite = sweep([1.0, 0.0, *np.linspace(2, 60, 98)])
    assert ignite.suggest("ignite").lr is None
    assert labels(ignite, rule="ignite") == labels(ignite)


def test_validation_losses_that_give_no_rate_leave_the_training_loss() -> None:
    """Nothing is run for that; no other setting brings validation losses."""
    of_validation = Settings(suggest_from="val_loss")
    to_training = Advice("Read the training loss", {"suggest_from": "loss"}, "none")
    assert ways(sweep(CLEAR), of_validation) == [to_training]
    few = replace(sweep(CLEAR), val_loss=np.where(np.arange(100) % 25 == 0, 1.0 * np.array(CLEAR), np.nan))
    assert ways(few, of_validation) == [Advice("Use 300 steps and run", {"num_steps": 300}), to_training]
    assert ways(replace(sweep(CLEAR), val_loss=np.array(CLEAR)), of_validation) == []


def probed(*ends: float, horizon: Horizon) -> Evidence:
    """Trainings at 0.01, 0.03 … with these ends."""
    runs = tuple(ProbeRun(0.01 * 3**i, np.array([5.0, *[end] * 9]), "completed") for i, end in enumerate(ends))
    return Evidence(0.01, runs, 10, horizon)


@pytest.mark.parametrize(
    ("ends", "horizon", "budget"),
    [
        ((1.0, 2.0), Horizon(), 4800),  # no lower rate was tried
        ((2.0, 1.0, 2.0), Horizon(90_000), 4800),
        ((2.0, 1.0, 2.0), Horizon(1_000_000), 19_200),
    ],
)
def test_probes_that_tell_too_little_may_take_more_steps(
    ends: tuple[float, ...], horizon: Horizon, budget: int
) -> None:
    """Four times as many, or as many as the training needs: 4,800 steps pay for probes of 1,100, 19,200 for 4,300."""
    found, settings = probed(*ends, horizon=horizon).suggestion, Settings(horizon=horizon)
    label = f"Probe with {budget:,} steps"
    assert advice(found, None, settings, can_probe=True) == [Advice(label, {"max_probe_steps": budget}, "probe")]


def test_probes_that_tell_enough_or_would_never_suffice_get_no_advice() -> None:
    """A million steps are no probes any more."""
    found = probed(2.0, 1.0, 2.0, horizon=Horizon()).suggestion
    assert advice(found, None, Settings(), can_probe=True) == []
    far = Horizon(10**9)
    assert advice(probed(2.0, 1.0, 2.0, horizon=far).suggestion, None, Settings(horizon=far), can_probe=True) == []


def test_records_of_elsewhere_count_by_their_rates() -> None:
    """They need not say what sweep was asked for."""
    records = LRRecords(np.logspace(-7, 0, 100), FALLING)
    assert labels(records, Settings(end_lr=1.0)) == ["Extend end to 100 and run"]
    found = Suggestion(None, "auto", "No.", remedies=("start_lr",))
    assert advice(found, LRRecords([], []), Settings(), can_probe=True) == []


@pytest.mark.parametrize(
    "asked",
    [
        {"end_lr": 1e-5},
        {"end_lr": 0.01},
        {"start_lr": 1.0},
        {"num_steps": 5},
        {"num_steps": 12},
        {"schedule": "linear", "end_lr": 100.0},
        {"train_steps": 100_000},
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.Adam])
def test_following_the_first_advice_leads_to_a_rate(asked: dict[str, Any], kind: Any) -> None:
    """Of a real training, within three runs."""
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(512, 20, generator=generator)
    targets = inputs @ torch.randn(20, 1, generator=generator) + 0.1 * torch.randn(512, 1, generator=generator)
    keywords = {"start_lr": 1e-7, "end_lr": 10.0, "num_steps": 100, "repeats": 1, **asked}
    horizon = Horizon(asked.get("train_steps"))
    for _ in range(4):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Linear(32, 1))
        given = (model, kind(model.parameters(), lr=0.1), nn.MSELoss(), (inputs, targets))
        records = range_test(*given, progress=False, seed=0, **keywords)
        if records.suggest().lr is not None:
            return
        now = Settings(*(keywords[name] for name in ("start_lr", "end_lr", "num_steps", "repeats")), horizon=horizon)
        keywords |= ways(records, now)[0].changes
    pytest.fail(f"no rate after three times following the advice, now with {keywords}")
