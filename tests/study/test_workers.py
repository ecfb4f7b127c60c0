"""A Ray cluster of two nodes, of which one goes, beside processes of this machine."""

from __future__ import annotations

import threading
from pathlib import Path
from unittest import mock

import pytest

from actilaw.errors import InputError, MissingExtraError
from actilaw.study.run import Progress, run_study
from builders.own_process import with_ray_in_own_process
from builders.ray_cluster import two_nodes
from builders.study_runs import cells_in, in_this_process
from builders.study_tasks import grid_of

pytestmark = pytest.mark.slow


@with_ray_in_own_process
def test_a_cluster_that_loses_a_node_gives_the_results_of_one_machine(tmp_path: Path) -> None:
    with two_nodes() as (cluster, node):
        removal = threading.Thread(target=cluster.remove_node, args=(node,))
        told: list[Progress] = []

        def lose_a_node(progress: Progress) -> None:
            told.append(progress)
            # Both nodes work on others by then. The loss is told with the same number done.
            if progress.done >= 2 and removal.ident is None:
                removal.start()

        on_ray = run_study(
            tmp_path / "ray", grid_of("slow"), ray=cluster.address, progress=lose_a_node
        )
        removal.join()
    assert len(told) >= 1 + 8  # at the start, for each network, and for what the node took with it
    assert removal.ident is not None
    with in_this_process():
        here = run_study(tmp_path / "here", grid_of("slow"))
    assert on_ray.failures() == here.failures() == {}
    assert cells_in(on_ray.folder) == cells_in(here.folder)
    assert len(cells_in(here.folder)) == 8


@with_ray_in_own_process
def test_a_cluster_that_is_not_there_and_ray_that_is_missing(tmp_path: Path) -> None:
    with (
        mock.patch.dict("sys.modules", {"ray": None}),
        pytest.raises(MissingExtraError, match=r"actilaw\[ray\]"),
    ):
        run_study(tmp_path / "study", grid_of("tiny"), ray="auto")
    import ray

    with (
        mock.patch.object(ray, "init", side_effect=ConnectionError("no node here")),
        pytest.raises(InputError, match=r"expected a Ray cluster at 'auto'.*ray start --head"),
    ):
        run_study(tmp_path / "study", grid_of("tiny"), ray="auto")
