"""What is remembered of a recording: words by name that JSON can hold, so that a file keeps them as
they are.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import numpy as np

from actilaw.errors import InputError

DEEPEST = 50  # levels of mappings and lists within each other


def as_json_values(about: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of `about` in values that JSON holds: numbers of NumPy become Python's, paths text,
    tuples lists.

    Raises:
        InputError: if a key is no string, or a value is nothing that JSON holds; with the key.
    """
    if not isinstance(about, Mapping):
        raise InputError(
            f"expected `about` as a mapping from names to JSON values, but got {about!r}"
        )
    plain = _mapping("about", about, depth=1)
    try:
        json.dumps(plain)
    except ValueError as error:  # a number of more digits than Python writes
        raise InputError(f"expected JSON values in `about`, but {error}") from None
    return plain


def require_text(what: str, text: object) -> None:
    """Raise InputError unless this is a string that can be written as UTF-8."""
    if not isinstance(text, str):
        raise InputError(f"expected {what} as a string, but got {text!r}")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InputError(
            f"expected {what} as text that UTF-8 can hold, but {text!r} has half of a surrogate "
            "pair: leave that character out"
        ) from None


def _mapping(where: str, values: Mapping[Any, Any], depth: int) -> dict[str, Any]:
    plain = {}
    for key, value in values.items():
        require_text(f"the keys of `{where}`", key)
        plain[str(key)] = _plain(f"{where}[{key!r}]", value, depth)
    return plain


def _plain(where: str, value: Any, depth: int) -> Any:
    if depth > DEEPEST:
        raise InputError(f"expected at most {DEEPEST} levels in `about`, but {where} goes deeper")
    if isinstance(value, np.bool_ | np.integer | np.floating):
        value = value.item()
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, PurePath):
        value = str(value)
    if isinstance(value, str):
        require_text(f"`{where}`", value)
        return str(value)
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, Mapping):
        return _mapping(where, value, depth + 1)
    if isinstance(value, list | tuple):
        return [_plain(f"{where}[{i}]", item, depth + 1) for i, item in enumerate(value)]
    raise InputError(
        f"expected a JSON value (text, a finite number, true or false, None, lists and mappings of "
        f"these) as {where}, but got {_shortly(value)}: write it as text"
    )


def _shortly(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
