"""Every kind of model, with every optimizer, after every way to end: nothing has changed.

Each test goes through all the ways to end on one training, looking at everything after each, and then trains on beside
a twin that never saw a range test. LR_WIDGET_DEEP=N runs each pair N times, with other random steps and lines, with
and without optimizer state from before.
"""

from __future__ import annotations

import os
import random
import zlib

import pytest

from .endings import ENDINGS
from .models import KINDS, OPTIMIZERS, Training, fits
from .state import Look, values

DEEP = int(os.environ.get("LR_WIDGET_DEEP", "0"))
PAIRS = [(kind, optimizer) for kind in KINDS for optimizer in OPTIMIZERS if fits(kind, optimizer)]
ROUNDS = [
    (kind, optimizer, (index + round_number) % 2 * 3, round_number)
    for index, (kind, optimizer) in enumerate(PAIRS)
    for round_number in range(max(1, DEEP))
]


def test_the_product_is_as_large_as_promised():
    """At least twelve kinds and eight optimizers, most of them with each other."""
    assert len(KINDS) >= 12
    assert len(OPTIMIZERS) >= 8
    assert len(PAIRS) * len(ENDINGS) >= 3000


@pytest.mark.filterwarnings("ignore:Sparse invariant checks are implicitly disabled")
@pytest.mark.filterwarnings("ignore:Lazy modules are a new feature")
@pytest.mark.filterwarnings("ignore:.*Converting a tensor with requires_grad:UserWarning")
@pytest.mark.parametrize(("kind", "optimizer", "warm_steps", "round_number"), ROUNDS)
def test_no_end_leaves_a_trace(kind: str, optimizer: str, warm_steps: int, round_number: int):
    """After every way to end, all is bit for bit as before, and training goes on as the twin's does."""
    luck = random.Random(zlib.crc32(f"{kind} {optimizer} {round_number}".encode()))
    training = Training(kind, optimizer, warm_steps)
    before = Look(*training.everything)
    for end in ENDINGS:
        end(training, luck)
        before.assert_unchanged(f"after {end.__name__}")
    went_on = training.train(10), values(*training.kind.modules)

    twin = Training(kind, optimizer, warm_steps)
    assert went_on == (twin.train(10), values(*twin.kind.modules))
