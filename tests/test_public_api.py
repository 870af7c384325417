"""The public names with their signatures and traits; users call them as they are written here.

A signature counts parameters, their kinds, their order and their defaults; annotations may become more precise.
"""

from __future__ import annotations

import inspect
import pydoc
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import traitlets

import lr_widget

ROOT = Path(__file__).parents[1]

FUNCTIONS = {
    "iter_range_test": (
        "(model, optimizer, loss_fn, train_data, *, "
        "start_lr=1e-07, end_lr=10.0, num_steps=100, schedule='exponential', "
        "train_step=None, val_data=None, val_step=None, val_every=5, dataloader_options=None, device=None, "
        "accumulation_steps=1, autocast=None, grad_scaler=None, max_grad_norm=None, group_lrs='ratio', "
        "also_restore=(), diverge_factor=4.0, stop=None, seed=None, snapshot_device=None, train_steps=None, "
        "train_schedule='constant', groups='together')"
    ),
    "probe": (
        "(model, optimizer, loss_fn, train_data, *, "
        "around=None, probe_steps=None, max_steps=300, progress=True, "
        "start_lr=1e-07, end_lr=10.0, num_steps=100, schedule='exponential', "
        "train_step=None, val_data=None, val_step=None, val_every=5, dataloader_options=None, device=None, "
        "accumulation_steps=1, autocast=None, grad_scaler=None, max_grad_norm=None, group_lrs='ratio', "
        "also_restore=(), diverge_factor=4.0, stop=None, snapshot_device=None, train_steps=None, "
        "train_schedule='constant', groups='together', repeats=1, seed=None)"
    ),
    "range_test": (
        "(model, optimizer, loss_fn, train_data, *, "
        "start_lr=1e-07, end_lr=10.0, num_steps=100, schedule='exponential', "
        "train_step=None, val_data=None, val_step=None, val_every=5, dataloader_options=None, device=None, "
        "accumulation_steps=1, autocast=None, grad_scaler=None, max_grad_norm=None, group_lrs='ratio', "
        "also_restore=(), diverge_factor=4.0, stop=None, snapshot_device=None, train_steps=None, "
        "train_schedule='constant', groups='together', repeats=1, seed=None, progress=True)"
    ),
    "suggest_lr": "(lrs, losses, rule='auto')",
}

CLASSES = {
    "Evidence": {
        "constructor": (
            "(suggested, runs, probe_steps, horizon=Horizon(steps=None, schedule='constant'), records=None, group=None)"
        ),
        "best": "property",
        "compared": "property",
        "num_steps": "property",
        "suggest": "(self, train_steps=None, train_schedule=None)",
        "suggestion": "property",
        "to_pandas": "(self)",
    },
    "LRRecords": {
        "constructor": (
            "(lr, loss, stop_reason='completed', start_lr=None, end_lr=None, num_steps=None, schedule='exponential', "
            "group_lrs=None, val_loss=None, skipped=None, repeats=(), train_steps=None, train_schedule='constant', "
            "group=None)"
        ),
        "from_repeats": "classmethod (repeats)",
        "from_steps": (
            "classmethod (steps, *, stop_reason, start_lr=None, end_lr=None, num_steps=None, schedule='exponential', "
            "train_steps=None, train_schedule='constant', group=None)"
        ),
        "load": "classmethod (path)",
        "plot": "(self, ax=None, *, ylim=None, beta=0.9, rule='auto')",
        "save": "(self, path)",
        "smoothed_loss": "(self, beta=0.9)",
        "suggest": "(self, rule='auto', of='loss', train_steps=None, train_schedule=None)",
        "suggestions": "(self, of='loss', train_steps=None, train_schedule=None)",
        "to_pandas": "(self)",
    },
    "LRWidgetError": {"bases": "Exception"},
    "NoSuggestionError": {"bases": "LRWidgetError, ValueError"},
    "NotebookError": {"bases": "LRWidgetError, ValueError"},
    "ProbeRun": {
        "constructor": "(lr, loss, stop_reason, val_loss=None, num_steps=None, schedule='constant')",
        "end_loss": "property",
        "is_complete": "property",
    },
    "RestoreError": {"bases": "LRWidgetError, RuntimeError"},
    "StepRecord": {"constructor": "(step, lr, loss, group_lrs, val_loss=None, skipped=False)"},
    "Suggestion": {"constructor": "(lr, rule, reason, low=None, high=None, confidence=None, remedies=())"},
}

ADAPTERS = {
    "accelerate": "(accelerator, model, optimizer, loss_fn, loader, **keywords)",
    "fastai": "(learner, n_epoch=None, **keywords)",
    "lightning": "(module, data=None, trainer=None, *, rate_name=None, **keywords)",
    "skorch": "(net, X, y=None, **keywords)",
    "transformers": "(trainer, **keywords)",
}

# The methods of a dict are not listed.
ADAPTED = {"apply": "(self, lr)", "call": "property"}

CALLS = """from typing import Any
from lr_widget import LRFinderWidget, adapters, probe, range_test

def train(model: Any) -> None:
    range_test(model, model, None, model, repeats=2, val_every=3, stop=lambda record: record.loss > 2)
    probe(model, model, None, model, start_lr=1e-5, accumulation_steps=2)
    range_test(model, model, None, model, num_stepz=3)
    probe(model, model, None, model, accumulation_steps="2")
    range_test(model, model, None, model, groups=1, seed=0).suggest()
    range_test(model, model, None, model, **{"seed": 0, **model}).suggest()
    range_test(model, model, None, model, groups="each", seed=0)[1].suggest()
    range_test(model, model, None, model, groups="each").suggest()
    probe(model, model, None, model, groups="each", around=[0.1, None])[1].suggest(train_steps=5000)
    probe(model, model, None, model, groups="each").suggestion
    setup = adapters.lightning(model, num_steps=3)
    places: list[str] = setup.apply(range_test(**setup).suggest())
    rate = float(probe(**setup, around=0.1).suggestion)
    widgets = [LRFinderWidget(**setup), LRFinderWidget.from_transformers(model)]
    widgets[1].apply()
    setup.aply(rate)
"""

# The methods of ipywidgets and those for other modules of the package are not listed.
WIDGET = {
    "constructor": (
        "(model, optimizer, loss_fn, train_data, variable='lr', *, smoothing=0.9, max_probe_steps=300, "
        "loss_scale='linear', loss_min=None, loss_max=None, suggest_from='loss', **keywords)"
    ),
    "add": "(self, records, *, name=None)",
    "apply": "(self)",
    "close": "(self)",
    "copy_to_notebook": "(self, *, overwrite=False)",
    "from_accelerate": "classmethod (accelerator, model, optimizer, loss_fn, loader, **settings)",
    "from_fastai": "classmethod (learner, n_epoch=None, **settings)",
    "from_lightning": "classmethod (module, data=None, trainer=None, *, rate_name=None, **settings)",
    "from_records": "classmethod (records, **settings)",
    "from_skorch": "classmethod (net, X, y=None, **settings)",
    "from_transformers": "classmethod (trainer, **settings)",
    "hide": "(self, run, *, is_hidden=True)",
    "names": "property",
    "pause": "(self)",
    "probe": "(self)",
    "remove": "(self, run)",
    "rename": "(self, run, name)",
    "resume": "(self)",
    "run": "(self)",
    "start": "(self)",
    "start_probe": "(self)",
    "stop": "(self)",
    "to_html": "(self, path)",
    "wait": "(self, timeout=None)",
}

TRAITS = {
    "answer": "Dict; synced",
    "chart_state": "Dict; synced",
    "end_lr": "Rate; synced; default 10.0",
    "evidence": "Instance of Evidence or None",
    "figure": "Instance of DOMWidget; synced",
    "history": "Tuple",
    "loss_max": "LossLimit or None; synced; default None",
    "loss_min": "LossLimit or None; synced; default None",
    "loss_scale": "Enum of linear, log; synced; default 'linear'",
    "max_probe_steps": "Count; synced; default 300",
    "num_steps": "Count; synced; default 100",
    "progress": "Dict; synced",
    "picture": "Unicode; synced; default ''",
    "records": "Instance of LRRecords or None",
    "repeats": "Count; synced; default 1",
    "rule": (
        "Enum of auto, steepest, minimum/10, valley, slide, minimum, steep, torch-lr-finder, ignite, lightning, probe; "
        "synced; default 'auto'"
    ),
    "selected_lr": "Rate or None; synced; default None",
    "smoothing": "Smoothing; synced; default 0.9",
    "start_lr": "Rate; synced; default 1e-07",
    "status": "Enum of idle, running, paused, finished, failed; synced; default 'idle'",
    "suggest_from": "Enum of loss, val_loss; synced; default 'loss'",
    "suggestion": "Instance of Suggestion or None",
    "train_schedule": "TrainSchedule; synced; default 'constant'",
    "train_steps": "TrainSteps or None; synced; default None",
    "variable": "VariableName; synced; default 'lr'",
    "view_state": "Dict; synced",
}


def signature(function: Any) -> str:
    """A signature as text, without annotations."""
    found = inspect.signature(function)
    bare = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in found.parameters.values()]
    return str(found.replace(parameters=bare, return_annotation=inspect.Signature.empty))


def members(cls: type) -> dict[str, str]:
    """The constructor and the public methods and properties that this package gives a class."""
    found = (
        {"bases": ", ".join(base.__name__ for base in cls.__bases__)}
        if issubclass(cls, Exception)
        else {"constructor": signature(cls)}
    )
    for name in sorted(name for name in dir(cls) if not name.startswith("_")):
        owner = next(base for base in cls.__mro__ if name in vars(base))
        member = vars(owner)[name]
        if not owner.__module__.startswith("lr_widget"):
            continue
        if isinstance(member, classmethod):
            found[name] = f"classmethod {signature(getattr(cls, name))}"
        elif inspect.isfunction(member):
            found[name] = signature(member)
        elif isinstance(member, property):
            found[name] = "property"
    return found


def traits(cls: type[traitlets.HasTraits]) -> dict[str, str]:
    """The traits that this package gives a class: kind, possible values, known to the browser or not, default."""
    found = {}
    for name, trait in sorted(cls.class_traits().items()):
        owner = next(base for base in cls.__mro__ if name in vars(base))
        if owner.__module__.startswith("lr_widget"):
            found[name] = describe(trait)
    return found


def describe(trait: Any) -> str:
    """A trait in words."""
    kind = type(trait).__name__
    if kind == "Enum":
        kind += f" of {', '.join(trait.values)}"
    elif kind == "Instance":
        kind += f" of {trait.klass.__name__}"
    words = [f"{kind} or None" if trait.allow_none else kind]
    if trait.metadata.get("sync"):
        words.append("synced")
    if trait.default_value is not traitlets.Undefined:
        words.append(f"default {trait.default_value!r}")
    return "; ".join(words)


# --- names, signatures, traits ---------------------------------------------------------------------------------------


def test_the_public_names_are_these() -> None:
    """Nothing is added or taken away without a change here."""
    assert sorted(lr_widget.__all__) == sorted([*FUNCTIONS, *CLASSES, "LRFinderWidget", "adapters"])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_has_its_signature(name: str) -> None:
    """Every keyword is in it, in its place and with its default."""
    assert signature(getattr(lr_widget, name)) == FUNCTIONS[name]


@pytest.mark.parametrize("name", CLASSES)
def test_a_class_has_its_constructor_methods_and_properties(name: str) -> None:
    """No public member is added or taken away without a change here."""
    assert members(getattr(lr_widget, name)) == CLASSES[name]


@pytest.mark.parametrize("name", ADAPTERS)
def test_an_adapter_has_its_signature(name: str) -> None:
    """The widget's classmethod of the same name takes the same arguments."""
    assert signature(getattr(lr_widget.adapters, name)) == ADAPTERS[name]
    assert WIDGET[f"from_{name}"] == f"classmethod {ADAPTERS[name].replace('keywords', 'settings')}"


def test_the_keywords_of_an_adapter_have_their_methods() -> None:
    """Beside those of a dict."""
    found = members(lr_widget.adapters.Adapted)
    assert {name: found.get(name) for name in ADAPTED} == ADAPTED


def test_the_widget_has_its_constructor_and_methods() -> None:
    """As a notebook calls them."""
    found = members(lr_widget.LRFinderWidget)
    assert {name: found.get(name) for name in WIDGET} == WIDGET


def test_the_widget_has_its_traits() -> None:
    """No trait is added or taken away without a change here."""
    assert traits(lr_widget.LRFinderWidget) == TRAITS


def test_a_change_of_a_signature_or_a_trait_is_found() -> None:
    """Another default, order or kind of a parameter is another text, and so is another trait."""

    class Before(traitlets.HasTraits):
        rate = traitlets.Float(0.1).tag(sync=True)

        def method(self, a: int, b: int = 1) -> None: ...

    class After(traitlets.HasTraits):
        rate = traitlets.Float(0.1, allow_none=True)

        def method(self, b: str, *, a: int = 1) -> None: ...

    assert (signature(Before.method), signature(After.method)) == ("(self, a, b=1)", "(self, b, *, a=1)")
    assert describe(Before.class_traits()["rate"]) == "Float; synced; default 0.1"
    assert describe(After.class_traits()["rate"]) == "Float or None; default 0.1"


# --- the keywords, for those who read and those who type ------------------------------------------------------------


@pytest.mark.parametrize("name", ["iter_range_test", "range_test", "probe"])
def test_help_names_every_keyword(name: str) -> None:
    """help() and Shift-Tab show each parameter, not just `**options`."""
    function = getattr(lr_widget, name)
    first_line = str(inspect.getdoc(function)).splitlines()[0]
    shown = pydoc.plain(pydoc.render_doc(function)).partition(first_line)[0]  # several lines from Python 3.13 on
    keywords = re.findall(r"(\w+)=", FUNCTIONS[name])
    assert len(keywords) > 15
    assert [keyword for keyword in keywords if not re.search(rf"\b{keyword}\b", shown)] == []


def test_a_type_checker_knows_every_keyword(tmp_path: Path) -> None:
    """It passes keywords that exist, and finds one that does not, a value of a wrong type and tuples of results."""
    script = tmp_path / "script.py"
    script.write_text(CALLS)
    command = [sys.executable, "-m", "mypy", "--no-error-summary", "--hide-error-context", str(script)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    errors = [line.partition("script.py:")[2] for line in done.stdout.splitlines() if " error: " in line]
    assert [*dict.fromkeys(error.partition(":")[0] for error in errors)] == ["7", "8", "12", "14", "20"], (
        done.stdout + done.stderr
    )
    assert errors[0].startswith(
        '7: error: Unexpected keyword argument "num_stepz" for overloaded function "range_test"'
    )
    wrong_type = re.escape('8: error: No overload variant of "probe" matches argument types ') + '.*, "str"'
    assert re.match(wrong_type, errors[-4])
    assert errors[-3].startswith('12: error: "tuple[LRRecords, ...]" has no attribute "suggest"')
    assert errors[-2].startswith('14: error: "tuple[Evidence, ...]" has no attribute "suggestion"')
    assert errors[-1].startswith('20: error: "Adapted" has no attribute "aply"')
