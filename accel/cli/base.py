"""What the commands of ``accel`` have in common: lists and single things, shown by columns, in any format."""

import argparse
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, TextIO, cast

from cliff.command import Command
from cliff.display import DisplayCommandBase
from cliff.lister import Lister
from cliff.show import ShowOne
from stevedore import ExtensionManager
from stevedore.extension import Extension

from accel.cli import arguments, formats, watch
from accel.cli.app import AccelApp
from accel.cli.client import Client, Item
from accel.cli.columns import Column, chosen, ordered, plain

TABLE_ROWS = 1000


def app_of(command: Command) -> AccelApp:
    """The application that a command runs in, as what it is."""
    return cast(AccelApp, command.app)


def client_of(command: Command) -> Client:
    """The API that a command talks to."""
    return app_of(command).client


class OurFormats(DisplayCommandBase[Any]):
    """Takes the formats from ``accel.cli.formats``, the same for lists and single things, and imports no others."""

    def _load_formatter_plugins(self) -> "ExtensionManager[Any]":
        self.formats = formats.formatters()
        extensions = [
            Extension(name, cast(Any, None), type(formatter), formatter) for name, formatter in self.formats.items()
        ]
        return ExtensionManager.make_test_instance(extensions)


class ListCommand(OurFormats, Lister):
    """A command that lists things of one kind."""

    noun: ClassVar[str]
    """What is listed, in the singular."""
    order: ClassVar[Sequence[str]] = ()
    """The keys of the columns to sort by unless asked otherwise; empty for the order of ``fetch``."""
    keeps_last: ClassVar[bool] = False
    """Whether the last rows are kept when there are more than asked for."""
    columns: ClassVar[Sequence[Column]]
    """All columns, in the order of the JSON output."""
    shown: ClassVar[Sequence[str]]
    """The keys of the columns of a table."""
    shown_long: ClassVar[Sequence[str]]
    """The keys of the columns of a table with ``--long``."""

    @abstractmethod
    def add_filters(self, parser: argparse.ArgumentParser) -> None:
        """Add the options that say what to list."""

    @abstractmethod
    def fetch(self, parsed_args: argparse.Namespace, *, limit: int | None) -> Iterable[Item]:
        """Read what to list.

        :param limit: at most so many; None for all
        """

    _note = ""
    """What to say beside the rows: that there are more, or none."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add what every list has."""
        parser = super().get_parser(prog_name)
        self.add_filters(parser)
        parser.add_argument("--long", action="store_true", help="show more columns, and UUIDs in full")
        amount = parser.add_mutually_exclusive_group()
        amount.add_argument(
            "--limit",
            type=arguments.positive,
            metavar="NUMBER",
            help=f"list at most so many (default: {TABLE_ROWS} in a table, all in the other formats)",
        )
        amount.add_argument("--all", action="store_true", help="list all, however many there are")
        watch.add_option(parser)
        return parser

    def run(self, parsed_args: argparse.Namespace) -> int:
        """List once, or again and again."""
        stdout = self.app.stdout
        if parsed_args.watch is None:
            self._emit(parsed_args, stdout)
            self.tell(self._note)
            return 0
        if not stdout.isatty():
            watch.check_format(parsed_args.formatter)
            parsed_args.formatter, parsed_args.noindent = "json", True
        return watch.watch(
            lambda frame: self._draw(parsed_args, frame),
            stdout=stdout,
            stderr=self.app.stderr,
            interval=parsed_args.watch,
            wait=app_of(self).wait,
        )

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
        """Read, sort and select."""
        columns = self.selected(parsed_args)
        limit = row_limit(parsed_args)
        by = chosen(self.columns, parsed_args.sort_columns)
        # What is sorted here must be read whole: the first thousand in the server's order are not the first in ours.
        wanted = None if limit is None or by else limit + 1
        items = list(self.fetch(parsed_args, limit=wanted))
        if by:
            items = ordered(items, by, descending=parsed_args.sort_direction == "desc")
        self._note = "" if items else f"no {self.noun}s"
        if limit is not None and len(items) > limit:
            items = items[-limit:] if self.keeps_last else items[:limit]
            self._note = f"{limit} shown, there are more: --all, or --limit NUMBER"
        if self.order and not by:
            items = ordered(items, chosen(self.columns, self.order))
        if not items and parsed_args.formatter == formats.TABLE:
            return (), ()
        return headings(columns, parsed_args.formatter), [
            [value(column, item, parsed_args.formatter, is_long=parsed_args.long) for column in columns]
            for item in items
        ]

    def selected(self, parsed_args: argparse.Namespace) -> Sequence[Column]:
        """The columns to show."""
        if parsed_args.columns:
            return chosen(self.columns, parsed_args.columns)
        if parsed_args.formatter == formats.TABLE:
            return chosen(self.columns, self.shown_long if parsed_args.long else self.shown)
        return self.columns

    def _emit(self, parsed_args: argparse.Namespace, stream: TextIO) -> None:
        names, rows = self.take_action(parsed_args)
        if names:
            self.formats[parsed_args.formatter].emit_list(names, rows, stream, parsed_args)

    def _draw(self, parsed_args: argparse.Namespace, frame: watch.Frame) -> None:
        self._emit(parsed_args, frame)
        if frame.isatty() and self._note:
            frame.write(f"{self._note}\n")

    def tell(self, note: str) -> None:
        """Say something beside the output, where there is something to say."""
        if note:
            self.app.stderr.write(f"{note}\n")
            self.app.stderr.flush()


class ShowCommand(OurFormats, ShowOne):
    """A command that shows one thing."""

    columns: ClassVar[Sequence[Column]]
    """All columns, in the order of the JSON output."""
    hidden: ClassVar[frozenset[str]] = frozenset()
    """The keys of the columns that a table leaves out unless asked for."""

    @abstractmethod
    def fetch(self, parsed_args: argparse.Namespace) -> Item:
        """Read what to show."""

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
        """Read and select."""
        columns = chosen(self.columns, parsed_args.columns) if parsed_args.columns else list(self.columns)
        item = self.fetch(parsed_args)
        if parsed_args.formatter == formats.TABLE and not parsed_args.columns:
            columns = [column for column in columns if column.key not in self.hidden and column.cell(item) != "-"]
        return headings(columns, parsed_args.formatter), [
            value(column, item, parsed_args.formatter, is_long=True) for column in columns
        ]


def headings(columns: Iterable[Column], formatter: str) -> list[str]:
    """What columns are called: words in a table, keys everywhere else."""
    return [column.heading if formatter == formats.TABLE else column.key for column in columns]


def value(column: Column, item: Item, formatter: str, *, is_long: bool) -> Any:
    """What a format shows of an item in a column.

    :param is_long: whether a table shows UUIDs in full
    """
    raw = column.raw(item)
    if formatter == formats.TABLE:
        return raw if raw and is_long and column.heading.endswith("UUID") else column.cell(item)
    if formatter in formats.RAW or isinstance(raw, int | float | str):
        return raw
    return plain(raw)


def row_limit(parsed_args: argparse.Namespace) -> int | None:
    """How many rows to list at most; None for all."""
    if parsed_args.all:
        return None
    default = TABLE_ROWS if parsed_args.formatter == formats.TABLE else None
    return parsed_args.limit or default


def query(parsed_args: argparse.Namespace, names: Iterable[str]) -> dict[str, Any]:
    """The filters that were given, by the names that options and API share."""
    given = {name: getattr(parsed_args, name) for name in names}
    return {name: value for name, value in given.items() if value is not None}
