"""Criteria: the rules of when a unit is activated. A rule takes activations (..., n_units) and
returns booleans of the same shape.

`Positive`, `Threshold` and `Relative` compare each activation with one level per row, which is all
units at one sample and position: a constant, or a share of the row's largest magnitude. That level
is all that a kernel needs (`kernels.levels`). `TopK`, which compares units with each other, and a
user's own function are evaluated in full and then counted, which is slower.

`str(rule)` is kept with the counts, so that counts made by different rules never merge; `rule_from`
reads it back for the command line. Which rule a kind of layer gets by default is decided in
`activation_modules` and `places`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from actilaw.errors import InputError

Criterion = Callable[[Any], Any]
# What a user may give: "auto", a rule or its words, or several.
Criteria = str | Criterion | Iterable[str | Criterion]


@dataclass(frozen=True)
class Positive:
    """Activated if above zero: right for ReLU and its kin, whose idle units are exactly zero."""

    def __call__(self, x: Any) -> Any:
        return x > 0

    def __str__(self) -> str:
        return "positive"


@dataclass(frozen=True)
class Threshold:
    """Activated if the magnitude exceeds `level`, in the unit of the activation; `level` >= 0."""

    level: float

    def __post_init__(self) -> None:
        if not 0 <= self.level < float("inf"):
            raise InputError(f"expected a threshold of 0 or more, but got {self.level}")

    def __call__(self, x: Any) -> Any:
        return abs(x) > self.level

    def __str__(self) -> str:
        return f"threshold({self.level!r})"


@dataclass(frozen=True)
class Relative:
    """Activated if the magnitude exceeds `share` of the largest magnitude in the same row; 0 <=
    share < 1.

    The rule for activations that are hardly ever exactly zero (GELU, SiLU, gated units). At the
    default share, a tenth, the negative lobes of GELU (to -0.17) and SiLU (to -0.28) stay below the
    level wherever some unit is above 1.7 and 2.8.
    """

    share: float = 0.1

    def __post_init__(self) -> None:
        if not 0 <= self.share < 1:
            raise InputError(f"expected a share of 0 or more and below 1, but got {self.share}")

    def __call__(self, x: Any) -> Any:
        magnitude = abs(x)
        finite = magnitude + 0  # a copy
        finite[~(magnitude < float("inf"))] = 0
        largest = finite.max(-1, keepdims=True)
        largest = getattr(largest, "values", largest)  # torch gives values and indices
        return magnitude > self.share * largest

    def __str__(self) -> str:
        return f"relative({self.share!r})"


@dataclass(frozen=True)
class TopK:
    """Activated if among the `k` largest of its row, the first ones of equals: routed experts;
    k >= 1.
    """

    k: int

    def __post_init__(self) -> None:
        if self.k < 1:
            raise InputError(f"expected k of 1 or more, but got {self.k}")

    def __call__(self, x: Any) -> Any:
        k = min(self.k, x.shape[-1])
        if hasattr(x, "topk"):
            least = x.topk(k, dim=-1).values[..., -1:]
        else:
            least = np.partition(x, -k, axis=-1)[..., -k, None]
        above, equal = x > least, x == least
        left = k - above.sum(-1)[..., None]
        return above | (equal & (equal.cumsum(-1) <= left))

    def __str__(self) -> str:
        return f"top({self.k})"


POSITIVE = Positive()


def describe(rule: Criterion) -> str:
    """The rule in words that are the same in every process."""
    if type(rule).__str__ is not object.__str__:
        return str(rule)
    return str(getattr(rule, "__qualname__", type(rule).__name__))


def criteria_from(given: Criteria) -> list[Criterion]:
    """The rules that a user asks for; none for "auto", where each layer has its own.

    Raises:
        InputError: if these are no rules.
    """
    if isinstance(given, str) and given == "auto":
        return []
    if isinstance(given, str) or callable(given):
        given = [given]
    try:
        rules = [rule_from(rule) if isinstance(rule, str) else rule for rule in given]
    except TypeError:
        rules = []
    if not rules or not all(callable(rule) for rule in rules):
        raise InputError(
            "expected criterion='auto', a rule such as Positive(), Threshold(0.1) or "
            f"'relative(0.1)', or a list of rules, but got {given!r}"
        )
    return rules


def rule_from(text: str) -> Criterion:
    """The rule that describes itself so: "positive", "threshold(0.1)", "relative(0.05)",
    "top(2)".

    Raises:
        InputError: if no rule does.
    """
    found = re.fullmatch(
        r"(positive)|(threshold|relative)\((\d+\.?\d*(?:e[+-]?\d+)?)\)|top\((\d+)\)", text.strip()
    )
    if found is None:
        raise InputError(
            f"expected positive, threshold(0.1), relative(0.05) or top(2), but got {text!r}"
        )
    positive, name, number, k = found.groups()
    if positive:
        return POSITIVE
    if k:
        return TopK(int(k))
    return Threshold(float(number)) if name == "threshold" else Relative(float(number))
