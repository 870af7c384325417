"""One check a kind of number or name: each value is taken as Python's own, or refused with rule, value and remedy."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lr_widget.checks import (
    adapter_hint,
    check_count,
    check_number,
    check_rate,
    check_seed,
    check_share,
    check_variable_name,
    describe,
    legible,
    shown,
    text_of,
)


@pytest.mark.parametrize(
    ("value", "rate"), [(1, 1.0), (Fraction(1, 8), 0.125), (np.float32(0.25), 0.25), (5e-324, 5e-324)]
)
def test_a_rate_becomes_a_float(value: Any, rate: float) -> None:
    """Any real number that is positive and finite is a rate."""
    checked = check_rate("lr", value)
    assert (checked, type(checked)) == (rate, float)


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        ("1e-3", TypeError, "lr must be a number, got '1e-3' of type str; give a rate like 3e-4"),
        (True, TypeError, "lr must be a number, got True of type bool"),
        (0.1j, TypeError, "lr must be a number, got 0.1j of type complex"),
        (np.complex64(0.1), TypeError, "lr must be a number, got .* of type complex64"),
        (0, ValueError, "lr must be a positive, finite learning rate, got 0; give a rate like 3e-4"),
        (float("nan"), ValueError, "lr must be a positive, finite learning rate, got nan"),
        (10**400, ValueError, "lr must be a positive, finite learning rate, got 1000000"),
    ],
)
def test_a_wrong_rate_is_refused_with_value_and_remedy(value: Any, error: type[Exception], message: str) -> None:
    """An int of 400 digits is too large to be a float, and the message does not repeat all of it."""
    with pytest.raises(error, match=message) as caught:
        check_rate("lr", value)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3)])
def test_a_count_becomes_an_int(value: Any) -> None:
    """NumPy's integers are counts."""
    checked = check_count("n", value)
    assert (checked, type(checked)) == (3, int)


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (3.0, TypeError, "n must be an integer, got 3.0 of type float; 75 is usual"),
        (True, TypeError, "n must be an integer, got True of type bool; 75 is usual"),
        (None, TypeError, "n must be an integer, got None of type NoneType"),
        (7, ValueError, "n must be at least 8, got 7; 75 is usual"),
        (10**9 + 1, ValueError, "n must be at most 1,000,000,000, got 1000000001; 75 is usual"),
        (int(1e308), ValueError, "n must be at most 1,000,000,000, got 1000000000.*; 75 is usual"),
        (10**400, ValueError, "n must be at most 1,000,000,000, got 1000000000.*; 75 is usual"),
        (-(10**400), ValueError, "n must be at least 8, got -1000000000.*; 75 is usual"),
    ],
    ids=range(8),
)
def test_a_wrong_count_is_refused_with_value_and_remedy(value: Any, error: type[Exception], message: str) -> None:
    """100.0 is no count by its type, 7 and a number of 400 digits none by their size."""
    with pytest.raises(error, match=message) as caught:
        check_count("n", value, least=8, usual=75)
    assert len(str(caught.value)) < 200


def test_a_billion_is_the_largest_count() -> None:
    """No test of more steps would end."""
    assert check_count("n", 10**9) == 10**9


@given(st.floats(0, 1, exclude_max=True))
def test_every_number_from_0_to_below_1_is_a_share(value: float) -> None:
    """The ends: 0 is in, 1 is out."""
    assert check_share("beta", value) == value


@pytest.mark.parametrize("value", [1, 1.0, -1e-9, float("nan"), float("inf")])
def test_a_share_outside_its_range_is_a_value_error(value: float) -> None:
    """NaN is outside, too."""
    with pytest.raises(ValueError, match=r"beta must be in \[0, 1\), got .*; use 0 for no smoothing"):
        check_share("beta", value)


@pytest.mark.parametrize("value", ["0.9", None, True, 0.5j])
def test_a_share_of_another_type_is_a_type_error(value: Any) -> None:
    """With the same sentence."""
    with pytest.raises(TypeError, match=r"beta must be in \[0, 1\), got .*; use 0 for no smoothing"):
        check_share("beta", value)


def test_a_seed_is_none_or_an_integer_of_63_bits() -> None:
    """Both ends are in."""
    assert [check_seed(seed) for seed in (None, 0, np.int64(5), 2**63 - 1)] == [None, 0, 5, 2**63 - 1]
    for wrong, error in ((-1, ValueError), (2**63, ValueError), (1.0, TypeError), (True, TypeError)):
        with pytest.raises(error, match=r"seed must be .*, got .*; 0 is as good as any"):
            check_seed(wrong)


@pytest.mark.parametrize("check", [check_rate, check_count, check_share, describe, check_variable_name, check_seed])
def test_a_value_whose_repr_raises_is_still_described(check: Any) -> None:
    """Python refuses to write out an int of 5,000 digits, and a repr of the user's own may raise anything."""

    class Silent(int):
        def __repr__(self) -> str:
            raise ZeroDivisionError

    for value in (-(10**5000), Silent(-1)):
        arguments = ("x", value) if check in (check_rate, check_count, check_share) else (value,)
        try:
            message = check(*arguments)
        except ValueError as error:
            message = str(error)
        assert f"one of type {type(value).__name__}" in message


class Loud:
    """A value whose repr is what it was given."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


@given(st.text(st.characters(categories=["Cs", "Cc", "Cf", "Cn", "L"])))
def test_every_value_is_shown_in_sixty_characters_that_can_be_encoded(text: str) -> None:
    """Whatever the value says of itself."""
    for value in (text, Loud(text), [text], {text: text}):
        said = shown(value)
        said.encode()
        assert len(said) <= 60
        assert not [c for c in said if c < " " and c not in "\n\t"]


def test_a_text_of_megabytes_is_shown_by_its_beginning() -> None:
    """A browser may send one."""
    assert shown("x" * 10**7) == "'" + "x" * 59
    assert shown("no") == "'no'"


def test_what_steers_a_terminal_or_turns_the_writing_is_not_kept() -> None:
    """Colours go, other controls are marked, and writings of every direction stay."""
    assert legible("\x1b[1;31mred\x1b[0m \x1b]0;title\x07") == "red \ufffd]0;title\ufffd"
    assert legible("a\u202eb\u2066c\u200bd\ufeffe\x9bf\uffff") == "a\ufffdb\ufffdc\ufffdd\ufffde\ufffdf\ufffd"
    assert legible("line\r\nline\rline\tend") == "line\nline\nline\tend"
    assert legible("naïve שלום عربي 漢字 👩‍🔬") == "naïve שלום عربي 漢字 👩‍🔬"


@pytest.mark.parametrize("error", [ValueError, SystemExit, KeyboardInterrupt])
def test_a_value_that_has_no_text_gets_words(error: type[BaseException]) -> None:
    """The text of an error is asked for while something is put back, and must not end that."""

    class Silent:
        def __str__(self) -> str:
            raise error

    assert text_of(Silent()) == "a Silent that cannot be written as text"
    assert text_of(ValueError("no")) == "no"


JSON: Any = st.recursive(
    st.none()
    | st.booleans()
    | st.floats()
    | st.integers()
    | st.integers(0, 400).map(lambda digits: 10**digits)
    | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters()), inner),
)


@pytest.mark.parametrize("check", [check_rate, check_count, check_number, check_share, check_variable_name, check_seed])
@given(value=JSON)
def test_any_value_is_taken_or_refused_in_few_words(check: Any, value: Any) -> None:
    """With the errors that stand in the checks' docstrings, and in words that can be sent."""
    named = check in (check_rate, check_count, check_number, check_share)
    said = ""
    try:
        check("setting", value) if named else check(value)
    except (ValueError, TypeError) as error:
        said = str(error)
    said.encode()
    assert len(said) <= 300


def test_a_variables_name_is_read_as_python_reads_it() -> None:
    """A ligature is two letters; keywords, builtins and IPython's own names are refused."""
    assert check_variable_name("ﬁne_lr") == "fine_lr"
    for wrong in ("a b", "for", "print", "_i3", "", None, 3, "a" * 101, "ﷺ" * 10**6, "_" * 10**6, "\udc80"):
        with pytest.raises(ValueError, match="use for example 'lr'") as caught:
            check_variable_name(wrong)
        assert len(str(caught.value)) < 200
    assert check_variable_name("a" * 100) == "a" * 100


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (torch.ones(2, 3), "a torch.float32 tensor of shape (2, 3)"),
        (torch.nn.Parameter, "<class 'torch.nn.parameter.Parameter'> of type _ParameterMeta"),
        ((1, 2), "a tuple of length 2"),
        ([], "a list of length 0"),
        ("x", "'x' of type str"),
        (type("T" * 10**6, (), {"__repr__": lambda self: "t"})(), f"t of type {'T' * 60}"),
    ],
    ids=range(6),
)
def test_values_are_described_in_a_few_words(value: Any, words: str) -> None:
    """A tensor by its shape, a sequence by its length, anything else by itself and its type."""
    assert describe(value) == words


def of(package: str, name: str) -> Any:
    """Make an object of a user's class that is derived from a class of a package."""
    base = type(name, (), {"__module__": f"{package}.some.module"})
    return type("Mine", (base,), {"__module__": "__main__"})()


@pytest.mark.parametrize(
    ("thing", "hint"),
    [
        (
            of("lightning", "LightningModule"),
            "; for a LightningModule give **lr_widget.adapters.lightning(module, data, trainer), "
            "or open LRFinderWidget.from_lightning(module, data, trainer)",
        ),
        (of("pytorch_lightning", "LightningDataModule"), "; for a LightningDataModule give **lr_widget.adapters.light"),
        (of("pytorch_lightning", "Trainer"), "; for a Trainer give **lr_widget.adapters.lightning("),
        (of("transformers", "Trainer"), "; for a Trainer give **lr_widget.adapters.transformers(trainer), or open LRF"),
        (of("accelerate", "Accelerator"), "; for an Accelerator give **lr_widget.adapters.accelerate(accelerator, mod"),
        (
            of("fastai", "Learner"),
            "; for a Learner give **lr_widget.adapters.fastai(learner), or open LRFinderWidget.f",
        ),
        (
            of("skorch", "NeuralNet"),
            "; for a NeuralNet give **lr_widget.adapters.skorch(net, X, y), or open LRFinderWi",
        ),
    ],
)
def test_an_object_of_a_framework_is_told_by_its_name(thing: Any, hint: str) -> None:
    """The first one counts."""
    assert adapter_hint(None, 1, thing).startswith(hint)
    assert adapter_hint(thing, of("transformers", "Trainer")).startswith(hint)


@pytest.mark.parametrize("thing", [None, torch.nn.Linear(1, 1), of("mine", "Trainer"), of("transformers", "BertModel")])
def test_other_objects_have_no_hint(thing: Any) -> None:
    """A class of the user's own may have the same name, and models of a framework are modules as any."""
    assert adapter_hint(thing) == ""
