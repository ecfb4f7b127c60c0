"""Recording a Ray Dataset by several processes of a cluster: together they count, to the last bit,
what one process counts that sees the same rows in the same order.

The rows are cut into parts, each of which knows the number of its first row. A process counts a
part by itself, from that number on, and the censuses of all parts are merged: counts are sums, and
the first activation of a unit is the earliest, so that it does not matter who counted what, or
when. If a process or its node dies, Ray starts another and gives it the part again; a part is
merged once, when its one result arrives.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import torch
from numpy.typing import NDArray
from torch import nn

from actilaw.counts.census import Census
from actilaw.errors import ActilawError, CountsError, InputError, needs_extra
from actilaw.recording.criteria import Criteria
from actilaw.recording.layers import Layers
from actilaw.recording.recorder import Recorder
from actilaw.support.validation import one_whole

if TYPE_CHECKING:
    from ray.data import Dataset

PARTS_OF_AN_ACTOR = 4  # at least, so that none waits long for another at the end
RESTARTS = 10  # of a process, and of a part; one that dies more often would do so for ever
Part = tuple[Any, int, int, int]  # a reference to rows; first and (excluded) last; number of first


def record_dataset(
    model: nn.Module,
    dataset: Dataset,
    *,
    column: str,
    layers: Layers = "auto",
    criterion: Criteria = "auto",
    per: str = "sample",
    actors: int = 2,
    batch_size: int = 256,
    num_gpus: float = 0,
) -> Census:
    """Count, by several processes of a Ray cluster, on how many rows of a dataset each unit of a
    frozen model is activated.

    The census equals that of one process that calls the model on the same rows in the same order:
    counts, samples, blocks, first activations, all to the last bit. One reservation: networks may
    round differently in batches of other sizes, so that an activation within rounding of the
    threshold may fall on either side of it. Batches end where blocks of the dataset end.

    The column is held in Ray's object store while it is counted, which spills to disks.

    Args:
        model: is called on one batch at a time, in evaluation mode and without gradients; each
            process gets a copy. Yours stays as it is.
        dataset: the rows, in the order in which they stand in it. Random transformations need a
            seed for the result to be reproducible.
        column: of the model's input; numbers, or arrays of one shape.
        layers, criterion, per: as for `actilaw.record`.
        actors: processes, each with one processor of the cluster.
        batch_size: rows that a process calls the model on at once.
        num_gpus: GPUs of each process, on which the model runs; may be a fraction.

    Raises:
        InputError: if there is no such column, or its rows differ in shape; and for the same
            reasons as `actilaw.record`.
        ModelError: if `model` is no torch module.
        CountsError: if the dataset has no rows.
        MissingExtraError: if Ray is not installed.
    """
    with needs_extra("ray"):
        import ray
        from ray.exceptions import RayTaskError
        from ray.util import ActorPool
    options = {"layers": layers, "criterion": criterion, "per": per}
    Recorder(model, **options)  # refuses here what would be refused in every process
    actors = one_whole("actors", actors, least=1)
    batch_size = one_whole("batch_size", batch_size, least=1)
    parts = _parts(_blocks_of(dataset, column), actors, batch_size)
    process = ray.remote(
        num_cpus=1, num_gpus=num_gpus, max_restarts=RESTARTS, max_task_retries=RESTARTS
    )(_Counter)
    # In a list it is no argument that Ray would have to find again to start a process again.
    sent = [ray.put(model)]
    pool = ActorPool([process.remote(sent, options, batch_size) for _ in range(actors)])
    counted: Any = pool.map_unordered(lambda actor, part: actor.census.remote(*part), parts)
    try:
        return _merged(counted)
    except RayTaskError as error:
        if isinstance(error.cause, ActilawError):  # what the user is to know, without the traces
            raise type(error.cause)(str(error.cause)) from error
        raise


def _blocks_of(dataset: Dataset, column: str) -> list[Any]:
    """References to the arrays of the column, in the order of the rows."""
    names = dataset.columns()
    if names is None:
        raise CountsError("expected a dataset with at least one row, but it is empty")
    if column not in names:
        raise InputError(
            f"expected one of the columns {', '.join(names)} of the dataset, but got {column!r}"
        )
    with _in_order(dataset):
        return dataset.to_numpy_refs(column=column)


@contextmanager
def _in_order(dataset: Dataset) -> Iterator[None]:
    """Blocks come in the order of the dataset, and not in that in which they are ready."""
    options = dataset.context.execution_options
    before, options.preserve_order = options.preserve_order, True
    try:
        yield
    finally:
        options.preserve_order = before


def _parts(blocks: Sequence[Any], actors: int, batch_size: int) -> list[Part]:
    """Blocks cut into parts of whole batches, enough of them for all processes."""
    import ray

    def length(rows: NDArray[Any]) -> int:
        # A function inside another is sent as it is: its process does not load torch to find it.
        return len(rows)

    length_of = ray.remote(num_cpus=0)(length)
    lengths = ray.get([length_of.remote(block) for block in blocks])
    batches = -(-sum(lengths) // (actors * PARTS_OF_AN_ACTOR * batch_size))
    size = max(1, batches) * batch_size
    numbers = accumulate(lengths, initial=0)
    return [
        (block, first, min(first + size, length), number + first)
        for block, length, number in zip(blocks, lengths, numbers, strict=False)
        for first in range(0, length, size)
    ]


class _Counter:
    """A process that counts the parts it is given."""

    def __init__(self, sent: list[Any], options: dict[str, Any], batch_size: int) -> None:
        import ray

        self._device = "cuda" if ray.get_gpu_ids() else "cpu"
        model: nn.Module = ray.get(sent[0])
        self._model = model.eval().to(self._device)
        self._options, self._batch_size = options, batch_size

    def census(self, rows: NDArray[Any], first: int, last: int, number: int) -> Census:
        """Counts of the model on some of the rows, of which the first has this number."""
        if rows.dtype == object:
            raise InputError(
                "expected numbers, or arrays of one shape, in the column, but its rows differ: pad "
                "or cut them"
            )
        recorder = Recorder(self._model, first_entry=number, **self._options)
        with recorder, torch.no_grad():
            for start in range(first, last, self._batch_size):
                batch = rows[start : min(start + self._batch_size, last)]
                self._model(torch.tensor(batch, device=self._device))
        return recorder.census()


def _merged(censuses: Iterator[Census]) -> Census:
    """The censuses of all parts in one, which counts as one recording."""
    whole: Census | None = None
    for census in censuses:
        whole = census if whole is None else whole.merge(census)
    if whole is None:
        raise CountsError("expected a dataset with at least one row, but it is empty")
    return replace(whole, recordings=(uuid.uuid4().hex,))
