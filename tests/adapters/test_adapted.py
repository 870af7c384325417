"""The outcome of an adapter: keywords that know where the rate goes, and errors with a way out."""

from __future__ import annotations

import sys
from typing import Any

import pytest
import torch
from torch import nn

from lr_widget import NoSuggestionError, iter_range_test, probe, range_test, suggest_lr
from lr_widget.adapters.adapted import Adapted, Held, adapted, framework
from lr_widget.adapters.origin import origin_of, unmarked

loss_fn = nn.functional.mse_loss


def setup(rates: list[float] | None = None, **given: Any) -> Adapted:
    """Return the keywords of a small training, as an adapter makes them; rates go into the list."""
    torch.manual_seed(0)
    model = nn.Linear(2, 1)
    found = {
        "model": model,
        "optimizer": torch.optim.SGD(model.parameters(), lr=0.1),
        "loss_fn": loss_fn,
        "train_data": [(torch.randn(4, 2), torch.ones(4, 1))],
        "accumulation_steps": 2,
    }

    def put(lr: float) -> list[str]:
        if rates is not None:
            rates.append(lr)
        return ["lr"]

    return adapted(("skorch", {"net": "a net", "X": 1}), found, given, put)


def test_the_keywords_go_to_every_kind_of_test() -> None:
    """An adapter's outcome is a dict that `range_test`, `iter_range_test` and `probe` take."""
    keywords = setup()
    assert isinstance(keywords, dict)
    assert len(range_test(**keywords, num_steps=5, progress=False)) == 5
    with iter_range_test(**keywords, num_steps=5) as test:
        assert len([*test]) == 5
    assert probe(**keywords, max_steps=40, progress=False).num_steps > 0


def test_the_users_keywords_win() -> None:
    """A keyword that was given to the adapter takes the place of what the framework says."""
    assert setup(accumulation_steps=1, num_steps=7)["accumulation_steps"] == 1
    assert setup()["accumulation_steps"] == 2


def test_keywords_of_all_tests_are_taken() -> None:
    """Those of `range_test` alone, too."""
    keywords = setup(groups="each", repeats=2, progress=False, num_steps=5)
    assert len(range_test(**keywords)) == 1


def test_an_unknown_keyword_is_refused_with_the_adapter() -> None:
    """The sentence names the adapter and the keyword that was meant."""
    with pytest.raises(TypeError, match=r"adapters\.skorch got .*'num_step'; did you mean 'num_steps'"):
        setup(num_step=5)


def test_both_sides_objects_are_put_back() -> None:
    """`also_restore` is joined, from a list, one object or an iterator, and refused as `range_test` does."""
    theirs, users = Held(), torch.Generator()
    found = {"also_restore": [theirs]}
    for given in ([users], users, iter([users])):
        joined = adapted(("fastai", {}), found, {"also_restore": given}, lambda lr: ["lr"])["also_restore"]
        assert unmarked(joined) == [theirs, users]
    with pytest.raises(TypeError, match=r"also_restore takes objects with state_dict\(\)"):
        setup(also_restore=[3])


def test_the_call_is_kept() -> None:
    """The adapter's name and its arguments are known, and found again in the keywords alone."""
    keywords = setup(num_steps=5)
    assert keywords.call == ("skorch", {"net": "a net", "X": 1})
    origin = origin_of(dict(**keywords)["also_restore"])
    assert origin is keywords.origin
    assert (origin.given, origin.found["accumulation_steps"]) == ({"num_steps": 5}, 2)


def test_a_rate_or_a_suggestion_is_put() -> None:
    """Both arrive as a float, and the places come back."""
    rates: list[float] = []
    keywords = setup(rates)
    assert keywords.apply(3e-3) == ["lr"]
    suggestion = range_test(**keywords, progress=False).suggest()
    keywords.apply(suggestion)
    keywords.apply(torch.tensor(0.5).item())
    assert rates == [3e-3, suggestion.lr, 0.5]


def test_no_rate_is_put_that_is_none() -> None:
    """A suggestion without a rate, a number that is no rate, and other things leave the framework alone."""
    rates: list[float] = []
    keywords = setup(rates)
    with pytest.raises(NoSuggestionError, match="No rate has a finite loss"):
        keywords.apply(suggest_lr([1e-3, 1e-2], [float("nan")] * 2))
    for wrong, error in ((float("nan"), ValueError), (0, ValueError), (True, TypeError), ("1e-3", TypeError)):
        with pytest.raises(error, match=r"lr must be (a number|a positive)"):
            keywords.apply(wrong)  # type: ignore[arg-type]  # this is the point
    assert rates == []


def test_an_adapted_is_shown_in_short() -> None:
    """One line a keyword; models and data are named."""
    shown = repr(setup(num_steps=50, schedule="linear", also_restore=[torch.Generator()]))
    assert shown == (
        "Adapted(  # by adapters.skorch\n"
        "    model=Linear,\n"
        "    optimizer=SGD,\n"
        "    loss_fn=function,\n"
        "    train_data=[[Tensor, Tensor]],\n"
        "    accumulation_steps=2,\n"
        "    num_steps=50,\n"
        "    schedule='linear',\n"
        "    also_restore=[Generator],\n"
        ")"
    )


def test_a_long_list_is_shown_in_short() -> None:
    """One that would fill the line is a length."""
    shown = repr(setup(also_restore=[torch.Generator() for _ in range(9)]))
    assert "also_restore=a list of length 9" in shown


# --- the import of a framework -------------------------------------------------------------------------------------------


def test_a_framework_that_is_missing_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence is the command."""
    monkeypatch.setitem(sys.modules, "skorch", None)
    with pytest.raises(ImportError, match=r"^skorch is not installed; get it with pip install 'lr_widget\[skorch\]'$"):
        framework("skorch", "skorch")
    assert framework("torch.nn", "any") is nn


def test_a_framework_that_cannot_be_imported_says_why(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is missing is another package, and to install the framework again would not help."""
    (tmp_path / "needy.py").write_text("import a_package_that_is_not_there\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="No module named 'a_package_that_is_not_there'"):
        framework("needy", "needy")


# --- objects beside the model --------------------------------------------------------------------------------------------


def test_the_attributes_of_held_objects_come_back() -> None:
    """And so do those of the objects that they hold."""

    class Counter:
        def __init__(self) -> None:
            self.count, self.seen = 0, [torch.zeros(2)]

    counter = Counter()
    (first,) = counter.seen

    def counting(output: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        held.things[0].count += 1
        held.things[0].seen[0] += 1
        held.things[0].seen.append(output.detach())
        return loss_fn(output, targets)

    held = Held(counter)
    range_test(**{**setup(also_restore=[held]), "loss_fn": counting}, num_steps=5, progress=False)
    assert counter.count == 0
    assert counter.seen == [first]
    assert first.tolist() == [0, 0]
