"""Recording with checkpoints: a model over a whole data set into a file, so that a killed run goes
on where its last file ends.
"""

from __future__ import annotations

import importlib
import itertools
import os
import sys
import time
import uuid
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from actilaw.counts.about import as_json_values
from actilaw.counts.census import Census, load
from actilaw.errors import ActilawError, CountsError, FileError, InputError, needs_extra
from actilaw.recording.criteria import Criteria
from actilaw.recording.fingerprint import weights_fingerprint
from actilaw.recording.interruption import Interruption
from actilaw.recording.layers import Layers
from actilaw.recording.masks import Mask
from actilaw.recording.recorder import Recorder
from actilaw.recording.whole_texts import ADVICE, samples_are_texts
from actilaw.support.files import check_writable, remove_stale_parts
from actilaw.support.validation import at_least_zero
from actilaw.support.version import installed_version

OWN_WORDS = ("batches", "entries", "finished", "uncovered", "versions")  # in `about`
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
    about: Mapping[str, Any] | None = None,
    save_every: float = 30.0,
    progress: Progress = lambda batches: None,
) -> Census:
    """Run a frozen model over all batches and write the census to `path`, every `save_every`
    seconds and at the end.

    If `path` already holds a census of an unfinished run of the same model and data, the batches
    that it counted are skipped; the result is, to the last bit, that of a run that was never
    stopped. A run that Ctrl-C, SIGTERM or an error of the model or the data stops writes what it
    has counted first, up to the last whole batch; a note on the error says so.

    Args:
        model: evaluated without gradients, dropout off.
        batches: tensors, tuples whose first item is the input, or mappings of the model's
            arguments; in the same order whenever the run is taken up again.
        path: of the census; always whole, or not there.
        layers: which layers, as for `actilaw.record`.
        criterion: when a unit is activated, as for `actilaw.record`.
        per: what a sample is, as for `actilaw.record`.
        mask: which samples or positions count, as for `actilaw.record`.
        about: JSON values to keep in the file and to compare before going on, the names of model
            and data and the seeds, say; the versions of actilaw and torch are added.
        save_every: seconds between two savings.
        progress: called with the number of batches done.

    Raises:
        CountsError: if there is no batch, or no sample reached a layer.
        InputError: for the same reasons as `actilaw.record`, and if `about` holds what JSON cannot
            or a name that is added.
        FileError: if the file cannot be written, or holds a census of something else.
        SystemExit: with status 143 after SIGTERM, unless the program handles that signal itself.
    """
    path = check_writable(path)
    remove_stale_parts(path)
    at_least_zero("save_every", save_every)
    about = _checked(about or {})
    weights = weights_fingerprint(model)
    before = _earlier(path, about, weights)
    if before is not None and before.about["finished"]:
        return before
    recorder = Recorder(model, layers, criterion=criterion, per=per, mask=mask, resume=before)
    run = _Run(recorder, path, about, weights, before)
    with Interruption() as interruption, _saved_if_stopped(run), _evaluating(model):
        rest = _skipped(batches, before, path)
        with recorder, torch.no_grad():
            for place, batch in enumerate(rest):
                if not place and samples_are_texts(model, batch, per):
                    warnings.warn(ADVICE, stacklevel=2)
                with interruption.step():
                    run.count(model, batch)
                progress(run.batches)
                if time.monotonic() - run.saved_at >= save_every:
                    run.save()
        if not run.batches:
            raise CountsError(
                "expected at least one batch, but the loader is empty: check what it reads"
            )
        return run.finish()


class _Run:
    """A recording, and how far it has got.

    Attributes:
        batches, entries: counted so far, in whole batches.
        in_batch: whether a batch was begun and not finished.
        saved_at: when the census was written last, in seconds of the monotonic clock.
    """

    def __init__(
        self,
        recorder: Recorder,
        path: Path,
        about: Mapping[str, Any],
        weights: str,
        before: Census | None,
    ) -> None:
        self._recorder, self._path, self._weights = recorder, path, weights
        self._about = {**about, "versions": _versions()}
        self._recordings = (before.recordings if before else ()) or (uuid.uuid4().hex,)
        self.batches = before.about["batches"] if before else 0
        self.entries = before.about["entries"] if before else 0
        self.batches_saved = self.batches
        self.in_batch = False
        self.saved_at = time.monotonic()

    def count(self, model: nn.Module, batch: Any) -> None:
        self.in_batch = True
        _call(model, batch)
        self.batches, self.entries = self.batches + 1, self.entries + _entries(batch)
        self.in_batch = False

    def save(self) -> None:
        """Write what was counted, if anything was; layers may still wait for their first sample."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="no sample passed through")
            try:
                census = self._census(finished=False)
            except CountsError:  # no sample has reached any layer yet
                return
        if self.in_batch and any(counts.entries != self.entries for counts in census.values()):
            return  # the batch that was cut short is counted in some layers and not in others
        census.save(self._path)
        self.batches_saved, self.saved_at = self.batches, time.monotonic()

    def finish(self) -> Census:
        """The census of all batches, which is written too."""
        census = self._census(finished=True, uncovered=self._recorder.uncovered)
        census.save(self._path)
        self.batches_saved = self.batches
        return census

    def saved(self) -> str:
        """In a sentence, what the file holds."""
        if not self.batches_saved:
            return "nothing was counted that could be saved"
        return (
            f"the counts of {self.batches_saved:,} batches are saved in {self._path}; the same "
            "command goes on from there"
        )

    def _census(self, finished: bool, **more: Any) -> Census:
        progress = {"batches": self.batches, "entries": self.entries, "finished": finished}
        return replace(
            self._recorder.census(),
            about={**self._about, **progress, **more},
            recordings=self._recordings,
            weights=self._weights,
        )


@contextmanager
def _saved_if_stopped(run: _Run) -> Iterator[None]:
    """Write what was counted before an error or a signal leaves the block, and note that on it."""
    try:
        yield
    except BaseException as error:
        try:
            if run.batches > run.batches_saved:
                run.save()
        except ActilawError as failure:
            error.add_note(f"what was counted could not be saved: {failure}")
        error.add_note(run.saved())
        raise


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode inside the block; every module's own mode comes back after it."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training


def _checked(about: Mapping[str, Any]) -> dict[str, Any]:
    about = as_json_values(about)
    taken = [name for name in OWN_WORDS if name in about]
    if taken:
        raise InputError(
            f"expected names in `about` other than {', '.join(OWN_WORDS)}, which are added, but "
            f"got {', '.join(taken)}: rename them"
        )
    return about


def _versions() -> dict[str, str]:
    return {"actilaw": installed_version(), "torch": str(torch.__version__)}


def imported(name: str) -> Any:
    """What the function `package.module:function` returns; modules of the working directory are
    found.

    Raises:
        InputError: if the name is of no function.
    """
    module_name, _, attribute = name.partition(":")
    if not attribute or not module_name or module_name.startswith("."):
        raise InputError(
            f"expected package.module:function, but got {name!r}: name the function that makes it"
        )
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        function = getattr(importlib.import_module(module_name), attribute)
    except Exception as error:  # whatever the module does while it is imported
        raise InputError(
            f"expected {name!r} to name a function, but {_told(error)}: check the spelling"
        ) from error
    if not callable(function):
        raise InputError(
            f"expected {name!r} to name a function, but it is {type(function).__name__}: name a "
            "function without arguments that returns it"
        )
    try:
        return function()
    except Exception as error:  # whatever the user's function does
        raise InputError(
            f"expected {name!r} to be callable without arguments, but it raised {_told(error)}"
        ) from error


def _told(error: BaseException) -> str:
    """An error's class and message."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def language_model(
    name: str, text: str | os.PathLike[str], length: int, batch: int
) -> tuple[nn.Module, _Sequences]:
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
    except Exception as error:  # of whatever library reads the files
        reason = _told(error).splitlines()[0]
        raise InputError(
            f"expected a model of Transformers at {name!r}, but {reason}: check the name"
        ) from error
    tokens = torch.tensor(tokenizer(words, verbose=False)["input_ids"])
    length = min(length, getattr(model.config, "max_position_embeddings", None) or length)
    return model, _Sequences(tokens, length, batch)


@dataclass(frozen=True, eq=False)
class _Sequences:
    """A text as batches of token sequences, of which it is known how many there are.

    Attributes:
        tokens: of the whole text; (n_tokens,).
        length: tokens per sequence; what is left at the end is a shorter one, in its own batch.
        batch: sequences per batch.
    """

    tokens: Tensor
    length: int
    batch: int

    def __len__(self) -> int:
        rows, rest = divmod(len(self.tokens), self.length)
        return -(-rows // self.batch) + bool(rest)

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        whole = len(self.tokens) // self.length * self.length
        parts = self.tokens[:whole].view(-1, self.length).split(self.batch) if whole else ()
        rest = (self.tokens[None, whole:],) if whole < len(self.tokens) else ()
        for rows in (*parts, *rest):
            yield {"input_ids": rows, "attention_mask": torch.ones_like(rows)}


def _earlier(path: Path, about: Mapping[str, Any], weights: str) -> Census | None:
    """The census that an earlier run of the same model and data left at `path`."""
    if not path.exists():
        return None
    census = load(path)
    if census.weights is None and "weights" in census.about:
        raise FileError(
            f"{path} holds a census of an earlier version, whose checksum of the weights cannot be "
            "compared: name another file, or remove this one"
        )
    other = [name for name in about if census.about.get(name) != about[name]]
    other += ["weights"] if census.weights != weights else []
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


def _skipped(batches: Iterable[Any], before: Census | None, path: Path) -> Iterator[Any]:
    """The batches that are left, once those that were counted before are skipped."""
    try:
        rest = iter(batches)
    except TypeError:
        raise InputError(
            f"expected an iterable of batches, but got {type(batches).__name__}"
        ) from None
    if before is None:
        return rest
    done, counted = before.about["batches"], before.about["entries"]
    found = sum(_entries(batch) for batch in itertools.islice(rest, done))
    if found != counted:
        raise FileError(
            f"{path} holds the counts of {done} batches with {counted} entries, but the first "
            f"{done} batches now have {found}: go on with the same data, or remove the file"
        )
    return rest


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
    elif isinstance(batch, tuple | list) and not batch:
        raise InputError("expected batches whose first item is the input, but got an empty one")
    else:
        model(batch[0] if isinstance(batch, tuple | list) else batch)
