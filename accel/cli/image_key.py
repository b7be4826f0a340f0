"""``accel image key …``: list, show, add, revoke."""

import argparse
import os
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from cliff.command import Command

from accel import signing
from accel.cli import human, image_source, refs
from accel.cli.base import ListCommand, ShowCommand, client_of, query
from accel.cli.client import Item
from accel.cli.columns import Column, member, short_uuid
from accel.cli.errors import WrongUse

REF_HELP = "name, UUID, or its first four characters or more"
_PRIVATE = b"PRIVATE KEY-----"

_COLUMNS = (
    short_uuid(),
    member("name"),
    member("public_key"),
    member("project_id"),
    member("revoked_at", human.ago),
    member("created_at", human.ago),
)


class ImageKeyList(ListCommand):
    """List the keys whose signatures of images are good."""

    noun = "key"
    columns: ClassVar[tuple[Column, ...]] = _COLUMNS
    order = ("name",)
    shown = ("uuid", "name", "public_key", "revoked_at")
    shown_long = (*shown, "project_id", "created_at")

    def add_filters(self, parser: argparse.ArgumentParser) -> None:
        """Add the options that say which keys."""
        group = parser.add_argument_group("which keys")
        group.add_argument("--name", help="of this name")
        group.add_argument("--project", dest="project_id", metavar="ID", help="of this project")
        group.add_argument("--revoked", dest="is_revoked", action="store_const", const="true", help="that are revoked")
        group.add_argument(
            "--good", dest="is_revoked", action="store_const", const="false", help="that are not revoked"
        )

    def fetch(self, parsed_args: argparse.Namespace, *, limit: int | None) -> Iterable[Item]:
        """Read the keys."""
        asked = {"sort_key": "name", **query(parsed_args, ("name", "project_id", "is_revoked"))}
        return client_of(self).items("/image_keys", asked, limit=limit)


class ImageKeyShow(ShowCommand):
    """Show all about one key."""

    columns: ClassVar[tuple[Column, ...]] = _COLUMNS

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add which key."""
        parser = super().get_parser(prog_name)
        parser.add_argument("key", metavar="KEY", help=REF_HELP)
        return parser

    def fetch(self, parsed_args: argparse.Namespace) -> Item:
        """Read the key."""
        return refs.image_key(client_of(self), parsed_args.key)


class ImageKeyAdd(Command):
    """Register a key; its private half stays on this machine."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add which key."""
        parser = super().get_parser(prog_name)
        parser.add_argument("name", metavar="NAME", help="what to call it")
        parser.add_argument("file", metavar="FILE", type=Path, help="a public or private key of Ed25519, in PEM")
        parser.add_argument("--generate", action="store_true", help="make a private key first, in that file")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Register its public half and say so."""
        if parsed_args.generate:
            _generate(parsed_args.file)
        text = image_source.read(parsed_args.file)
        is_private = _PRIVATE in text
        public = signing.public_key_of(text) if is_private else image_source.public_key(parsed_args.file)
        made = client_of(self).post("/image_keys", {"name": parsed_args.name, "public_key": public})
        self.app.stdout.write(f"{made['name']} ({made['uuid'][:8]}) is registered: {public}\n")
        return 0


class ImageKeyRevoke(Command):
    """Have nothing loaded any more that a key has signed."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add which keys."""
        parser = super().get_parser(prog_name)
        parser.add_argument("key", metavar="KEY", nargs="+", help=REF_HELP)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Revoke them one by one and say so."""
        client = client_of(self)
        for key in [refs.image_key(client, text) for text in parsed_args.key]:
            client.post(f"/image_keys/{key['uuid']}/revoke")
            self.app.stdout.write(f"{key['name']} ({key['uuid'][:8]}) is revoked\n")
        return 0


def _generate(path: Path) -> None:
    """Make a private key that nobody else reads; what is there is not written over."""
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(signing.new_private_key())
    except OSError as error:
        raise WrongUse(f"{path}: cannot be made: {error.strerror}") from error
