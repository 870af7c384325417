"""The browser's side of the protocol, `js/src/protocol.ts`, has the names and types of Python's side."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, TypedDict, get_args, get_type_hints

import pytest
import traitlets

from lr_widget import LRFinderWidget
from lr_widget.widget.browser import messages

from .typescript import Declarations, Fields, fields_of, text_of, type_of

SOURCE = (Path(__file__).parents[1] / "js" / "src" / "protocol.ts").read_text(encoding="utf-8")

# Synced traits that are not part of the state that a view shows.
NOT_SHOWN = {
    "figure",  # the chart is mounted once, when a view is made
    "selected_lr",  # the view state has it as text
}
# Rule names are passed on as they are, so that a new rule changes nothing in the browser.
PASSED_ON = {"rule"}
SAMPLES = {"string": "1", "number": 7, "null": None, "number[]": [1e-5, 1e-2, 0.5, 2.5]}
# The parts of the state that change each at its own pace, by the names of their traits.
FORMS: dict[str, tuple[str, Any]] = {
    "progress": ("Progress", messages.Progress),
    "view_state": ("ViewState", messages.View),
    "answer": ("Answer", messages.Answer),
    "chart_state": ("ChartState", messages.ChartState),
}
NESTED = {
    "Note": messages.Note,
    "Question": messages.Question,
    "Rule": messages.Rule,
    "ShownRun": messages.ShownRun,
    "SweepOf": messages.SweepOf,
}


def differences(source: str) -> list[str]:
    """The differences between TypeScript's declarations and Python's."""
    browser = Declarations(source)
    shown = browser.fields("State")
    found = [
        *(each for name, form in FORMS.values() for each in compare(name, browser.fields(name), form_of(form))),
        *(each for name, form in NESTED.items() for each in compare(name, browser.fields(name), fields_of(form))),
        *compare("State", shown, state_of(LRFinderWidget)),
        *compare_names("STATE_KEYS", browser.texts("STATE_KEYS"), shown),
        *compare_names("Setting", browser.texts("Setting"), messages.SETTINGS),
    ]
    variants = [variant for variant in browser.alternatives("Command") if isinstance(variant, dict)]
    names = [literal(text) for variant in variants for text in variant["command"].split(" | ")]
    keys = {key for variant in variants for key in variant} - {"command"}
    known = {field.name for field in dataclasses.fields(messages.Command)} - {"command"}
    found += compare_names("command", names, get_args(messages.CommandName))
    found += compare_names("Command", keys, known)
    return found + [problem for message in samples(variants) for problem in misread(message)]


def compare(what: str, browser: Fields, python: Fields) -> list[str]:
    """The fields that one side lacks or that have different types."""
    return [
        f"{what}.{name} is {browser.get(name, 'missing')} in TypeScript and {python.get(name, 'missing')} in Python"
        for name in sorted({*browser, *python})
        if browser.get(name) != python.get(name)
    ]


def compare_names(what: str, browser: Any, python: Any) -> list[str]:
    """The names that one side lacks."""
    return compare(what, dict.fromkeys(browser, "present"), dict.fromkeys(python, "present"))


def state_of(widget: type[traitlets.HasTraits]) -> Fields:
    """The synced traits of this package that a view shows, with the types that their values have in JSON."""
    found = {}
    for name, trait in widget.class_traits(sync=True).items():
        owner = next(base for base in widget.__mro__ if name in vars(base))
        if owner.__module__.startswith("lr_widget") and name not in NOT_SHOWN:
            found[name] = text_of([*json_type(name, trait), *(["null"] if trait.allow_none else [])])
    return found


def form_of(typed_dict: Any) -> Fields:
    """The fields of a part of the state; a refused setting, for Python a text, is one of those that there are."""
    fields = fields_of(typed_dict)
    if "refused" in fields:
        assert fields["refused"] == "string"
        fields["refused"] = text_of(json.dumps(name) for name in (*messages.SETTINGS, ""))
    return fields


def json_type(name: str, trait: Any) -> list[Any]:
    """The type of a trait's values: that of its default, unless the trait says more or the default is None."""
    if name in FORMS:
        return [form_of(FORMS[name][1])]
    choices = getattr(trait, "values", None)
    if choices is not None and name not in PASSED_ON:
        return [json.dumps(choice) for choice in choices]
    if trait.default_value is None:
        return type_of(get_type_hints(trait.check)["return"])
    return type_of(type(trait.default_value))


def samples(variants: list[Fields]) -> Iterator[dict[str, Any]]:
    """Every command with every literal and one value of each other type."""
    for variant in variants:
        values = [[sample(text) for text in types.split(" | ")] for types in variant.values()]
        yield from (dict(zip(variant, chosen)) for chosen in itertools.product(*values))


def sample(text: str) -> Any:
    """A value of a type that is no union."""
    return literal(text) if text.startswith('"') else SAMPLES[text]


def literal(text: str) -> str:
    """The value of a literal type."""
    return text.strip('"')


def misread(message: dict[str, Any]) -> list[str]:
    """The parts of a message that Python does not take as they were sent."""
    try:
        command = messages.parse(message)
    except ValueError as error:
        return [f"{message} is refused by Python: {error}"]
    if command.command == "zoom" and message["value"] is not None:
        assert messages.read_window(command.value) == tuple(message["value"])
    return [
        f"{message}: {key} is lost in Python" for key, value in message.items() if getattr(command, key, ...) != value
    ]


# --- tests -----------------------------------------------------------------------------------------------------------


def test_both_sides_have_the_same_names_and_types() -> None:
    """State, settings and commands; each field and literal of one side is on the other."""
    assert differences(SOURCE) == []


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("  is_blocking: boolean;", "  is_blocking: string;", "ViewState.is_blocking is string"),
        ("  code: string;\n", "", "Answer.code is missing in TypeScript"),
        ("  code: string;\n", "  code?: string;\n", "Answer.code? is string in TypeScript and missing in Python"),
        ("  hint: string;", "  hint: string | null;", "ViewState.failure is "),
        ("  yes: string;", "  yes: boolean;", "ViewState.question is "),
        ("  yes: string;", "  yes: boolean;", "Question.yes is boolean in TypeScript"),
        ("question: Question | null", "question: Question", "ViewState.question is "),
        (' | "error";\n  text', ";\n  text", "Note.kind is "),
        ('refused: Setting | ""', "refused: Setting", "ViewState.refused is "),
        ("  step: number;\n  total", "  step: string;\n  total", "Progress.step is string"),
        ("  total: number;\n", "", "State.progress is "),
        ("advice: string[]", "advice: string", "Answer.advice is string in TypeScript"),
        ("rules: Rule[]", "rules: Rule", "State.answer is "),
        ("  reason: string;\n}\n", "}\n", "Rule.reason is missing in TypeScript"),
        ("  bottom: number;", "  bottom: number | null;", "ChartState.margins is "),
        ("  raw: number | null;", "  raw: number;", "ShownRun.marks is "),
        ("marks: Marks | null", "marks: Marks", "ShownRun.marks is "),
        ("sweep: SweepOf | null", "sweep: SweepOf | null; theme: string", "ChartState.runs is "),
        ("  schedule: string;\n", "", "SweepOf.schedule is missing in TypeScript"),
        ('  | "probe_aside"\n', "", "ChartState.legend is "),
        (' | "clear"', ' | "clear" | "export"', "ViewState.can is "),
        ('  | "zoom"\n', "", "ViewState.can is "),
        ("  num_steps: number;\n  repeats", "  num_steps: string;\n  repeats", "State.num_steps is string"),
        ("  train_steps: number | null;", "  train_steps: number;", "State.train_steps is number in TypeScript"),
        ("  loss_max: number | null;", "  loss_max: number;", "State.loss_max is number in TypeScript"),
        ('  | "cosine"\n', "", "State.train_schedule is "),
        ('"linear" | "log"', '"linear"', "State.loss_scale is "),
        ("  rule: string;", "  rule: string;\n  theme: string;", "State.theme is string in TypeScript and missing"),
        (' | "failed";', ";", "State.status is "),
        ('  "status",\n', "", "STATE_KEYS.status is missing in TypeScript"),
        ('  "chart_state",\n', "", "STATE_KEYS.chart_state is missing in TypeScript"),
        ('  | "variable"\n', "", "Setting.variable is missing in TypeScript"),
        (' | "draw"', "", "command.draw is missing in TypeScript"),
        ('"start" | "probe"', '"start" | "reset" | "probe"', "command.reset is present in TypeScript and missing"),
        ("run_id: number }", "run: number }", "Command.run is present in TypeScript and missing in Python"),
        ("run_id: number }", "run: number }", "{'command': 'hide', 'run': 7} is refused by Python"),
    ],
)
def test_a_drifted_copy_is_found(old: str, new: str, found: str) -> None:
    """A field, literal, key or command more, less or of another type."""
    assert SOURCE.count(old) >= 1
    drifted = set(differences(SOURCE.replace(old, new))) - set(differences(SOURCE))
    assert [difference for difference in drifted if difference.startswith(found)]


def test_a_drifted_python_side_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting, fields of several parts and a command that the browser does not know."""
    names = (*get_args(messages.CommandName), "reset")
    monkeypatch.setattr(messages, "SETTINGS", (*messages.SETTINGS, "seed"))
    for form in (messages.View, messages.Progress, messages.Answer, messages.ShownRun):
        monkeypatch.setitem(form.__annotations__, "theme", str)
    monkeypatch.setattr(messages, "CommandName", Literal[names])
    assert {
        "ViewState.theme is missing in TypeScript and string in Python",
        "Progress.theme is missing in TypeScript and string in Python",
        "Answer.theme is missing in TypeScript and string in Python",
        "ShownRun.theme is missing in TypeScript and string in Python",
        "Setting.seed is missing in TypeScript and present in Python",
        "command.reset is missing in TypeScript and present in Python",
    } <= set(differences(SOURCE))


@pytest.mark.parametrize(
    "source",
    [
        "export enum Status { Idle }",
        "export type Both = First & Second;",
        "export type Named = Record<string, number>;",
        "export interface More extends Less { a: string }",
        "export interface Less { a: string & {} }",
    ],
)
def test_typescript_that_cannot_be_compared_is_refused(source: str) -> None:
    """Rather than left out of the comparison."""
    with pytest.raises(ValueError, match=r"cannot be (read|compared)"):
        declarations = Declarations(f"export interface First {{ a: string }}\nexport type Second = First;\n{source}")
        declarations.alternatives(source.split()[2])


class Inner(TypedDict, total=False):
    """Optional fields."""

    names: list[Literal["a", "b"]]


class Outer(TypedDict):
    """A pair and an object that may be missing."""

    pair: tuple[float, int]
    inner: Inner | None


def test_types_of_both_languages_have_one_text() -> None:
    """Unions in any order, lists of unions, pairs, nested objects, optional fields."""
    declarations = Declarations(
        """
        // A comment; export nothing.
        export type Name = "b" | "a";
        export interface Outer { inner: null | { names?: Name[] }; pair: [number, number]; }
        export const NAMES = ["a", "b"] as const;
        """
    )
    assert declarations.fields("Outer") == fields_of(Outer)
    assert declarations.texts("NAMES") == ["a", "b"]
