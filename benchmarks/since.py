"""How long the same jobs took with the code of an earlier commit and take with today's, in turns.

The earlier commit is by default `dd68b9c`, "Validate positive numbers by a check that returns
them": the last one before public functions took one BLAS thread (`88d0618`) and before recording
followed tensors through the network (`917673a`, `recording/tracing`). Its `src` is unpacked into a
temporary folder, and each job runs in a fresh process that imports actilaw from there, then in one
that imports it from this checkout, and so on in turns, so that a machine that slows down slows
both. The least of several runs counts, of S4 the median; a run of more than a minute is ended.

The jobs are four faults that were found in use: fits beside a training that keeps all cores busy
(S1), judging, back-testing and reporting layers (S2), the start (S3), and what recording adds to a
forward pass (S4).
"""

from __future__ import annotations

import argparse
import io
import os
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Timer

import numpy as np

EARLIER = "dd68b9c"
HERE = Path(__file__).resolve().parent
LONGEST = 60.0  # seconds of a run
RUNS_OF_PROCESS = 2  # the first one loads modules
PASSES = 9  # runs of a process of S4: two forward passes, one of them recorded

# A run gives seconds of the clock and of the processor, or by how much a pass is longer.
Run = Callable[[], tuple[float, ...]]


def _timed(job: Callable[[], object]) -> tuple[float, float]:
    clock, processor = time.perf_counter(), time.process_time()
    job()
    return time.perf_counter() - clock, time.process_time() - processor


# What a process of one job prepares; actilaw is imported here alone, from PYTHONPATH.


def _of_layer(name: str, units: int) -> Run:
    """`fit`, `monitor`, `report`, `check` or `backtest` of one layer."""
    import actilaw
    from busy import layer

    counts = layer(units)
    function = getattr(actilaw, name)
    if name == "monitor":
        return partial(_timed, partial(function, actilaw.Census({"layer": counts})))
    return partial(_timed, partial(function, counts))


def _report(layers: int, units: int) -> Run:
    from actilaw import Census, report
    from busy import layer

    census = Census({f"layer {seed}": layer(units, seed) for seed in range(layers)})

    def write() -> None:
        with TemporaryDirectory() as folder:
            report(census, Path(folder) / "page.html")

    return partial(_timed, write)


def _loss() -> Run:
    """A curve with a plateau, a knee and a floor, and noise of 2 % on every loss."""
    from actilaw import fit_loss

    samples = np.geomspace(10, 1e6, 5000)
    noise = np.random.default_rng(0).normal(0, 0.02, samples.size)
    loss = (0.2 + 3.0 * (1 + samples / 300) ** -0.6) * np.exp(noise)
    return partial(_timed, partial(fit_loss, samples, loss, form="M4"))


def _start(asked: str) -> Run:
    """Fresh interpreters; of their time that of an empty one is taken off."""
    from startup import ASKED, processor_seconds

    empty = min(processor_seconds("pass") for _ in range(3))

    def run() -> tuple[float, float]:
        clock = time.perf_counter()
        processor = processor_seconds(ASKED[asked])
        return time.perf_counter() - clock, processor - empty

    return run


def _forward() -> Run:
    import torch

    from actilaw import record
    from recorder import stack

    plain, recorded = stack(), stack()
    recording = record(recorded, per="token")
    tokens = torch.randn(16, 256, 768)

    def run() -> tuple[float]:
        with torch.no_grad(), recording:
            bare, _ = _timed(lambda: plain(tokens))
            longer, _ = _timed(lambda: recorded(tokens))
        return (longer / bare - 1,)

    run()  # compiles
    return run


BESIDE_A_RIVAL: Mapping[str, Callable[[], Run]] = {
    "fit, 16,384 units": partial(_of_layer, "fit", 16_384),
    "monitor, 16,384 units": partial(_of_layer, "monitor", 16_384),
    "report, 16,384 units": partial(_report, 1, 16_384),
}
ALONE: Mapping[str, Callable[[], Run]] = {
    "check, 4,096 units": partial(_of_layer, "check", 4096),
    "check, 400 units": partial(_of_layer, "check", 400),
    "backtest, 4,096 units": partial(_of_layer, "backtest", 4096),
    "backtest, 400 units": partial(_of_layer, "backtest", 400),
    "fit_loss M4, 5,000 points": _loss,
    "report, 24 layers of 400": partial(_report, 24, 400),
}
LONG: Mapping[str, Callable[[], Run]] = {"report, 200 layers of 400": partial(_report, 200, 400)}
START: Mapping[str, Callable[[], Run]] = {
    name: partial(_start, name) for name in ("import actilaw", "actilaw --help")
}
FORWARD: Mapping[str, Callable[[], Run]] = {"recorded forward pass": _forward}
SECTIONS = {
    "S1, beside a rival that keeps all cores busy": BESIDE_A_RIVAL,
    "S2": ALONE | LONG,
    "S3, in a fresh interpreter": START,
    "S4, twelve 768-3072-768 layers on 4,096 tokens, longer than plain by": FORWARD,
}


def _runs_of_process(name: str) -> int:
    return PASSES if name in FORWARD else RUNS_OF_PROCESS


def work(name: str) -> None:
    """Run one job with the actilaw of PYTHONPATH, and print a line after each run."""
    prepare = next(jobs[name] for jobs in SECTIONS.values() if name in jobs)
    run = prepare()
    print("ready", flush=True)
    for _ in range(_runs_of_process(name)):
        print(*run(), flush=True)


# The process that starts them.


def runs(name: str, source: Path) -> list[tuple[float, ...]]:
    """What the runs of one process gave, as far as each ended in time."""
    found = []
    with TemporaryDirectory() as scratch:
        process = subprocess.Popen(
            [sys.executable, __file__, "--job", name],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(source), "TMPDIR": scratch},
        )
        assert process.stdout is not None
        process.stdout.readline()  # it is ready: what came before does not count
        for _ in range(_runs_of_process(name)):
            with _ended_in_time(process):
                line = process.stdout.readline()
            if not line:
                break
            found.append(tuple(float(number) for number in line.split()))
        if process.wait() > 0:
            raise SystemExit(f"{name} failed with the code in {source}")
    return found


@contextmanager
def _ended_in_time(process: subprocess.Popen[str]) -> Iterator[None]:
    timer = Timer(LONGEST, process.kill)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def in_turns(name: str, sources: list[Path], turns: int) -> list[tuple[float, ...] | None]:
    """What runs with each of the sources came to; None where the first took too long."""
    found: list[list[tuple[float, ...]]] = [[] for _ in sources]
    too_long: set[Path] = set()
    for _ in range(turns):
        for source, mine in zip(sources, found, strict=True):
            if source in too_long:
                continue
            new = runs(name, source)
            mine += new
            if not new:
                too_long.add(source)
    return [_one_of(mine) if mine else None for mine in found]


def _one_of(found: list[tuple[float, ...]]) -> tuple[float, ...]:
    """The fastest run, or the run in the middle where runs are of how much longer a pass takes."""
    return min(found) if len(found[0]) > 1 else sorted(found)[len(found) // 2]


def row(name: str, before: tuple[float, ...] | None, now: tuple[float, ...] | None) -> str:
    """A line of the table: clock and processor of both, and the clock now over the clock before."""
    ratio = ""
    if before and now and len(now) > 1:
        ratio = f"{now[0] / before[0]:.2f}"
    elif now and not before:
        ratio = f"< {now[0] / LONGEST:.2f}"
    return f"{name:28}{_cells(before)}{_cells(now)}{ratio:>9}"


def _cells(times: tuple[float, ...] | None) -> str:
    if times is None:
        return f"{f'over {LONGEST:.0f} s':>20}"
    if len(times) == 1:
        return f"{times[0]:>20.1%}"
    return "".join(f"{seconds:10.2f}" for seconds in times)


def unpacked(commit: str, folder: Path) -> Path:
    """The `src` of a commit, in a folder."""
    git = ["git", "-C", str(HERE.parent)]
    archive = subprocess.run([*git, "archive", commit, "src"], capture_output=True, check=True)
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(folder, filter="data")
    return folder / "src"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("commit", nargs="?", default=EARLIER)
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--long", action="store_true", help="a report of 200 layers, too")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.job:
        from busy import rival

        if given.job in BESIDE_A_RIVAL:
            with rival():
                work(given.job)
        else:
            work(given.job)
        return
    with TemporaryDirectory() as folder:
        # Bytecode of both is compiled once, on the first run, whatever stands beside the sources.
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = str(Path(folder) / "bytecode")
        compare(unpacked(given.commit, Path(folder)), given.commit, given.turns, given.long)


def compare(earlier: Path, commit: str, turns: int, long: bool) -> None:
    print(
        f"seconds of the clock and of the processor, the least of {turns * RUNS_OF_PROCESS} runs; "
        "ratio: clock now over clock before"
    )
    print(f"{'':28}{'before, ' + commit:>20}{'now':>20}{'ratio':>9}", flush=True)
    for title, jobs in SECTIONS.items():
        print(title)
        for name in jobs:
            if long or name not in LONG:
                before, now = in_turns(name, [earlier, HERE.parent / "src"], turns)
                print(row(name, before, now), flush=True)


if __name__ == "__main__":
    main()
