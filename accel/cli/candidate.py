"""``accel candidates``: where something would fit, the best places first. Nothing is taken."""

import argparse
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from accel.cli import wanted
from accel.cli.base import ListCommand, client_of, headings, value
from accel.cli.client import Client, Item
from accel.cli.columns import Column, chosen, member
from accel.cli.errors import NoPlacement, WrongUse

_PATH = "/placements/candidates"
_MOST = 1000
_SHOWN = 10


def _allocation(allocation: Item) -> str:
    return f"{allocation['deployable_name']}  {allocation['resource_class']}"


def _part(name: str, score: float) -> str:
    return f"{name} {score:.2f}"


COLUMNS = (
    member("score", "{:.3f}".format),
    member("scores", lambda scores: ", ".join(_part(*item) for item in scores.items())),
    member("nodes"),
    Column("accelerators", lambda candidate: len(candidate["allocations"])),
    member("allocations", lambda allocations: "\n".join(sorted(map(_allocation, allocations)))),
)


class Candidates(ListCommand):
    """List where something would fit, the best places first."""

    noun = "candidate"
    columns: ClassVar[tuple[Column, ...]] = (
        *COLUMNS[:-1],
        member("allocations", lambda allocations: ", ".join(sorted(part["deployable_name"] for part in allocations))),
    )
    shown = ("score", "nodes", "accelerators", "allocations")
    shown_long = ("score", "scores", "nodes", "accelerators", "allocations")

    def add_filters(self, parser: argparse.ArgumentParser) -> None:
        """Add the options that say what is wanted, and what is good."""
        wanted.add_options(parser)
        parser.add_argument(
            "--order",
            metavar="POLICY",
            help="what is good: default, pack, spread, topology, or weights such as pack=4,topology=1",
        )

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Show a few unless asked for more."""
        parser = super().get_parser(prog_name)
        parser.set_defaults(limit=_SHOWN)
        return parser

    def fetch(self, parsed_args: argparse.Namespace, *, limit: int | None) -> Iterable[Item]:
        """Ask for the candidates.

        :raises NoPlacement: there is none
        """
        client = client_of(self)
        more = {"order": _order(parsed_args.order)} if parsed_args.order else {}
        return find(client, {**wanted.question(parsed_args, client), **more}, limit=min(limit or _MOST, _MOST))


def find(client: Client, question: Item, *, limit: int) -> list[Item]:
    """The best places for what a question asks for.

    :raises NoPlacement: there is none; the text says why
    """
    answer = client.post(_PATH, {**question, "limit": limit})
    found: list[Item] = answer["candidates"]
    if not found:
        raise NoPlacement(answer["explanation"])
    return found


def best(client: Client, question: Item) -> Item:
    """The best place for what a question asks for.

    :raises NoPlacement: there is none; the text says why
    """
    return find(client, question, limit=1)[0]


def cells(candidate: Item, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
    """One candidate in the form that is asked for."""
    columns = chosen(COLUMNS, parsed_args.columns) if parsed_args.columns else COLUMNS
    shown = [value(column, candidate, parsed_args.formatter, is_long=True) for column in columns]
    return headings(columns, parsed_args.formatter), shown


def _order(text: str) -> str | dict[str, float]:
    if "=" not in text:
        return text
    weights: dict[str, float] = {}
    for entry in text.split(","):
        name, _, weight = entry.partition("=")
        try:
            weights[name.strip()] = float(weight)
        except ValueError as error:
            raise WrongUse(f"--order {text}: write the name of a policy, or NAME=WEIGHT[,NAME=WEIGHT]") from error
    return weights
