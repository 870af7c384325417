"""A learning-rate range test in several processes, and training with the rate that it suggests.

On this machine, two processes on the CPU:

    torchrun --nproc-per-node 2 notebooks/distributed.py

On two machines with four processes each, the same line on both (the first one's address, and any free port):

    torchrun --nnodes 2 --nproc-per-node 4 --rdzv-backend c10d --rdzv-id lr --rdzv-endpoint first:29500 distributed.py
"""

import os

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.data.distributed import DistributedSampler

from lr_widget import range_test

# With a GPU for each process: backend "nccl", device f"cuda:{os.environ['LOCAL_RANK']}", torch.cuda.set_device(device).
distributed.init_process_group("gloo")
rank, device = distributed.get_rank(), torch.device("cpu")
torch.set_num_threads(max(1, (os.cpu_count() or 1) // int(os.environ["LOCAL_WORLD_SIZE"])))

# Small data, made here, the same on every rank; the sampler gives each rank its own share.
torch.manual_seed(0)
inputs = torch.randn(2048, 16)
targets = (inputs @ torch.randn(16, 4)).argmax(dim=1)
dataset = TensorDataset(inputs, targets)
loader = DataLoader(dataset, batch_size=32, sampler=DistributedSampler(dataset, seed=0))

model = DistributedDataParallel(nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 4)).to(device))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
loss_fn = nn.CrossEntropyLoss()

# Every rank calls it, with the same keywords. The losses are means over the ranks, so all ranks get the same records
# and the same suggestion; what goes wrong on one rank ends the test on all. The progress bar is on rank 0.
records = range_test(model, optimizer, loss_fn, loader, start_lr=1e-4, end_lr=10.0, num_steps=60)
suggestion = records.suggest()
if rank == 0:
    print(f"{len(records)} steps, {records.stop_reason}: {suggestion.lr:.2g}; {suggestion.reason}")

for group in optimizer.param_groups:
    group["lr"] = suggestion.lr
for epoch in range(3):
    loader.sampler.set_epoch(epoch)
    total = torch.zeros(())
    for batch, labels in loader:
        loss = loss_fn(model(batch.to(device)), labels.to(device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.detach() / len(loader)
    distributed.all_reduce(total)
    if rank == 0:
        print(f"epoch {epoch}: loss {total / distributed.get_world_size():.3f}")

distributed.destroy_process_group()
