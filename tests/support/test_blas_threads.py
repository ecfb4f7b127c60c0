"""BLAS threads while public functions run, as threadpoolctl reports them, and after."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, local

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

import actilaw
from actilaw import ActivationCounts, Census
from actilaw.support import blas_threads
from actilaw.support.blas_threads import one_blas_thread


def threads_of(api: str) -> set[int]:
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == api}


@pytest.fixture(autouse=True)
def _two_threads() -> Iterator[None]:
    with threadpool_limits(limits=2):
        yield


def test_one_thread_inside_and_as_many_as_before_afterwards() -> None:
    assert threads_of("blas") == {2}
    with one_blas_thread():
        assert threads_of("blas") == {1}
        with one_blas_thread():
            assert threads_of("blas") == {1}
        assert threads_of("blas") == {1}
    assert threads_of("blas") == {2}


def test_other_libraries_keep_their_threads() -> None:
    pytest.importorskip("torch")
    before = threads_of("openmp")
    with one_blas_thread():
        assert threads_of("openmp") == before


def test_an_error_gives_the_threads_back() -> None:
    with pytest.raises(actilaw.CountsError):
        actilaw.fit(ActivationCounts(np.zeros(5, int), 10))
    assert threads_of("blas") == {2}


def test_callers_side_by_side_give_back_what_the_first_one_found() -> None:
    """The first caller leaves while the second is still inside, which must keep its limit."""
    both_inside, first_left, looked = Barrier(2), Barrier(2), []

    def first() -> None:
        with one_blas_thread():
            both_inside.wait()
        first_left.wait()

    def second() -> None:
        with one_blas_thread():
            both_inside.wait()
            first_left.wait()
            looked.append(threads_of("blas"))

    with ThreadPoolExecutor(2) as pool:
        for run in [pool.submit(first), pool.submit(second)]:
            run.result(timeout=30)
    assert looked == [{1}]
    assert threads_of("blas") == {2}


@pytest.mark.parametrize(
    "call",
    [
        lambda counts: actilaw.fit(counts),
        lambda counts: actilaw.check(counts),
        lambda counts: actilaw.backtest(counts, methods="rate_density"),
        lambda counts: actilaw.monitor(Census({"a": counts})),
    ],
    ids=["fit", "check", "backtest", "monitor"],
)
def test_public_functions_run_with_one_thread(call, monkeypatch: pytest.MonkeyPatch) -> None:
    """As seen by the histogram of counts, which each of them asks for."""
    seen = set()
    histogram = ActivationCounts.histogram

    def watched(self: ActivationCounts):
        seen.update(threads_of("blas"))
        return histogram(self)

    monkeypatch.setattr(ActivationCounts, "histogram", watched)
    rng = np.random.default_rng(0)
    call(ActivationCounts(rng.binomial(200, rng.beta(0.5, 5, 100)), 200))
    assert seen == {1}
    assert threads_of("blas") == {2}


class LibraryOfThreads:
    """Like OpenBLAS on OpenMP: a limit for each thread."""

    def __init__(self) -> None:
        self.of_thread = local()

    def get_num_threads(self) -> int:
        return getattr(self.of_thread, "threads", 2)

    def set_num_threads(self, threads: int) -> None:
        self.of_thread.threads = threads


def test_a_limit_of_each_thread_is_set_and_given_back_by_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    library = LibraryOfThreads()
    monkeypatch.setattr(blas_threads, "_loaded_libraries", lambda: ([], [library]))

    def inside_and_after() -> tuple[int, int]:
        with one_blas_thread():
            inside = library.get_num_threads()
        return inside, library.get_num_threads()

    with one_blas_thread(), ThreadPoolExecutor(1) as pool:
        assert pool.submit(inside_and_after).result(timeout=30) == (1, 2)
        assert library.get_num_threads() == 1
    assert library.get_num_threads() == 2
