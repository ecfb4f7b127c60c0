"""An example of each command, which its help shows last; a test runs them.

`net` is a module of your own in the working folder, whose functions make a model and its batches.
"""

from __future__ import annotations

EXAMPLES = {
    "demo": "actilaw demo --output demo.html",
    "record": "actilaw record --model net:model --data net:batches -o layers.census",
    "merge": "actilaw merge monday.census tuesday.census -o both.census",
    "fit": "actilaw fit layers.census",
    "forecast": "actilaw forecast layers.census --samples 10x,100x",
    "backtest": "actilaw backtest layers.census",
    "check": "actilaw check layers.census --json",
    "prune": "actilaw prune --model net:model --data net:batches \\\n"
    "    --counts layers.census -o smaller",
    "loss": "actilaw loss losses.csv --forecast 10x --compare",
    "accumulation": "actilaw accumulation log.csv --units 24576 --forecast 10x,1e9",
    "simulate": "actilaw simulate --units 24576 --active 64 --b 0.35 --samples 1e6",
    "study": "actilaw study run -o my-study --preset small",
    "study run": "actilaw study run -o my-study --tasks digits --widths 32,128 --seeds 0",
    "study status": "actilaw study status my-study",
    "study table": "actilaw study table my-study -o results.parquet",
    "study claims": "actilaw study claims my-study --claims width",
    "study report": "actilaw study report my-study",
    "study tasks": "actilaw study tasks",
    "explore": "actilaw explore layers.census",
    "report": "actilaw report layers.census -o report.html",
}


def with_example(help_text: str, name: str) -> str:
    """The help of a command with its example, if it has one."""
    if name not in EXAMPLES:
        return help_text
    return f"{help_text.rstrip()}\n\nExample:\n{EXAMPLES[name]}"
