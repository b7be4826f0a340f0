"""``accel profile …``: list, show, create, set, delete."""

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

from cliff.command import Command

from accel.cli import arguments, human, refs
from accel.cli.base import ListCommand, ShowCommand, client_of, query
from accel.cli.client import Item
from accel.cli.columns import Column, member, plain, short_uuid
from accel.cli.errors import WrongUse

REF_HELP = "name, UUID, or its first four characters or more"

_CHANGES = ("name", "description", "project_id", "is_public")


def name(profile: Item) -> str:
    """What to call a profile in a sentence."""
    return f"{profile['name']} ({profile['uuid'][:8]})"


_COLUMNS = (
    short_uuid(),
    member("name"),
    member("groups", lambda groups: "; ".join(map(plain, groups))),
    member("description"),
    member("is_public"),
    member("project_id"),
    member("version"),
    member("created_at", human.ago),
    member("updated_at", human.ago),
)


class ProfileList(ListCommand):
    """List device profiles: what can be asked for by a name."""

    noun = "profile"
    columns: ClassVar[tuple[Column, ...]] = _COLUMNS
    order = ("name",)
    shown = ("uuid", "name", "groups", "description")
    shown_long = (*shown, "is_public", "project_id", "version", "updated_at")

    def add_filters(self, parser: argparse.ArgumentParser) -> None:
        """Add the options that say which profiles."""
        group = parser.add_argument_group("which profiles")
        group.add_argument("--name", metavar="NAME[,NAME]", help="of these names")
        group.add_argument("--project", dest="project_id", metavar="ID", help="that belong to this project")
        group.add_argument(
            "--public", dest="is_public", action="store_const", const="true", help="that every project sees"
        )
        group.add_argument(
            "--private", dest="is_public", action="store_const", const="false", help="that only its own project sees"
        )

    def fetch(self, parsed_args: argparse.Namespace, *, limit: int | None) -> Iterable[Item]:
        """Read the profiles."""
        asked = {"sort_key": "name", **query(parsed_args, ("name", "project_id", "is_public"))}
        return client_of(self).items("/device_profiles", asked, limit=limit)


class ProfileShow(ShowCommand):
    """Show all about one device profile."""

    columns: ClassVar[tuple[Column, ...]] = (
        *_COLUMNS[:2],
        member("groups", lambda groups: "\n".join(map(plain, groups))),
        *_COLUMNS[3:],
    )

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add which profile."""
        parser = super().get_parser(prog_name)
        parser.add_argument("profile", metavar="PROFILE", help=REF_HELP)
        return parser

    def fetch(self, parsed_args: argparse.Namespace) -> Item:
        """Read the profile."""
        return refs.profile(client_of(self), parsed_args.profile)


class ProfileCreate(Command):
    """Create a device profile."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add what it is."""
        parser = super().get_parser(prog_name)
        parser.add_argument("name", metavar="NAME", help="letters, digits, _ and -")
        _add_contents(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Create it and say so."""
        groups = _groups(parsed_args)
        if groups is None:
            raise WrongUse("a profile has groups: give --group resources:CLASS=NUMBER[,KEY=VALUE], or --file FILE")
        new = {**query(parsed_args, _CHANGES), "groups": groups}
        made = client_of(self).post("/device_profiles", [new])
        self.app.stdout.write(f"{name(made)} is created\n")
        return 0


class ProfileSet(Command):
    """Change a device profile, unless somebody else has meanwhile."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add which profile and what to change."""
        parser = super().get_parser(prog_name)
        parser.add_argument("profile", metavar="PROFILE", help=REF_HELP)
        parser.add_argument("--name", help="its new name")
        _add_contents(parser)
        parser.add_argument(
            "--if-version",
            type=arguments.positive,
            metavar="NUMBER",
            help="change it only if this is its version (default: the one it has now)",
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Change it and say so."""
        changes, groups = query(parsed_args, _CHANGES), _groups(parsed_args)
        if groups is not None:
            changes["groups"] = groups
        if not changes:
            raise WrongUse("nothing to change: accel profile set --help lists what can be")
        client = client_of(self)
        before = refs.profile(client, parsed_args.profile)
        version = parsed_args.if_version or before["version"]
        after = client.patch(f"/device_profiles/{before['uuid']}", {**changes, "version": version})
        self.app.stdout.write(f"{name(after)} is changed, now version {after['version']}\n")
        return 0


class ProfileDelete(Command):
    """Delete device profiles, all that are named or none."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add which profiles."""
        parser = super().get_parser(prog_name)
        parser.add_argument("profile", metavar="PROFILE", nargs="+", help=REF_HELP)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Delete them and say so."""
        client = client_of(self)
        profiles = [refs.profile(client, text) for text in parsed_args.profile]
        client.delete("/device_profiles", {"value": ",".join(profile["uuid"] for profile in profiles)})
        for profile in profiles:
            self.app.stdout.write(f"{name(profile)} is deleted\n")
        return 0


def _add_contents(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what a profile is, besides its name."""
    parser.add_argument("--description", metavar="TEXT", help="what it is for")
    groups = parser.add_mutually_exclusive_group()
    groups.add_argument(
        "--group",
        action="append",
        metavar="KEY=VALUE[,KEY=VALUE]",
        help="one group: resources:PGPU=1,trait:CUSTOM_X=required; can be repeated",
    )
    groups.add_argument(
        "--file", metavar="FILE", help="JSON with the groups, as `profile show -f json` writes it; - for standard input"
    )
    parser.add_argument("--project", dest="project_id", metavar="ID", help="the project that it belongs to")
    visibility = parser.add_mutually_exclusive_group()
    visibility.add_argument(
        "--public", dest="is_public", action="store_true", default=None, help="every project sees it"
    )
    visibility.add_argument(
        "--private", dest="is_public", action="store_false", default=None, help="only its own project sees it"
    )


def _groups(parsed_args: argparse.Namespace) -> list[Any] | None:
    """The groups that were given; None where none were."""
    if parsed_args.file:
        return _groups_of_file(parsed_args.file)
    return [_group(text) for text in parsed_args.group] if parsed_args.group else None


def _group(text: str) -> dict[str, str]:
    group: dict[str, str] = {}
    for entry in text.split(","):
        key, equals, value = entry.partition("=")
        if not key.strip() or not equals or key in group:
            raise WrongUse(f"--group {text}: write KEY=VALUE[,KEY=VALUE], each key once")
        group[key.strip()] = value.strip()
    return group


def _groups_of_file(path: str) -> list[Any]:
    try:
        read = json.loads(sys.stdin.read() if path == "-" else Path(path).read_text())
    except OSError as error:
        raise WrongUse(f"--file {path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise WrongUse(f"--file {path}: {error}") from error
    groups = read.get("groups") if isinstance(read, dict) else read
    if not isinstance(groups, list):
        raise WrongUse(f"--file {path}: neither a list of groups nor an object with the member groups")
    return groups
