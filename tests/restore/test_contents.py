"""The bytes of tensors are copied once a storage and come back in place, whatever the dtype, layout and memory."""

from __future__ import annotations

import mmap
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from lr_widget.restore import Snapshot, contents, tensors
from lr_widget.restore.contents import Contents

from ..no_trace.state import Look, tensor_bytes

READ_ONLY = """
import sys, numpy as np, torch, warnings
warnings.simplefilter("ignore")
import lr_widget
np.ones(100_000, dtype=np.float32).tofile(sys.argv[1])
model = torch.nn.Linear(2, 1)
model.register_buffer("table", torch.from_numpy(np.memmap(sys.argv[1], dtype=np.float32, mode="r")))
model.array = np.frombuffer(b"12345678", dtype=np.uint8)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
data = [(torch.ones(4, 2), torch.ones(4, 1))]
lr_widget.range_test(model, optimizer, torch.nn.functional.mse_loss, data, progress=False, num_steps=5)
print("alive")
"""


def copied(*members: torch.Tensor) -> Contents:
    """Return the finished contents of some tensors."""
    kept = Contents(None)
    for index, tensor in enumerate(members):
        kept.add(tensor, f"t{index}")
    kept.finish()
    return kept


def write_back(kept: Contents) -> list[str]:
    """Run the undos and return their names."""
    pairs = list(kept.undos())
    for _, undo in pairs:
        undo()
    return [name for name, _ in pairs]


# --- memory that is not torch's own ----------------------------------------------------------------------------------


def test_a_buffer_in_a_read_only_file_is_not_written_to(tmp_path: Any):
    """Writing back even the same bytes would be the end of the process, so it is tried in another one."""
    script = [sys.executable, "-c", READ_ONLY, str(tmp_path / "table")]
    done = subprocess.run(script, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "alive"), done.stderr[-2000:]


FOREIGN: dict[str, Callable[[str], torch.Tensor]] = {
    "numpy": lambda path: torch.from_numpy(np.arange(64.0)),
    "memmap": lambda path: torch.from_numpy(np.memmap(path, dtype=np.float64, mode="r+")),
    "buffer": lambda path: torch.frombuffer(bytearray(bytes(512)), dtype=torch.float64),
    "mmap": lambda path: torch.frombuffer(mmap.mmap(-1, 512), dtype=torch.float64),
    "dlpack": lambda path: torch.from_dlpack(np.arange(64.0)),
    "file": lambda path: torch.from_file(path, size=64, dtype=torch.float64),
    "shared file": lambda path: torch.from_file(path, shared=True, size=64, dtype=torch.float64),
    "checkpoint": lambda path: torch.load(f"{path}.pt", mmap=True, weights_only=True),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_memory_of_others_is_compared_before_it_is_written_to(
    kind: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
):
    """torch says of all memory that it did not allocate that it cannot be resized; what has changed comes back."""
    path = str(tmp_path / "file")
    np.arange(64.0).tofile(path)
    torch.save(torch.arange(64.0), f"{path}.pt")
    tensor = FOREIGN[kind](path)
    compared: list[bool] = []
    equal = torch.equal
    monkeypatch.setattr(torch, "equal", lambda a, b: compared.append(equal(a, b)) or compared[-1])
    kept, before = copied(tensor), tensor.tolist()
    write_back(kept)
    assert compared == [True]
    tensor.zero_().add_(5.0)
    write_back(kept)
    assert compared == [True, False]
    assert tensor.tolist() == before


def test_memory_of_torch_is_written_without_a_comparison(monkeypatch: pytest.MonkeyPatch):
    """A plain tensor takes one pass over its bytes, not two, and so does one that processes share."""
    monkeypatch.setattr(torch, "equal", lambda a, b: pytest.fail("compared"))
    for tensor in (torch.arange(4.0), torch.arange(4.0).share_memory_()):
        kept = copied(tensor)
        tensor.zero_()
        write_back(kept)
        assert tensor.tolist() == [0.0, 1.0, 2.0, 3.0]


# --- copies ----------------------------------------------------------------------------------------------------------


def test_a_storage_that_the_test_has_freed_is_filled_again():
    """Sharded training frees storages; the same one has its size and its bytes again."""
    weight = torch.arange(4.0)
    kept = copied(weight)
    weight.untyped_storage().resize_(0)
    write_back(kept)
    assert weight.tolist() == [0.0, 1.0, 2.0, 3.0]


def test_views_of_one_storage_are_copied_once():
    """The second view of a storage has nothing to copy; a tensor on meta, or of no elements, has nothing either."""
    whole = torch.zeros(4)
    kept = copied(whole[1:], whole, torch.empty(4, device="meta"), torch.empty(0))
    whole.fill_(5.0)
    assert write_back(kept) == ["t0"]
    assert whole.tolist() == [0.0] * 4


@pytest.mark.filterwarnings("ignore:.*quantize")
def test_small_and_large_storages_come_back_with_all_their_bits(monkeypatch: pytest.MonkeyPatch):
    """Copied together or alone, of any dtype and with odd sizes, and a NaN keeps its payload."""
    monkeypatch.setattr(contents, "SMALL_BYTES", 64)
    monkeypatch.setattr(contents, "TOGETHER_BYTES", 100)
    payload = torch.tensor([0x7FC12345, 0x7F812345], dtype=torch.int32).view(torch.float32)  # a quiet, a signalling NaN
    kinds = [
        payload,
        torch.tensor(3.0),
        torch.tensor([True, False, True]),
        torch.randn(5).to(torch.bfloat16),
        torch.randn(3, dtype=torch.complex64).conj(),
        torch.quantize_per_tensor(torch.randn(7), 0.1, 3, torch.quint8),
        torch.arange(100)[::7],
        torch.randn(33, 3).t(),
        *(torch.full((n,), n, dtype=torch.uint8) for n in range(1, 70, 9)),
    ]
    before = [tensor_bytes(tensor) for tensor in kinds]
    kept = copied(*kinds)
    for tensor in kinds:
        torch.empty(0, dtype=torch.uint8).set_(tensor.untyped_storage()).fill_(171)
    assert all(tensor_bytes(tensor) != old for tensor, old in zip(kinds, before, strict=True))
    write_back(kept)
    assert [tensor_bytes(tensor) for tensor in kinds] == before


@pytest.mark.filterwarnings("ignore:Sparse")
@pytest.mark.parametrize("layout", [torch.sparse_coo, torch.sparse_csr], ids=str)
@pytest.mark.parametrize("requires_grad", [False, True])
def test_a_sparse_tensor_is_copied_whole(layout: torch.layout, requires_grad: bool):
    """It has no storage of its own; its values come back, and so does its count of writes, time and again."""
    sparse = torch.eye(3).to_sparse(layout=layout)
    assert tensors.storage_key(sparse) is None
    model = nn.Module()
    model.sparse = nn.Parameter(sparse) if requires_grad else sparse
    look = Look(model)
    snapshot = Snapshot([model])
    for _ in range(2):
        with torch.no_grad():
            model.sparse.mul_(2.0)
        assert torch.equal(model.sparse.detach().to_dense(), 2.0 * torch.eye(3))
        snapshot.restore()
        look.assert_unchanged("after a write to a sparse tensor")
