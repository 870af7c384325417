"""The lines that all scripts share; `test_script.py` and `test_trainers.py` execute them."""

from __future__ import annotations

import pytest

from lr_widget.horizon import Horizon
from lr_widget.schedule import Sweep
from lr_widget.widget.takeaway.lines import Choice, bounds, free, imports, missing_names, named, options, source_comment
from lr_widget.widget.takeaway.names import Names


def test_keywords_are_left_out_where_they_are_usual() -> None:
    """Usual is the default of range_test, or the value that an adapter finds by itself."""
    keywords = {"seed": 1, "accumulation_steps": 1, "train_steps": 60, "also_restore": []}
    assert options(Names({}), keywords) == {"seed": "1", "train_steps": "60"}
    assert options(Names({}), keywords, {"train_steps": 60, "accumulation_steps": 4}) == {
        "seed": "1",
        "accumulation_steps": "1",
    }


def test_bounds_are_exact() -> None:
    """All digits of a bound are written."""
    assert eval(f"dict({bounds(Sweep(1 / 3, 10.0, 7))})") == {"start_lr": 1 / 3, "end_lr": 10.0, "num_steps": 7}


def test_names_of_the_script_give_way_to_those_of_the_user() -> None:
    """Each gets another form where the notebook's name is used, and the rate's variable an ending."""
    names = Names({"records": (mine := object())})
    assert names.of(mine, "model") == "records"
    assert (free(names)("records"), free(names)("evidence")) == ("records_", "evidence")
    assert (named("records", {"records"}), named("lr", {"records"})) == ("records_lr", "lr")


def test_only_what_is_used_is_imported() -> None:
    """Lines in comments count, as they are there to be used."""
    assert imports(["setup = adapters.x(a)", "e = probe(**setup)", "# torch.optim.SGD()"]) == [
        "import torch",
        "from lr_widget import adapters, probe",
    ]
    assert imports(["lr = 1.0"]) == []


@pytest.mark.parametrize(
    ("wanted", "line"),
    [
        ([], []),
        (["model"], ["# Put your own in place of model."]),
        (["model", "loader"], ["# Put your own in place of model and loader."]),
    ],
)
def test_names_to_fill_in_are_listed(wanted: list[str], line: list[str]) -> None:
    """In one sentence."""
    names = Names({})
    for name in wanted:
        names.of(object(), name)
    assert missing_names(names) == line


def test_a_picked_rate_is_from_no_call() -> None:
    """Nor is one that was read off records of elsewhere."""
    assert source_comment(Choice(0.1), Horizon(), "records", "evidence") == "  # picked"
    assert (
        source_comment(Choice(0.1, "auto", source="a\nb"), Horizon(), "r", "e")
        == "  # read off the records named 'a b'"
    )
