"""The file of a census: arrays in the safetensors format, a JSON header, and a SHA-256 checksum of
every byte.

Nothing in a file is ever executed, so files of strangers are safe to load. Bytes that are not as
they were written are noticed, whichever they are.

The header is the text "actilaw" in the metadata of safetensors. Since format 3 it begins with the
checksum, which therefore lies at a fixed place: the SHA-256 of the whole file in which its own 64
hexadecimal digits are zeros. What fed the layers may be missing from it: it came later.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, deserialize
from safetensors.numpy import save as to_safetensors

from actilaw.counts.activation_counts import ActivationCounts
from actilaw.counts.blocks import Blocks
from actilaw.counts.feeders import Feeders
from actilaw.errors import FileError
from actilaw.support.version import installed_version

FORMAT = 3
SCALARS = ("samples", "per", "criterion", "nonfinite", "regime", "entries", "active_squares")
# Names that format 1 had for what it kept of a layer, and of a run of `actilaw record`.
RENAMED_LAYER = {"unit": "per"}
RENAMED_ABOUT = {"unit": "per", "active": "criterion"}
TYPES = {
    **{f"I{bits}": np.dtype(f"<i{bits // 8}") for bits in (8, 16, 32, 64)},
    **{f"U{bits}": np.dtype(f"<u{bits // 8}") for bits in (8, 16, 32, 64)},
}
ZEROS = b"0" * 64
LONGEST_HEADER = 2**40  # bytes; what text, or another format, would state is longer
# A file begins with the length of the safetensors header, then this, then the checksum.
LENGTH = 8
OPENING = rb'{"__metadata__":{"actilaw":"{\"checksum\": \"'
DIGITS = slice(LENGTH + len(OPENING), LENGTH + len(OPENING) + len(ZEROS))


@dataclass(frozen=True, eq=False)
class CensusParts:
    """What a file of a census holds; see the attributes of `Census`."""

    layers: Mapping[str, ActivationCounts]
    about: Mapping[str, Any]
    recordings: tuple[str, ...]
    weights: str | None
    feeders: Feeders


def encoded(parts: CensusParts) -> bytes:
    """The bytes of the file."""
    header = {
        "checksum": ZEROS.decode(),
        "format": FORMAT,
        "version": installed_version(),
        "recordings": parts.recordings,
        "weights": parts.weights,
        "feeders": parts.feeders,
        "about": parts.about,
        "layers": {name: _words(counts) for name, counts in parts.layers.items()},
    }
    arrays = {
        f"{name}/{part}": array
        for name, counts in parts.layers.items()
        for part, array in _arrays(counts).items()
    }
    content = to_safetensors(arrays, metadata={"actilaw": json.dumps(header)})
    assert _digits_of(content) == ZEROS, "safetensors writes its metadata first"
    return b"".join((content[: DIGITS.start], _checksum(content), content[DIGITS.stop :]))


def decoded(content: bytes, path: str | os.PathLike[str]) -> CensusParts:
    """What the bytes of a file hold, in this or an earlier format.

    Raises:
        FileError: if they are no census, or not as they were written.
    """
    try:
        header = _header(content)
        if _format(header) > FORMAT:
            raise FileError(
                f"{path} has format {header['format']}, this version reads 1 to {FORMAT}: update "
                "actilaw"
            )
        _require_checksum(content, header, path)
        layers, about = _in_names_of_today(header)
        arrays = {name: _array(entry) for name, entry in deserialize(content)}
        return CensusParts(
            {name: _layer(name, words, arrays) for name, words in layers.items()},
            about,
            tuple(header.get("recordings", ())),
            header.get("weights"),
            header.get("feeders", {}),
        )
    except FileError:
        raise
    except (
        SafetensorError,
        ArithmeticError,
        AttributeError,
        LookupError,
        MemoryError,
        RecursionError,
        TypeError,
        ValueError,
    ) as error:
        raise not_a_census(path, error) from error


def not_a_census(path: str | os.PathLike[str], error: Exception) -> FileError:
    """The error of a file that cannot be understood."""
    reason = f"{type(error).__name__}: {error}" if isinstance(error, LookupError) else str(error)
    return FileError(
        f"expected a census, but {path} is not one or is damaged ({reason}): record it again"
    )


def read(path: str | os.PathLike[str]) -> bytes:
    """All bytes of a file.

    Raises:
        FileError: if there is no such file, or it cannot be read.
    """
    try:
        if Path(path).is_file():
            return Path(path).read_bytes()
    except (OSError, TypeError, ValueError) as error:  # no path, one too long, or a zero byte in it
        raise not_a_census(path, error) from error
    if Path(path).is_dir():
        raise FileError(f"expected a census file, but {path} is a folder: name a file in it")
    raise FileError(
        f"expected a census file, but there is no file {path}: write one with census.save(path)"
    )


def _header(content: bytes) -> dict[str, Any]:
    """The JSON header that stands in the metadata of safetensors."""
    length = int.from_bytes(content[:LENGTH], "little")
    if length > LONGEST_HEADER:
        raise ValueError("it does not begin as one")
    if len(content) < LENGTH or length > len(content) - LENGTH:
        raise ValueError("it is cut short")
    outer = _json(content[LENGTH : LENGTH + length].decode())
    if set(outer["__metadata__"]) != {"actilaw"}:
        raise ValueError("its metadata are not those of a census")
    header = _json(outer["__metadata__"]["actilaw"])
    if not isinstance(header, dict):
        raise TypeError("its header is no mapping")
    return header


def _json(text: str) -> Any:
    return json.loads(text, object_pairs_hook=_without_repeats)


def _without_repeats(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    pairs = list(pairs)
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("a name stands twice in its header")
    return values


def _format(header: Mapping[str, Any]) -> int:
    number = header["format"]
    if type(number) is not int or number < 1:
        raise ValueError(f"its format is {number!r}")
    return number


def _digits_of(content: bytes) -> bytes | None:
    """The checksum that a file states, or None if it states none."""
    if content[LENGTH : DIGITS.start] != OPENING:
        return None
    return content[DIGITS]


def _checksum(content: bytes) -> bytes:
    """SHA-256 of all bytes, with zeros in the place of the checksum itself."""
    digest = hashlib.sha256(content[: DIGITS.start])
    digest.update(ZEROS)
    digest.update(memoryview(content)[DIGITS.stop :])
    return digest.hexdigest().encode()


def _require_checksum(
    content: bytes, header: Mapping[str, Any], path: str | os.PathLike[str]
) -> None:
    """Raise FileError unless the bytes are as they were written; formats 1 and 2 have no
    checksum.
    """
    stated = _digits_of(content)
    if stated is None and header["format"] < 3 and "checksum" not in header:
        return
    if stated != _checksum(content):
        raise FileError(
            f"expected a census as it was written, but bytes of {path} have changed since (its "
            "checksum does not fit): take another copy, or record it again"
        )


def _in_names_of_today(header: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The words about each layer, and about the recording, under the names they have today."""
    layers, about = header["layers"], header["about"]
    if header["format"] < 3:
        about = {name: _without_nonfinite(value) for name, value in about.items()}
    if header["format"] > 1:
        return layers, about
    layers = {name: _renamed(words, RENAMED_LAYER) for name, words in layers.items()}
    if "finished" in about:  # written by `actilaw record`, which compares it before it goes on
        about = _renamed(about, RENAMED_ABOUT)
    return layers, about


def _without_nonfinite(value: Any) -> Any:
    """NaN and infinities, which formats 1 and 2 let pass, as None."""
    if isinstance(value, dict):
        return {name: _without_nonfinite(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_without_nonfinite(item) for item in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _renamed(words: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {names.get(name, name): value for name, value in words.items()}


def _words(counts: ActivationCounts) -> dict[str, Any]:
    """The single numbers and words of a layer."""
    return {name: getattr(counts, name) for name in SCALARS} | {
        "block_size": None if counts.blocks is None else counts.blocks.size
    }


def _arrays(counts: ActivationCounts) -> dict[str, NDArray[np.int64]]:
    """The arrays of a layer, by the names they have in a file."""
    arrays = {"counts": counts.counts}
    if counts.first is not None:
        arrays["first"] = counts.first
    if counts.blocks is not None:
        arrays |= {"block_counts": counts.blocks.counts, "block_samples": counts.blocks.samples}
    return {name: np.ascontiguousarray(array) for name, array in arrays.items()}


def _array(entry: Mapping[str, Any]) -> NDArray[Any]:
    """A whole-number array as safetensors describes it."""
    return np.frombuffer(entry["data"], TYPES[entry["dtype"]]).reshape(entry["shape"])


def _layer(
    name: str, words: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]
) -> ActivationCounts:
    blocks = None
    if words["block_size"] is not None:
        blocks = Blocks(
            arrays[f"{name}/block_counts"], arrays[f"{name}/block_samples"], words["block_size"]
        )
    return ActivationCounts(
        arrays[f"{name}/counts"],
        first=arrays.get(f"{name}/first"),
        blocks=blocks,
        **{key: words[key] for key in SCALARS},
    )
