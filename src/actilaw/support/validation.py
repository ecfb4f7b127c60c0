"""Validation of numeric arguments: a check returns its argument as an array, or raises InputError.

A message says what was expected and what came.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from actilaw.errors import InputError
from actilaw.support.arrays import Floats, Ints

T = TypeVar("T", bound=np.generic)
LARGEST_WHOLE = 2**63 - 1  # whole numbers are int64


def positive(name: str, value: float, why: str) -> None:
    """Raise InputError unless 0 < value < infinity."""
    if not 0 < value < math.inf:
        raise InputError(f"expected a finite {name} > 0, but {name}={value:g}: {why}")


def at_least_zero(name: str, value: ArrayLike) -> Floats:
    """`value` as floats; fractions are welcome, since curves are drawn through them."""
    array = np.asarray(value, float)
    if not np.all((array >= 0) & (array < np.inf)):
        bad = array[~((array >= 0) & (array < np.inf))].flat[0]
        raise InputError(f"expected finite {name} >= 0, but got {bad:g}")
    return array


def whole(name: str, value: ArrayLike, *, least: int = 0) -> Ints:
    """`value` as int64, without rounding anything."""
    try:
        array = np.asarray(value)
    except ValueError:  # lists of several lengths
        raise InputError(
            f"expected whole {name} in {least}..{LARGEST_WHOLE}, but got {value!r}"
        ) from None
    # A Python integer from 2⁶⁴ on is an object to NumPy.
    if array.dtype.kind not in "iuf":
        raise InputError(f"expected whole {name} in {least}..{LARGEST_WHOLE}, but got {value!r}")
    # 2⁶³ − 1 itself has no float, so floats are compared with 2⁶³.
    small_enough = array < 2.0**63 if array.dtype.kind == "f" else array <= LARGEST_WHOLE
    fits = (array >= least) & small_enough & (array == np.floor(array))
    if not np.all(fits):
        raise InputError(
            f"expected whole {name} in {least}..{LARGEST_WHOLE}, but got {array[~fits].flat[0]}"
        )
    return array.astype(np.int64)


def at_most_samples(name: str, count: Floats | Ints, samples: Floats | Ints) -> None:
    """Raise InputError unless no count exceeds its number of samples; arrays broadcast."""
    count, samples = np.broadcast_arrays(count, samples)
    above = count > samples
    if np.any(above):
        raise InputError(
            f"expected {name} of at most the samples, but {name}={count[above].flat[0]:g} exceeds "
            f"samples={samples[above].flat[0]:g}"
        )


def one_whole(name: str, value: ArrayLike, *, least: int = 0) -> int:
    """A single whole number as int."""
    array = whole(name, value, least=least)
    if array.ndim:
        raise InputError(f"expected one number for {name}, but got an array of shape {array.shape}")
    return int(array)


def positive_array(name: str, value: ArrayLike) -> Floats:
    """`value` as floats, positive and finite, of any shape."""
    array = np.asarray(value, float)
    bad = array[~(np.isfinite(array) & (array > 0))]
    if bad.size:
        raise InputError(
            f"expected positive, finite {name}, but {bad.size} of {array.size} are not ({bad[0]})"
        )
    return array


def fraction(name: str, value: ArrayLike) -> Floats:
    """`value` as floats strictly between 0 and 1."""
    array = _floats(name, value, f"{name} as a fraction in (0, 1)")
    if not np.all((array > 0) & (array < 1)):
        bad = array[~((array > 0) & (array < 1))].flat[0]
        raise InputError(
            f"expected {name} as a fraction in (0, 1), but got {bad:g}: 0.95 means 95 %"
        )
    return array


def one_fraction(name: str, value: ArrayLike) -> float:
    """A single number strictly between 0 and 1."""
    array = fraction(name, value)
    if array.ndim:
        raise InputError(
            f"expected one number for {name}, but got an array of shape {array.shape}: ask for one "
            "at a time"
        )
    return float(array)


def one_or_more(name: str, array: NDArray[T]) -> NDArray[T]:
    """`array` as (n,) with at least one entry, from a scalar or (n,)."""
    grid = np.atleast_1d(array)
    if grid.ndim != 1:
        raise InputError(f"expected {name} as one number or (n,), but got shape {grid.shape}")
    if grid.size == 0:
        raise InputError(f"expected at least one number of {name}, but got an empty list")
    return grid


def _floats(name: str, value: ArrayLike, expected: str) -> Floats:
    """`value` as floats, if it holds real numbers alone."""
    try:
        array = np.asarray(value)
    except ValueError:  # lists of several lengths
        raise InputError(f"expected {expected}, but got {value!r}") from None
    if array.dtype.kind not in "iuf":
        raise InputError(f"expected {expected}, but got {value!r}: give plain numbers for {name}")
    return array.astype(float)


def increasing(name: str, value: ArrayLike) -> Ints:
    """A grid (n,) of whole numbers that never decrease; a single number is a grid of one."""
    array = np.atleast_1d(whole(name, value))
    if array.ndim != 1 or np.any(np.diff(array) < 0):
        raise InputError(
            f"expected {name} as an increasing grid (n,), but it has shape {array.shape} or "
            "decreases"
        )
    return array


def samples_from(given: Any, counted: float, name: str = "samples") -> Floats | Ints:
    """Numbers of samples from numbers, or from words such as "10x": multiples of those counted.

    Args:
        given: a number, a word ("10x", "1.5x", "5000"), several words in one ("5000,10x"), or an
            array or list of numbers and words.
        counted: D, what "1x" stands for, in samples. Multiples of a whole D are rounded to whole
            numbers.
        name: of the argument, in messages.

    Returns:
        Numbers of the shape given: a scalar for one number or word, (n,) for several.

    Raises:
        InputError: if something in it is neither a number nor such a word.
    """
    if isinstance(given, str) and "," not in given:
        return _as_numbers([_number_from(name, given, counted)])[0]
    if isinstance(given, str):
        given = given.split(",")
    if not _holds_words(given):
        array = _array_of(name, given)
        if array.dtype.kind in "iuf" or not array.size:
            return array
        raise _neither_number_nor_multiple(name, given)
    return _as_numbers([_number_from(name, item, counted) for item in given])


def _holds_words(given: Any) -> bool:
    return isinstance(given, Iterable) and any(isinstance(item, str) for item in given)


def _array_of(name: str, given: Any) -> Any:
    try:
        return np.asarray(given)
    except (TypeError, ValueError):  # lists within a list, of several lengths
        raise _neither_number_nor_multiple(name, given) from None


def _number_from(name: str, given: Any, counted: float) -> float:
    """One number, from a number or a word."""
    if isinstance(given, str):
        text = given.strip().lower()
        factor = _number_in(text.removesuffix("x"))
        if factor is not None and text.endswith("x"):
            return _multiple(factor, counted)
        if factor is not None:
            return factor
    elif isinstance(given, int | float | np.integer | np.floating) and not isinstance(given, bool):
        return given.item() if isinstance(given, np.generic) else given
    raise _neither_number_nor_multiple(name, given)


def _number_in(text: str) -> float | None:
    """The finite number that a text holds, or None."""
    try:
        return int(text) if text.isdecimal() and len(text) < 20 else _finite(float(text))
    except ValueError:
        return None


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None


def _multiple(factor: float, counted: float) -> float:
    """`factor` times those counted; exact and rounded where these are whole."""
    if isinstance(counted, int | np.integer):
        return round(Fraction(factor) * int(counted))
    return factor * counted


def _as_numbers(numbers: list[float]) -> Any:
    """An array (n,): whole numbers where all of them are, and fit."""
    whole_numbers = all(isinstance(x, int) and abs(x) <= LARGEST_WHOLE for x in numbers)
    return np.array(numbers, dtype=np.int64 if whole_numbers else float)


def _neither_number_nor_multiple(name: str, given: Any) -> InputError:
    return InputError(
        f"expected {name} as numbers, or as multiples of those counted such as '10x', but got "
        f"{given!r}"
    )
