"""The step of a net: its loss as in a validation of its own."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lr_widget import adapters, range_test

from ..nets import Careful, Pair, X, Y, classifier

# Warnings of skorch and of torch about it are theirs.
pytestmark = pytest.mark.filterwarnings("ignore")


def test_a_validation_loss_is_that_of_a_net_in_eval_mode() -> None:
    """Batches of `val_data` get no regularization that is for the training, and no update."""
    for cls in (Careful, Pair):
        net = classifier(cls).initialize()
        with torch.no_grad():
            net.module_.eval()
            expected = nn.functional.nll_loss(torch.log(net.module_(torch.tensor(X))), torch.tensor(Y)).item()
        setup = adapters.skorch(net, X, Y, val_data=[(torch.tensor(X), torch.tensor(Y))], val_every=1)
        records = range_test(**setup, schedule=lambda step: 1e-12, num_steps=2, progress=False)
        assert records.val_loss[1] == pytest.approx(expected, rel=1e-4)
