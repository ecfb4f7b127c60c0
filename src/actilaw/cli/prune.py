"""The command `actilaw prune`: a smaller model from a census, written into a folder."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Annotated, Any

import typer

from actilaw.cli.options import AsJson
from actilaw.cli.progress import progress_bar
from actilaw.cli.recording import model_and_batches, sentences
from actilaw.cli.tables import print_json, print_sections, records
from actilaw.cli.terminal import leaving, say
from actilaw.counts.census import Census
from actilaw.errors import FileError, InputError
from actilaw.pruning.prune import prune
from actilaw.pruning.result import PruneResult
from actilaw.reporting.text import Row, number
from actilaw.support.validation import one_fraction


def prune_command(
    model: Annotated[
        str,
        typer.Option(
            help="package.module:function that makes the model that was recorded; or, with --text, "
            "the folder or id of a language model of Transformers."
        ),
    ],
    counts: Annotated[Path, typer.Option(help="Its census: a file written by `actilaw record`.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The folder to write the smaller model into.")
    ],
    data: Annotated[
        str | None,
        typer.Option(
            help="package.module:function that makes an iterable of batches: the first is what the "
            "model is followed on, all are what it is verified on."
        ),
    ] = None,
    text: Annotated[
        Path | None, typer.Option(help="A text file for a language model to read, instead.")
    ] = None,
    budget: Annotated[
        float | None,
        typer.Option(
            help="Expected share of samples, between 0 and 1, that may have been active in a "
            "removed unit.",
            show_default="idle units alone",
        ),
    ] = None,
    ranking: Annotated[
        str | None,
        typer.Option(
            help="Which units go first: count, posterior rate, rate x weight, or change.",
            show_default="change, with a budget",
        ),
    ] = None,
    equal_widths: Annotated[
        bool,
        typer.Option(
            "--equal-widths",
            help="Remove equally many units of layers of equal width, and write a model of "
            "Transformers so that from_pretrained reads it.",
        ),
    ] = False,
    batches: Annotated[
        int, typer.Option(min=1, help="Batches of the data to rank, fold and verify by.")
    ] = 8,
    length: Annotated[int, typer.Option(min=1, help="Tokens per sequence, with --text.")] = 256,
    batch: Annotated[int, typer.Option(min=1, help="Sequences per batch, with --text.")] = 8,
    as_json: AsJson = False,
) -> None:
    """Remove idle or rare units, and verify the smaller model."""
    if budget is not None:
        one_fraction("--budget", budget)
    _require_folder(output)
    census = Census.load(counts)
    with sentences(output), leaving(output), progress_bar() as bar:
        task = bar.add_task("removing units", total=2)
        network, loaded = model_and_batches(
            model, data, text, length=length, batch=batch, seed=None
        )
        taken = list(itertools.islice(loaded, batches))
        if not taken:
            raise InputError("expected at least one batch of data, but got none")
        result = prune(
            network,
            census,
            tuple(taken[0]) if isinstance(taken[0], list) else taken[0],
            budget,
            batches=None if budget is None else taken,
            ranking=ranking,
            equal_widths=equal_widths,
        )
        bar.update(task, advance=1, description="verifying the smaller model")
        verified = result.verify(taken)
    with leaving(output):
        result.save(output)
        if equal_widths and hasattr(result.model, "save_pretrained"):
            saved: Any = result.model
            saved.save_pretrained(output / "pretrained")
    _show(result, verified.summary(), output, as_json)


def _require_folder(output: Path) -> None:
    """Raise FileError if no folder can stand there, before long work whose result goes to it."""
    for place in (output, *output.parents):
        if place.exists():
            if not place.is_dir():
                raise FileError(
                    f"expected a folder to write into, but {place} is a file: name another"
                )
            return


def _show(result: PruneResult, verified: Any, output: Path, as_json: bool) -> None:
    assert result.plan is not None
    if as_json:
        print_json(
            {
                "folder": str(output.resolve()),
                "layers": result.summary().drop(index="parameters").to_dict(orient="index"),
                "parameters_before": result.parameters_before,
                "parameters_after": result.parameters_after,
                "expected_share_affected": result.plan.affected,
                "exact": result.exact,
                "kept": dict(result.kept),
                "verified": verified["estimate"].to_dict(),
                "residual_risk": records(result.plan.residual_risk()),
            }
        )
        return
    table = result.summary()
    removed: list[Row] = [
        (str(name), f"{before:,.0f}", f"{after:,.0f}", f"{share:.1%}")
        for name, before, after, share in table.itertuples()
    ]
    print_sections(
        "",
        ("", "before", "after", "removed"),
        [("Units by layer, and parameters", removed)],
        all_numbers=True,
    )
    rows: list[Row] = [(str(name), number(row["estimate"])) for name, row in verified.iterrows()]
    rows.append(("expected share of samples affected", number(result.plan.affected)))
    print_sections("", ("", "estimate"), [("Verified on the data", rows)])
    for remark in table.attrs.get("remarks", ()):
        say(remark)
    say("", f"Smaller model: {output.resolve()}")
