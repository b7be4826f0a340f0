"""How results are written: cliff's json, yaml, csv and value, and a table of our own.

The table has no frame and, on a terminal, fits its width by shortening its widest columns: a line stays a line. To a
pipe, and with ``--long``, it is written in full; to a pipe without colour.
"""

import argparse
import os
import shutil
import textwrap
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

from cliff.formatters.base import ListFormatter, SingleFormatter
from cliff.formatters.commaseparated import CSVLister
from cliff.formatters.json_format import JSONFormatter
from cliff.formatters.value import ValueFormatter
from cliff.formatters.yaml_format import YAMLFormatter

TABLE = "table"
RAW = ("json", "yaml")
"""Formats that keep objects and lists as they are."""

_GAP = "  "
_NARROWEST = 8
_RESET = "\033[0m"
_HEADING = "\033[1m"
_PAINT = {
    **dict.fromkeys(("unhealthy", "lost", "offline", "BindFailed"), "\033[31m"),
    **dict.fromkeys(("unknown", "disabled"), "\033[33m"),
}


class Table(ListFormatter, SingleFormatter):
    """Columns beside each other for a list, a field per line for one thing."""

    def add_argument_group(self, parser: argparse.ArgumentParser) -> None:
        """Add the options of the table."""
        group = parser.add_argument_group("table")
        group.add_argument("--fit-width", action="store_true", help="fit the width of the terminal even into a pipe")
        group.add_argument(
            "--max-width", type=int, metavar="CHARACTERS", default=0, help="at most so wide; 0: the terminal's width"
        )

    def emit_list(
        self,
        column_names: Sequence[str],
        data: Iterable[Sequence[Any]],
        stdout: TextIO,
        parsed_args: argparse.Namespace,
    ) -> None:
        """Write a heading and a line for each row."""
        rows = [list(row) for row in data]
        texts = [[str(value) for value in row] for row in rows]
        is_figure = [all(isinstance(row[index], int) for row in rows) for index in range(len(column_names))]
        widths = [
            max(width_of(text) for text in (name, *(row[index] for row in texts)))
            for index, name in enumerate(column_names)
        ]
        widths = fitted(widths, _available(stdout, parsed_args))
        paints = has_colour(stdout)
        for number, line in enumerate([list(column_names), *texts]):
            cells = [
                _cell(text, width, to_right=figure) for text, width, figure in zip(line, widths, is_figure, strict=True)
            ]
            stdout.write(_joined(line, cells, paints=paints, is_heading=number == 0) + "\n")

    def emit_one(
        self, column_names: Sequence[str], data: Sequence[Any], stdout: TextIO, parsed_args: argparse.Namespace
    ) -> None:
        """Write a line for each field; a value of several lines goes on below itself."""
        names = max((width_of(name) for name in column_names), default=0)
        available = _available(stdout, parsed_args)
        room = None if available is None else max(_NARROWEST, available - names - len(_GAP))
        paints = has_colour(stdout)
        for name, value in zip(column_names, data, strict=True):
            label = name
            lines = str(value).splitlines()
            for text in lines if room is None else [part for line in lines for part in textwrap.wrap(line, room)]:
                painted = painted_text(text, text, paints=paints)
                stdout.write(f"{_cell(label, names)}{_GAP}{painted}".rstrip() + "\n")
                label = ""


class Csv(CSVLister, SingleFormatter):
    """Comma-separated values; one thing is one row."""

    def emit_one(
        self, column_names: Sequence[str], data: Sequence[Any], stdout: TextIO, parsed_args: argparse.Namespace
    ) -> None:
        """Write a heading and a row."""
        self.emit_list(column_names, [data], stdout, parsed_args)


def formatters() -> dict[str, Any]:
    """Every format by its name, for lists and for one thing alike."""
    return {
        "csv": Csv(),
        "json": JSONFormatter(),
        TABLE: Table(),
        "value": ValueFormatter(),
        "yaml": YAMLFormatter(),
    }


def has_colour(stream: TextIO) -> bool:
    """Whether to paint: on a terminal that can, unless the person said NO_COLOR."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def terminal_width() -> int:
    """The columns of the terminal, or what COLUMNS says."""
    return shutil.get_terminal_size().columns


def width_of(text: str) -> int:
    """How many columns of a terminal a text takes: East Asian characters take two."""
    if text.isascii():
        return len(text)
    return sum(_width_of_character(character) for character in text)


def shortened(text: str, width: int) -> str:
    """The text, or what fits of it with an ellipsis at the end."""
    if width_of(text) <= width:
        return text
    kept = ""
    for character in text:
        if width_of(kept + character) > width - 1:
            break
        kept += character
    return kept + "…"


def fitted(widths: Sequence[int], available: int | None) -> list[int]:
    """Column widths that fit together, by taking from the widest, and never below eight characters.

    :param available: columns of the terminal; None for as many as it takes
    """
    found = list(widths)
    if available is None:
        return found
    excess = sum(found) + len(_GAP) * (len(found) - 1) - available
    while excess > 0 and max(found) > _NARROWEST:
        found[found.index(max(found))] -= 1
        excess -= 1
    return found


def painted_text(text: str, shown: str, *, paints: bool) -> str:
    """What is shown of a text, in the colour of what it says."""
    colour = _PAINT.get(text) if paints else None
    return f"{colour}{shown}{_RESET}" if colour else shown


def _available(stdout: TextIO, parsed_args: argparse.Namespace) -> int | None:
    if parsed_args.max_width > 0:
        return int(parsed_args.max_width)
    is_long = getattr(parsed_args, "long", False)
    return terminal_width() if parsed_args.fit_width or (stdout.isatty() and not is_long) else None


def _cell(text: str, width: int, *, to_right: bool = False) -> str:
    shown = shortened(text, width)
    padding = " " * (width - width_of(shown))
    return padding + shown if to_right else shown + padding


def _joined(texts: Sequence[str], cells: Sequence[str], *, paints: bool, is_heading: bool) -> str:
    if is_heading:
        line = _GAP.join(cells).rstrip()
        return f"{_HEADING}{line}{_RESET}" if paints else line
    return _GAP.join(painted_text(text, cell, paints=paints) for text, cell in zip(texts, cells, strict=True)).rstrip()


def _width_of_character(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
