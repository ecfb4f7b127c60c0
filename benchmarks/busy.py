"""Time of fits and forecasts alone and beside a training that keeps all cores busy, each with the
one BLAS thread that actilaw takes, and with as many as there are cores, as it was before.

The rival multiplies matrices of 1,536 x 1,536 on all cores, as a training does. Beside it one
thread can get no more than half of a core from a fair scheduler, so a wall time of twice that alone
is what the machine gives; the processor time says what was wasted in waiting. A row is the least of
several runs.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from actilaw import ActivationCounts, Blocks, Census, backtest, check, fit, monitor, report
from actilaw.support import blas_threads

SAMPLES, N_BLOCKS = 4096, 32
RIVAL = """
import numpy as np
x, w = np.random.default_rng(0).normal(size=(2, 1536, 1536)).astype(np.float32)
print("busy", flush=True)
while True:
    x = np.tanh(x @ w / 40)
"""


def layer(units: int, seed: int = 0) -> ActivationCounts:
    """Counts of the law with 5 % of the units active on a sample and b = 0.4, in blocks."""
    rng = np.random.default_rng(seed)
    size = SAMPLES // N_BLOCKS
    in_blocks = rng.binomial(size, rng.beta(0.4, 7.6, units), (N_BLOCKS, units))
    blocks = Blocks(in_blocks, np.full(N_BLOCKS, size), size)
    return ActivationCounts(in_blocks.sum(axis=0), SAMPLES, blocks=blocks)


def jobs(folder: Path) -> dict[str, Callable[[], object]]:
    small, large = layer(4096), layer(16_384)
    fitted = fit(large)
    two = Census({"one": large, "other": layer(16_384, seed=1)})
    page = partial(report, Census({"one": large}), folder / "page.html")
    return {
        "fit, 16,384 units": partial(fit, large),
        "forecast": partial(fitted.forecast, 10 * SAMPLES),
        "monitor, 2 layers": partial(monitor, two),
        "report, 1 layer": page,
        "check, 4,096 units": partial(check, small),
        "backtest, 4,096 units": partial(backtest, small),
    }


@contextmanager
def rival() -> Iterator[None]:
    """Another process that keeps all cores busy."""
    process = subprocess.Popen([sys.executable, "-c", RIVAL], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    try:
        yield
    finally:
        process.kill()
        process.wait()


def seconds(job: Callable[[], object], runs: int) -> tuple[float, float]:
    """Wall time and processor time of the fastest run."""
    found = []
    for _ in range(runs):
        wall, processor = time.perf_counter(), time.process_time()
        job()
        found.append((time.perf_counter() - wall, time.process_time() - processor))
    return min(found)


def measured(threads: int | None, runs: int, folder: Path) -> pd.DataFrame:
    """Times of all jobs, alone and beside the rival; None takes as many BLAS threads as cores."""
    blas_threads.BLAS_THREADS = threads
    rows = {}
    for name, job in jobs(folder).items():
        alone = seconds(job, runs)
        with rival():
            beside = seconds(job, runs)
        rows[name] = {
            "alone": alone[0],
            "processor": alone[1],
            "beside": beside[0],
            "processor beside": beside[1],
            "beside / alone": beside[0] / alone[0],
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    runs = parser.parse_args().runs
    with TemporaryDirectory() as folder:
        one, all_cores = (measured(threads, runs, Path(folder)) for threads in (1, None))
    print(f"{os.cpu_count()} cores; seconds, the least of {runs} runs")
    print(f"\none BLAS thread\n{one.round(3).to_string()}")
    print(f"\nas many BLAS threads as cores\n{all_cores.round(3).to_string()}")
    gain = (all_cores["beside"] / one["beside"]).round(1)
    print(f"\nbeside a rival, all threads over one\n{gain.to_string()}")


if __name__ == "__main__":
    main()
