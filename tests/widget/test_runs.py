"""The kept runs: names that tell them apart, colours that differ, and a bounded number of them."""

from __future__ import annotations

import random
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from lr_widget import LRRecords
from lr_widget.engine import RangeTest, make_plan
from lr_widget.widget.chart import look
from lr_widget.widget.runs import MAX_NAME, MAX_RUNS, NUM_COLORS, Runs, facts_of

RATES = np.logspace(-6, -1, 10)
RECORDS = LRRecords(RATES, np.ones(10), start_lr=1e-7, end_lr=10.0, num_steps=100)


def runs_of(*facts: Mapping[str, str]) -> Runs:
    """Runs of one sweep with these facts."""
    runs = Runs()
    for each in facts:
        runs.add(RECORDS, each)
    return runs


def test_one_run_has_its_number_for_a_name() -> None:
    """There is nothing that it differs from."""
    assert runs_of({"batch": "32", "optimizer": "Adam"}).names == ("run 1",)


@pytest.mark.parametrize(
    ("facts", "names"),
    [
        ([{"batch": "32", "optimizer": "Adam"}, {"batch": "64", "optimizer": "Adam"}], ("batch 32", "batch 64")),
        (
            [{"batch": "32", "optimizer": "Adam"}, {"batch": "32", "optimizer": "SGD"}, {"batch": "8", "optimizer": "SGD"}],
            ("batch 32 · Adam", "batch 32 · SGD", "batch 8 · SGD"),
        ),
        ([{"weight decay": "0"}, {"weight decay": "0.01"}], ("weight decay 0", "weight decay 0.01")),
        ([{"batch": "32"}, {"batch": "32"}], ("run 1", "run 2")),
        ([{"batch": "32"}, {"batch": "64"}, {"batch": "32"}], ("batch 32", "batch 64", "batch 32 (2)")),
        ([{"batch": "32"}, {}], ("run 1", "run 2")),
        ([{"batch": "32"}, {}, {"batch": "64"}], ("batch 32", "run 2", "batch 64")),
        ([{"schedule": "linear"}, {"schedule": "exponential"}], ("linear", "exponential")),
    ],
)  # fmt: skip
def test_names_are_made_of_the_facts_that_differ(facts: list[dict[str, str]], names: tuple[str, ...]) -> None:
    """A fact that a run does not tell counts for nothing; runs that share all that differs are numbered."""
    assert runs_of(*facts).names == names


def test_the_sweep_is_a_fact_that_the_records_tell() -> None:
    """Range, steps, schedule, repeats and param group, behind the facts that are given."""
    runs = runs_of({"batch": "32"})
    runs.add(LRRecords(RATES, np.ones(10), start_lr=1e-5, end_lr=1.0, num_steps=1000), {"batch": "64"})
    assert runs.names == ("batch 32 · 1e-7 … 10 · 100 steps", "batch 64 · 1e-5 … 1 · 1,000 steps")
    runs = runs_of({})
    runs.add(LRRecords.from_repeats([RECORDS, RECORDS, RECORDS]), {})
    runs.add(LRRecords(RATES, np.ones(10), group=1), {})
    assert runs.names == ("1 repeat · param group all", "3 repeats · param group all", "1 repeat · param group 1")


def test_a_fact_that_is_given_counts_before_that_of_the_records() -> None:
    """Whoever adds records may know better."""
    runs = runs_of({"steps": "5 steps"}, {"steps": "7 steps"})
    assert runs.names == ("5 steps", "7 steps")


def test_names_are_made_anew_when_a_run_comes_or_goes() -> None:
    """What differed may not differ any more; the number of a run stays."""
    runs = runs_of({"batch": "32"}, {"batch": "64"})
    runs.add(RECORDS, {"batch": "64"})
    assert runs.names == ("batch 32", "batch 64", "batch 64 (2)")
    runs.remove(runs.entries[0].run_id)
    assert runs.names == ("run 2", "run 3")


def test_a_given_name_wins_and_an_empty_one_brings_the_automatic_name_back() -> None:
    """Spaces around it and line breaks in it go."""
    runs = runs_of({"batch": "32"}, {"batch": "64"})
    first = runs.entries[0].run_id
    runs.rename(first, "  my\n baseline ")
    assert runs.names == ("my baseline", "batch 64")
    runs.rename(first, " ")
    assert runs.names == ("batch 32", "batch 64")
    assert runs.add(RECORDS, {}, name="other").name == "other"


def test_equal_names_get_a_number_and_the_given_one_stays_as_it_is() -> None:
    """So a cell that adds its records a second time does not fail."""
    runs = runs_of({"batch": "32"}, {"batch": "64"})
    runs.rename(runs.entries[1].run_id, "batch 32")
    assert runs.names == ("batch 32 (2)", "batch 32")
    runs.add(RECORDS, {}, name="batch 32")
    runs.add(RECORDS, {}, name="batch 32 (2)")
    assert runs.names == ("batch 32 (3)", "batch 32", "batch 32 (2)", "batch 32 (2) (2)")


def test_texts_from_outside_are_bounded_and_can_be_shown() -> None:
    """Of a name, a fact and a chain of facts alike."""
    runs = runs_of({"optimizer": "A" * 500}, {"optimizer": "B" * 500})
    runs.add(RECORDS, {}, name="x\udc80" + "y" * 10_000)
    assert all(len(name) <= MAX_NAME for name in runs.names)
    assert "\udc80" not in runs.names[2]
    many = [{f"fact {number}": f"{value}" * 20 for number in range(30)} for value in range(2)]
    for name in runs_of(*many).names:
        assert len(name) <= MAX_NAME + len(" · …")
        assert name.endswith(" · …")


@pytest.mark.parametrize("name", [3, None, ["a"]])
def test_a_name_that_is_no_text_is_refused(name: Any) -> None:
    """Nothing is changed then."""
    runs = runs_of({"batch": "32"})
    with pytest.raises(TypeError, match=r"^the name of a run must be a text, got .*; give one like 'batch 64'$"):
        runs.rename(runs.entries[0].run_id, name)
    assert runs.names == ("run 1",)


def test_an_unknown_run_is_refused_in_a_sentence() -> None:
    """Another page may have removed it."""
    runs = runs_of({}, {})
    gone = runs.entries[0].run_id
    runs.remove(gone)
    for change in (runs.remove, runs.hide, lambda run_id: runs.rename(run_id, "a")):
        with pytest.raises(ValueError, match=rf"^run_id must be that of a kept run, got {gone}; it may have been"):
            change(gone)


def test_records_of_elsewhere_get_numbers_that_no_run_has() -> None:
    """The runs of a widget count from 1 up, these down."""
    runs = Runs()
    assert runs.add(RECORDS, {}, run_id=1).run_id == 1
    added = [runs.add(RECORDS, {}).run_id for _ in range(3)]
    assert runs.add(RECORDS, {}, run_id=2).run_id == 2
    assert (len(set(added)), max(added) < 0) == (3, True)


def test_the_oldest_of_twenty_makes_room() -> None:
    """The others stay in their order, and every one of the first twenty stays until then."""
    runs = Runs()
    for run_id in range(1, 41):
        runs.add(RECORDS, {}, run_id=run_id)
        assert [entry.run_id for entry in runs.entries] == list(range(max(1, run_id - MAX_RUNS + 1), run_id + 1))


def test_a_run_that_is_to_stay_never_makes_room() -> None:
    """The oldest of the others goes in its place."""
    runs = Runs()
    for run_id in range(1, MAX_RUNS + 6):
        runs.add(RECORDS, {}, run_id=run_id, keep=1)
    assert [entry.run_id for entry in runs.entries] == [1, *range(7, MAX_RUNS + 6)]
    runs.add(RECORDS, {}, run_id=99, keep=7)
    assert [entry.run_id for entry in runs.entries] == [*range(7, MAX_RUNS + 6), 99]


def test_the_palette_has_the_places_that_the_runs_take() -> None:
    """One place more or less would be a colour that is never seen, or missing."""
    assert len(look.PALETTE) == NUM_COLORS


def test_the_place_of_a_removed_run_is_used_again() -> None:
    """The next run gets the first place that no run on the chart has, and of those one that no hidden run has."""
    runs = runs_of({}, {}, {})
    assert [entry.color for entry in runs.entries] == [0, 1, 2]
    runs.remove(runs.entries[1].run_id)
    assert (runs.next_color, runs.add(RECORDS, {}).color, runs.next_color) == (1, 1, 3)
    runs.hide(runs.entries[0].run_id)
    assert runs.next_color == 3


def test_a_run_that_comes_back_takes_another_colour_if_its_own_is_taken() -> None:
    """Nine runs share eight colours as long as one of them is hidden."""
    runs = runs_of(*[{}] * NUM_COLORS)
    first, *others = runs.entries
    runs.hide(first.run_id)
    ninth = runs.add(RECORDS, {})
    assert ninth.color == first.color == 0
    runs.remove(others[3].run_id)
    runs.hide(first.run_id, is_hidden=False)
    assert (first.color, ninth.color) == (0, 4)


def test_a_colour_in_which_a_run_has_grown_stays() -> None:
    """It may have been the next one when the run began."""
    runs = Runs()
    begun = runs.next_color
    runs.add(RECORDS, {}, color=begun + 5)
    assert runs.entries[0].color == begun + 5


@pytest.mark.parametrize("seed", range(20))
def test_whatever_is_done_names_differ_and_so_do_colours_as_long_as_there_are_any(seed: int) -> None:
    """Random additions, removals, hidings and names: the invariants of the chart and its list."""
    chance, runs = random.Random(seed), Runs()
    for _ in range(200):
        ids = [entry.run_id for entry in runs.entries]
        deed = chance.choice(["add", "add", "remove", "hide", "show", "rename"]) if ids else "add"
        if deed == "add":
            facts = {"batch": str(chance.choice([8, 16])), "optimizer": chance.choice(["Adam", "SGD"])}
            runs.add(RECORDS, facts, chance.choice([None, "a", "a (2)", "run 3", "batch 8"]))
        elif deed == "remove":
            runs.remove(chance.choice(ids))
        elif deed == "rename":
            runs.rename(chance.choice(ids), chance.choice(["", "a", "run 1", "batch 16 · SGD"]))
        else:
            runs.hide(chance.choice(ids), is_hidden=deed == "hide")
        assert len(set(runs.names)) == len(runs.entries) <= MAX_RUNS
        assert all(runs.names)
        assert len({entry.run_id for entry in runs.entries}) == len(runs.entries)
        colors = {entry.color for entry in runs.shown}
        assert len(colors) == min(len(runs.shown), NUM_COLORS)
        assert colors <= set(range(NUM_COLORS))


def range_test(optimizer: Any, model: nn.Module, data: Any, **keywords: Any) -> RangeTest:
    """A range test that is ready to run."""
    return RangeTest(make_plan(model, optimizer, nn.functional.mse_loss, data, **keywords))


def test_the_facts_of_a_test_are_read_from_what_it_was_given() -> None:
    """Model, optimizer, batch size, accumulation, and the settings of the optimizer's groups."""
    model, dataset = nn.Sequential(nn.Linear(2, 1)), TensorDataset(torch.randn(64, 2), torch.randn(64, 1))
    sgd = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)
    assert facts_of(range_test(sgd, model, DataLoader(dataset, batch_size=16), accumulation_steps=2)) == {
        "model": "Sequential",
        "optimizer": "SGD",
        "batch": "16",
        "accumulation": "2",
        "weight decay": "0.0005",
        "momentum": "0.9",
    }
    groups: list[dict[str, Any]] = [{"params": [each], "weight_decay": 0.01} for each in model.parameters()]
    assert facts_of(range_test(torch.optim.AdamW(groups, lr=0.1), model, dataset))["weight decay"] == "0.01"
    groups[1]["weight_decay"] = 0.0
    facts = facts_of(range_test(torch.optim.AdamW(groups, lr=0.1), model, dataset))
    assert (facts["optimizer"], facts["batch"], facts["weight decay"]) == ("AdamW", "32", "0.01, 0")
    assert "momentum" not in facts


def test_data_that_does_not_tell_its_batch_size_leaves_the_fact_out() -> None:
    """A list of batches, and an object whose attribute raises; a sampler of batches tells it."""
    model = nn.Linear(2, 1)
    batch = (torch.randn(4, 2), torch.randn(4, 1))

    class Strange(list[Any]):
        @property
        def batch_size(self) -> int:
            raise RuntimeError("not yet")

    for data in ([batch], Strange([batch])):
        assert "batch" not in facts_of(range_test(torch.optim.SGD(model.parameters(), lr=0.1), model, data))
    dataset = TensorDataset(torch.randn(64, 2), torch.randn(64, 1))
    sampler = torch.utils.data.BatchSampler(range(64), batch_size=1024, drop_last=False)
    loader = DataLoader(dataset, batch_sampler=sampler)
    assert facts_of(range_test(torch.optim.SGD(model.parameters(), lr=0.1), model, loader))["batch"] == "1,024"


def test_a_class_with_a_long_name_is_shown_in_part() -> None:
    """Names come from outside, too."""
    plan = SimpleNamespace(
        training=SimpleNamespace(modules=[type("M" * 5000, (), {})()], optimizers=[]),
        train=SimpleNamespace(loader=[]),
        accumulation_steps=1,
    )
    assert len(facts_of(SimpleNamespace(plan=plan))["model"]) < 200  # type: ignore[arg-type]
