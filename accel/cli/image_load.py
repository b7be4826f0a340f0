"""``accel image load``: an image into a part of a device."""

import argparse
from datetime import timedelta

from cliff.command import Command

from accel.cli import image, job, refs
from accel.cli.base import client_of


class ImageLoad(Command):
    """Load an image into a deployable, and wait for it."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add what into what."""
        parser = super().get_parser(prog_name)
        parser.add_argument("image", metavar="IMAGE", help=image.REF_HELP)
        parser.add_argument("deployable", metavar="DEPLOYABLE", help="name, UUID, or its first four characters or more")
        parser.add_argument("--no-wait", action="store_true", help="do not wait until it is loaded")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Order it, show how it goes, and say what came of it."""
        client = client_of(self)
        wanted, part = refs.image(client, parsed_args.image), refs.deployable(client, parsed_args.deployable)
        patch = [{"path": "/program", "op": "replace", "value": [{"image_uuid": wanted["uuid"]}]}]
        ordered = client.patch(f"/deployables/{part['uuid']}/program", patch, {"wait": "false"})
        into = ordered["deployable_name"] or part["name"]
        if parsed_args.no_wait:
            self.app.stdout.write(f"{image.name(wanted)} is being loaded into {into} by job {ordered['uuid']}\n")
            return 0
        job.until_ended(self, client, ordered, timedelta.max)
        self.app.stdout.write(f"{image.name(wanted)} is loaded in {into}\n")
        return 0
