"""Several processes against one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from actilaw import load
from builders.recorded import (
    INPUTS,
    Branching,
    assert_same,
    first_one_way,
    first_other_way,
    mlp,
    recorded,
)

RANK = """
import sys, torch, torch.distributed as dist
sys.path.insert(0, {tests!r})
from builders.recorded import INPUTS, mlp
from actilaw import record
dist.init_process_group("gloo")
rank, world = dist.get_rank(), dist.get_world_size()
model = torch.nn.parallel.DistributedDataParallel(mlp())
with record(model) as recording, torch.no_grad():
    for batch in INPUTS[rank::world].split(8):  # as a DistributedSampler deals them out
        model(batch)
census = recording.census(across_ranks=True)
if rank == 0:
    census.save({path!r})
dist.barrier()
del model, recording  # replicas outlive their process group badly
dist.destroy_process_group()
"""

# Each rank sees the layers in an order of its own.
BRANCHING_RANK = """
import sys, torch, torch.distributed as dist
sys.path.insert(0, {tests!r})
from builders.recorded import INPUTS, Branching, first_one_way, first_other_way
from actilaw import record
dist.init_process_group("gloo")
rank = dist.get_rank()
model = Branching()
with record(model) as recording, torch.no_grad():
    model([first_one_way, first_other_way][rank](INPUTS[40 * rank : 40 * rank + 40]))
census = recording.census(across_ranks=True)
census.save({path!r} + str(rank))
dist.barrier()
dist.destroy_process_group()
"""


@pytest.mark.slow
def test_processes_that_call_layers_in_different_orders_add_those_fed_alike(tmp_path: Path) -> None:
    run(BRANCHING_RANK, tmp_path)
    batches = [first_one_way(INPUTS[:40]), first_other_way(INPUTS[40:80])]
    whole = recorded(Branching(), batches)
    for rank in range(2):
        census = load(tmp_path / f"census{rank}")
        assert list(census) == list(whole)
        assert census.feeders == whole.feeders
        for name in whole:
            assert census[name].counts.tolist() == whole[name].counts.tolist(), name


@pytest.mark.slow
def test_two_processes_count_to_the_last_bit_what_one_counts(tmp_path: Path) -> None:
    assert_same(load(run(RANK, tmp_path)), recorded(mlp(), [INPUTS]))


def run(code: str, folder: Path) -> Path:
    """Run the code in two processes, and say where it saves its census."""
    script, path = folder / "rank.py", folder / "census"
    script.write_text(code.format(tests=str(Path(__file__).parents[1]), path=str(path)))
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node=2",
        str(script),
    ]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return path
