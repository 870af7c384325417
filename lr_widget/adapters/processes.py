"""Several processes of torch.distributed: models as the frameworks wrap them when their training starts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from ..distributed import is_alone

if TYPE_CHECKING:
    from torch.nn.parallel import DistributedDataParallel


def wrapped(model: nn.Module, device: torch.device, **options: Any) -> nn.Module | DistributedDataParallel:
    """Return the model wrapped in DistributedDataParallel where there are several processes; it is moved to its device.

    As in the frameworks, every process then has the weights of the first one.

    Args:
        model: of this process, not wrapped yet.
        device: of this process.
        **options: of DistributedDataParallel, as the framework gives them.
    """
    if is_alone():
        return model
    on = None if device.type == "cpu" else [device]
    return nn.parallel.DistributedDataParallel(model.to(device), device_ids=on, **options)
