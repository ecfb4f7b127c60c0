"""Hook points: the places in a network whose values are activations of units."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from actilaw.recording.criteria import Criterion


@dataclass(frozen=True)
class HookPoint:
    """A place that holds units.

    Attributes:
        module: the module whose output, or input, holds the units.
        criterion: when a unit counts as activated; None if what the values are decides, "above
            zero" for those that come from a rectifier, and "stands out" for all others.
        at_input: whether units are what the module takes in.
        chooses_experts: whether units are experts and the module takes in, or makes, the choice
            among them.
    """

    module: nn.Module
    criterion: Criterion | None
    at_input: bool = False
    chooses_experts: bool = False
