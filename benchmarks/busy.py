"""Time of fits and forecasts alone and beside a training that keeps all cores busy, each with the
one BLAS thread that actilaw takes, and with as many as there are cores, as it was before.

The rival multiplies matrices of 1,536 x 1,536 on all cores, as a training does. Beside it one
thread gets no more than half of a core from a fair scheduler, so a wall time of twice that alone is
what the machine gives; the processor time says what was wasted in waiting. The least of several
runs counts.
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

from actilaw import ActivationCounts, Blocks, Census, backtest, check, fit, monitor, report

SAMPLES, N_BLOCKS = 4096, 32
RIVAL = """
import os
import numpy as np
parent = os.getppid()
x, w = np.random.default_rng(0).normal(size=(2, 1536, 1536)).astype(np.float32)
print("busy", flush=True)
while os.getppid() == parent:
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


def measured(job: Callable[[], object], threads: int | None, runs: int) -> list[float]:
    """Wall and processor time alone, then beside the rival, and the ratio of the wall times; None
    takes as many BLAS threads as cores.
    """
    # Here, since since.py runs the other jobs with code that had no such module.
    from actilaw.support import blas_threads

    blas_threads.BLAS_THREADS = threads
    alone = seconds(job, runs)
    with rival():
        beside = seconds(job, runs)
    return [*alone, *beside, beside[0] / alone[0]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2)
    runs = parser.parse_args().runs
    cores = os.cpu_count()
    print(f"{cores} cores; seconds, the least of {runs} runs")
    print(f"{'':24s}{'BLAS':>8}{'alone':>16}{'beside a rival':>18}")
    print(
        f"{'':24s}{'threads':>8}{'wall':>8}{'cpu':>8}{'wall':>9}{'cpu':>9}{'ratio':>8}", flush=True
    )
    with TemporaryDirectory() as folder:
        for name, job in jobs(Path(folder)).items():
            for threads in (1, None):
                *times, ratio = measured(job, threads, runs)
                widths = zip(times, (8, 8, 9, 9), strict=True)
                row = "".join(f"{time:{width}.3f}" for time, width in widths)
                print(f"{name:24s}{threads or cores:>8}{row}{ratio:8.1f}", flush=True)


if __name__ == "__main__":
    main()
