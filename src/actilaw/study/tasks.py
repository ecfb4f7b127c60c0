"""Data to study networks on, from packages that ship them: nothing is downloaded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Task:
    """A classification task, shuffled and split.

    Attributes:
        inputs: for training; (n_samples, n_features), float32.
        labels: for training; (n_samples,), int64.
        test_inputs, test_labels: the same, for testing.
        classes: number of classes.
    """

    inputs: Tensor
    labels: Tensor
    test_inputs: Tensor
    test_labels: Tensor
    classes: int


def digits(seed: int = 0) -> Task:
    """1,797 images of handwritten digits, 8 x 8 pixels in 0..1, split 3 to 1 (UCI Optical Recognition)."""
    images, targets = (np.asarray(part) for part in load_digits(return_X_y=True))
    order = np.random.default_rng(seed).permutation(len(targets))
    inputs = torch.from_numpy((images[order] / 16).astype(np.float32))
    labels = torch.from_numpy(targets[order])
    split = 3 * len(labels) // 4
    return Task(inputs[:split], labels[:split], inputs[split:], labels[split:], classes=10)
