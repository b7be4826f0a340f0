"""``accel explain``: whether something fits, and if not, what stands in the way and what would help."""

import argparse
from collections.abc import Iterator
from typing import ClassVar, TextIO

from accel.cli import formats, wanted
from accel.cli.base import ShowCommand, client_of
from accel.cli.client import Item
from accel.cli.columns import Column, member
from accel.cli.errors import NoPlacement
from accel.cli.human import plural

_PATH = "/placements/explain"
_SUPPOSITIONS = ("released", "repaired", "online")


class Explain(ShowCommand):
    """Say whether something fits, and if not, why and what helps."""

    columns: ClassVar[tuple[Column, ...]] = tuple(
        member(key) for key in ("fits", "nodes", "text", "steps", "blocker", "nearest", "counterfactuals")
    )

    _fits = True

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add what is wanted."""
        parser = super().get_parser(prog_name)
        wanted.add_options(parser)
        parser.add_argument(
            "--suppose",
            action="append",
            choices=_SUPPOSITIONS,
            metavar="WHAT",
            help="take for granted that all is released, that all is repaired, or that all nodes are online; can be "
            "repeated",
        )
        return parser

    def fetch(self, parsed_args: argparse.Namespace) -> Item:
        """Ask."""
        client = client_of(self)
        suppose = {"suppose": sorted(set(parsed_args.suppose))} if parsed_args.suppose else {}
        explained = client.post(_PATH, {**wanted.question(parsed_args, client), **suppose})
        self._fits = explained["fits"]
        return explained

    def run(self, parsed_args: argparse.Namespace) -> int:
        """Tell it in sentences and a table of the steps; the other formats have the parts."""
        if parsed_args.formatter != formats.TABLE or parsed_args.columns:
            super().run(parsed_args)
        else:
            draw(self.fetch(parsed_args), self.app.stdout, parsed_args)
        return 0 if self._fits else NoPlacement.exit_code


def draw(explained: Item, out: TextIO, parsed_args: argparse.Namespace) -> None:
    """Write what stands in the way, what is left after each step, and what would help."""
    if explained["fits"]:
        out.write(f"{explained['text']}\n")
        return
    out.write(f"{explained['blocker']['text']}\n")
    if explained["nearest"] is not None:
        out.write(f"{explained['nearest']['text']}\n")
    rows = [[step["filter"], step["nodes"], step["devices"], _why(step)] for step in _until_nothing_is_left(explained)]
    out.write("\n")
    formats.Table().emit_list(["Filter", "Nodes", "Devices", "Out"], rows, out, parsed_args)
    out.write("\n")
    out.writelines(f"{found['text']}\n" for found in explained["counterfactuals"])
    if not explained["counterfactuals"]:
        out.write("Nothing that is left out alone would help.\n")


def _until_nothing_is_left(explained: Item) -> Iterator[Item]:
    for step in explained["steps"]:
        yield step
        if not step["nodes"]:
            return


def _why(step: Item) -> str:
    reasons = step["reasons"]
    return "; ".join(f"{one['text']} ({plural(one['count'], one['of'].removesuffix('s'))})" for one in reasons)
