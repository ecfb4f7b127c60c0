"""Which module makes the units of an activation, and along which axis they lie, as following the
tensors tells.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from actilaw import record
from builders.recorded import recorded


class Flat(nn.Module):
    """Convolutions and linear layers side by side in one module, as in a LeNet."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv1, self.relu1 = nn.Conv2d(1, 3, 3, padding=1), nn.ReLU()
        self.conv2, self.relu2 = nn.Conv2d(3, 4, 3, padding=1), nn.ReLU()
        self.fc1, self.relu3, self.fc2 = nn.Linear(4 * 36, 9), nn.ReLU(), nn.Linear(9, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu2(self.conv2(self.relu1(self.conv1(x))))
        return self.fc2(self.relu3(self.fc1(x.flatten(1))))


class Patches(nn.Module):
    """A convolution that makes tokens, then a linear layer whose units are the last axis."""

    def __init__(self) -> None:
        super().__init__()
        self.patch, self.fc1, self.act = nn.Conv2d(1, 6, 2, 2), nn.Linear(6, 20), nn.GELU()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.fc1(self.patch(x).flatten(2).transpose(1, 2)))


def test_each_activation_belongs_to_the_layer_before_it() -> None:
    model, images = Flat(), torch.randn(5, 1, 6, 6)
    with record(model) as recording:
        model(images)
    assert [counts.units for counts in recording.census().values()] == [3, 4, 9]
    assert recording.uncovered == ["fc2"]
    assert recorded(Patches(), [images])["act"].units == 20


class Block(nn.Module):
    """A residual block whose one rectifier was registered before its convolutions, with a norm
    between.
    """

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.relu = nn.ReLU()
        self.conv1, self.norm1, self.conv2 = (
            nn.Conv2d(1, 6, 3, padding=1),
            nn.GroupNorm(2, 6),
            nn.Conv2d(6, 6, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.norm1(self.conv1(x)))
        return self.relu(self.conv2(x) + x)


def test_channels_are_the_units_of_a_convolution_wherever_it_is_registered() -> None:
    images = torch.randn(7, 1, 8, 10)
    census = recorded(Block(), [images])
    assert [(name, counts.units, counts.samples) for name, counts in census.items()] == [
        ("relu#0", 6, 7),
        ("relu#1", 6, 7),
    ]
