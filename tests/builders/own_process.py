"""Tests that run in a process of their own: Ray changes what signals do to the process that is
connected to it, and its workers import modules of the tests.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

INSIDE = "ACTILAW_TESTS_OWN_PROCESS"
TESTS = Path(__file__).parents[1]


def with_ray_in_own_process(test: Callable[..., None]) -> Callable[..., Any]:
    """The test, run by a pytest of its own; skipped where Ray is not installed."""
    if INSIDE in os.environ:
        return test

    def alone(request: pytest.FixtureRequest) -> None:
        if find_spec("ray") is None:
            pytest.skip("Ray is not installed")
        environment = {**os.environ, INSIDE: "1", "PYTHONPATH": os.pathsep.join(_paths())}
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", request.node.nodeid]
        done = subprocess.run(
            command, cwd=request.config.rootpath, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"

    alone.__name__, alone.__doc__, alone.__module__ = test.__name__, test.__doc__, test.__module__
    return alone


def _paths() -> list[str]:
    """Where this process looks for modules, the tests first."""
    return [str(TESTS), *(path for path in sys.path if path)]
