"""Several processes against one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from actilaw import load
from builders.recorded import INPUTS, assert_same, mlp, recorded

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


@pytest.mark.slow
def test_two_processes_count_to_the_last_bit_what_one_counts(tmp_path: Path) -> None:
    script, path = tmp_path / "rank.py", tmp_path / "census"
    script.write_text(RANK.format(tests=str(Path(__file__).parents[1]), path=str(path)))
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
    assert_same(load(path), recorded(mlp(), [INPUTS]))
