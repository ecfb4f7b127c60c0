"""What "activated" means: small rules from activations to true or false.

A rule takes activations of any shape, a NumPy array or a tensor, and returns booleans of that shape. Its text,
`str(rule)`, is kept with the counts, so that counts made by different rules are never mixed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Criterion = Callable[[Any], Any]


@dataclass(frozen=True)
class Positive:
    """Activated if above zero: right for ReLU and its kin, whose idle units are exactly zero."""

    def __call__(self, x: Any) -> Any:
        return x > 0

    def __str__(self) -> str:
        return "positive"


@dataclass(frozen=True)
class Threshold:
    """Activated if the magnitude exceeds `level`, in the unit of the activation."""

    level: float

    def __call__(self, x: Any) -> Any:
        return abs(x) > self.level

    def __str__(self) -> str:
        return f"threshold({self.level:g})"
