"""Frameworks that forget what one test has told them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from accelerate.state import AcceleratorState, GradientState


@pytest.fixture(autouse=True)
def _forgotten_states() -> Iterator[None]:
    """The precision of one trainer must not be that of the next accelerator in this process."""
    yield
    AcceleratorState._reset_state(reset_partial_state=True)
    GradientState._reset_state()
