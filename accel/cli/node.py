"""``accel node …``: list and show the hosts that agents run on."""

import argparse
from collections.abc import Iterable, Iterator
from typing import ClassVar

from accel.cli import human, refs
from accel.cli.base import ListCommand, ShowCommand, client_of, query
from accel.cli.client import Item
from accel.cli.columns import Column, member, short_uuid, within
from accel.cli.errors import WrongUse


def failures(node: Item) -> Iterator[str]:
    """A sentence for each driver that could not look."""
    for driver in node["drivers"]:
        if not driver["ok"]:
            yield f"{driver['driver']} failed: {driver['message']}"


def _drivers(node: Item) -> str:
    """Which drivers failed, and how many are fine."""
    failed = [f"{driver['driver']} failed" for driver in node["drivers"] if not driver["ok"]]
    fine = len(node["drivers"]) - len(failed)
    return ", ".join([*failed, *([f"{fine} ok"] if fine else [])])


def _driver_lines(node: Item) -> str:
    fine = [f"{driver['driver']} ok" for driver in node["drivers"] if driver["ok"]]
    hints = [driver["hint"] for driver in node["drivers"] if driver["hint"]]
    return "\n".join([*fine, *failures(node), *hints])


_ABOUT = (
    member("name"),
    short_uuid(),
    member("state"),
    within("counts", "devices"),
    within("counts", "total"),
    within("counts", "free"),
    within("counts", "held"),
    within("counts", "unhealthy"),
    within("counts", "unknown"),
    within("counts", "lost"),
    within("counts", "disabled"),
)
_MORE = (
    member("rack"),
    member("labels"),
    member("agent_version"),
    member("kernel"),
    member("last_heartbeat_at", human.ago),
    member("created_at", human.ago),
    member("updated_at", human.ago),
)


class NodeList(ListCommand):
    """List nodes: which are heard, and what they have."""

    noun = "node"
    columns: ClassVar[tuple[Column, ...]] = (
        *_ABOUT,
        Column("drivers", lambda node: node["drivers"], _drivers),
        *_MORE,
        Column("heard", lambda node: node["last_heartbeat_at"], lambda node: human.age(node["last_heartbeat_at"])),
    )
    order = ("name",)
    shown = ("name", "state", "heard", "total", "free", "held", "unhealthy", "unknown", "drivers")
    shown_long = ("name", "uuid", *shown[1:-1], "lost", "disabled", "rack", "agent_version", "kernel", "drivers")

    def add_filters(self, parser: argparse.ArgumentParser) -> None:
        """Add the options that say which nodes."""
        group = parser.add_argument_group("which nodes")
        group.add_argument("--state", choices=("online", "offline"), help="that are heard, or silent for too long")
        group.add_argument("--rack", help="in this rack")
        group.add_argument(
            "--label", action="append", default=[], metavar="KEY=VALUE", help="that have this label; can be repeated"
        )

    def fetch(self, parsed_args: argparse.Namespace, *, limit: int | None) -> Iterable[Item]:
        """Read the nodes."""
        asked = {"sort_key": "name", **query(parsed_args, ("state", "rack"))}
        for label in parsed_args.label:
            key, equals, wanted = label.partition("=")
            if not key or not equals:
                raise WrongUse(f"--label {label}: write KEY=VALUE")
            asked[f"label.{key}"] = wanted
        return client_of(self).items("/nodes", asked, limit=limit)


class NodeShow(ShowCommand):
    """Show all about one node: drivers, why one could not look."""

    columns: ClassVar[tuple[Column, ...]] = (
        *_ABOUT,
        Column("drivers", lambda node: node["drivers"], _driver_lines),
        *_MORE,
    )

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add which node."""
        parser = super().get_parser(prog_name)
        parser.add_argument("node", metavar="NODE", help="name, UUID, or its first four characters or more")
        return parser

    def fetch(self, parsed_args: argparse.Namespace) -> Item:
        """Read the node."""
        return refs.node(client_of(self), parsed_args.node)
