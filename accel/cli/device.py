"""``accel device …``: list, show, enable, disable."""

import argparse
import json
from abc import abstractmethod
from collections.abc import Iterable
from typing import Any, ClassVar

from cliff.command import Command

from accel.cli import deployable, health, human, refs, vendors
from accel.cli.base import ListCommand, ShowCommand, client_of, query
from accel.cli.client import Client, Item
from accel.cli.columns import Column, member, plain, short_uuid, within
from accel.model.address import PciAddress

REF_HELP = "UUID or its first four characters or more, GPU UUID, serial number, PCI address, or NODE/ADDRESS"

_FILTERS = ("type", "vendor", "model", "node", "health", "status", "presence", "driver", "numa_node", "address")


def state(device: Item) -> str:
    """The one word for how a device is: the worst that is known of it."""
    if device["presence"] == "lost":
        return "lost"
    if device["health"] != "healthy":
        return str(device["health"])
    return "disabled" if device["status"] == "maintaining" else "healthy"


def name(device: Item) -> str:
    """What to call a device in a sentence: short UUID, model, node and address."""
    where = "/".join(part for part in (device["node"], device["address"]) if part)
    return f"{device['uuid'][:8]} ({device['model']} at {where})"


def _free_of_total(device: Item) -> str:
    return f"{device['counts']['free']}/{device['counts']['total']}"


def _board_info(device: Item) -> Any:
    """What every kind of board has; the API has it as a JSON text."""
    text = device["std_board_info"]
    try:
        return json.loads(text) if text else {}
    except ValueError:
        return text


_ABOUT = (
    short_uuid(),
    member("node"),
    member("address"),
    member("type"),
    member("model"),
    Column("free", lambda device: device["counts"]["free"], _free_of_total),
    Column("state", state),
    within("counts", "total"),
    within("counts", "held"),
    member("vendor", vendors.name),
    member("product"),
    member("identity"),
    member("serial"),
    member("driver"),
    member("kernel_driver"),
    member("numa_node"),
    member("status"),
    member("presence"),
    member("health"),
    member("reason"),
)
_TIMES = (
    member("lost_at", human.ago),
    member("created_at", human.ago),
    member("updated_at", human.ago),
)


class DeviceList(ListCommand):
    """List devices: what there is, what is free, what is broken."""

    noun = "device"
    columns: ClassVar[tuple[Column, ...]] = (*_ABOUT, *_TIMES)
    order = ("node", "address")
    shown = ("uuid", "node", "address", "type", "model", "free", "state")
    shown_long = (*shown[:-2], "vendor", "driver", "kernel_driver", "numa_node", *shown[-2:], "held", "reason")

    def add_filters(self, parser: argparse.ArgumentParser) -> None:
        """Add the options that say which devices."""
        group = parser.add_argument_group("which devices")
        group.add_argument("--free", action="store_true", default=None, help="those of which something is free")
        group.add_argument(
            "--type", help="of this type: GPU, FPGA, AICHIP, QAT, NIC, SSD, MDEV, PCI, NVME", type=str.upper
        )
        group.add_argument("--vendor", help="of this vendor, by name or PCI id: nvidia, 10de", type=vendors.vendor_id)
        group.add_argument("--model", help="of exactly this model")
        group.add_argument("--node", help="on this node")
        group.add_argument("--health", choices=("healthy", "unhealthy", "unknown"), help="in this health")
        group.add_argument("--status", choices=("enabled", "maintaining"), help="that the operator has in this status")
        group.add_argument("--presence", choices=("present", "lost"), help="that are there, or were there and are lost")
        group.add_argument("--driver", help="found by this driver of accel: nvidia, intel_fpga, nvme, pci …")
        group.add_argument("--numa-node", type=int, metavar="NUMBER", help="on this NUMA node")
        group.add_argument("--address", help="at this PCI address")

    def fetch(self, parsed_args: argparse.Namespace, *, limit: int | None) -> Iterable[Item]:
        """Read the devices."""
        asked = {"sort_key": "node", **query(parsed_args, _FILTERS)}
        if parsed_args.address:
            asked["address"] = str(PciAddress.parse(parsed_args.address))
        if parsed_args.free:
            asked["free"] = "true"
        return client_of(self).items("/devices", asked, limit=limit)


class DeviceShow(ShowCommand):
    """Show all about one device."""

    columns: ClassVar[tuple[Column, ...]] = (
        *_ABOUT,
        Column("std_board_info", _board_info, lambda device: _lines(_board_info(device))),
        member("vendor_board_info"),
        Column("signals", lambda device: device["signals"], health.lines),
        Column("deployables", lambda device: device["deployables"], lambda device: _parts(device["deployables"])),
        *_TIMES,
    )
    hidden = frozenset({"total"})

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add which device."""
        parser = super().get_parser(prog_name)
        parser.add_argument("device", metavar="DEVICE", help=REF_HELP)
        return parser

    def fetch(self, parsed_args: argparse.Namespace) -> Item:
        """Read the device and its parts."""
        client = client_of(self)
        device = refs.device(client, parsed_args.device)
        parts = client.items("/deployables", {"device": device["uuid"], "sort_key": "name"})
        signals = client.get(f"/health/{device['uuid']}")["signals"]
        return {**device, "signals": signals, "deployables": [deployable.part(item) for item in parts]}


class _Change(Command):
    """Does the same to each of several devices."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add which devices."""
        parser = super().get_parser(prog_name)
        parser.add_argument("device", metavar="DEVICE", nargs="+", help=REF_HELP)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Change each; what is asked for wrongly is found before anything is changed."""
        client = client_of(self)
        for device in [refs.device(client, text) for text in parsed_args.device]:
            self.change(client, device)
        return 0

    @abstractmethod
    def change(self, client: Client, device: Item) -> None:
        """Change one device and say so."""


class DeviceEnable(_Change):
    """Offer devices again."""

    def change(self, client: Client, device: Item) -> None:
        """Enable it."""
        client.post(f"/devices/{device['uuid']}/enable")
        self.app.stdout.write(f"{name(device)} is enabled\n")


class DeviceDisable(_Change):
    """Offer devices to nobody new; holders keep them."""

    def change(self, client: Client, device: Item) -> None:
        """Disable it."""
        client.post(f"/devices/{device['uuid']}/disable")
        held = device["counts"]["held"]
        kept = f"; {held} held as before" if held else ""
        self.app.stdout.write(f"{name(device)} is disabled{kept}\n")


def _parts(parts: Iterable[Item]) -> str:
    return "\n".join(map(deployable.part_line, parts))


def _lines(value: Any) -> str:
    if not isinstance(value, dict):
        return plain(value)
    return "\n".join(f"{key}={plain(part)}" for key, part in value.items())
