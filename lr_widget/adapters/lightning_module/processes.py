"""Lightning's strategy for one of several processes that are there already."""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

import torch

from ...distributed import is_alone
from ..processes import wrapped

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType


def strategy_of(library: ModuleType, device: torch.device, options: Mapping[str, Any]) -> Any:
    """Return the strategy of a trainer that works on one device, in one process or in one of several.

    In one of several it wraps the module as Lightning's own strategy does and gathers over them, but starts none.

    Args:
        library: the package of Lightning.
        device: of this process.
        options: of DistributedDataParallel, as the user's strategy has them.
    """
    single = import_module(f"{library.__name__}.strategies").SingleDeviceStrategy
    if is_alone():
        return single(device=device)
    fabric = "lightning.fabric" if library.__name__.startswith("lightning.") else "lightning_fabric"
    tools = import_module(f"{fabric}.utilities.distributed")

    class OneOfSeveral(single):  # type: ignore[misc, valid-type]  # imported when it is used
        def __init__(self) -> None:
            super().__init__(device=device)
            self.global_rank = torch.distributed.get_rank()
            self.local_rank = int(os.environ.get("LOCAL_RANK", self.global_rank))
            self.world_size = torch.distributed.get_world_size()

        @property
        def is_global_zero(self) -> bool:
            return bool(self.global_rank == 0)

        def _setup_model(self, model: Any) -> Any:
            return wrapped(model, device, **options)

        def reduce(self, tensor: Any, group: Any = None, reduce_op: Any = "mean") -> Any:
            is_tensor = isinstance(tensor, torch.Tensor)
            return tools._sync_ddp_if_available(tensor, group, reduce_op) if is_tensor else tensor  # noqa: SLF001  # as DDPStrategy

        def all_gather(self, tensor: Any, group: Any = None, sync_grads: bool = False) -> Any:
            return tools._all_gather_ddp_if_available(tensor, group=group, sync_grads=sync_grads)  # noqa: SLF001  # likewise

        def reduce_boolean_decision(self, decision: bool, all: bool = True) -> bool:  # the names are Lightning's
            number = int(self.reduce(torch.tensor(int(decision), device=device), reduce_op="sum"))
            return number == self.world_size if all else number > 0

        def barrier(self, *_: Any, **__: Any) -> None:
            torch.distributed.barrier()

        def broadcast(self, thing: Any, src: int = 0) -> Any:
            things = [thing]
            torch.distributed.broadcast_object_list(things, src)
            return things[0]

    return OneOfSeveral()
