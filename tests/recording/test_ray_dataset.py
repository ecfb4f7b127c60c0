"""Several processes of a cluster that count a dataset, one of which dies, against one process."""

from __future__ import annotations

import time
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from actilaw import ActilawError
from actilaw.errors import CountsError, InputError, MissingExtraError, ModelError
from actilaw.recording.ray_dataset import record_dataset
from builders.mortal import MortalModel
from builders.own_process import with_ray_in_own_process
from builders.ray_cluster import two_nodes
from builders.recorded import assert_same, mlp, recorded

ROWS = np.random.default_rng(0).standard_normal((1003, 6)).astype(np.float32)


def late_at_first(block: dict[str, NDArray]) -> dict[str, NDArray]:
    """The first rows come last, unless someone sees to their order."""
    if 0 in block["number"]:
        time.sleep(1)
    return block


@pytest.mark.slow
@with_ray_in_own_process
def test_a_cluster_counts_to_the_last_bit_what_one_process_counts(tmp_path: Path) -> None:
    ray = pytest.importorskip("ray")

    mistakes: list[tuple[type[ActilawError], str, object, dict[str, object]]] = [
        (InputError, "one of the columns number, x", mlp(), {"column": "y"}),
        (ModelError, "matches none", mlp(), {"column": "x", "layers": ["no such"]}),
        (ModelError, "expected a torch module", "model", {"column": "x"}),
        (InputError, "batch_size", mlp(), {"column": "x", "batch_size": 0}),
    ]
    with two_nodes():
        items = [{"number": number, "x": row} for number, row in enumerate(ROWS)]
        dataset = ray.data.from_items(items, override_num_blocks=5).map_batches(late_at_first)
        model = MortalModel(tmp_path / "died")
        found = record_dataset(model, dataset, column="x", batch_size=50)
        for kind, said, wrong, options in mistakes:
            with pytest.raises(kind, match=said):
                record_dataset(wrong, ray.data.from_items(items[:2]), **options)  # type: ignore
        ragged = ray.data.from_items([{"x": [0.0] * length} for length in (2, 3)])
        with pytest.raises(InputError, match="its rows differ: pad"):
            record_dataset(mlp(), ragged, column="x", actors=1)
        with pytest.raises(CountsError, match="it is empty"):
            record_dataset(mlp(), ray.data.from_items([]), column="x")
    assert (tmp_path / "died").exists()
    one = recorded(model.eval(), torch.from_numpy(ROWS).split(50))
    assert_same(found, one)
    assert found.weights == one.weights
    assert len(found.recordings) == 1


def test_missing_ray_is_named() -> None:
    with (
        mock.patch.dict("sys.modules", {"ray": None}),
        pytest.raises(MissingExtraError, match=r"'ray'.*actilaw\[ray\]"),
    ):
        record_dataset(mlp(), None, column="x")  # type: ignore
