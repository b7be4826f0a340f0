"""``accel quota …``: list, show and set how many accelerators projects may hold."""

import argparse
from collections.abc import Iterable
from itertools import islice
from typing import ClassVar
from urllib.parse import quote

from cliff.command import Command

from accel.cli.base import ListCommand, ShowCommand, client_of, query
from accel.cli.client import Client, Item
from accel.cli.columns import Column, member
from accel.cli.errors import NothingFound, WrongUse

NO_LIMIT = -1


def line(quota: Item) -> str:
    """A quota in words: ``PGPU: 2 of 4 held``."""
    held = (
        f"{quota['used']} held, no limit" if quota["limit"] == NO_LIMIT else f"{quota['used']} of {quota['limit']} held"
    )
    return f"{quota['resource_class']}: {held}"


def _lines(quotas: Iterable[Item]) -> str:
    return "\n".join(map(line, quotas)) or "no limit, nothing held"


class QuotaList(ListCommand):
    """List how many accelerators projects may hold, and do hold."""

    noun = "quota"
    columns: ClassVar[tuple[Column, ...]] = (
        member("project_id"),
        member("resource_class"),
        member("used"),
        member("limit", lambda limit: "none" if limit == NO_LIMIT else limit),
    )
    shown = ("project_id", "resource_class", "used", "limit")
    shown_long = shown

    def add_filters(self, parser: argparse.ArgumentParser) -> None:
        """Add the options that say whose quotas."""
        group = parser.add_argument_group("which quotas")
        group.add_argument("--project", dest="project_id", metavar="ID", help="of this project")

    def fetch(self, parsed_args: argparse.Namespace, *, limit: int | None) -> Iterable[Item]:
        """Read the quotas, one for each project and resource class."""
        projects = client_of(self).items("/quotas", query(parsed_args, ("project_id",)), limit=limit, key="project_id")
        found = ({"project_id": of["project_id"], **quota} for of in projects for quota in of["quotas"])
        return islice(found, limit)


class QuotaShow(ShowCommand):
    """Show how many accelerators a project may and does hold."""

    columns: ClassVar[tuple[Column, ...]] = (member("project_id"), member("quotas", _lines))

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add which project."""
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "project", metavar="PROJECT", nargs="?", help="the id of a project (default: the only one that you see)"
        )
        return parser

    def fetch(self, parsed_args: argparse.Namespace) -> Item:
        """Read the quotas of the project."""
        client = client_of(self)
        return _only(client) if parsed_args.project is None else _of(client, parsed_args.project)


class QuotaSet(Command):
    """Set how many accelerators a project may hold."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add which project, and how many."""
        parser = super().get_parser(prog_name)
        parser.add_argument("project", metavar="PROJECT", help="the id of a project")
        parser.add_argument(
            "limit",
            metavar="CLASS=LIMIT",
            nargs="+",
            help="a resource class and how many of it, PGPU=4; -1 or none: no limit. Others stay as they are",
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Set them and say what there is now."""
        limits = _limits(parsed_args.limit)
        after = client_of(self).put(_path(parsed_args.project), {"quotas": limits})["quota"]
        known = {quota["resource_class"]: line(quota) for quota in after["quotas"]}
        for name in limits:
            self.app.stdout.write(f"{after['project_id']}: {known.get(name, f'{name}: 0 held, no limit')}\n")
        return 0


def _path(project: str) -> str:
    return f"/quotas/{quote(project, safe='')}"


def _of(client: Client, project: str) -> Item:
    found: Item = client.get(_path(project))["quota"]
    return found


def _only(client: Client) -> Item:
    """The quotas of the one project that there are any of.

    :raises WrongUse: there are several
    """
    found = list(client.items("/quotas", limit=2, key="project_id"))
    if not found:
        raise NothingFound("no project that you see has a limit, or holds anything")
    if len(found) > 1:
        raise WrongUse("several projects have quotas; say which: accel quota show PROJECT. accel quota list shows all")
    return found[0]


def _limits(texts: Iterable[str]) -> dict[str, int]:
    limits: dict[str, int] = {}
    for text in texts:
        name, equals, amount = text.partition("=")
        limit = str(NO_LIMIT) if amount.lower() in {"none", str(NO_LIMIT)} else amount
        if not name or not equals or name in limits or not (limit.isascii() and limit.removeprefix("-").isdecimal()):
            raise WrongUse(f"{text}: write CLASS=LIMIT, each class once: PGPU=4, or PGPU=-1 for no limit")
        limits[name] = int(limit)
    return limits
