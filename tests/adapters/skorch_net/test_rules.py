"""Updates of a net's own."""

from __future__ import annotations

from typing import Any

import pytest
from skorch.hf import AccelerateMixin

from lr_widget import adapters

from ..accelerated_loop import new_accelerator
from ..nets import X, Y, classifier, skorch

# Warnings of skorch and of torch about it are theirs.
pytestmark = pytest.mark.filterwarnings("ignore")


def test_a_step_of_its_own_with_an_accelerator_is_refused() -> None:
    """Its updates would be the accelerator's."""

    class Own(AccelerateMixin, skorch.NeuralNetClassifier):
        def train_step_single(self, batch: Any, **more: Any) -> Any:
            """Train in another way."""

    net = classifier(Own, accelerator=new_accelerator(), device=None)
    with pytest.raises(ValueError, match="must make its updates as skorch does, got Own with train_step_single; find"):
        adapters.skorch(net, X, Y)
