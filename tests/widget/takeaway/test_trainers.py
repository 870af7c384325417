"""The script of *Copy code* for a framework's training: it runs on the user's objects and sets the framework's rate."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lr_widget import LRFinderWidget, LRRecords, adapters
from lr_widget.horizon import Horizon
from lr_widget.schedule import Sweep
from lr_widget.widget.takeaway import Choice, trainer_script

from ..trainings import BATCHES, Trainer, keywords_of, make_trainer

SWEEP = Sweep(1e-4, 10.0, 20)
PICKED = Choice(0.02)


@pytest.fixture(autouse=True)
def adapter(monkeypatch: pytest.MonkeyPatch) -> None:
    """The trainer's adapter, by the name that the script calls."""
    monkeypatch.setattr(adapters, "transformers", keywords_of)
    monkeypatch.setattr("lr_widget.widget.inputs.trainers.transformers", keywords_of)


def script_of(
    setup: adapters.Adapted, namespace: dict[str, Any], choice: Choice = PICKED, repeats: int = 1, **changes: Any
) -> str:
    """Write the script of a widget that was made with these keywords."""
    keywords = {**setup, **changes}
    first: Any = tuple(keywords.pop(name) for name in ("model", "optimizer", "loss_fn", "train_data"))
    kept = {name: value for name, value in keywords.items() if name not in ("start_lr", "end_lr", "num_steps")}
    given = (setup.origin, first, kept, SWEEP, repeats, choice)
    return trainer_script(*given, variable="lr", namespace=namespace)


def executed(code: str, **names: Any) -> dict[str, Any]:
    """Execute a script on objects by their names."""
    exec(code, names)
    return names


def test_the_script_calls_the_adapter_on_the_users_objects() -> None:
    """By their names in the notebook; all that the adapter finds by itself is left out."""
    mine = make_trainer()
    code = script_of(keywords_of(mine), {"mine": mine})
    assert code == (
        "from lr_widget import adapters, range_test\n"
        "\n"
        "setup = adapters.transformers(\n"
        "    mine,\n"
        "    start_lr=1e-4, end_lr=10.0, num_steps=20,\n"
        ")\n"
        "records = range_test(**setup)\n"
        "lr = 0.02  # picked\n"
        "setup.apply(lr)\n"
    )
    names = executed(code, mine=mine)
    assert (len(names["records"]), names["records"].train_steps, mine.args.learning_rate) == (20, 60, 0.02)


def test_the_widgets_code_repeats_its_test(notebook: dict[str, Any]) -> None:
    """The records are the same, and the rate goes into the trainer."""
    notebook["my_trainer"] = given = make_trainer()
    widget = LRFinderWidget.from_transformers(given, num_steps=20, seed=1)
    records = widget.run()
    names = executed(widget.answer["code"], my_trainer=given)
    assert np.array_equal(names["records"].loss, records.loss)
    assert given.args.learning_rate == names["lr"] == float(widget.answer["selected"])
    assert "seed=1," in widget.answer["code"]
    widget.close()


def test_keywords_in_place_of_the_frameworks_are_written() -> None:
    """Those that were given to the adapter or changed afterwards, a usual value too where the framework says another."""
    mine = make_trainer()
    setup = keywords_of(mine, seed=3, train_schedule="constant", diverge_factor=4.0)
    code = script_of(setup, {"trainer": mine}, train_steps=200)
    options = code.partition("num_steps=20,\n")[2].partition(")\n")[0]
    written = sorted(line.strip() for line in options.splitlines())
    assert written == ["seed=3,", 'train_schedule="constant",', "train_steps=200,"]
    records = executed(code, trainer=mine)["records"]
    assert (records.train_steps, records.train_schedule) == (200, "constant")


def test_what_stands_in_place_of_the_adapters_objects_is_given_to_the_test() -> None:
    """An adapter takes no train_data, so it replaces the adapter's behind it."""
    mine, loader = make_trainer(), [*BATCHES]
    code = script_of(keywords_of(mine), {"mine": mine, "loader": loader}, train_data=loader)
    assert 'records = range_test(**{**setup, "train_data": loader})\n' in code
    assert len(executed(code, mine=mine, loader=loader)["records"]) == 20


def test_objects_to_restore_are_those_of_the_user() -> None:
    """The adapter's own come with its call."""
    mine, average = make_trainer(), make_trainer().model
    code = script_of(keywords_of(mine, also_restore=[average]), {"mine": mine, "average": average})
    assert "also_restore=[average]," in code
    assert "also_restore" not in script_of(keywords_of(mine), {"mine": mine})


@pytest.mark.parametrize(
    ("choice", "call"),
    [
        (
            Choice(0.02, "probe", max_steps=64, probed_for=Horizon(60, "linear")),
            "probe(**setup, around=records, max_st",
        ),
        (
            Choice(0.02, "probe", around=5e-3, max_steps=64, probed_for=Horizon(200, "cosine")),
            'probe(**{**setup, "train_steps": 200, "train_schedule": "cosine"}, around=5e-3, max_steps=64)',
        ),
    ],
)
def test_the_script_makes_the_probes_whose_rate_it_is(choice: Choice, call: str) -> None:
    """For the training that they were for; the line of the rate says where it is from."""
    mine = make_trainer()
    code = script_of(keywords_of(mine), {"mine": mine}, choice)
    assert f"evidence = {call}" in code
    names = executed(code, mine=mine)
    assert names["evidence"].num_steps <= 64
    origin = code.partition("# float(")[2].partition(") in two digits")[0]
    assert eval(origin, names).rule == "probe"


def test_several_sweeps_are_those_of_the_test() -> None:
    """Probes make none."""
    mine = make_trainer()
    code = script_of(keywords_of(mine), {"mine": mine}, repeats=2)
    assert "records = range_test(**setup, repeats=2)\n" in code
    assert len(executed(code, mine=mine)["records"].repeats) == 2


def test_the_rate_of_records_of_elsewhere_is_set_without_a_test() -> None:
    """Only the adapter is called, for the place of the rate."""
    mine = make_trainer()
    code = script_of(keywords_of(mine), {"mine": mine}, Choice(0.02, "auto", source="batch 64"))
    assert "range_test" not in code
    assert "setup = adapters.transformers(mine)\n" in code
    executed(code, mine=mine)
    assert mine.args.learning_rate == 0.02


def test_objects_without_names_are_asked_for() -> None:
    """By the names of the adapter's arguments."""
    assert "# Put your own in place of trainer.\nsetup = adapters.transformers(\n    trainer,\n" in script_of(
        keywords_of(make_trainer()), {}
    )


def test_a_users_name_for_something_else_is_left_alone() -> None:
    """The trainer may be called setup, and the variable of the rate trainer."""
    mine: Trainer = make_trainer()
    code = script_of(keywords_of(mine), {"setup": mine})
    assert "setup_ = adapters.transformers(\n    setup,\n" in code
    executed(code, setup=mine)
    assert mine.args.learning_rate == 0.02


@pytest.mark.parametrize(
    ("name", "arguments", "first"),
    [
        ("lightning", {"module": 1, "data": None, "trainer": 3, "rate_name": None}, "module, trainer=trainer"),
        (
            "lightning",
            {"module": 1, "data": 2, "trainer": 3, "rate_name": "lr"},
            'module, data, trainer, rate_name="lr"',
        ),
        ("fastai", {"learner": 1, "n_epoch": 5}, "learner, 5"),
        ("skorch", {"net": 1, "X": 2, "y": None}, "net, X"),
    ],
)
def test_arguments_are_written_as_one_would(name: str, arguments: dict[str, Any], first: str) -> None:
    """By position; by name behind one that is left out, and where the adapter takes them by name only."""
    objects = {key: object() if isinstance(value, int) and value < 5 else value for key, value in arguments.items()}
    source = adapters.Origin(name, objects, {}, {}, lambda lr: [])
    choice = Choice(0.02, "auto", source="elsewhere")
    code = trainer_script(source, (None,) * 4, {}, SWEEP, 1, choice, variable="lr", namespace=objects)
    assert f"setup = adapters.{name}({first})\n" in code


def test_the_page_has_the_code(tmp_path: Any) -> None:
    """`to_html` takes it over."""
    given = make_trainer()
    widget = LRFinderWidget.from_transformers(given, num_steps=20)
    widget.run()
    widget.to_html(tmp_path / "page.html")
    assert "setup = adapters.transformers(" in (tmp_path / "page.html").read_text(encoding="utf-8")
    widget.close()


def test_added_records_give_their_rate_to_the_make_trainer() -> None:
    """The code names them, and Apply puts their rate there."""
    given = make_trainer()
    widget = LRFinderWidget.from_transformers(given)
    lrs = np.geomspace(1e-4, 1, 60)
    widget.add(LRRecords(lrs, 2 - np.tanh(np.log10(lrs) + 2)), name="elsewhere")
    assert widget.apply() == given.args.learning_rate
    assert "read off the records named 'elsewhere'" in widget.answer["code"]
    widget.close()
