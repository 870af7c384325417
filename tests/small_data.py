"""Small files in the formats of torchvision's data sets and weights, where torchvision looks for the real ones."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlparse

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_digits  # type: ignore[import-untyped]  # sklearn ships no types
from torchvision.models import ResNet18_Weights, resnet18  # type: ignore[import-untyped]  # nor does torchvision

NUM_MNIST_TEST = 400
LAND_USES = ("AnnualCrop", "Forest", "Highway", "Residential", "River")
PICTURES_EACH = 60


def write_mnist(root: Path) -> None:
    """Write scikit-learn's digits, enlarged to 28 by 28 pixels, as MNIST's files."""
    digits = load_digits()
    small = torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1) * (255 / 16)
    images = torch.nn.functional.interpolate(small, size=(28, 28), mode="bilinear").squeeze(1)
    pixels, labels = images.numpy().astype(np.uint8), digits.target.astype(np.uint8)
    folder = root / "MNIST" / "raw"
    folder.mkdir(parents=True)
    for name, part in (("train", slice(NUM_MNIST_TEST, None)), ("t10k", slice(NUM_MNIST_TEST))):
        _write_idx(folder / f"{name}-images-idx3-ubyte", pixels[part])
        _write_idx(folder / f"{name}-labels-idx1-ubyte", labels[part])


def _write_idx(path: Path, array: NDArray[np.uint8]) -> None:
    magic = bytes([0, 0, 8, array.ndim])  # 8: unsigned bytes
    path.write_bytes(magic + np.array(array.shape, dtype=">i4").tobytes() + array.tobytes())


def write_eurosat(root: Path) -> None:
    """Write noisy pictures of 64 by 64 pixels, a colour and a pattern a class, as EuroSAT's folders."""
    random = np.random.default_rng(0)
    rows, columns = np.mgrid[0:64, 0:64]
    for kind, name in enumerate(LAND_USES):
        folder = root / "eurosat" / "2750" / name
        folder.mkdir(parents=True)
        colour = random.uniform(60, 200, size=3)
        for number in range(1, PICTURES_EACH + 1):
            angle, phase = kind * np.pi / len(LAND_USES), random.uniform(0, 2 * np.pi)
            waves = np.sin(0.6 * (columns * np.cos(angle) + rows * np.sin(angle)) + phase)
            picture = colour + 40 * waves[..., np.newaxis] + random.normal(0, 25, size=(64, 64, 3))
            Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(folder / f"{name}_{number}.jpg")


def write_resnet18(torch_home: Path) -> None:
    """Write the weights of an untrained ResNet-18 as the file that torchvision would download."""
    torch.manual_seed(0)
    folder = torch_home / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    file = Path(urlparse(ResNet18_Weights.DEFAULT.url).path).name
    torch.save(resnet18().state_dict(), folder / file)
