"""``accel free``: how much there is of each model, and the most that one request can have now."""

import argparse
from collections.abc import Iterable
from typing import ClassVar

from accel.cli import vendors
from accel.cli.base import ListCommand, client_of, query
from accel.cli.client import Item
from accel.cli.columns import Column, member

_NEARER = {"numa": "on a NUMA node", "switch": "below a switch", "linked": "linked"}


def _largest(largest: Item) -> str:
    """``6: 4 on a NUMA node, 2 linked``: the nearer ones where they are fewer, and more than one.

    That all are linked is told, too: ``8 linked: 4 on a NUMA node``.
    """
    most = largest["node"]
    nearer = [f"{largest[near]} {where}" for near, where in _NEARER.items() if 1 < largest[near] < most]
    linked = " linked" if 1 < largest["linked"] == most else ""
    return f"{most}{linked}{': ' if nearer else ''}{', '.join(nearer)}"


class Free(ListCommand):
    """Show what is free of each model, and how much fits at once."""

    noun = "model"
    columns: ClassVar[tuple[Column, ...]] = (
        member("type"),
        member("vendor", vendors.name),
        member("model"),
        member("resource_class"),
        *(member(key) for key in ("on_one_node", "total", "free", "held", "unusable")),
        member("largest", _largest),
    )
    shown = ("model", "resource_class", "on_one_node", "total", "free", "largest")
    shown_long = ("type", "vendor", *shown[:5], "held", "unusable", "largest")

    def add_filters(self, parser: argparse.ArgumentParser) -> None:
        """Add which models."""
        group = parser.add_argument_group("which models")
        group.add_argument("--model", metavar="TEXT", help="with this in their names")

    def fetch(self, parsed_args: argparse.Namespace, *, limit: int | None) -> Iterable[Item]:
        """Read them."""
        found = client_of(self).get("/placements/free", query(parsed_args, ("model",)))["free"]
        return list(found)[:limit]
