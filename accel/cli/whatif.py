"""``accel whatif``: how often something would fit if the fleet were another one."""

import argparse
import re
from pathlib import Path
from typing import Any, ClassVar, TextIO

from accel.cli import arguments, formats, wanted
from accel.cli.base import ShowCommand, client_of
from accel.cli.client import Client, Item
from accel.cli.columns import Column, member
from accel.cli.errors import NoPlacement, NothingFound, WrongUse

_PATH = "/placements/whatif"
_TIMES = re.compile(r"(.+?)\s*([x×*])\s*([0-9]{1,9})")


class WhatIf(ShowCommand):
    """Say how often something would fit with other nodes."""

    columns: ClassVar[tuple[Column, ...]] = tuple(member(key) for key in ("count", "fits", "nodes", "next"))

    _all_fit = True

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add what is different, and what is wanted."""
        parser = super().get_parser(prog_name)
        fleet = parser.add_argument_group("what is different")
        fleet.add_argument("--add-nodes", metavar="FILE", help="with the nodes of this fleet file besides")
        fleet.add_argument("--drain", action="append", metavar="NODE", help="without this node; can be repeated")
        parser.add_argument(
            "--request", metavar="PROFILE×NUMBER", help="what a device profile asks for, so often: train×20"
        )
        parser.add_argument(
            "--times", type=arguments.positive, metavar="NUMBER", help="how often it is to fit (default: once)"
        )
        wanted.add_options(parser)
        return parser

    def fetch(self, parsed_args: argparse.Namespace) -> Item:
        """Ask."""
        client = client_of(self)
        body, count = _asked(parsed_args, client)
        more: dict[str, Any] = {"count": count}
        if parsed_args.add_nodes:
            more["add_nodes"] = _document(parsed_args.add_nodes)
        if parsed_args.drain:
            more["drain"] = parsed_args.drain
        outcome = client.post(_PATH, {**body, **more})
        self._all_fit = outcome["next"] is None
        return outcome

    def run(self, parsed_args: argparse.Namespace) -> int:
        """Tell how often it fits, where, and what blocks the next one; the other formats have the parts."""
        if parsed_args.formatter != formats.TABLE or parsed_args.columns:
            super().run(parsed_args)
        else:
            _draw(self.fetch(parsed_args), self.app.stdout, parsed_args)
        return 0 if self._all_fit else NoPlacement.exit_code


def _draw(outcome: Item, out: TextIO, parsed_args: argparse.Namespace) -> None:
    out.write(f"{outcome['fits']} of {outcome['count']} fit\n")
    if outcome["nodes"]:
        out.write("\n")
        rows = [[used["node"], used["count"]] for used in outcome["nodes"]]
        formats.Table().emit_list(["Node", "Times"], rows, out, parsed_args)
    if outcome["next"] is not None:
        out.write(f"\nThe next one does not. {outcome['next']['text']}\n")


def _asked(parsed_args: argparse.Namespace, client: Client) -> tuple[Item, int]:
    """The question, and how often it is put."""
    if not parsed_args.request:
        return wanted.question(parsed_args, client), parsed_args.times or 1
    if parsed_args.profile or parsed_args.times:
        raise WrongUse("--request says profile and number; leave out --profile and --times")
    profile, count = _read_request(parsed_args.request, client)
    parsed_args.profile = profile
    return wanted.question(parsed_args, client), count


def _read_request(text: str, client: Client) -> tuple[str, int]:
    """Profile and number. An x may be a letter of the name, which goes first.

    :raises NothingFound: there is no such profile
    """
    match = _TIMES.fullmatch(text)
    if match is None:
        return text, 1
    name, sign, number = match.groups()
    if sign == "x" and _is_profile(text, client):
        return text, 1
    if int(number) < 1:
        raise WrongUse(f"--request {text}: {number} is not a number from 1")
    return name, int(number)


def _is_profile(text: str, client: Client) -> bool:
    try:
        wanted.of_profile(text, client)
    except NothingFound:
        return False
    return True


def _document(path: str) -> Any:
    """A fleet file as it stands there: every value is a text, whatever YAML takes it for."""
    import yaml  # noqa: PLC0415 - only this option needs it

    try:
        return yaml.load(Path(path).read_text(encoding="utf-8"), Loader=yaml.BaseLoader)  # noqa: S506 (texts only)
    except OSError as error:
        raise WrongUse(f"--add-nodes {path}: cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise WrongUse(f"--add-nodes {path}: {error}") from error
