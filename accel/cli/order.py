"""``accel device reset``, ``scrub`` and ``vfs``: what an operator has done to a device, each by a job."""

import argparse
from abc import abstractmethod
from typing import Any

from cliff.command import Command

from accel.cli import refs
from accel.cli.base import client_of
from accel.cli.client import Client, Item
from accel.cli.device import REF_HELP, name
from accel.cli.errors import WrongUse

_PATH = "/jobs"


class _Order(Command):
    """Has something done, and says which job does it."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add which device."""
        parser = super().get_parser(prog_name)
        parser.add_argument("device", metavar="DEVICE", help=REF_HELP)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Order it."""
        client = client_of(self)
        device = refs.device(client, parsed_args.device)
        job = client.post(_PATH, {"device_uuid": device["uuid"], **self.wanted(client, device, parsed_args)})
        self.app.stdout.write(f"Job {job['uuid']} is to {job['kind']} {name(device)}\n")
        self.app.stdout.write(f"How it goes: accel job wait {job['uuid'][:8]}\n")
        return 0

    @abstractmethod
    def wanted(self, client: Client, device: Item, parsed_args: argparse.Namespace) -> dict[str, Any]:
        """What the order says beside the device."""


class DeviceReset(_Order):
    """Reset a device that nobody has anything of."""

    def wanted(self, client: Client, device: Item, parsed_args: argparse.Namespace) -> dict[str, Any]:
        """See ``_Order.wanted``."""
        del client, device, parsed_args
        return {"kind": "reset"}


class DeviceScrub(_Order):
    """Take out what the last user of a device has left."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add how, and of what part."""
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "--method", metavar="METHOD", required=True, help="how: what its driver knows; see the docs"
        )
        parser.add_argument("--part", metavar="DEPLOYABLE", help="this part of it alone (default: the whole card)")
        return parser

    def wanted(self, client: Client, device: Item, parsed_args: argparse.Namespace) -> dict[str, Any]:
        """See ``_Order.wanted``."""
        part = refs.deployable(client, parsed_args.part) if parsed_args.part else _whole(client, device)
        return {"kind": "scrub", "deployable_uuid": part["uuid"], "method": parsed_args.method}


class DeviceVfs(_Order):
    """Have a device show so many SR-IOV virtual functions."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add how many."""
        parser = super().get_parser(prog_name)
        parser.add_argument("count", metavar="COUNT", type=int, help="how many; 0: none")
        return parser

    def wanted(self, client: Client, device: Item, parsed_args: argparse.Namespace) -> dict[str, Any]:
        """See ``_Order.wanted``."""
        del client, device
        return {"kind": "set_vfs", "count": parsed_args.count}


def _whole(client: Client, device: Item) -> Item:
    """The part that is the whole card."""
    parts = client.get("/deployables", {"device": device["uuid"]})["deployables"]
    card: Item | None = next((part for part in parts if part["kind"] == "card"), None)
    if card is None:
        raise WrongUse(f"device {name(device)} has no part that is the whole of it: name one with --part")
    return card
