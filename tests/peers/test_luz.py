"""The case of luz (tests/testthat/test-lr-finder.R) as calls of ours."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pytest
import torch
from torch import nn

from .suite import Suite
from .trainings import Training

mpl.use("agg")

SUITE = Suite("luz")


@SUITE.case("lr_finder works")
def gives_a_table_and_a_plot() -> None:
    """A hundred rows of rate and loss that can be printed, and the raw and the smoothed curve on a log axis."""
    import matplotlib.pyplot as plt

    torch.manual_seed(1)
    model, data = nn.Linear(10, 1), (torch.randn(100, 10), torch.randn(100, 1))
    training = Training(model, torch.optim.Adam(model.parameters()), nn.MSELoss(), data)
    records = training.test(start_lr=1e-7, end_lr=0.1, diverge_factor=None)
    table = records.to_pandas()
    assert (list(table.columns), len(table)) == (["lr", "loss"], 100)
    assert "100 of 100 steps, lr 1.1e-7 … 0.1" in str(records)
    axes = records.plot(rule=None)
    raw, smoothed = axes.get_lines()
    assert axes.get_xscale() == "log"
    assert raw.get_ydata().tolist() == table["loss"].tolist()
    average = 0.0
    for step, loss in enumerate(table["loss"], start=1):
        average = 0.9 * average + 0.1 * loss
        assert smoothed.get_ydata()[step - 1] == pytest.approx(average / (1 - 0.9**step))
    np.testing.assert_allclose(smoothed.get_xdata(), 1e-7 * 1e6 ** (np.arange(1, 101) / 100))
    plt.close("all")


@pytest.mark.parametrize("name", SUITE.expressed)
def test_a_case_of_luz(name: str) -> None:
    """Their case holds for calls of ours."""
    SUITE.expressed[name]()
