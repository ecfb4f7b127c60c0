"""The explorer as a Dash application: what happens when a slider moves, a layer is chosen, or the
file of the census is written again.

Numbers typed or chosen are what counts; a slider that is moved sets its number, and a number that
is typed sets its slider. The law is then computed by `ActivationLaw`, for every figure and table.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from actilaw.errors import ActilawError, InputError, needs_extra
from actilaw.explorer import answers, law_figures, layout
from actilaw.explorer.answers import Questions
from actilaw.explorer.census_source import CensusSource, Look
from actilaw.explorer.layer_reading import LayerReading, Readings
from actilaw.explorer.parameters import PARAMETERS, law_and_samples, rounded
from actilaw.support.blas_threads import one_blas_thread

with needs_extra("explore"):
    from dash import ClientsideFunction, Dash, Input, Output, State, ctx, no_update

NAMES = tuple(parameter.name for parameter in PARAMETERS)
ASKED = ("share", "working", "more", "budget", "after")
ASSETS = Path(__file__).parent / "assets"
INDEX = """<!DOCTYPE html>
<html lang="en">
<head>{%metas%}<title>{%title%}</title><link rel="icon" href="data:,">{%css%}</head>
<body>
<noscript>This page needs JavaScript: it runs in the browser, and asks no other host.</noscript>
{%app_entry%}<footer>{%config%}{%scripts%}{%renderer%}</footer>
</body>
</html>"""


def web_app(source: CensusSource | None, *, every: float = 2.0) -> Dash:
    """The application.

    Args:
        source: of the census that is laid over the law; None for the law alone.
        every: seconds between two looks at the file of the census.
    """
    readings = Readings(source)
    file = "" if source is None or source.path is None else source.path.name
    app = Dash(
        "actilaw",
        title="actilaw explore",
        update_title=None,  # pyright: ignore[reportArgumentType]
        assets_folder=str(ASSETS),
        serve_locally=True,
        index_string=INDEX,
        add_log_handler=False,
    )
    app.layout = lambda: layout.page(readings.look(), file, every)
    _watch(app, readings, file)
    _move(app, readings)
    _draw(app, readings)
    _answer(app, readings)
    return app


def _watch(app: Dash, readings: Readings, file: str) -> None:
    @app.callback(
        Output("state", "children"),
        Output("problem", "children"),
        Output("layer", "children"),
        Output("chosen", "data"),
        Output("version", "data"),
        Input("clock", "n_intervals"),
        State("version", "data"),
        State("chosen", "data"),
        prevent_initial_call=True,
    )
    def watch(_: int, version: int | None, layer: str | None) -> tuple[Any, ...]:
        look = readings.look()
        if look is None:
            return (no_update,) * 5
        state, problem = layout.state_of(look, file), said(look)
        if look.version == version:
            return state, problem, no_update, no_update, no_update
        options, chosen = layout.layer_options(look.census), kept(layer, look)
        # A choice that stays must not look like a new one, which would move the sliders.
        return state, problem, options, no_update if chosen == layer else chosen, look.version

    app.clientside_callback(
        ClientsideFunction("explorer", "show_chosen"),
        Output("shown", "data"),
        Input("chosen", "data"),
        Input("layer", "children"),
    )


def _move(app: Dash, readings: Readings) -> None:
    """Keep sliders and numbers together, and set them to the fit of the layer that is chosen."""

    @app.callback(
        *[Output(f"{name}-slider", "value") for name in NAMES],
        *[Output(f"{name}-number", "value") for name in NAMES],
        Output("fit", "data"),
        Output("refusal", "children"),
        *[Input(f"{name}-slider", "value") for name in NAMES],
        *[Input(f"{name}-number", "value") for name in NAMES],
        Input("chosen", "data"),
        Input("version", "data"),
        Input("to-fit", "n_clicks"),
        State("fit", "data"),
    )
    def move(*given: Any) -> tuple[Any, ...]:
        sliders, numbers = list(given[:4]), list(given[4:8])
        layer, fit_before = given[8], given[11]
        moved = {str(name).partition(".")[0] for name in ctx.triggered_prop_ids}
        by_hand = {f"{name}-{part}" for name in NAMES for part in ("slider", "number")}
        if moved and moved <= by_hand:
            return *together(moved, sliders, numbers), no_update, no_update
        reading = readings.layer(layer)
        if reading is None or reading.fitted is None:
            refusal = "" if reading is None else f"No law was fitted: {reading.refusal}."
            return *(no_update,) * 8, None, refusal
        fit_now = fitted_numbers(reading)
        is_left_alone = moved == {"version"} and fit_before is not None and fit_before != numbers
        if is_left_alone:
            return *(no_update,) * 8, fit_now, ""
        return *positions(fit_now), *fit_now, fit_now, ""


def _draw(app: Dash, readings: Readings) -> None:
    @app.callback(
        *[Output(name, "figure") for name in layout.FIGURES],
        Output("numbers", "children"),
        Output("mistake", "children"),
        *[Input(f"{name}-number", "value") for name in NAMES],
        Input("chosen", "data"),
        Input("version", "data"),
    )
    def draw(*given: Any) -> tuple[Any, ...]:
        try:
            law, samples = law_and_samples(given[:4])
        except InputError as error:
            return *(no_update,) * (len(layout.FIGURES) + 1), f"{error}."
        reading = readings.layer(given[4])
        table = layout.answers_table(answers.landmarks(law, samples), f"After {samples:,} samples")
        return (
            law_figures.accumulation(law, samples, reading),
            law_figures.count_law(law, samples, reading),
            law_figures.reinforcement(law, samples, reading),
            law_figures.idle_share(law, samples, reading),
            table,
            "",
        )

    @app.callback(
        Output("growth", "figure"),
        Input("chosen", "data"),
        Input("version", "data"),
    )
    def grow(layer: str | None, _: int | None) -> Any:
        reading = readings.layer(layer)
        if reading is None or readings.source is None:
            return no_update
        return law_figures.growth(reading, *readings.source.growth(reading.name))


def _answer(app: Dash, readings: Readings) -> None:
    @app.callback(
        Output("law-answers", "children"),
        Output("design-mistake", "children"),
        *[Input(f"{name}-number", "value") for name in NAMES],
        *[Input(f"ask-{name}", "value") for name in ASKED],
    )
    def answer_by_law(*given: Any) -> tuple[Any, ...]:
        try:
            law, samples = law_and_samples(given[:4])
        except InputError:  # which stands beside the sliders
            return no_update, ""
        try:
            found = answers.law_answers(law, samples, questions(given[4:]))
        except InputError as error:
            return no_update, f"{error}."
        return layout.answers_table(found, "By the law alone"), ""

    @app.callback(
        Output("layer-answers", "children"),
        Input("chosen", "data"),
        Input("version", "data"),
        *[Input(f"ask-{name}", "value") for name in ASKED],
        running=[(Output("busy", "children"), "Working it out …", "")],
    )
    @one_blas_thread()
    def answer_for_layer(layer: str | None, _: int | None, *given: Any) -> Any:
        reading = readings.layer(layer)
        if reading is None:
            return []
        if reading.fitted is None:
            return layout.answers_table([], f"No law was fitted: {reading.refusal}")
        try:
            asked = questions(given)
            widths = readings.widths(reading, answers.after_samples(asked, reading.counts.samples))
            found = answers.layer_answers(reading, widths, asked)
        except ActilawError as error:
            return f"{error}."
        return layout.layer_table(found, reading.fitted.remarks())


def said(look: Look) -> str:
    """What is wrong with the file now, in a sentence; "" if nothing is."""
    if not look.problem:
        return ""
    return f"The file cannot be read now, so the last whole census is shown: {look.problem}."


def kept(layer: str | None, look: Look) -> str:
    """The layer that was chosen, or the first where a census no longer has that."""
    return layer if layer is not None and layer in look.census else next(iter(look.census))


def fitted_numbers(reading: LayerReading) -> list[float]:
    """N, D, c and b of a layer's fit, to six significant digits."""
    assert reading.fitted is not None
    law = reading.fitted.law
    return [reading.counts.units, reading.counts.samples, rounded(law.active), rounded(law.b)]


def positions(numbers: Sequence[float]) -> list[float]:
    """Where the sliders stand for four numbers."""
    return [p.position(number) for p, number in zip(PARAMETERS, numbers, strict=True)]


def together(moved: set[str], sliders: Sequence[Any], numbers: Sequence[Any]) -> tuple[Any, ...]:
    """What sliders and numbers become after some of them were moved by hand: a slider's number, a
    number's slider, and nothing else.
    """
    new_sliders: list[Any] = [no_update] * len(NAMES)
    new_numbers: list[Any] = [no_update] * len(NAMES)
    for place, parameter in enumerate(PARAMETERS):
        typed, slid = numbers[place], sliders[place]
        if f"{parameter.name}-slider" in moved and slid is not None:
            new_numbers[place] = parameter.value(float(slid))
        elif f"{parameter.name}-number" in moved and typed is not None and typed > 0:
            new_sliders[place] = parameter.position(typed)
    return *new_sliders, *new_numbers


def questions(given: Sequence[Any]) -> Questions:
    """What is asked of a design, from the fields of the page.

    Raises:
        InputError: if a number is missing.
    """
    share, working, more, budget, after = given
    if share is None or working is None:
        raise InputError("expected a share and a number of units to work: type both")
    return Questions(
        float(share),
        float(working),
        str(more or "1x"),
        None if budget in (None, "") else float(budget),
        str(after or "1x"),
    )
