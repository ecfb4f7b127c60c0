"""Processor time until actilaw and its command are ready, beside that of the libraries they need.

Each line is a fresh interpreter, the least of several, less the time of an empty one.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys

ASKED = {
    "import numpy": "import numpy",
    "import pandas": "import pandas",
    "import scipy.stats": "import scipy.stats",
    "import actilaw": "import actilaw",
    "from actilaw import fit": "from actilaw import fit",
    "from actilaw import *": "from actilaw import *",
    "actilaw --help": "import sys; sys.argv = ['actilaw', '--help']\n"
    "from actilaw.cli.app import app; app(standalone_mode=False)",
}


def processor_seconds(code: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    empty = min(processor_seconds("pass") for _ in range(runs))
    print(f"least of {runs} runs; an empty interpreter takes {empty:.3f} s")
    for name, code in ASKED.items():
        print(f"{name:28s} {min(processor_seconds(code) for _ in range(runs)) - empty:6.3f} s")


if __name__ == "__main__":
    main()
