"""Look at everything that a range test must not change, bit for bit; written without the package's own snapshot."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import nn


class Look:
    """The looks of some modules, optimizers and other objects at one moment, identity and storage included."""

    def __init__(self, *things: Any) -> None:
        self._things = things
        self._held: list[Any] = []  # keeps the ids that are noted from being used again
        self.facts = dict(self._facts())

    def assert_unchanged(self, after: str = "") -> None:
        """Assert that the same things look the same now."""
        now = Look(*self._things)
        differing = [key for key in {**self.facts, **now.facts} if self.facts.get(key, "-") != now.facts.get(key, "-")]
        shown = [(key, str(self.facts.get(key))[:120], str(now.facts.get(key))[:120]) for key in differing[:5]]
        assert not differing, f"{len(differing)} changed {after}, such as {shown}"

    def _facts(self) -> Iterator[tuple[str, Any]]:
        yield from self._rngs()
        yield "grad mode", torch.is_grad_enabled()
        yield "autocast", (torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu"), _autocast_nesting())
        for index, thing in enumerate(self._things):
            yield from self._walk(f"{index}", thing, set())

    def _rngs(self) -> Iterator[tuple[str, Any]]:
        yield "python rng", random.getstate()
        yield "numpy rng", _hashable(np.random.get_state())
        yield "torch rng", torch.get_rng_state().numpy().tobytes()
        if torch.cuda.is_initialized():
            yield "cuda rng", torch.cuda.get_rng_state().numpy().tobytes()

    def _walk(self, path: str, value: Any, above: set[int]) -> Iterator[tuple[str, Any]]:
        self._held.append(value)
        if isinstance(value, (int, float, complex, str, bytes, bool, torch.dtype, torch.device, type(None))):
            yield path, (type(value), repr(value))
            return
        yield path, (type(value), id(value))
        if id(value) in above:
            return
        above = above | {id(value)}
        if isinstance(value, torch.Tensor):
            yield from self._tensor(path, value, above)
        elif (state := _state(value)) is not None:
            yield f"{path} state", state
        else:
            yield from self._members(path, value, above)

    def _members(self, path: str, value: Any, above: set[int]) -> Iterator[tuple[str, Any]]:
        if isinstance(value, dict):
            yield f"{path} keys", [id(key) if isinstance(key, torch.Tensor) else repr(key) for key in value]
            for index, (key, item) in enumerate(value.items()):
                name = f"#{index}" if isinstance(key, torch.Tensor) else str(key)[:40]
                yield from self._walk(f"{path}[{name}]", item, above)
        elif isinstance(value, (list, tuple, deque)):
            yield f"{path} length", len(value)
            for index, item in enumerate(value):
                yield from self._walk(f"{path}[{index}]", item, above)
        elif _is_looked_into(value):
            for name, item in vars(value).items():
                yield from self._walk(f"{path}.{name}", item, above)
            if isinstance(value, nn.Module):
                yield f"{path} mode", value.training
                tensors = (
                    *value.named_parameters(remove_duplicate=False),
                    *value.named_buffers(remove_duplicate=False),
                )
                yield f"{path} tensors", [(name, id(tensor)) for name, tensor in tensors]

    def _tensor(self, path: str, tensor: torch.Tensor, above: set[int]) -> Iterator[tuple[str, Any]]:
        yield f"{path} flags", (tensor.requires_grad, tensor.is_leaf, tensor.dtype, str(tensor.device), tensor.layout)
        if nn.parameter.is_lazy(tensor):
            return
        yield f"{path} hooks", tuple(map(_hook_ids, (tensor._backward_hooks, tensor._post_accumulate_grad_hooks)))
        if tensor.layout is torch.strided:
            yield f"{path} storage", (tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.storage_offset())
        yield f"{path} writes", tensor._version
        yield f"{path} bytes", tensor_bytes(tensor)
        if tensor.is_leaf:
            yield from self._walk(f"{path}.grad", tensor.grad, above)
        yield from self._walk(f"{path}.__dict__", vars(tensor), above)


def tensor_bytes(tensor: torch.Tensor) -> bytes:
    """Return the values of a tensor of any layout and dtype as bytes."""
    tensor = tensor.detach().cpu()
    if tensor.is_sparse:
        return tensor_bytes(tensor._indices()) + tensor_bytes(tensor._values())
    if tensor.layout is torch.sparse_csr:
        return b"".join(map(tensor_bytes, (tensor.crow_indices(), tensor.col_indices(), tensor.values())))
    if tensor.is_quantized:
        tensor = tensor.int_repr()
    return tensor.resolve_conj().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def values(*modules: nn.Module) -> list[bytes]:
    """Return the parameters and buffers of the modules as bytes."""
    return [tensor_bytes(t) for m in modules for t in (*m.parameters(), *m.buffers()) if not nn.parameter.is_lazy(t)]


def _state(value: Any) -> Any:
    """Return the state of a random generator or an array; None for anything else."""
    if isinstance(value, torch.Generator):
        return value.get_state().numpy().tobytes()
    if isinstance(value, np.random.Generator):
        return repr(value.bit_generator.state)
    if isinstance(value, random.Random):
        return value.getstate()
    return (value.shape, value.dtype, value.tobytes()) if isinstance(value, np.ndarray) else None


def _is_looked_into(value: Any) -> bool:
    if isinstance(value, (type, torch.utils.data.Dataset)) or (callable(value) and not isinstance(value, nn.Module)):
        return False
    return hasattr(value, "__dict__") and type(value).__module__.partition(".")[0] not in ("threading", "weakref")


def _hook_ids(hooks: Any) -> Any:
    return None if hooks is None else [id(hook) for hook in hooks.values()]


def _autocast_nesting() -> int:
    torch.autocast_increment_nesting()
    return torch.autocast_decrement_nesting()


def _hashable(state: Any) -> Any:
    return tuple(part.tobytes() if isinstance(part, np.ndarray) else part for part in state)
