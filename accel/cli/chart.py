"""A chart of lines as SVG, which needs nothing, or as PNG, which needs matplotlib."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final, NamedTuple
from xml.sax.saxutils import escape

from accel.cli.errors import CommandFailed, WrongUse

SVG: Final = ".svg"
PNG: Final = ".png"

_COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""Told apart by people who do not see all colours, too."""
_WIDTH: Final = 800
_HEIGHT: Final = 480
_LEFT: Final = 64
_RIGHT: Final = 24
_TOP: Final = 48
_BOTTOM: Final = 56


class Line(NamedTuple):
    """Something that is drawn."""

    name: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Lines over one another."""

    title: str
    x_label: str
    y_label: str
    lines: Sequence[Line]


def check(path: Path) -> None:
    """See that a chart can be written to a file of this name, before what takes long.

    :raises WrongUse: it is neither SVG nor PNG
    :raises CommandFailed: matplotlib is missing
    """
    if path.suffix.lower() not in {SVG, PNG}:
        raise WrongUse(f"--plot {path}: name a file that ends in {SVG} or {PNG}")
    if path.suffix.lower() == PNG and find_spec("matplotlib") is None:
        raise CommandFailed(f"--plot {path}: PNG needs matplotlib: pip install 'accel[plot]', or name a {SVG} file")


def write(chart: Chart, path: Path) -> None:
    """Write it in the format that the name says.

    :raises CommandFailed: the file cannot be written
    """
    try:
        if path.suffix.lower() == SVG:
            path.write_text(svg(chart), encoding="utf-8")
        else:
            _write_png(chart, path)
    except OSError as error:
        raise CommandFailed(f"--plot {path}: cannot be written: {error.strerror}") from error


class _Axis(NamedTuple):
    """Where values are along a side of the picture."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def svg(chart: Chart) -> str:
    """The chart as a document of its own."""
    across = _axis([x for line in chart.lines for x, _ in line.points], _LEFT, _WIDTH - _RIGHT)
    up = _axis([y for line in chart.lines for _, y in line.points], _HEIGHT - _BOTTOM, _TOP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}"',
        f'height="{_HEIGHT}" font-family="sans-serif" font-size="12">',
        f"<title>{escape(chart.title)}</title>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        _text(_LEFT, 24, chart.title, anchor="start", more=' font-size="16"'),
        *_grid(across, up),
        _text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 12, chart.x_label),
        _text(16, (_HEIGHT - _BOTTOM + _TOP) / 2, chart.y_label, is_upright=True),
        *_lines(chart, across, up),
        *_legend(chart),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def ticks(low: float, high: float) -> list[float]:
    """Round numbers from one to the other, about eight of them."""
    rough = (high - low) / 8
    magnitude = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * magnitude for factor in (1, 2, 5, 10) if factor * magnitude >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(number * step, 12) for number in range(first, last + 1)]


def _axis(values: Sequence[float], start: float, end: float) -> _Axis:
    """From zero, or from below where there is something below, to the largest."""
    low, high = min([0.0, *values]), max([0.0, *values])
    return _Axis(low, high if high > low else low + 1, start, end)


def _grid(across: _Axis, up: _Axis) -> Iterator[str]:
    for tick in ticks(up.low, up.high):
        y = up.at(tick)
        yield f'<path d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}" stroke="#ddd"/>'
        yield _text(_LEFT - 8, y + 4, f"{tick:g}", anchor="end")
    for tick in ticks(across.low, across.high):
        x = across.at(tick)
        yield f'<path d="M{x:.1f} {_HEIGHT - _BOTTOM}v5" stroke="#888"/>'
        yield _text(x, _HEIGHT - _BOTTOM + 20, f"{tick:g}")
    yield f'<path d="M{_LEFT} {_HEIGHT - _BOTTOM}H{_WIDTH - _RIGHT}" stroke="#888"/>'


def _lines(chart: Chart, across: _Axis, up: _Axis) -> Iterator[str]:
    for number, line in enumerate(chart.lines):
        points = " ".join(f"{across.at(x):.1f},{up.at(y):.1f}" for x, y in line.points)
        yield f'<polyline points="{points}" fill="none" stroke="{_colour(number)}" stroke-width="2"/>'


def _legend(chart: Chart) -> Iterator[str]:
    """The names, below each other in the lower right corner, which lines that grow leave free."""
    top = _HEIGHT - _BOTTOM - 16 * len(chart.lines)
    for number, line in enumerate(chart.lines):
        y = top + 16 * number
        yield f'<path d="M{_WIDTH - 176} {y}h20" stroke="{_colour(number)}" stroke-width="3"/>'
        yield _text(_WIDTH - 150, y + 4, line.name, anchor="start")


def _text(x: float, y: float, text: str, *, anchor: str = "middle", more: str = "", is_upright: bool = False) -> str:
    turned = f' transform="rotate(-90 {x:g} {y:g})"' if is_upright else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{more}{turned}>{escape(text)}</text>'


def _colour(number: int) -> str:
    return _COLOURS[number % len(_COLOURS)]


def _write_png(chart: Chart, path: Path) -> None:
    # It takes a second to import, and most who simulate want no picture.
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(_WIDTH / 100, _HEIGHT / 100), dpi=200, layout="constrained")
    axes = figure.subplots()
    for number, line in enumerate(chart.lines):
        axes.plot(*zip(*line.points, strict=True), label=line.name, color=_colour(number))
    axes.set(title=chart.title, xlabel=chart.x_label, ylabel=chart.y_label)
    axes.set_ylim(bottom=0)
    axes.grid(axis="y", color="#ddd")
    axes.legend(loc="lower right")
    figure.savefig(path, format="png")
