"""The explorer's page: sliders and numbers at the side, figures beside them, answers below.

Every control has a label; figures have a heading and a sentence, and the numbers stand in tables,
so that nothing is said by a figure alone. Text that comes from files is put on the page as text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from actilaw.errors import needs_extra
from actilaw.explorer.answers import Answer
from actilaw.explorer.census_source import Look, written_ago
from actilaw.explorer.parameters import PARAMETERS, SLIDER_STEP, Parameter
from actilaw.support.escapes import printable

with needs_extra("explore"):
    from dash import dcc, html

FIGURES = {
    "accumulation": (
        "Accumulation curve",
        "How many units have been active at least once after D samples. Against log D the mean "
        "field is steepest at the inflection, whatever b is.",
    ),
    "counts": (
        "Law of counts",
        "How many units have been active k times. Before the cut-off a straight line of slope "
        "−alpha.",
    ),
    "reinforcement": (
        "Reinforcement",
        "The chance that a unit is active on the next sample, c(k + b)/(cD + bN): the more often "
        "it was, the more likely it is again.",
    ),
    "idle": (
        "Idle share",
        "The share of units that no sample has activated, which can be removed: flat before the "
        "knee, a power law D^(−b) after it.",
    ),
}
GROWTH = (
    "Recording",
    "Working units in the order in which they were counted: after each block, and each time that "
    "the file was read.",
)
GRAPH_CONFIG: Any = {"displayModeBar": False, "responsive": True, "displaylogo": False}


def page(look: Look | None, file: str, every: float) -> Any:
    """The whole page.

    Args:
        look: the census as it stands; None if there is none.
        file: its name; "" if it came from no file.
        every: seconds between two looks at the file.
    """
    return html.Main(
        [
            html.Header(
                [
                    html.H1("Activation law explorer"),
                    html.P(
                        "Move N, D, c and b, and see every law move. The law is that of Zhang & "
                        "Sui (2024), arXiv 2412.18073.",
                        className="quiet",
                    ),
                ]
            ),
            _census(look, file, every),
            html.Div(
                [
                    html.Div([_controls(), _numbers()], className="side"),
                    html.Div(
                        [_figure(name, *text) for name, text in FIGURES.items()],
                        className="figures",
                    ),
                ],
                className="columns",
            ),
            html.Div(
                [_figure("growth", *GROWTH)],
                id="growth-part",
                className="figures",
                hidden=look is None,
            ),
            _design(look is not None),
        ]
    )


def answers_table(answers: Sequence[Answer], caption: str) -> Any:
    """A table of questions and answers."""
    rows = [
        html.Tr([html.Th(question, scope="row"), html.Td(answer)]) for question, answer in answers
    ]
    return html.Table([html.Caption(caption), html.Tbody(rows)])


def layer_table(answers: Sequence[Answer], remarks: Iterable[str]) -> Any:
    """The answers for a counted layer, and what else to know of its fit, a sentence each."""
    table = answers_table(answers, "For the layer that was counted, with 95 % intervals")
    return [table, *[html.P(remark, className="quiet") for remark in remarks]]


def layer_options(names: Iterable[str]) -> list[Any]:
    """Layers to choose from; control characters in a name are shown as escapes."""
    return [html.Option(printable(name) or "(no name)", value=name, key=name) for name in names]


def state_of(look: Look, file: str) -> str:
    """What was read, and when it was written, in a sentence."""
    layers = "1 layer" if len(look.census) == 1 else f"{len(look.census):,} layers"
    if look.written is None:
        return f"A census of {layers}."
    return f"{printable(file)}: {layers}, last written at {written_ago(look.written)}."


def _census(look: Look | None, file: str, every: float) -> Any:
    """The choice of layer, and what is known of the file."""
    names = [] if look is None else list(look.census)
    hidden = look is None
    return html.Section(
        [
            html.H2("Census"),
            html.Div(
                [
                    html.Div(
                        [
                            html.Label("Layer", htmlFor="layer"),
                            html.Select(layer_options(names), id="layer"),
                        ],
                        className="choice",
                    ),
                    html.Button("Set the sliders to its fit", id="to-fit", type="button"),
                ],
                className="line",
            ),
            html.P("" if look is None else state_of(look, file), id="state", className="quiet"),
            html.P("", id="problem", className="problem", role="status"),
            html.P("", id="refusal", className="problem", role="status"),
            dcc.Store(id="version", data=None if look is None else look.version),
            dcc.Store(id="chosen", data=names[0] if names else None),
            dcc.Store(id="shown"),
            dcc.Store(id="fit"),
            dcc.Interval(id="clock", interval=1000 * every, disabled=hidden or not file),
        ],
        className="card",
        hidden=hidden,
    )


def _controls() -> Any:
    return html.Section(
        [
            html.H2("The layer"),
            *[_control(parameter) for parameter in PARAMETERS],
            html.P("", id="mistake", className="problem", role="alert"),
        ],
        className="card",
    )


def _control(parameter: Parameter) -> Any:
    """A slider, and a field for the number itself."""
    name, (low, high) = parameter.name, parameter.ends
    return html.Div(
        [
            html.Label(parameter.label, htmlFor=f"{name}-slider"),
            dcc.Input(
                id=f"{name}-slider",
                type="range",
                min=low,
                max=high,
                step=SLIDER_STEP,
                value=parameter.position(parameter.start),
                className="slider",
            ),
            html.Label(f"{name} as a number", htmlFor=f"{name}-number", className="unseen"),
            dcc.Input(
                id=f"{name}-number",
                type="number",
                value=parameter.start,
                step="any",
                debounce=0.4,
                className="number",
            ),
        ],
        className="control",
    )


def _numbers() -> Any:
    return html.Section(
        [html.H2("What the law says"), html.Div(id="numbers")], className="card numbers"
    )


def _figure(name: str, title: str, sentence: str) -> Any:
    return html.Figure(
        [
            html.H2(title),
            html.Figcaption(sentence, className="quiet"),
            html.Div(
                dcc.Graph(id=name, config=GRAPH_CONFIG, responsive=True, style={"height": "100%"}),
                className="graph",
                role="img",
                **{"aria-label": f"{title}. {sentence}"},  # pyright: ignore[reportArgumentType]
            ),
        ],
        className="card",
    )


def _design(has_census: bool) -> Any:
    """Questions of design, and their answers by the law and for the counted layer."""
    census_only = "" if has_census else "hidden"
    return html.Section(
        [
            html.H2("Design"),
            html.Div(
                [
                    _question("share", "Share of units to work", "number", 0.9),
                    _question("working", "Number of units to work", "number", 1000),
                    _question("more", "Further samples to stay idle", "text", "1x"),
                    _question(
                        "budget", "Share of samples affected", "number", None, "", census_only
                    ),
                    _question("after", "Samples of another width", "text", "1x", "", census_only),
                ],
                className="questions",
            ),
            html.P(
                "1x stands for as many samples as D, or as were counted. An empty share of samples "
                "affected removes idle units alone.",
                className="quiet",
            ),
            html.P("", id="design-mistake", className="problem", role="alert"),
            html.Div(
                [
                    html.Div(id="law-answers"),
                    html.Div(
                        [
                            html.Div(id="layer-answers"),
                            html.P("", id="busy", className="quiet", role="status"),
                        ],
                        hidden=not has_census,
                    ),
                ],
                className="answers",
            ),
        ],
        className="card",
    )


def _question(
    name: str, label: str, kind: Any, start: Any, class_name: str = "", hidden: str = ""
) -> Any:
    step: Any = {"step": "any"} if kind == "number" else {}
    return html.Div(
        [
            html.Label(label, htmlFor=f"ask-{name}"),
            dcc.Input(id=f"ask-{name}", type=kind, value=start, debounce=0.5, **step),
        ],
        className=class_name,
        hidden=bool(hidden),
    )
