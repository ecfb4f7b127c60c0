"""Recording a model over a whole data set into a file, so that a killed run goes on where its last file ends."""

from __future__ import annotations

import importlib
import itertools
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from actilaw.census import Census, load
from actilaw.errors import CountsError, FileError, InputError, needs_extra
from actilaw.files import check_writable
from actilaw.record.recorder import Mask, Recorder
from actilaw.record.sites import Active, Layers

Progress = Callable[[int], None]


def record_to_file(
    model: nn.Module,
    batches: Iterable[Any],
    path: str | os.PathLike[str],
    *,
    layers: Layers = "auto",
    active: Active = "auto",
    unit: str = "sample",
    mask: Mask | None = None,
    about: Mapping[str, str] | None = None,
    save_every: float = 30.0,
    progress: Progress = lambda batches: None,
) -> Census:
    """Run a frozen model over all batches and write the census to `path`, every `save_every` seconds and at the end.

    If `path` already holds a census of an unfinished run of the same model and data, the batches that it counted are
    skipped; the result is, to the last bit, that of a run that was never stopped.

    Args:
        model: evaluated without gradients, dropout off.
        batches: tensors, tuples whose first item is the input, or mappings of the model's arguments; in the same
            order whenever the run is taken up again.
        path: of the census; always whole, or not there.
        about: words to keep in the file and to compare before going on, the names of model and data say.
        progress: called with the number of batches done.

    Raises:
        CountsError: if there is no batch.
        FileError: if the file cannot be written, or holds a census of something else.
    """
    check_writable(path)
    about = dict(about or {})
    before = _unfinished(path, about)
    if before is not None and before.about["finished"]:
        return before
    done = 0 if before is None else int(before.about["batches"])
    recorder = Recorder(model, layers, active, unit, mask, resume=before)
    model.eval()
    saved = time.monotonic()
    with recorder, torch.no_grad():
        for batch in itertools.islice(batches, done, None):
            _call(model, batch)
            done += 1
            progress(done)
            if time.monotonic() - saved >= save_every:
                _with(recorder.census(), about, batches=done, finished=False).save(path)
                saved = time.monotonic()
    if not done:
        raise CountsError("expected at least one batch, but the loader is empty: check what it reads")
    census = _with(recorder.census(), about, batches=done, finished=True, uncovered=recorder.uncovered)
    census.save(path)
    return census


def imported(name: str) -> Any:
    """What the function `package.module:function` returns; modules of the working directory are found."""
    module_name, _, attribute = name.partition(":")
    if not attribute:
        raise InputError(f"expected package.module:function, but got {name!r}: name the function that makes it")
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        function = getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError) as error:
        raise InputError(f"expected {name!r} to name a function, but {error}: check the spelling") from error
    return function()


def language_model(name: str, text: str | os.PathLike[str], length: int, batch: int) -> tuple[nn.Module, Iterator[Any]]:
    """A causal language model of Transformers, and the text cut into batches of token sequences for it.

    Args:
        name: folder or identifier of the model and its tokenizer.
        text: path of a UTF-8 file.
        length: tokens per sequence; what is left at the end is a shorter one.
        batch: sequences per batch.
    """
    with needs_extra("transformers"):
        from transformers import AutoModelForCausalLM, AutoTokenizer
    try:
        words = Path(text).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(f"expected a UTF-8 text file, but {text} cannot be read as one ({error})") from error
    try:
        model, tokenizer = AutoModelForCausalLM.from_pretrained(name), AutoTokenizer.from_pretrained(name)
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"expected a model of Transformers at {name!r}, but {reason}: check the name") from error
    tokens = torch.tensor(tokenizer(words, verbose=False)["input_ids"])
    return model, _sequences(tokens, length, batch)


def _sequences(tokens: Tensor, length: int, batch: int) -> Iterator[dict[str, Tensor]]:
    whole = len(tokens) // length * length
    for rows in tokens[:whole].view(-1, length).split(batch) if whole else ():
        yield {"input_ids": rows, "attention_mask": torch.ones_like(rows)}
    if whole < len(tokens):
        rest = tokens[None, whole:]
        yield {"input_ids": rest, "attention_mask": torch.ones_like(rest)}


def _unfinished(path: str | os.PathLike[str], about: Mapping[str, str]) -> Census | None:
    """The census at `path`, if it is one of the same model and data."""
    if not Path(path).exists():
        return None
    census = load(path)
    other = {name: census.about.get(name) for name in about if census.about.get(name) != about[name]}
    if other or not {"batches", "finished"} <= set(census.about):
        raise FileError(
            f"{path} already holds a census of something else ({other or 'not of a run over batches'}, not "
            f"{about}): name another file, or remove this one"
        )
    return census


def _with(census: Census, about: Mapping[str, str], **progress: Any) -> Census:
    return replace(census, about={**about, **progress})


def _call(model: nn.Module, batch: Any) -> None:
    if isinstance(batch, Mapping):
        model(**batch)
    else:
        model(batch[0] if isinstance(batch, tuple | list) else batch)
