"""How many cases the other finders' test suites have, and how many of them no call of ours expresses."""

from __future__ import annotations

import pytest

from .suite import Suite
from .test_fastai import SUITE as FASTAI
from .test_ignite import SUITE as IGNITE
from .test_lightning import SUITE as LIGHTNING
from .test_luz import SUITE as LUZ
from .test_torch_lr_finder import SUITE as TORCH_LR_FINDER

SUITES = (TORCH_LR_FINDER, IGNITE, LIGHTNING, FASTAI, LUZ)


def test_every_case_of_every_finder_is_in_a_table() -> None:
    """All of their cases, and those of them that are not expressible."""
    assert {suite.finder: (suite.total, len(suite.inexpressible)) for suite in SUITES} == {
        "torch-lr-finder": (52, 2),
        "ignite": (54, 4),
        "lightning": (37, 1),
        "fastai": (6, 0),
        "luz": (1, 0),
    }


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.finder)
def test_a_case_that_is_not_expressible_has_its_reason(suite: Suite) -> None:
    """More than a word."""
    assert all(len(reason.split()) > 5 for reason in suite.inexpressible.values())


def test_a_case_is_in_one_table_once() -> None:
    """A second check of the same name is an error, and so is one of a case that is said to be not expressible."""
    suite = Suite("none", {"a": "for a test of this table"})
    suite.case("b", 1)(lambda number: None)
    assert suite.total == 2
    for name in ("a", "b"):
        with pytest.raises(AssertionError, match=f"{name!r} is there already"):
            suite.case(name)(lambda: None)
