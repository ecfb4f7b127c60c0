"""The choice of layers by names, globs, lists and functions, and by several rules."""

from __future__ import annotations

import torch
from torch import nn

from actilaw import Positive, Threshold, record
from builders.recorded import INPUTS, mlp, recorded, rectified_mlp


def test_layers_by_name_glob_list_and_function() -> None:
    model, inputs = rectified_mlp().eval(), torch.randn(3, 6)
    for layers, names in [
        ("4", ["4"]),
        ("[14]", ["1", "4"]),
        (["1", "4"], ["1", "4"]),
        (lambda name, module: isinstance(module, nn.ReLU6), ["4"]),
    ]:
        with record(model, layers=layers) as recording:
            model(inputs)
        assert list(recording.census()) == names


def test_several_rules_at_once() -> None:
    census = recorded(mlp(), [INPUTS], layers="1", criterion=[Positive(), Threshold(0.3)])
    assert list(census) == ["1 positive", "1 threshold(0.3)"]
    assert census["1 positive"].active > census["1 threshold(0.3)"].active
