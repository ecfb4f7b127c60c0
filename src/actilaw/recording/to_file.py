"""Recording with checkpoints: a model over a whole data set into a file, so that a killed run goes
on where its last file ends.
"""

from __future__ import annotations

import importlib
import itertools
import os
import sys
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from actilaw.counts.census import Census, load
from actilaw.errors import CountsError, FileError, InputError, needs_extra
from actilaw.recording.criteria import Criteria
from actilaw.recording.layers import Layers
from actilaw.recording.masks import Mask
from actilaw.recording.recorder import Recorder
from actilaw.support.files import check_writable

Progress = Callable[[int], None]


def record_to_file(
    model: nn.Module,
    batches: Iterable[Any],
    path: str | os.PathLike[str],
    *,
    layers: Layers = "auto",
    criterion: Criteria = "auto",
    per: str = "sample",
    mask: Mask | None = None,
    about: Mapping[str, str] | None = None,
    save_every: float = 30.0,
    progress: Progress = lambda batches: None,
) -> Census:
    """Run a frozen model over all batches and write the census to `path`, every `save_every`
    seconds and at the end.

    If `path` already holds a census of an unfinished run of the same model and data, the batches
    that it counted are skipped; the result is, to the last bit, that of a run that was never
    stopped.

    Args:
        model: evaluated without gradients, dropout off.
        batches: tensors, tuples whose first item is the input, or mappings of the model's
            arguments; in the same order whenever the run is taken up again.
        path: of the census; always whole, or not there.
        layers: which layers, as for `actilaw.record`.
        criterion: when a unit is activated, as for `actilaw.record`.
        per: what a sample is, as for `actilaw.record`.
        mask: which samples or positions count, as for `actilaw.record`.
        about: words to keep in the file and to compare before going on, the names of model and data
            say; a fingerprint of the weights is added.
        save_every: seconds between two savings.
        progress: called with the number of batches done.

    Raises:
        CountsError: if there is no batch.
        InputError: for the same reasons as `actilaw.record`.
        FileError: if the file cannot be written, or holds a census of something else.
    """
    check_writable(path)
    about = {**(about or {}), "weights": _fingerprint(model)}
    before = _earlier(path, about)
    if before is not None and before.about["finished"]:
        return before
    recorder = Recorder(model, layers, criterion=criterion, per=per, mask=mask, resume=before)
    rest, done, entries = _skipped(batches, before, path)

    def counted_so_far(finished: bool, **more: Any) -> Census:
        progress_made = {"batches": done, "entries": entries, "finished": finished}
        return replace(recorder.census(), about={**about, **progress_made, **more})

    model.eval()
    saved = time.monotonic()
    with recorder, torch.no_grad():
        for batch in rest:
            _call(model, batch)
            done, entries = done + 1, entries + _entries(batch)
            progress(done)
            if time.monotonic() - saved >= save_every:
                counted_so_far(finished=False).save(path)
                saved = time.monotonic()
    if not done:
        raise CountsError(
            "expected at least one batch, but the loader is empty: check what it reads"
        )
    census = counted_so_far(finished=True, uncovered=recorder.uncovered)
    census.save(path)
    return census


def imported(name: str) -> Any:
    """What the function `package.module:function` returns; modules of the working directory are
    found.

    Raises:
        InputError: if the name is of no function.
    """
    module_name, _, attribute = name.partition(":")
    if not attribute:
        raise InputError(
            f"expected package.module:function, but got {name!r}: name the function that makes it"
        )
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        function = getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError) as error:
        raise InputError(
            f"expected {name!r} to name a function, but {error}: check the spelling"
        ) from error
    return function()


def language_model(
    name: str, text: str | os.PathLike[str], length: int, batch: int
) -> tuple[nn.Module, Iterator[Any]]:
    """A causal language model of Transformers, and the text cut into batches of token sequences for
    it.

    Args:
        name: folder or identifier of the model and its tokenizer.
        text: path of a UTF-8 file.
        length: tokens per sequence, at most what the model takes; what is left at the end is a
            shorter one.
        batch: sequences per batch.

    Raises:
        FileError: if the text cannot be read.
        InputError: if there is no such model.
        MissingExtraError: if Transformers is not installed.
    """
    with needs_extra("transformers"):
        from transformers import AutoModelForCausalLM, AutoTokenizer
    try:
        words = Path(text).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(
            f"expected a UTF-8 text file, but {text} cannot be read as one ({error})"
        ) from error
    try:
        model = AutoModelForCausalLM.from_pretrained(name)
        tokenizer = AutoTokenizer.from_pretrained(name)
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"expected a model of Transformers at {name!r}, but {reason}: check the name"
        ) from error
    tokens = torch.tensor(tokenizer(words, verbose=False)["input_ids"])
    length = min(length, getattr(model.config, "max_position_embeddings", None) or length)
    return model, _sequences(tokens, length, batch)


def _sequences(tokens: Tensor, length: int, batch: int) -> Iterator[dict[str, Tensor]]:
    whole = len(tokens) // length * length
    for rows in tokens[:whole].view(-1, length).split(batch) if whole else ():
        yield {"input_ids": rows, "attention_mask": torch.ones_like(rows)}
    if whole < len(tokens):
        rest = tokens[None, whole:]
        yield {"input_ids": rest, "attention_mask": torch.ones_like(rest)}


def _earlier(path: str | os.PathLike[str], about: Mapping[str, str]) -> Census | None:
    """The census that an earlier run of the same model and data left at `path`."""
    if not Path(path).exists():
        return None
    census = load(path)
    other = [name for name in about if census.about.get(name) != about[name]]
    counts = (census.about.get("batches"), census.about.get("entries"))
    if (
        other
        or not all(type(number) is int and number >= 0 for number in counts)
        or "finished" not in census.about
    ):
        raise FileError(
            f"{path} already holds a census of something else (of other "
            f"{', '.join(other) or 'origin'}): name another file, or remove this one"
        )
    return census


def _skipped(
    batches: Iterable[Any], before: Census | None, path: Any
) -> tuple[Iterator[Any], int, int]:
    """The batches that are left, and how many batches and entries were counted before."""
    try:
        rest = iter(batches)
    except TypeError:
        raise InputError(
            f"expected an iterable of batches, but got {type(batches).__name__}"
        ) from None
    if before is None:
        return rest, 0, 0
    done, counted = int(before.about["batches"]), int(before.about["entries"])
    found = sum(_entries(batch) for batch in itertools.islice(rest, done))
    if found != counted:
        raise FileError(
            f"{path} holds the counts of {done} batches with {counted} entries, but the first "
            f"{done} batches now have {found}: go on with the same data, or remove the file"
        )
    return rest, done, counted


def _fingerprint(model: nn.Module) -> str:
    """A checksum of all weights: a run goes on with the network it began with."""
    checksum = 0
    for parameter in model.parameters():
        checksum = zlib.crc32(
            parameter.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data, checksum
        )
    return f"{checksum:08x}"


def _entries(batch: Any) -> int:
    """Size of the first axis of a batch."""
    if isinstance(batch, Mapping):
        values = batch.values()
    else:
        values = batch if isinstance(batch, tuple | list) else (batch,)
    return next((len(value) for value in values if isinstance(value, Tensor) and value.ndim), 0)


def _call(model: nn.Module, batch: Any) -> None:
    if isinstance(batch, Mapping):
        model(**batch)
    else:
        model(batch[0] if isinstance(batch, tuple | list) else batch)
